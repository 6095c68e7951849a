"""CT, MR and PET slices: the modules of each kind and their pixels. A builder takes a Slot and returns a data set."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from .attributes import coded, item, items, new_instance
from .image_modules import place, set_pixels, slice_of, timed
from .plan import Slot


def _ct(slot: Slot) -> Dataset:
    data_set = new_instance(slot, CTImageStorage, "CT", "Thorax 2.0")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    hounsfield = slice_of("chest", slot, slot.size)
    set_pixels(data_set, np.clip(np.rint(hounsfield) + 1024, 0, 4095).astype(np.uint16), 12)
    place(data_set, slot, 400 / slot.size, 5)
    data_set.RescaleIntercept, data_set.RescaleSlope, data_set.RescaleType = -1024, 1, "HU"
    data_set.WindowCenter, data_set.WindowWidth = 40, 400
    data_set.KVP, data_set.XRayTubeCurrent, data_set.ExposureTime = 120, 180, 500
    data_set.ConvolutionKernel = "B30f"
    data_set.GantryDetectorTilt, data_set.TableHeight = 0, 150
    data_set.ContrastBolusAgent = "ISOVUE 300"
    data_set.BurnedInAnnotation = "NO"
    return data_set


def _mr(slot: Slot) -> Dataset:
    is_thin = slot.kind == "mr-thin"
    weighting = "T1" if is_thin else slot.kind.removeprefix("mr-").upper()
    data_set = new_instance(slot, MRImageStorage, "MR", "T1 3D" if is_thin else f"{weighting} axial")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    set_pixels(data_set, np.clip(np.rint(slice_of(weighting, slot, slot.size)), 0, 4095).astype(np.uint16), 12)
    place(data_set, slot, 240 / slot.size, 1 if is_thin else 4)
    data_set.ScanningSequence, data_set.SequenceVariant, data_set.ScanOptions = "SE", "NONE", ""
    data_set.MRAcquisitionType, data_set.EchoTrainLength = "3D" if is_thin else "2D", 1
    data_set.RepetitionTime, data_set.EchoTime = (500, 12) if weighting == "T1" else (4000, 95)
    data_set.MagneticFieldStrength, data_set.FlipAngle = 3, 90
    data_set.WindowCenter, data_set.WindowWidth = 500, 1000
    return data_set


def _pt(slot: Slot) -> Dataset:
    data_set = new_instance(slot, PositronEmissionTomographyImageStorage, "PT", "FDG corrected")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY"]
    set_pixels(data_set, np.clip(np.rint(slice_of("tracer", slot, slot.size // 2)), 0, 32767).astype(np.uint16), 16)
    place(data_set, slot, 800 / slot.size, 5)
    del data_set.PatientPosition  # the orientation is coded below
    data_set.RescaleIntercept, data_set.RescaleSlope = 0, 1.5
    data_set.Units, data_set.CountsSource, data_set.DecayCorrection = "BQML", "EMISSION", "START"
    data_set.SeriesType, data_set.NumberOfSlices = ["STATIC", "IMAGE"], slot.count
    data_set.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    data_set.CollimatorType = "NONE"
    data_set.FrameReferenceTime, data_set.ActualFrameDuration, data_set.ImageIndex = 1000, 120000, slot.number
    data_set.DecayFactor = 1.02
    data_set.PatientGantryRelationshipCodeSequence = coded("102540001", "SCT", "headfirst")
    data_set.PatientOrientationCodeSequence = items(
        item(
            CodeValue="102538003",
            CodingSchemeDesignator="SCT",
            CodeMeaning="recumbent",
            PatientOrientationModifierCodeSequence=coded("40199007", "SCT", "supine"),
        )
    )
    data_set.RadiopharmaceuticalInformationSequence = items(
        item(
            Radiopharmaceutical="Fluorodeoxyglucose",
            RadiopharmaceuticalStartTime=slot.visit.study_time,
            RadiopharmaceuticalStartDateTime=f"{slot.visit.study_date}{slot.visit.study_time}",
            RadionuclideTotalDose=350000000,
            RadionuclideHalfLife=6586.2,
            RadionuclidePositronFraction=0.967,
            RadionuclideCodeSequence=coded("77004003", "SCT", "^18^Fluorine"),
        )
    )
    data_set.WindowCenter, data_set.WindowWidth = 6000, 12000
    return data_set


BUILDERS: dict[str, Callable[[Slot], Dataset]] = {"ct": _ct, "mr-t1": _mr, "mr-t2": _mr, "mr-thin": _mr, "pt": _pt}
