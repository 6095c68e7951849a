"""Structured reports (PS3.3 A.35): names, dates, UIDs and sentences in content items."""

import random

from pydicom.uid import ComprehensiveSRStorage, CTImageStorage

from benchmarks.proof.header import Series, fill_acquisition
from benchmarks.proof.phrases import REASONS
from benchmarks.proof.sheet import Sheet, da

SOP_CLASS = ComprehensiveSRStorage

_OBSERVER = ("121008", "DCM", "Person Observer Name")
_DEVICE = ("121012", "DCM", "Device Observer UID")
_SUBJECT = ("121030", "DCM", "Subject ID")
_BIRTH = ("121031", "DCM", "Subject Birth Date")
_ACCESSION = ("121022", "DCM", "Accession Number")
_STUDY_DATE = ("111060", "DCM", "Study Date")
_FINDINGS = ("121070", "DCM", "Findings")
_FINDING = ("121071", "DCM", "Finding")
_CONCLUSION = ("121077", "DCM", "Conclusion")
_COMMENT = ("121106", "DCM", "Comment")
_SITE = ("363698007", "SCT", "Finding Site")
_DIAMETER = ("81827009", "SCT", "Diameter")
_SOURCE = ("121112", "DCM", "Source of Measurement")


def fill(sheet: Sheet, series: Series, number: int) -> None:
    """The document: who vouches for it, what it rests on, and its content tree."""
    rng = random.Random(series.instance_uid(number))
    words, day = series.words, da(series.day)
    fill_acquisition(sheet, series.modality)
    sheet.code("ConceptNameCodeSequence", "126000", "DCM", "Imaging Measurement Report")
    _verified(sheet, series)
    _evidence(sheet, series)
    sheet.content("PNAME", _OBSERVER, "HAS OBS CONTEXT").name(
        "PersonName", "^".join(series.where.doctors[3]), "TCIA-P15-PHYSICIAN-X"
    )
    sheet.content("UIDREF", _DEVICE, "HAS OBS CONTEXT").removed_uid("UID", series.uid("device"))
    sheet.content("TEXT", _SUBJECT, "HAS OBS CONTEXT").gone("TextValue", series.who.patient_id, "HIPAA-H")
    sheet.content("DATE", _BIRTH, "HAS OBS CONTEXT").gone("Date", da(series.who.birth), "HIPAA-C")
    sheet.content("TEXT", _ACCESSION, "HAS ACQ CONTEXT").gone("TextValue", series.accession, "HIPAA-R")
    sheet.content("DATE", _STUDY_DATE, "HAS ACQ CONTEXT").day("Date", day)
    findings = sheet.content("CONTAINER", _FINDINGS)
    findings.data_set.ContinuityOfContent = "SEPARATE"
    findings.content("TEXT", _FINDING).words("TextValue", words.long(rng.choice(REASONS)))
    site = findings.content("CODE", _SITE)
    site.code("ConceptCodeSequence", "39607008", "SCT", "Lung")
    size = findings.content("NUM", _DIAMETER)
    measured = size.item("MeasuredValueSequence")
    measured.keep("NumericValue", f"{rng.randrange(1, 10**9) / 10**6:.6f}")
    measured.code("MeasurementUnitsCodeSequence", "mm", "UCUM", "millimeter")
    source = size.content("IMAGE", _SOURCE, "INFERRED FROM").item("ReferencedSOPSequence")
    source.data_set.ReferencedSOPClassUID = CTImageStorage
    source.uid("ReferencedSOPInstanceUID", series.uid("evidence", number), is_type_1=True)
    sheet.content("TEXT", _CONCLUSION).words("TextValue", words.long(rng.choice(REASONS)))
    sheet.content("TEXT", _COMMENT).words("TextValue", words.long(rng.choice(REASONS)))


def _verified(sheet: Sheet, series: Series) -> None:
    verifier = sheet.item("VerifyingObserverSequence")
    verifier.name("VerifyingObserverName", "^".join(series.where.doctors[4]), "TCIA-P15-PHYSICIAN-X")
    verifier.gone("VerifyingOrganization", series.where.name, "HIPAA-B")
    verifier.day("VerificationDateTime", f"{da(series.day)}151500")
    author = sheet.item("AuthorObserverSequence")
    author.data_set.ObserverType = "PSN"
    author.name("PersonName", "^".join(series.where.doctors[5]), "TCIA-P15-PHYSICIAN-X")
    author.gone("InstitutionName", series.where.name, "HIPAA-B")


def _evidence(sheet: Sheet, series: Series) -> None:
    """What the report was made from: references that have to stay intact (Type 1 at each level)."""
    study = sheet.item("CurrentRequestedProcedureEvidenceSequence")
    study.uid("StudyInstanceUID", series.study_uid, is_type_1=True)
    referenced = study.item("ReferencedSeriesSequence")
    referenced.uid("SeriesInstanceUID", series.uid("evidence series"), is_type_1=True)
    for number in (1, 2):
        item = referenced.item("ReferencedSOPSequence")
        item.data_set.ReferencedSOPClassUID = CTImageStorage
        item.uid("ReferencedSOPInstanceUID", series.uid("evidence", number), is_type_1=True)
