"""Calls a peer that is a library, not a program, on each file of a folder, as its README shows.

`python drive.py PEER INPUT OUTPUT`, in the peers' environment: one process, one file after the other.
"""

# pathlib would cost a tenth of the fastest peer's time for a file:
# ruff: noqa: PTH103, PTH118, PTH123

import os
import sys
from collections.abc import Callable


def pydcm() -> Callable[[str, str], None]:
    import pydcm

    return lambda source, target: write(target, pydcm.deidentify(source))


def dcmanon() -> Callable[[str, str], None]:
    from dcmanon import Anonymizer

    anonymizer = Anonymizer()
    return lambda source, target: write(target, anonymizer.anonymize(source))


def dicom_anonymizer() -> Callable[[str, str], None]:
    from dicomanonymizer import anonymize_dicom_file  # its program does not go into folders inside a folder

    return anonymize_dicom_file


def write(path: str, encoded: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(encoded)


PEERS = {"pydcm": pydcm, "dcmanon": dcmanon, "dicom-anonymizer": dicom_anonymizer}


def main(peer: str, source: str, target: str) -> None:
    deidentify = PEERS[peer]()
    for folder, _, names in os.walk(source):
        into = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(into, exist_ok=True)
        for name in names:
            deidentify(os.path.join(folder, name), os.path.join(into, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
