"""Synthetic studies with invented identities, and an embedded archive to run against. Not for production."""

from ..quiet import silence_pynetdicom

silence_pynetdicom()
