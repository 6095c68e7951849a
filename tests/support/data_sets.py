"""Data sets as bytes: what an archive holds, and what was retrieved of it."""

from pathlib import Path

from pynetdicom.dsutils import split_dataset

from dicom_assets.storage.manifests import MANIFEST, RawInstance
from dicom_assets.storage.tables import read_sealed
from dicom_assets.storage.zones import Zones


def data_set_of(path: Path) -> bytes:
    """A Part 10 file from behind its file meta."""
    _, start = split_dataset(path)
    return path.read_bytes()[start:]


def retrieved(zones: Zones, batch: str) -> dict[str, bytes]:
    """SOPInstanceUID -> data set, of what the manifests of the batch's raw folders name."""
    return {
        row.sop_instance_uid: data_set_of(folder / row.file)
        for folder in (zones.restricted / "raw" / batch).glob("*/")
        for row in read_sealed(folder / MANIFEST, RawInstance)
    }
