"""Reading an instance for de-identification: its data set, its patient, and whether its pixel data is what it says."""

import io

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ..errors import BadInput, Refused

PIXEL_DATA = 0x7FE00010
#: Float and Double Float Pixel Data, with the bits of a sample
OTHER_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64}
_PATIENT_ID = 0x00100020


def read(encoded: bytes) -> FileDataset:
    """The data set of a Part-10 file, values not yet decoded. Raises BadInput or Refused with a reason code."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(encoded))
        syntax = dataset.file_meta.TransferSyntaxUID
    except Exception:
        raise BadInput("UNREADABLE") from None
    if not syntax.is_transfer_syntax or syntax.is_private or syntax == DeflatedExplicitVRLittleEndian:
        raise Refused("TRANSFER_SYNTAX_UNSUPPORTED")
    return dataset


def raw_value(dataset: Dataset, tag: int) -> bytes:
    """The value's bytes less the padding; of one that pydicom has decoded, its text in Latin-1. Empty where absent."""
    value = dataset.get_item(tag).value if tag in dataset else b""
    return value.strip(b" \0") if isinstance(value, bytes) else str(value or "").encode("latin-1", "replace")


def patient_id_of(dataset: Dataset) -> bytes:
    """PatientID byte for byte: character case and leading zeros count."""
    return raw_value(dataset, _PATIENT_ID)


def text_of(dataset: Dataset, keyword: str) -> str:
    """A text value decoded by the data set's own character set, less the padding; empty where it cannot be."""
    try:
        value = dataset.get(keyword)
        values = [] if value is None else [value] if isinstance(value, str) else list(value)
        return "\\".join(str(one) for one in values).strip(" \0")
    except Exception:
        return ""


def native_pixel_bytes(header: Dataset, tag: int) -> int | None:
    """Bytes that the geometry asks for, padded to even; None where the pixel data is encapsulated. Raises BadInput.
    header: a data set of its own for this question, since asking decodes its values."""
    if header.file_meta.TransferSyntaxUID.is_encapsulated:
        return None
    bits = OTHER_PIXELS.get(tag) or int(header.get("BitsAllocated") or 0)
    samples = int(header.get("SamplesPerPixel") or 1)
    frames = int(header.get("NumberOfFrames") or 1)
    pixels = int(header.get("Rows") or 0) * int(header.get("Columns") or 0) * frames
    if not pixels or not bits:
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    halved = str(header.get("PhotometricInterpretation")) in ("YBR_FULL_422", "YBR_PARTIAL_422")
    if halved and len(header.get_item(tag).value or b"") * 8 < pixels * samples * bits:
        samples = 2
    length = (pixels * samples * bits + 7) // 8
    return length + length % 2
