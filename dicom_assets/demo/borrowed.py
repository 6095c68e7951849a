"""Images whose pixels, in their own transfer syntax, come from files in pydicom's wheel; nothing else of them does."""

from pathlib import Path

import pydicom.data
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, SecondaryCaptureImageStorage

from .attributes import new_instance
from .image_modules import place, timed
from .plan import Slot

_FOLDER = Path(pydicom.data.__file__).parent / "test_files"

_PIXEL_KEYWORDS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "RescaleIntercept",
    "RescaleSlope",
    "WindowCenter",
    "WindowWidth",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "ScanningSequence",
    "SequenceVariant",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "KVP",
    "ConversionType",
    "PixelData",
]


def borrowed_image(slot: Slot) -> tuple[Dataset, UID]:
    """The data set and the transfer syntax that its pixel data is in. slot.kind: `borrowed:<file>`."""
    source = dcmread(_FOLDER / slot.kind.split(":", 1)[1])
    modality = source.get("Modality") or "OT"
    data_set = new_instance(slot, source.SOPClassUID, modality, f"Outside {modality}")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if modality == "CT" else "OTHER"]
    for keyword in _PIXEL_KEYWORDS:
        if keyword in source:
            data_set[keyword] = source[keyword]
    if source.file_meta.TransferSyntaxUID.is_encapsulated:
        data_set["PixelData"].VR = "OB"
    if source.SOPClassUID == SecondaryCaptureImageStorage:
        data_set.ImageType = ["DERIVED", "SECONDARY"]
        data_set.ConversionType = "WSD"
        data_set.PatientOrientation = ""
    else:
        place(data_set, slot, 0.7, 5)
    if modality == "MR":
        data_set.ScanOptions = ""
    return data_set, source.file_meta.TransferSyntaxUID
