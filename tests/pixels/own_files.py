"""Small files as the engine writes them, with any pixel layout."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
METHODS = ("113100", "113105", "113107")


def dataset(rows: int, columns: int, **attributes: object) -> FileDataset:
    """16 bits, unsigned, MONOCHROME2, of one frame, unless attributes say otherwise; without pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4"
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.5", "1.2.3.6"
    made.Rows, made.Columns = rows, columns
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.DeidentificationMethodCodeSequence = [
        *(_code(value, "DCM") for value in METHODS),
        _code("0123456789abcdef", "99DICOMASSETS"),
    ]
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    if "BitsStored" in attributes and "HighBit" not in attributes:
        made.HighBit = made.BitsStored - 1
    return made


def colour(photometric: str, planar: int = 0) -> dict[str, object]:
    return {
        "SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": planar,
        "BitsAllocated": 8, "BitsStored": 8,
    }  # fmt: skip


def native(path: Path, made: FileDataset, pixels: np.ndarray | bytes) -> Path:
    """pixels: in the order in which they are stored."""
    encoded = pixels if isinstance(pixels, bytes) else pixels.tobytes()
    made.PixelData = encoded + b"\0" * (len(encoded) % 2)
    made["PixelData"].VR = "OB" if made.BitsAllocated <= 8 else "OW"
    made.save_as(path, enforce_file_format=True)
    return path


def encapsulated(
    path: Path, made: FileDataset, frames: list[bytes], syntax: str = RLELossless, table: str = "", fragments: int = 1
) -> Path:
    """table: `basic`, `extended` or empty. fragments: of each frame."""
    made.file_meta.TransferSyntaxUID = syntax
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    if table == "extended":
        made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        made.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table == "basic")
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    made.save_as(path, enforce_file_format=True)
    return path


def _code(value: str, scheme: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "any"
    return code
