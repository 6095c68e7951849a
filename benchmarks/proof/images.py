"""What each modality adds (PS3.3 A.2 to A.38): acquisition, geometry, references, private elements, pixels."""

import datetime
import random

from pydicom.dataelem import DataElement
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from benchmarks.proof.header import MODALITIES, Series, fill_acquisition
from benchmarks.proof.phrases import REASONS
from benchmarks.proof.pixels import colour, set_pixels
from benchmarks.proof.sheet import Sheet, da

SOP_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
    "US": UltrasoundMultiFrameImageStorage,
    "MR enhanced": EnhancedMRImageStorage,
    "PT enhanced": EnhancedPETImageStorage,
}


def fill(sheet: Sheet, series: Series, number: int, *, is_enhanced: bool) -> None:
    """The modality's own elements, and the pixels, native and little endian."""
    rng = random.Random(series.instance_uid(number))
    if is_enhanced:
        _enhanced(sheet, series, number, rng)
    else:
        fill_acquisition(sheet, series.modality)
        _FILL[series.modality](sheet, series, number, rng)
    _private(sheet, series, rng)
    if series.modality in ("CR", "DX") and rng.random() < 0.5:
        _overlay(sheet, series)
        _graphics(sheet, series)


def _plane(sheet: Sheet, series: Series, number: int) -> None:
    """Slices too thick to rebuild a face from, which the profile would keep back."""
    sheet.uid("FrameOfReferenceUID", series.frame_of_reference, is_type_1=True)
    sheet.there("PositionReferenceIndicator")
    sheet.need("ImagePositionPatient", ["-170.0", "-340.5", f"{number * 5.0:.1f}"])
    sheet.need("ImageOrientationPatient", ["1", "0", "0", "0", "1", "0"])
    sheet.need("PixelSpacing", ["0.664", "0.664"])
    sheet.keep("SliceThickness", "5.0")
    sheet.keep("SliceLocation", f"{number * 5.0:.1f}")
    sheet.keep("PatientPosition", "HFS")


def _reference(sheet: Sheet, series: Series, number: int) -> None:
    for keyword in ("ReferencedImageSequence", "SourceImageSequence"):
        item = sheet.item(keyword)
        item.data_set.ReferencedSOPClassUID = SOP_CLASSES[series.modality]
        item.uid("ReferencedSOPInstanceUID", series.instance_uid(max(1, number - 1)))


def _ct(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    _plane(sheet, series, number)
    _reference(sheet, series, number)
    sheet.uid("IrradiationEventUID", series.uid("irradiation", series.study))
    sheet.words("ContrastBolusAgent", series.words.short("Ultravist 370"))
    sheet.day("DateOfLastCalibration", da(series.day - datetime.timedelta(9)))
    set_pixels(sheet.data_set, rng, series.size, series.size, bits=12)


def _mr(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    _plane(sheet, series, number)
    _reference(sheet, series, number)
    set_pixels(sheet.data_set, rng, series.size, series.size, bits=12)


def _pt(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    _plane(sheet, series, number)
    drug = sheet.item("RadiopharmaceuticalInformationSequence")
    drug.keep("Radiopharmaceutical", "FDG")
    drug.time("RadiopharmaceuticalStartTime", "083000.00")
    drug.day("RadiopharmaceuticalStartDateTime", f"{da(series.day)}083000.00")
    drug.keep("RadionuclideTotalDose", "362000000")
    drug.keep("RadionuclideHalfLife", "6586.2")
    drug.code("RadionuclideCodeSequence", "C-111A1", "SRT", "^18^Fluorine")
    set_pixels(sheet.data_set, rng, series.size, series.size, bits=12)


def _projection(sheet: Sheet, rng: random.Random, series: Series, *, bits: int) -> None:
    sheet.keep("PatientOrientation", ["L", "F"])
    sheet.keep("KVP", "117")
    sheet.keep("ExposureInuAs", "4200")
    sheet.gone("DetectorID", f"DET{series.where.station[-5:]}9", "HIPAA-M")
    sheet.day("DateOfLastDetectorCalibration", da(series.day - datetime.timedelta(31)))
    set_pixels(sheet.data_set, rng, series.size, series.size * 3 // 4, bits=bits)


def _cr(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    sheet.gone("PlateID", f"PLT{series.where.station[-5:]}1", "HIPAA-M")
    sheet.gone("CassetteID", f"CAS{series.where.station[-5:]}2", "HIPAA-M")
    _projection(sheet, rng, series, bits=8)


def _dx(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    sheet.code("AnatomicRegionSequence", "85562004", "SCT", "Hand")
    sheet.code("ViewCodeSequence", "399348003", "SCT", "antero-posterior")
    sheet.words("AcquisitionDeviceProcessingDescription", series.words.short("Hand PA"))
    _projection(sheet, rng, series, bits=8 if series.number % 2 else 12)


def _mg(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    sheet.code("ViewCodeSequence", "399162004", "SCT", "cranio-caudal")
    sheet.code("AnatomicRegionSequence", "76752008", "SCT", "Breast")
    _projection(sheet, rng, series, bits=12)


def _us(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    sheet.data_set.FrameIncrementPointer = 0x00181063
    sheet.gone("ScheduledStationName", series.where.station, "HIPAA-M")
    region = sheet.item("SequenceOfUltrasoundRegions")
    for keyword, value in MODALITIES["US"]["region"].items():
        region.keep(keyword, value)
    set_pixels(sheet.data_set, rng, series.size, series.size, bits=8, frames=4)
    if series.series_rng.random() < 0.5:
        colour(sheet.data_set)


def _enhanced(sheet: Sheet, series: Series, number: int, rng: random.Random) -> None:
    """Functional groups: what identifies stands once for each frame, three sequences deep."""
    day, frames = da(series.day), 3
    sheet.need("ImageType", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    sheet.uid("FrameOfReferenceUID", series.frame_of_reference, is_type_1=True)
    organization = series.uid("dimensions", series.study, series.number, number)
    sheet.item("DimensionOrganizationSequence").uid("DimensionOrganizationUID", organization, is_type_1=True)
    index = sheet.item("DimensionIndexSequence")
    index.uid("DimensionOrganizationUID", organization, is_type_1=True)
    index.data_set.DimensionIndexPointer, index.data_set.FunctionalGroupPointer = 0x00209057, 0x00209111
    measures = sheet.item("SharedFunctionalGroupsSequence").item("PixelMeasuresSequence")
    measures.keep("PixelSpacing", ["0.9", "0.9"])
    measures.keep("SliceThickness", "5.0")
    for frame in range(frames):
        group = sheet.item("PerFrameFunctionalGroupsSequence")
        content = group.item("FrameContentSequence")
        content.day("FrameAcquisitionDateTime", f"{day}1011{frame:02}.5")
        content.day("FrameReferenceDateTime", f"{day}1011{frame:02}.7")
        content.keep("InStackPositionNumber", frame + 1)
        content.keep("DimensionIndexValues", frame + 1)
        content.words("FrameComments", series.words.short(rng.choice(REASONS)))
        group.item("PlanePositionSequence").keep("ImagePositionPatient", ["-120", "-130", f"{frame * 5}.5"])
        derivation = group.item("DerivationImageSequence")
        derivation.words("DerivationDescription", series.words.short("average of two echoes"))
        source = derivation.item("SourceImageSequence")
        source.data_set.ReferencedSOPClassUID = SOP_CLASSES[series.modality]
        source.uid("ReferencedSOPInstanceUID", series.uid("source", series.study, frame))
    set_pixels(sheet.data_set, rng, series.size, series.size, bits=12, frames=frames)


def _overlay(sheet: Sheet, series: Series) -> None:
    """A drawing over the image, or a region of it, which stays (PS3.3 C.9.2), with text in its description and label;
    and what is left of a curve (retired)."""
    rows, columns = sheet.data_set.Rows, sheet.data_set.Columns
    bits = bytes((rows * columns + 15) // 16 * 2)
    kind = series.series_rng.choice("GR")
    described = [(0x10, "US", rows), (0x11, "US", columns), (0x40, "CS", kind), (0x50, "SS", [1, 1])]
    for element, vr, value in [*described, (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", bits)]:
        if kind == "R":
            sheet.there_at(0x60000000 + element, vr, value)
        else:
            sheet.data_set.add(DataElement(0x60000000 + element, vr, value))
    family = series.where.doctors[2][0]
    sheet.gone_at(0x60004000, "LT", f"drawn by {family}", "TCIA-P15-PHYSICIAN-X")
    sheet.words_go_at(0x60000022, "LO", series.words.short("Abdomen"))
    sheet.words_go_at(0x60001500, "LO", series.words.short("Lung"))
    sheet.gone_at(0x50000022, "LO", f"ECG of {series.who.patient_id}", "HIPAA-H")
    sheet.gone_at(0x50002500, "LO", f"curve by {family}", "TCIA-P15-PHYSICIAN-X")


def _graphics(sheet: Sheet, series: Series) -> None:
    """Text laid over the image (PS3.3 C.10.5): Clean Graphics with Clean Descriptors."""
    annotation = sheet.item("GraphicAnnotationSequence")
    annotation.keep("GraphicLayer", "LAYER1")
    text = annotation.item("TextObjectSequence")
    text.words("UnformattedTextValue", series.words.short("nodule"))
    text.keep("AnchorPoint", [12.5, 40.0])
    text.keep("AnchorPointAnnotationUnits", "PIXEL")
    text.keep("AnchorPointVisibility", "N")


def _private(sheet: Sheet, series: Series, rng: random.Random) -> None:
    """As the makers put them: measurements that Table E.3.10-1 names, and names, dates and IDs that it does not."""
    who, where, doctor = series.who, series.where, series.where.doctors[1][0]
    maker = sheet.data_set.Manufacturer
    if maker == "SIEMENS":
        if series.modality == "MR":
            sheet.safe_private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", f"{rng.choice([0, 500, 1000])}")
            sheet.safe_private(0x0019, "SIEMENS MR HEADER", 0x0D, "CS", "DIRECTIONAL")
            sheet.safe_private(0x0019, "SIEMENS MR HEADER", 0x0E, "FD", [0.5, 0.25, -0.75])
        sheet.unsafe_private(
            0x0029, "SIEMENS CSA HEADER", 0x10, "OB", f"SV10{where.station}{where.doctors[1][0]}", "HIPAA-M"
        )
        if series.modality == "MR":
            sheet.unsafe_private(0x0019, "SIEMENS MR HEADER", 0x27, "LO", f"b of {where.doctors[2][0]}", "HIPAA-A")
        sheet.unsafe_private(0x0021, "SIEMENS MED", 0x11, "LO", f"op {where.doctors[2][0]}", "TCIA-P15-PHYSICIAN-X")
    elif maker == "GE MEDICAL SYSTEMS":
        if series.modality == "CT":
            sheet.safe_private(0x0019, "GEMS_ACQU_01", 0x23, "DS", "39.375")
            sheet.safe_private(0x0019, "GEMS_ACQU_01", 0x27, "DS", "0.5")
            sheet.unsafe_private(0x0019, "GEMS_ACQU_01", 0x24, "DS", da(series.day), "HIPAA-C")
            sheet.unsafe_private(0x0019, "GEMS_ACQU_01", 0x9E, "LO", f"for {doctor}", "TCIA-P15-PHYSICIAN-X")
            sheet.unsafe_private(0x0043, "GEMS_PARM_01", 0x27, "SH", who.patient_id, "HIPAA-H")
            sheet.safe_private(0x0045, "GEMS_HELIOS_01", 0x02, "FL", 0.625)
        if series.modality == "MR":
            sheet.safe_private(0x0043, "GEMS_PARM_01", 0x39, "IS", ["800", "8", "0", "0"])
            sheet.safe_private(0x0019, "GEMS_ACQU_01", 0x9E, "LO", "EFGRE3D")
            sheet.unsafe_private(0x0043, "GEMS_PARM_01", 0x6F, "DS", da(series.day), "HIPAA-C")
        sheet.unsafe_private(0x0009, "GEMS_IDEN_01", 0x02, "SH", where.station, "HIPAA-M")
        sheet.unsafe_private(0x0011, "GEMS_PATI_01", 0x10, "LO", f"pt {who.patient_id}", "HIPAA-H")
    elif maker == "Philips Medical Systems":
        if series.modality == "MR":
            sheet.safe_private(0x2001, "Philips Imaging DD 001", 0x03, "FL", 800.0)
            sheet.safe_private(0x2001, "Philips Imaging DD 001", 0x0B, "CS", "TRANSVERSAL")
            sheet.safe_private(0x2005, "Philips MR Imaging DD 001", 0x0E, "FL", 0.5)
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x08, "IS", da(series.day), "HIPAA-C")
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x50, "LO", f"DOB {da(who.birth)}", "HIPAA-C")
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x5D, "ST", f"tel {who.telephone}", "HIPAA-D")
            later = f"{series.day + datetime.timedelta(5):%d.%m.%Y}"  # no header has it
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x5E, "ST", f"checked {later}", "HIPAA-C")
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x64, "SH", who.licence, "HIPAA-K")
            sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0x87, "SH", series.accession, "HIPAA-R")
        if series.modality == "PT":
            sheet.safe_private(0x7053, "Philips PET Private Group", 0x00, "DS", "0.000512")
            sheet.unsafe_private(0x7053, "Philips PET Private Group", 0x09, "DS", da(series.day), "HIPAA-C")
        sheet.unsafe_private(0x2001, "Philips Imaging DD 001", 0xC8, "LO", f"exam {who.patient_id}", "HIPAA-H")
    else:
        sheet.unsafe_private(0x0009, "FDMS 1.0", 0x04, "SH", where.station, "HIPAA-M")
        if who.name.isascii():
            sheet.unsafe_private(0x0019, "ACME PACS 2.1", 0x01, "PN", who.name, "HIPAA-A")
    sheet.private_uid(0x0099, "NQHeader", 0x02, series.series_uid)
    sheet.unsafe_private(0x0099, "NQHeader", 0x05, "LT", f"sent to {who.email} on {series.day:%Y-%m-%d}", "HIPAA-F")
    if who.name.isascii():
        sheet.unsafe_private(0x0099, "SITE PACS", 0x07, "UN", who.name, "HIPAA-A")
    sheet.unsafe_private(0x0099, "SITE PACS", 0x05, "LT", f"tel {who.telephone}", "HIPAA-D")


_FILL = {"CT": _ct, "MR": _mr, "PT": _pt, "CR": _cr, "DX": _dx, "MG": _mg, "US": _us}
