"""Answers that lack a key which was asked by: does the archive match by that key at all?

Every return key is optional, and some archives ignore keys that they do not know. An archive that does both would widen
a query without a sign. So it is asked for one of these studies once more, by its UID and a value that it cannot have.
"""

from datetime import date, timedelta

from ..errors import BadInput
from .answers import codes, text
from .queries import Ask
from .query import StudyQuery, date_range, day_of, identifier, written

_DAY = timedelta(days=1)


class Confirmation:
    """Of one session: what the archive has shown once is taken as known."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._is_matched: dict[str, bool] = {}  #: keyword -> the archive matches by it

    def holds(self, study_instance_uid: str, query: StudyQuery, keywords: tuple[str, ...]) -> bool:
        """Whether a study that the archive answered fits these keys of the query, which the answer lacks.

        Raises BadInput("PACS_ANSWER_INCOMPLETE") where nothing tells.
        """
        for keyword in keywords:
            if keyword not in self._is_matched:
                self._is_matched[keyword] = self._matches_by(study_instance_uid, query, keyword)
        ignored = [keyword for keyword in keywords if not self._is_matched[keyword]]
        if not ignored:
            return True
        if ignored != ["ModalitiesInStudy"]:
            raise BadInput("PACS_ANSWER_INCOMPLETE")
        return bool({modality.upper() for modality in query.modalities} & self._modalities(study_instance_uid))

    def _matches_by(self, study_instance_uid: str, query: StudyQuery, keyword: str) -> bool:
        """The archive finds the study by its UID alone, and not with a value that contradicts what it answered."""
        return self._is_found(study_instance_uid) and not any(
            self._is_found(study_instance_uid, **{keyword: value}) for value in _contradictions(query, keyword)
        )

    def _is_found(self, study_instance_uid: str, **keys: str) -> bool:
        answers = self._ask(identifier("STUDY", StudyInstanceUID=study_instance_uid, **keys))
        return any(text(answer, "StudyInstanceUID") == study_instance_uid for answer in answers)

    def _modalities(self, study_instance_uid: str) -> set[str]:
        """At SERIES level, where Modality is a required key (PS3.4 C.6.2.1.3)."""
        keys = identifier("SERIES", StudyInstanceUID=study_instance_uid, SeriesInstanceUID="", Modality="")
        found = {
            modality
            for answer in self._ask(keys)
            if text(answer, "StudyInstanceUID") in (None, "", study_instance_uid)
            for modality in codes(answer, "Modality")
        }
        if not found:
            raise BadInput("PACS_ANSWER_INCOMPLETE")
        return found


def _contradictions(query: StudyQuery, keyword: str) -> list[str]:
    """Values of the key that no study has which fits the query."""
    if keyword == "StudyDate":
        first, last = day_of(query.date_from), day_of(query.date_to)
        before = [date_range("", written(first - _DAY))] if first and first > date.min else []
        after = [date_range(written(last + _DAY), "")] if last and last < date.max else []
        return before + after
    asked = {"PatientID": query.patient_id, "AccessionNumber": query.accession_number}.get(keyword)
    if asked is not None:
        return ["0" if asked != "0" else "1"]
    return [next(code for code in ("ZZ", "ZY", "ZX") if code not in query.modalities)]
