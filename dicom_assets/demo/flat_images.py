"""Radiographs, ultrasound and captured screens. A builder takes a Slot and returns a data set."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from .attributes import coded, item, items, new_instance
from .image_modules import set_pixels, slice_of, timed
from .plan import Slot
from .projections import chest_radiograph, draw_lines, hand_radiograph, ultrasound_sector

_CINE_FRAMES = 8


def _cr(slot: Slot) -> Dataset:
    data_set = new_instance(slot, ComputedRadiographyImageStorage, "CR", "Chest PA")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY"]
    _set_radiograph(data_set, slot, chest_radiograph(slot.visit.number, slot.size * 2))
    data_set.ViewPosition, data_set.KVP = "PA", 117
    data_set.PlateID = f"PLATE-{55010 + slot.visit.number}"
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.WindowCenter, data_set.WindowWidth = (128, 256) if slot.syntax == "jpeg" else (2048, 4096)
    data_set.PatientOrientation = ["L", "F"]
    return data_set


def _dx(slot: Slot) -> Dataset:
    data_set = new_instance(slot, DigitalXRayImageStorageForPresentation, "DX", "Hand PA")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", ""]
    _set_radiograph(data_set, slot, hand_radiograph(slot.visit.number + slot.number, slot.size * 2))
    data_set.PresentationIntentType, data_set.PresentationLUTShape = "FOR PRESENTATION", "IDENTITY"
    data_set.PixelIntensityRelationship, data_set.PixelIntensityRelationshipSign = "LOG", -1
    data_set.RescaleIntercept, data_set.RescaleSlope, data_set.RescaleType = 0, 1, "US"
    data_set.WindowCenter, data_set.WindowWidth = (128, 256) if slot.syntax == "jpeg" else (2048, 4096)
    data_set.PatientOrientation = ["L", "F"]
    data_set.ImageLaterality = "R"
    data_set.BurnedInAnnotation = "NO"
    data_set.DetectorType, data_set.DetectorID = "DIRECT", f"DET-{44870 + slot.visit.number}"
    data_set.PositionerType = ""
    data_set.DetectorConditionsNominalFlag = "YES"
    data_set.DetectorManufacturerName = "Auriga Imaging"
    data_set.ImagerPixelSpacing = [0.4, 0.4]
    data_set.LossyImageCompression = "00"
    data_set.ViewCodeSequence = coded("399348003", "SCT", "antero-posterior")
    data_set.AnatomicRegionSequence = coded("85562004", "SCT", "Hand")
    data_set.AcquisitionContextSequence = items()
    return data_set


def _set_radiograph(data_set: Dataset, slot: Slot, picture: np.ndarray) -> None:
    """8 bits where JPEG baseline is to follow, else 12."""
    if slot.syntax == "jpeg":
        set_pixels(data_set, np.rint(picture * 255).astype(np.uint8), 8)
    else:
        set_pixels(data_set, np.rint(np.clip(picture, 0, 1) * 4095).astype(np.uint16), 12)


def _us(slot: Slot) -> Dataset:
    """us, us-cine, us-text and us-cine-text; text stands above the one ultrasound region."""
    cine, text = "cine" in slot.kind, "text" in slot.kind
    sop_class = UltrasoundMultiFrameImageStorage if cine else UltrasoundImageStorage
    data_set = new_instance(slot, sop_class, "US", "Abdomen")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    rows, columns, top = slot.size * 3 // 2, slot.size * 2, 48
    frames = []
    for frame in range(_CINE_FRAMES if cine else 1):
        sector = ultrasound_sector(slot.visit.number + slot.number, rows - top, columns, frame / _CINE_FRAMES)
        picture = np.vstack([np.zeros((top, columns), np.uint8), sector])
        frames.append(draw_lines(picture, identity_lines(slot)) if text else picture)
    colour = np.repeat(np.stack(frames)[..., None], 3, axis=-1)
    set_pixels(data_set, colour if cine else colour[0], 8, frames=cine)
    if cine:
        data_set.FrameTime, data_set.FrameIncrementPointer = 40, 0x00181063
        data_set.CineRate = 25
    data_set.SequenceOfUltrasoundRegions = items(_region(top, rows, columns))
    data_set.BurnedInAnnotation = "YES" if text else "NO"
    data_set.LossyImageCompression = "00"
    data_set.PatientOrientation = ""
    return data_set


def _region(top: int, rows: int, columns: int) -> Dataset:
    return item(
        RegionSpatialFormat=1,
        RegionDataType=1,
        RegionFlags=2,
        RegionLocationMinX0=0,
        RegionLocationMinY0=top,
        RegionLocationMaxX1=columns - 1,
        RegionLocationMaxY1=rows - 1,
        PhysicalUnitsXDirection=3,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.05,
        PhysicalDeltaY=0.05,
    )


def identity_lines(slot: Slot) -> tuple[str, str]:
    """What a scanner draws into a picture: name and identifier, then the date."""
    name = slot.visit.person.name.split("=")[0].replace("^", " ").upper()
    if not name.isascii():
        name = slot.visit.person.natural_name.upper()
    day = slot.visit.study_date
    return f"{name}  {slot.visit.patient_id}", f"{day[:4]}-{day[4:6]}-{day[6:]}  {slot.visit.site.station}"


def _sc(slot: Slot) -> Dataset:
    """A screen with a slice in the middle and the identity in its corner."""
    data_set = new_instance(slot, SecondaryCaptureImageStorage, "OT", "Screen capture")
    timed(data_set, slot)
    data_set.ImageType = ["DERIVED", "SECONDARY"]
    data_set.ConversionType = "WSD"
    data_set.DateOfSecondaryCapture, data_set.TimeOfSecondaryCapture = slot.visit.study_date, slot.visit.study_time
    data_set.SecondaryCaptureDeviceManufacturer = "Cygnus Diagnostics"
    cut = slice_of("T1", slot, slot.size)
    screen = np.full((slot.size + 96, slot.size * 2), 24, np.uint8)
    left = slot.size // 2
    screen[64 : 64 + slot.size, left : left + slot.size] = np.clip(cut / 4, 0, 255).astype(np.uint8)
    screen = np.repeat(screen[..., None], 3, axis=-1)
    set_pixels(data_set, draw_lines(screen, identity_lines(slot), 18), 8)
    data_set.BurnedInAnnotation = "YES"
    data_set.PatientOrientation = ""
    return data_set


BUILDERS: dict[str, Callable[[Slot], Dataset]] = {
    "cr": _cr,
    "dx": _dx,
    "us": _us,
    "us-cine": _us,
    "us-text": _us,
    "us-cine-text": _us,
    "sc-text": _sc,
}
