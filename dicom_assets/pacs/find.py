"""C-FIND: which studies there are, and which instances a study has. A query that failed raises; it is never empty."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..errors import DicomAssetsError
from .answers import digits, number, text, texts
from .archive import Archive
from .queries import Ask, open_queries
from .query import StudyMatch, StudyQuery, answers_query, checked, checked_uid, identifier, study_identifier


@dataclass(frozen=True)
class InstanceMatch:
    """sop_class_uid is empty where the archive does not say."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str


def find_studies(archive: Archive, query: StudyQuery) -> list[StudyMatch]:
    """Sorted by date, time, UID; one entry a study. Answers that do not answer the query are left out.

    Raises as open_association, BadInput("QUERY_WILDCARD" or "QUERY_DATE"), and the code of a failed query,
    PACS_QUERY_CAPPED where the archive stopped at a limit of its own.
    """
    query = checked(query)
    found: dict[str, StudyMatch] = {}
    with open_queries(archive) as ask:
        # PS3.4 C.2.2.2: a CS key takes a single value, so each modality is a query.
        for modality in query.modalities or ("",):
            for answer in ask(study_identifier(query, modality)):
                match = _study_match(answer)
                if match.study_instance_uid and answers_query(match, query):
                    found.setdefault(match.study_instance_uid, match)
    return sorted(found.values(), key=lambda match: (match.study_date, match.study_time, match.study_instance_uid))


def find_instances(archive: Archive, study_instance_uid: str) -> list[InstanceMatch] | None:
    """The study's instances at IMAGE level, sorted by UID; empty where the archive holds none.

    None where the archive cannot say: it has no IMAGE level, lists a series without instances or an instance without
    UID, or lists fewer than it counts. Raises as find_studies.
    """
    study_instance_uid = checked_uid(study_instance_uid)
    found: dict[str, InstanceMatch] = {}
    with open_queries(archive) as ask:
        for series_uid, counted in _series(ask, study_instance_uid).items():
            keys = identifier(
                "IMAGE",
                StudyInstanceUID=study_instance_uid,
                SeriesInstanceUID=series_uid,
                SOPInstanceUID="",
                SOPClassUID="",
            )
            try:
                answers = ask(keys)
            except DicomAssetsError as error:
                if error.code in ("PACS_IDENTIFIER_REFUSED", "PACS_SERVICE_NOT_SUPPORTED"):
                    return None
                raise
            listed = _instances(answers, study_instance_uid, series_uid)
            if not listed or "" in listed or len(listed) < (counted or 0):
                return None
            found |= listed
    return sorted(found.values(), key=lambda match: match.sop_instance_uid)


def _series(ask: Ask, study_instance_uid: str) -> dict[str, int | None]:
    """Series of the study -> number of instances that the archive counts."""
    keys = identifier(
        "SERIES", StudyInstanceUID=study_instance_uid, SeriesInstanceUID="", NumberOfSeriesRelatedInstances=""
    )
    return {
        uid: number(answer, "NumberOfSeriesRelatedInstances")
        for answer in ask(keys)
        if text(answer, "StudyInstanceUID") in (None, "", study_instance_uid)
        and (uid := text(answer, "SeriesInstanceUID"))
    }


def _instances(answers: list[Dataset], study_instance_uid: str, series_uid: str) -> dict[str, InstanceMatch]:
    """Only of this study and series, for archives that ignore a key."""
    return {
        uid: InstanceMatch(uid, text(answer, "SOPClassUID") or "", series_uid)
        for answer in answers
        if text(answer, "StudyInstanceUID") in (None, "", study_instance_uid)
        and text(answer, "SeriesInstanceUID") in (None, "", series_uid)
        for uid in [text(answer, "SOPInstanceUID") or ""]
    }


def _study_match(answer: Dataset) -> StudyMatch:
    return StudyMatch(
        study_instance_uid=text(answer, "StudyInstanceUID") or "",
        patient_id=text(answer, "PatientID") or "",
        patient_name=text(answer, "PatientName") or "",
        accession_number=text(answer, "AccessionNumber") or "",
        study_date=digits(text(answer, "StudyDate") or ""),
        study_time=digits(text(answer, "StudyTime") or ""),
        study_description=text(answer, "StudyDescription") or "",
        modalities=texts(answer, "ModalitiesInStudy"),
        number_of_series=number(answer, "NumberOfStudyRelatedSeries"),
        number_of_instances=number(answer, "NumberOfStudyRelatedInstances"),
    )
