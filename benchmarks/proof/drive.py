"""Calls a peer that is a library on each file of a folder, as its own documentation shows, with its own default rules.

`python drive.py PEER INPUT OUTPUT`, in the peers' environment. A file that it raises on is left out, and counted.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def dicom_anonymizer() -> Callable[[Path, Path], None]:
    from dicomanonymizer import anonymize_dicom_file

    return lambda source, target: anonymize_dicom_file(str(source), str(target))


def deid() -> Callable[[Path, Path], None]:
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers

    recipe = DeidRecipe()

    def deidentify(source: Path, target: Path) -> None:
        into = str(target.parent)
        replace_identifiers(
            str(source), deid=recipe, remove_private=True, save=True, overwrite=True, output_folder=into
        )

    return deidentify


PEERS = {"dicom-anonymizer": dicom_anonymizer, "deid": deid}


def main(peer: str, source: str, target: str) -> None:
    warnings.simplefilter("ignore")
    deidentify, failed = PEERS[peer](), 0
    for path in sorted(path for path in Path(source).rglob("*") if path.is_file()):
        into = Path(target, path.relative_to(source))
        into.parent.mkdir(parents=True, exist_ok=True)
        try:
            deidentify(path, into)
        except Exception:  # whatever it raises: it has not done this file
            into.unlink(missing_ok=True)
            failed += 1
    print(f"{failed} files failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
