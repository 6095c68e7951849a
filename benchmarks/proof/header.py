"""The modules that all objects share (PS3.3 C.7.1 to C.7.5): patient, study, series, equipment, request."""

import datetime
import random
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import generate_uid

from benchmarks.proof.people import Patient, Site
from benchmarks.proof.phrases import REASONS, SERIES, STUDIES, Phrase, Writer
from benchmarks.proof.sheet import Sheet, da

_ROOT = "1.2.826.0.1.3680043.10.999."
_INTERPRETATION_STUDY = "1.2.840.10008.3.1.2.3.1"
_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
#: modality -> what modalities.toml says of it
MODALITIES = tomllib.loads(Path(__file__).with_name("modalities.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Series:
    """Where an instance belongs; all its UIDs follow from the seed and these. day: of the study."""

    seed: int
    who: Patient
    where: Site
    modality: str
    day: datetime.date
    study: int
    number: int
    words: Writer
    accession: str
    size: int

    @property
    def rng(self) -> random.Random:
        """The same for all instances of the study."""
        return random.Random(f"{self.seed} {self.who.patient_id} study {self.study}")

    @property
    def series_rng(self) -> random.Random:
        return random.Random(f"{self.seed} {self.who.patient_id} series {self.study}.{self.number}")

    def uid(self, *what: object) -> str:
        """The same for the same words."""
        return generate_uid(_ROOT, [str(self.seed), self.who.patient_id, str(self.day), *map(str, what)])

    @property
    def study_uid(self) -> str:
        return self.uid("study", self.study)

    @property
    def series_uid(self) -> str:
        return self.uid("series", self.study, self.number)

    @property
    def frame_of_reference(self) -> str:
        return self.uid("frame of reference", self.study)

    def instance_uid(self, number: int) -> str:
        return self.uid("instance", self.study, self.number, number)


def fill(sheet: Sheet, series: Series, sop_class: str, number: int) -> None:
    """All but what the modality adds."""
    if series.who.character_set:
        sheet.data_set.SpecificCharacterSet = series.who.character_set.split("\\")
    sheet.need("SOPClassUID", sop_class)
    sheet.uid("SOPInstanceUID", series.instance_uid(number), is_type_1=True)
    _patient(sheet, series)
    _study(sheet, series)
    _series(sheet, series, number)
    _times(sheet, series, number)
    _people_and_places(sheet, series)
    _request(sheet, series)


def fill_acquisition(sheet: Sheet, modality: str) -> None:
    """What modalities.toml says of the modality's own elements."""
    for keyword, value in MODALITIES[modality]["needed"].items():
        sheet.need(keyword, value)
    for keyword, value in MODALITIES[modality]["kept"].items():
        sheet.keep(keyword, value)


def _patient(sheet: Sheet, series: Series) -> None:
    who, words = series.who, series.words
    sheet.name("PatientName", who.name, "HIPAA-A", is_type_2=True)
    sheet.patient_id(who.patient_id)
    sheet.emptied("PatientBirthDate", da(who.birth), "HIPAA-C")
    sheet.keep("PatientSex", who.sex, "TCIA-P15-PAT-K")
    age = (series.day - who.birth).days // 365
    if age > 89:
        sheet.gone("PatientAge", f"{age:03}Y", "HIPAA-C")
    else:
        sheet.keep("PatientAge", f"{age:03}Y", "TCIA-P15-PAT-K")
    sheet.keep("PatientSize", who.height, "TCIA-P15-PAT-K")
    sheet.keep("PatientWeight", who.weight, "TCIA-P15-PAT-K")
    sheet.keep("EthnicGroup", who.ethnic_group, "TCIA-P15-PAT-K")
    sheet.keep("SmokingStatus", "UNKNOWN", "TCIA-P15-PAT-K")
    sheet.keep("PregnancyStatus", 4, "TCIA-P15-PAT-K")
    sheet.gone("PatientAddress", who.address[:64], "HIPAA-B")
    sheet.gone("PatientTelephoneNumbers", who.telephone, "HIPAA-D")
    sheet.gone("OtherPatientIDs", who.other_id, "HIPAA-H")
    sheet.name("PatientMotherBirthName", who.mother, "HIPAA-A")
    if who.name.isascii():
        birth_name = f"{who.mother.partition('^')[0]}^{who.name.split('^')[1]}"
        sheet.gone_at(0x00101005, "UN", birth_name, "HIPAA-A")
    sheet.gone("MedicalRecordLocator", f"BOX{who.patient_id}", "HIPAA-H")
    sheet.gone("InsurancePlanIdentification", who.insurance, "HIPAA-I")
    sheet.gone("PatientTelecomInformation", who.email, "HIPAA-F")
    sheet.gone("IssuerOfPatientID", series.where.name, "HIPAA-B")
    sheet.name("ResponsiblePerson", f"{who.mother.partition('^')[0]}^{who.child}", "HIPAA-A")
    sheet.words("Occupation", Phrase(f"at {who.employer}"[:16], "", ((who.employer.split()[0], "HIPAA-A"),)))
    for keyword, value in [
        ("CountryOfResidence", "Ruritania"),
        ("MilitaryRank", "Corporal"),
        ("PatientReligiousPreference", "Shaker"),
    ]:
        sheet.gone(keyword, value, "DICOM-P15-BASIC-X")
    other = sheet.item("OtherPatientIDsSequence")
    other.gone("PatientID", who.ssn, "HIPAA-G")
    other.gone("IssuerOfPatientID", series.where.name, "HIPAA-B")
    before = sheet.item("OriginalAttributesSequence")
    before.gone("AttributeModificationDateTime", f"{da(series.day)}070000", "HIPAA-C")
    modified = before.item("ModifiedAttributesSequence")
    modified.name("PatientName", who.name, "HIPAA-A")
    modified.gone("PatientID", who.other_id, "HIPAA-H")
    rng = series.rng
    if rng.random() < 0.5:
        sheet.words("AdditionalPatientHistory", words.long(rng.choice(REASONS)))
    if rng.random() < 0.5:
        sheet.words("PatientComments", words.long(rng.choice(REASONS)))
    if rng.random() < 0.3:
        sheet.words("Allergies", words.short("iodine"))
        sheet.words("MedicalAlerts", words.short("pacemaker"))


def _study(sheet: Sheet, series: Series) -> None:
    rng, words = series.rng, series.words
    sheet.uid("StudyInstanceUID", series.study_uid, is_type_1=True)
    sheet.day("StudyDate", da(series.day))
    sheet.time("StudyTime", f"{series.day.day % 12 + 8:02}3011.120")
    sheet.emptied("AccessionNumber", series.accession, "HIPAA-R")
    sheet.emptied("StudyID", f"S{series.accession[-6:]}", "HIPAA-R")
    sheet.words("StudyDescription", words.short(rng.choice(STUDIES[series.modality])))
    sheet.words("AdmittingDiagnosesDescription", words.short(rng.choice(REASONS)))
    sheet.gone("AdmissionID", f"ADM{series.accession[-6:]}7", "HIPAA-R")
    sheet.gone("CurrentPatientLocation", f"Ward {series.accession[-4:]}B", "HIPAA-B")
    _code(sheet, series, "ProcedureCodeSequence", "IMG1216", "L")
    if rng.random() < 0.4:
        sheet.words("StudyComments", words.long(rng.choice(REASONS)))
        sheet.words("ReasonForStudy", words.short(rng.choice(REASONS)))
    referenced = sheet.item("ReferencedStudySequence")
    referenced.data_set.ReferencedSOPClassUID = _INTERPRETATION_STUDY
    referenced.removed_uid("ReferencedSOPInstanceUID", series.uid("referenced study", series.study))


def _code(sheet: Sheet, series: Series, keyword: str, value: str, scheme: str) -> None:
    """A code whose meaning somebody has written by hand, as meanings of local codes are."""
    item = sheet.item(keyword)
    item.keep("CodeValue", value)
    item.keep("CodingSchemeDesignator", scheme)
    item.words("CodeMeaning", series.words.short(series.rng.choice(STUDIES[series.modality])))


def _series(sheet: Sheet, series: Series, number: int) -> None:
    rng, words = series.series_rng, series.words
    sheet.need("Modality", series.modality)
    sheet.uid("SeriesInstanceUID", series.series_uid, is_type_1=True)
    sheet.keep("SeriesNumber", series.number)
    sheet.keep("InstanceNumber", number)
    sheet.words("SeriesDescription", words.short(rng.choice(SERIES[series.modality])))
    if series.modality != "SR":
        sheet.words("ProtocolName", words.short(rng.choice(SERIES[series.modality])))
    if rng.random() < 0.4:
        sheet.words("ImageComments", words.long(rng.choice(REASONS)))
    step = sheet.item("ReferencedPerformedProcedureStepSequence")
    step.data_set.ReferencedSOPClassUID = _PROCEDURE_STEP
    step.removed_uid("ReferencedSOPInstanceUID", series.uid("step", series.study))
    sheet.gone("PerformedProcedureStepID", f"PPS{series.accession[-7:]}", "HIPAA-R")
    sheet.words("PerformedProcedureStepDescription", words.short(rng.choice(STUDIES[series.modality])))


def _times(sheet: Sheet, series: Series, number: int) -> None:
    day = da(series.day)
    for keyword in ("SeriesDate", "ContentDate", "AcquisitionDate", "PerformedProcedureStepStartDate"):
        sheet.day(keyword, day)
    sheet.day("InstanceCreationDate", da(series.day + datetime.timedelta(series.number % 3)))
    sheet.day("AcquisitionDateTime", f"{day}0936{number % 60:02}.500000+0100")
    sheet.time("SeriesTime", "093500")
    sheet.time("ContentTime", f"0936{number % 60:02}.5")


def _people_and_places(sheet: Sheet, series: Series) -> None:
    where = series.where
    vendor, model, software = series.series_rng.choice(MODALITIES[series.modality]["makers"])
    sheet.keep("Manufacturer", vendor, "TCIA-P15-DEV-K")
    sheet.keep("ManufacturerModelName", model, "TCIA-P15-DEV-K")
    sheet.keep("SoftwareVersions", software.split("\\"), "TCIA-P15-DEV-K")
    sheet.gone("DeviceSerialNumber", where.serial, "HIPAA-M")
    sheet.gone("StationName", where.station, "HIPAA-M")
    sheet.gone("InstitutionName", where.name, "HIPAA-B")
    sheet.gone("InstitutionAddress", where.address, "HIPAA-B")
    sheet.gone("InstitutionalDepartmentName", where.department, "HIPAA-B")
    keywords = ["PerformingPhysicianName", "OperatorsName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy"]
    doctors = [f"{family}^{given}" for family, given in where.doctors]
    sheet.name("ReferringPhysicianName", doctors[0] + "^^Dr", "TCIA-P15-PHYSICIAN-X", is_type_2=True)
    for keyword, doctor in zip(keywords, doctors[1:], strict=False):
        sheet.name(keyword, doctor, "TCIA-P15-PHYSICIAN-X")
    sheet.name("ConsultingPhysicianName", "\\".join(doctors[2:4]), "TCIA-P15-PHYSICIAN-X")
    sheet.gone("ReferringPhysicianTelephoneNumbers", where.telephone, "HIPAA-D")
    for keyword in ("PerformingPhysicianIdentificationSequence", "OperatorIdentificationSequence"):
        person = sheet.item(keyword)
        person.gone("PersonAddress", where.address, "HIPAA-B")
        person.gone("InstitutionName", where.name, "HIPAA-B")


def _request(sheet: Sheet, series: Series) -> None:
    rng, words = series.rng, series.words
    sheet.name("RequestingPhysician", "^".join(series.where.doctors[5]), "TCIA-P15-PHYSICIAN-X")
    sheet.words("RequestedProcedureDescription", words.short(rng.choice(STUDIES[series.modality])))
    sheet.gone("OrderCallbackPhoneNumber", series.where.telephone[:16], "HIPAA-D")
    sheet.gone("FillerOrderNumberImagingServiceRequest", f"FON{series.accession[-7:]}", "HIPAA-R")
    if rng.random() < 0.5:
        sheet.words("CommentsOnThePerformedProcedureStep", words.long(rng.choice(REASONS)))
        sheet.words("ReasonForTheRequestedProcedure", words.short(rng.choice(REASONS)))
        sheet.words("ImagingServiceRequestComments", words.long(rng.choice(REASONS)))
    request = sheet.item("RequestAttributesSequence")
    request.gone("AccessionNumber", series.accession, "HIPAA-R")
    request.gone("RequestedProcedureID", f"RP{series.accession[-7:]}", "HIPAA-R")
    request.gone("ScheduledProcedureStepID", f"SPS{series.accession[-7:]}", "HIPAA-R")
    request.words("ScheduledProcedureStepDescription", words.short(rng.choice(STUDIES[series.modality])))
    referenced = request.item("ReferencedStudySequence")
    referenced.data_set.ReferencedSOPClassUID = _INTERPRETATION_STUDY
    referenced.removed_uid("ReferencedSOPInstanceUID", series.uid("requested study", series.study))
    code = request.item("ScheduledProtocolCodeSequence")
    code.data_set.CodeValue, code.data_set.CodingSchemeDesignator, code.data_set.CodeMeaning = "PC1", "L", "Protocol A"
