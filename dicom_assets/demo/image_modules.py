"""The modules that images share (PS3.3 C.7.6): pixels, plane, times."""

import numpy as np
from pydicom.dataset import Dataset

from .anatomy import volume
from .plan import Slot


def set_pixels(data_set: Dataset, pixels: np.ndarray, bits_stored: int, frames: bool = False) -> None:
    """pixels: unsigned ([frames,] rows, columns[, 3])."""
    shape = pixels.shape[1:] if frames else pixels.shape
    colour = len(shape) == 3
    data_set.SamplesPerPixel = 3 if colour else 1
    data_set.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data_set.PlanarConfiguration = 0
    if frames:
        data_set.NumberOfFrames = len(pixels)
    data_set.Rows, data_set.Columns = shape[:2]
    data_set.BitsAllocated = pixels.dtype.itemsize * 8
    data_set.BitsStored, data_set.HighBit = bits_stored, bits_stored - 1
    data_set.PixelRepresentation = 0
    content = pixels.tobytes()
    vr = "OB" if pixels.dtype == np.uint8 else "OW"
    data_set.add_new("PixelData", vr, content + b"\0" * (len(content) % 2))


def slice_of(body: str, slot: Slot, columns: int) -> np.ndarray:
    """float32 (rows, columns): the slot's slice of the patient's phantom."""
    return volume(body, slot.visit.number, slot.count, columns, columns)[slot.number - 1]


def place(data_set: Dataset, slot: Slot, spacing: float, thickness: float) -> None:
    """Image plane and frame of reference modules: axial slices, millimetres, feet first in the stack."""
    spacing = round(spacing, 6)
    extent = round(spacing * data_set.Columns / 2, 4)
    height = (slot.number - 1) * thickness
    data_set.PixelSpacing = [spacing, spacing]
    data_set.SliceThickness = thickness
    data_set.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data_set.ImagePositionPatient = [-extent, -extent, height]
    data_set.SliceLocation = height
    data_set.FrameOfReferenceUID = slot.visit.frame_of_reference_uid
    data_set.PositionReferenceIndicator = ""
    data_set.PatientPosition = "HFS"


def timed(data_set: Dataset, slot: Slot) -> None:
    """Acquisition and content, date and time."""
    visit = slot.visit
    data_set.AcquisitionDate = data_set.ContentDate = visit.study_date
    data_set.AcquisitionTime = data_set.ContentTime = f"{visit.study_time}.{slot.number:06d}"
    data_set.AcquisitionDateTime = f"{visit.study_date}{visit.study_time}"
    data_set.AcquisitionNumber = 1
