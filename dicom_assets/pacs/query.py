"""What is asked of the archive, checked before it is sent, and whether an answer really is one to it."""

from dataclasses import dataclass
from datetime import date

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ..errors import BadInput
from .answers import codes, digits, number, text


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
    if any(not may_be_sent(value) for value in identifiers):
        raise BadInput("QUERY_WILDCARD")
    if not all(day_of(value) for value in (stripped.date_from, stripped.date_to) if value):
        raise BadInput("QUERY_DATE")
    return stripped


def checked_uid(study_instance_uid: str) -> str:
    """The UID without padding; BadInput("QUERY_WILDCARD") where it would match several studies, or is empty."""
    uid = checked(StudyQuery(study_instance_uid=study_instance_uid)).study_instance_uid
    if not uid:
        raise BadInput("QUERY_WILDCARD")
    return uid


def may_be_sent(value: str) -> bool:
    """As an identifier that means itself and nothing else."""
    return value.isprintable() and not set(value) & set("*?\\")


def day_of(value: str) -> date | None:
    """None where it is no day written YYYYMMDD."""
    if len(value) != 8 or not value.isascii() or not value.isdigit():
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None


def written(day: date) -> str:
    """YYYYMMDD"""
    return day.isoformat().replace("-", "")


def study_identifier(query: StudyQuery, modality: str, **keys: str | list[str]) -> Dataset:
    """The C-FIND identifier at STUDY level for one modality, or for any where modality is empty. keys: instead of the
    query's own."""
    asked: dict[str, str | list[str]] = {
        "StudyInstanceUID": query.study_instance_uid,
        "PatientID": query.patient_id,
        "PatientName": "",
        "AccessionNumber": query.accession_number,
        "StudyDate": date_range(query.date_from, query.date_to),
        "StudyTime": "",
        "StudyDescription": "",
        "ModalitiesInStudy": modality,
        "NumberOfStudyRelatedSeries": "",
        "NumberOfStudyRelatedInstances": "",
    }
    return identifier("STUDY", **asked | keys)


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


def date_range(first: str, last: str) -> str:
    """Range matching (PS3.4 C.2.2.2.5.1); the empty string, which matches everything, where both ends are open."""
    return first if first == last else f"{first}-{last}"


def study_match(answer: Dataset, character_set: str) -> StudyMatch:
    """character_set: of an answer that declares none."""

    def of(keyword: str) -> str:
        return text(answer, keyword, character_set) or ""

    return StudyMatch(
        study_instance_uid=of("StudyInstanceUID"),
        patient_id=of("PatientID"),
        patient_name=of("PatientName"),
        accession_number=of("AccessionNumber"),
        study_date=digits(of("StudyDate")),
        study_time=digits(of("StudyTime")),
        study_description=of("StudyDescription"),
        modalities=codes(answer, "ModalitiesInStudy"),
        number_of_series=number(answer, "NumberOfStudyRelatedSeries"),
        number_of_instances=number(answer, "NumberOfStudyRelatedInstances"),
    )


def keys_not_returned(answer: Dataset, match: StudyMatch, query: StudyQuery) -> tuple[str, ...]:
    """Keywords of what was asked by and cannot be compared with the answer: all of them are optional return keys.

    An empty identifier or date is a value; an empty or absent ModalitiesInStudy is none, since each study has one.
    """
    asked = {
        "PatientID": query.patient_id and text(answer, "PatientID") is None,
        "AccessionNumber": query.accession_number and text(answer, "AccessionNumber") is None,
        "StudyDate": (query.date_from or query.date_to)
        and (text(answer, "StudyDate") is None or (match.study_date and not day_of(match.study_date))),
        "ModalitiesInStudy": query.modalities and not match.modalities,
    }
    return tuple(keyword for keyword, is_lacking in asked.items() if is_lacking)


def answers_query(match: StudyMatch, query: StudyQuery, believed: tuple[str, ...] = ()) -> bool:
    """False where the archive ignored a key. believed: keywords that are not compared.

    Archives pad identifiers and some match them whatever their case, so that they are compared without either; leading
    zeros count.
    """
    modalities = {modality.upper() for modality in query.modalities}
    compared = {
        "PatientID": not query.patient_id or normalised(query.patient_id) == normalised(match.patient_id),
        "AccessionNumber": not query.accession_number
        or normalised(query.accession_number) == normalised(match.accession_number),
        "StudyDate": not (query.date_from or query.date_to)
        or (match.study_date != "" and query.date_from <= match.study_date <= (query.date_to or "99991231")),
        "ModalitiesInStudy": not modalities or bool(modalities & set(match.modalities)),
    }
    return query.study_instance_uid in ("", match.study_instance_uid) and all(
        holds for keyword, holds in compared.items() if keyword not in believed
    )


def normalised(identifier: str) -> str:
    """For comparison only."""
    return identifier.strip(" \0").lower()
