"""What is asked of the archive, checked before it is sent, and whether an answer really is one to it."""

from dataclasses import dataclass

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ..errors import BadInput


@dataclass(frozen=True)
class StudyQuery:
    """Keys at STUDY level, joined by and; an empty one matches everything. Dates: YYYYMMDD, both ends included.

    modalities: studies that hold any of them.
    """

    study_instance_uid: str = ""
    patient_id: str = ""
    accession_number: str = ""
    date_from: str = ""
    date_to: str = ""
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyMatch:
    """A study as the archive describes it; empty or None where it does not say. study_date: YYYYMMDD."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    study_time: str
    study_description: str
    modalities: tuple[str, ...]
    number_of_series: int | None
    number_of_instances: int | None


def checked(query: StudyQuery) -> StudyQuery:
    """The query without padding. BadInput: QUERY_WILDCARD (also for a backslash, which lists values), QUERY_DATE."""
    stripped = StudyQuery(
        study_instance_uid=query.study_instance_uid.strip(" \0"),
        patient_id=query.patient_id.strip(" \0"),
        accession_number=query.accession_number.strip(" \0"),
        date_from=query.date_from.strip(),
        date_to=query.date_to.strip(),
        modalities=tuple(modality.strip() for modality in query.modalities if modality.strip()),
    )
    identifiers = (stripped.study_instance_uid, stripped.patient_id, stripped.accession_number, *stripped.modalities)
    if any(not value.isprintable() or set(value) & set("*?\\") for value in identifiers):
        raise BadInput("QUERY_WILDCARD")
    for date in (stripped.date_from, stripped.date_to):
        if date and not (len(date) == 8 and date.isascii() and date.isdigit()):
            raise BadInput("QUERY_DATE")
    return stripped


def checked_uid(study_instance_uid: str) -> str:
    """The UID without padding; BadInput("QUERY_WILDCARD") where it would match several studies, or is empty."""
    uid = checked(StudyQuery(study_instance_uid=study_instance_uid)).study_instance_uid
    if not uid:
        raise BadInput("QUERY_WILDCARD")
    return uid


def study_identifier(query: StudyQuery, modality: str) -> Dataset:
    """The C-FIND identifier at STUDY level for one modality, or for any where modality is empty."""
    return identifier(
        "STUDY",
        StudyInstanceUID=query.study_instance_uid,
        PatientID=query.patient_id,
        PatientName="",
        AccessionNumber=query.accession_number,
        StudyDate=_date_range(query.date_from, query.date_to),
        StudyTime="",
        StudyDescription="",
        ModalitiesInStudy=modality,
        NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="",
    )


def identifier(level: str, **keys: str | list[str]) -> Dataset:
    """An identifier of these keys, in UTF-8 where a value needs it. Values go out as they are, conformant or not."""
    dataset = Dataset()
    values = {"QueryRetrieveLevel": level, **keys}
    if not all(value.isascii() for value in values.values() if isinstance(value, str)):
        values["SpecificCharacterSet"] = "ISO_IR 192"
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        dataset.add(DataElement(tag, dictionary_VR(tag), value or None, validation_mode=config.IGNORE))
    return dataset


def answers_query(match: StudyMatch, query: StudyQuery) -> bool:
    """False where the archive ignored a key. Identifiers and dates have to be equal; an archive that does not return
    ModalitiesInStudy, an optional key, is believed."""
    date = match.study_date
    return (
        query.study_instance_uid in ("", match.study_instance_uid)
        and query.patient_id in ("", match.patient_id)
        and query.accession_number in ("", match.accession_number)
        and (not query.date_from or (date != "" and date >= query.date_from))
        and (not query.date_to or (date != "" and date <= query.date_to))
        and (not query.modalities or not match.modalities or bool(set(query.modalities) & set(match.modalities)))
    )


def _date_range(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
