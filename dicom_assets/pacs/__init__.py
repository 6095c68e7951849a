from ..quiet import silence_pynetdicom

silence_pynetdicom()
