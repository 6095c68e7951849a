"""Transfer syntaxes and Part 10 files. The same data set gives the same bytes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

_IMPLEMENTATION_CLASS_UID = UID("1.2.826.0.1.3680043.10.1337.9.1")
_IMPLEMENTATION_VERSION = "DA_DEMO_1"


def encode_pixels(data_set: Dataset, syntax: str) -> UID:
    """Compress the data set's native pixel data where syntax asks for it; the transfer syntax to write it in."""
    if syntax == "implicit":
        return ImplicitVRLittleEndian
    if syntax in ("rle", "jpeg2000"):
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        target = RLELossless if syntax == "rle" else JPEG2000Lossless
        data_set.compress(target, generate_instance_uid=False)
        return target
    if syntax == "jpeg":
        _compress_to_jpeg(data_set)
        return JPEGBaseline8Bit
    return ExplicitVRLittleEndian


def add_file_meta(data_set: Dataset, transfer_syntax: UID, more: Dataset) -> None:
    """more: further elements of group 0002."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = _IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = _IMPLEMENTATION_VERSION
    for element in more:
        meta.add(element)
    data_set.file_meta = meta


def write_part10(path: Path, data_set: Dataset, preamble: bytes) -> None:
    """data_set: with its file meta. preamble: 128 bytes."""
    data_set.preamble = preamble
    dcmwrite(path, data_set, enforce_file_format=True)


def _compress_to_jpeg(data_set: Dataset) -> None:
    """8-bit grey pixels to one JPEG baseline frame."""
    native = data_set.PixelData
    pixels = np.frombuffer(native, np.uint8, data_set.Rows * data_set.Columns).reshape(data_set.Rows, data_set.Columns)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    data_set.add_new("PixelData", "OB", encapsulate([buffer.getvalue()]))
    data_set["PixelData"].is_undefined_length = True
    data_set.LossyImageCompression = "01"
    data_set.LossyImageCompressionRatio = f"{len(native) / len(buffer.getvalue()):.2f}"
    data_set.LossyImageCompressionMethod = "ISO_10918_1"
