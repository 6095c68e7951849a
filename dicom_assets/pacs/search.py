"""Every study that fits a query, from an archive that may list only so many at a time: all of them, or an error.

An archive that stops at a limit may say so, or not. So a list is believed only if the archive has given a longer one in
the same session, or if the list is short. Any other one is asked for again in parts (see windows.py) that divide the
studies it names: what had been cut off appears in the parts, whose lists together are longer than the limit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from ..errors import BadInput, DicomAssetsError
from .answers import text
from .archive import Archive
from .beginnings import beginnings, begins_with
from .confirm import Confirmation
from .queries import Ask
from .query import StudyMatch, StudyQuery, answers_query, checked, keys_not_returned, study_identifier, study_match
from .windows import Window, window_of

#: Answers that no archive is known to take for too many.
_SHORT = 10
#: Codes of a query that has too many answers; the second also means that the archive is busy.
_TOO_MANY = {"PACS_QUERY_CAPPED", "PACS_OUT_OF_RESOURCES"}
#: So many answers, and such a share of them, lie outside a window where the archive does not match by date or time.
_STRAYS, _STRAYS_SHARE = 3, 0.25


@dataclass
class _Listed:
    """What the archive answers to one question. studies: UID -> study, those that fit."""

    studies: dict[str, StudyMatch] = field(default_factory=dict)
    #: Why there are more: the archive said so, or the list is as long as its lists get.
    too_many: DicomAssetsError | None = None
    #: It is as long as the longest list so far.
    is_doubtful: bool = False
    #: Its length is one that people choose as a limit.
    is_round: bool = False
    #: The archive does not match by date, or by time.
    ignores_window: bool = False

    @property
    def is_believed(self) -> bool:
        return self.too_many is None and not self.is_doubtful


class StudySearch:
    """One session: what the archive has shown of itself counts for all queries that follow."""

    def __init__(self, archive: Archive, ask: Ask) -> None:
        self._archive = archive
        self._ask = ask
        self._confirmation = Confirmation(ask)
        self._longest = 0  #: answers of one query, of all so far
        #: Times that studies without a date, or a time, may be there that nothing asks for
        self.unproved = 0

    def studies(self, query: StudyQuery) -> Iterator[StudyMatch]:
        """Each study once, in no order; no more than a window's answers are held at a time where the query has dates.

        Raises BadInput: QUERY_WILDCARD, QUERY_DATE, PACS_WINDOW_FULL (more studies than the archive lists, and no way
        to ask for fewer), PACS_ANSWER_INCOMPLETE (it cannot be told whether they are what was asked for); and the code
        of a failed query.
        """
        query = checked(query)
        window = window_of(query)
        listed = self._list(query, window)
        if listed.is_believed or (query.study_instance_uid and listed.studies):
            yield from listed.studies.values()
        else:
            yield from self._by_parts(query, window, listed)

    def _by_parts(self, query: StudyQuery, whole: Window, listed: _Listed) -> Iterator[StudyMatch]:
        """listed: the answer for the whole window, which may lack some."""
        # Where the parts ask for a date, or a time, and the whole did not, studies without one are in no part.
        found: dict[str, str] | None = {} if whole.is_open or whole.is_day else None
        has_more = listed.too_many is not None
        has_some = False
        windows = [whole]
        lists = {whole: listed}
        while windows:
            window = windows.pop()
            part = lists.pop(window, None) or self._list(query, window)
            if part.ignores_window and (listed.too_many or not part.is_believed):
                if has_some:
                    raise BadInput("PACS_WINDOW_FULL")
                yield from self._undivided(query, whole, listed)
                return
            if part.is_believed:
                studies: Iterable[StudyMatch] = part.studies.values()
            elif window.is_day and window != whole:
                studies = self._by_parts(query, window, part)
            elif parts := window.parts(part.studies.values()):
                windows += reversed(parts)
                continue
            else:
                studies = self._undivided(query, window, part)
            repeated = 0
            for study in studies:
                has_some = True
                if found is not None:
                    if study.study_instance_uid in found:
                        repeated += not (study.study_date if whole.is_open else study.study_time)
                        continue
                    found[study.study_instance_uid] = study.patient_id
                    has_more |= study.study_instance_uid not in listed.studies
                yield study
            if repeated >= _STRAYS:
                raise BadInput("PACS_WINDOW_FULL")
        if found is not None:
            yield from self._outside(query, whole, listed, found, has_more)

    def _outside(
        self, query: StudyQuery, whole: Window, listed: _Listed, found: dict[str, str], has_more: bool
    ) -> Iterable[StudyMatch]:
        """Studies of the whole window that no part of it holds, since they have no date, or no time.

        found: UID -> PatientID of what the parts hold. has_more: the list of the whole had been cut. They are looked
        for by patient, and that list counts if it holds everything that was found by time.
        """
        outside = {uid: study for uid, study in listed.studies.items() if uid not in found}
        if not (outside or has_more or listed.is_round):
            return ()
        known = found | {uid: study.patient_id for uid, study in outside.items()}
        by_patient = self._by_patient(query, whole, known)
        if by_patient is None:
            if outside and (has_more or listed.is_round):
                raise BadInput("PACS_WINDOW_FULL")
            if listed.too_many and len(found) <= self._longest - bool(listed.studies):
                raise _full(listed.too_many)  # fewer than the archive had found too many
            self.unproved += has_more
            return outside.values()
        others = {uid: study for uid, study in by_patient.items() if uid not in found}
        has_more |= not others.keys() <= outside.keys()
        if has_more and not outside.keys() <= others.keys():
            raise BadInput("PACS_WINDOW_FULL")
        return (outside | others).values()

    def _undivided(self, query: StudyQuery, window: Window, listed: _Listed) -> Iterable[StudyMatch]:
        """A list that cannot be asked for in parts: believed where it is not known to be cut, and another way to the
        same studies finds no more."""
        if listed.too_many is not None:
            raise _full(listed.too_many)
        known = {uid: study.patient_id for uid, study in listed.studies.items()}
        by_patient = self._by_patient(query, window, known)
        if listed.is_round if by_patient is None else not by_patient.keys() <= known.keys():
            raise BadInput("PACS_WINDOW_FULL")
        return listed.studies.values()

    def _by_patient(self, query: StudyQuery, window: Window, known: dict[str, str]) -> dict[str, StudyMatch] | None:
        """The window's studies, asked for by how PatientIDs begin; None where the archive does not do that properly: it
        has to find all that are known. known: UID -> PatientID."""
        if query.patient_id or query.study_instance_uid:
            return None
        found: dict[str, StudyMatch] = {}
        patterns = beginnings(known.values())
        if not patterns:
            return None
        while patterns:
            pattern = patterns.pop()
            listed = self._list(query, window, PatientID=pattern)
            if not all(begins_with(study.patient_id, pattern) for study in listed.studies.values()):
                return None
            found |= listed.studies
            if not listed.is_believed:
                seen = (*known.values(), *(study.patient_id for study in listed.studies.values()))
                deeper = beginnings(seen, pattern)
                if not deeper:
                    return None
                patterns += deeper
        return found if all(uid in found for uid, patient_id in known.items() if patient_id) else None

    def _list(self, query: StudyQuery, window: Window, **keys: str) -> _Listed:
        """One question to the archive: PS3.4 C.2.2.2 has a CS key take one value, so that each modality is a query.
        keys: asked besides the query's own."""
        listed = _Listed()
        for modality in query.modalities or ("",):
            try:
                answers = self._ask(study_identifier(query, modality, **window.keys, **keys))
            except DicomAssetsError as error:
                if error.code not in _TOO_MANY:
                    raise
                listed.too_many = error
                continue
            count = len(answers)
            if 0 < self._archive.query_limit <= count:
                listed.too_many = BadInput("PACS_QUERY_CAPPED")
            if count >= max(self._longest, _SHORT):
                listed.is_doubtful = True
                listed.is_round |= _is_round(count)
            self._longest = max(self._longest, count)
            outside = self._add(query, window, answers, listed.studies)
            listed.ignores_window |= outside >= max(_STRAYS, count * _STRAYS_SHARE)
        return listed

    def _add(self, query: StudyQuery, window: Window, answers: list[Dataset], studies: dict[str, StudyMatch]) -> int:
        """Adds those that fit to studies; how many answers lie outside the window, or have no date or time in it."""
        strays = 0
        ranges = [keyword for keyword, value in window.keys.items() if value]
        for answer in answers:
            study = study_match(answer, self._archive.default_character_set)
            uid = study.study_instance_uid
            if not uid:
                raise BadInput("PACS_ANSWER_INCOMPLETE")
            if window.excludes(study) or any(text(answer, keyword) == "" for keyword in ranges):
                strays += 1
                continue
            lacking = keys_not_returned(answer, study, query)
            fits = uid not in studies and answers_query(study, query, lacking)
            if fits and (not lacking or self._confirmation.holds(uid, query, lacking)):
                studies[uid] = study
        return strays


def _full(too_many: DicomAssetsError) -> DicomAssetsError:
    """For a window that cannot be divided; an archive that is out of resources may just be busy."""
    return BadInput("PACS_WINDOW_FULL") if too_many.code == "PACS_QUERY_CAPPED" else too_many


def _is_round(count: int) -> bool:
    """A limit that people choose: 20, 100, 250, 1000, 1024, 4095 ..."""
    if count >= 99 and count % 2 and _is_round(count + 1):
        return True
    return count & (count - 1) == 0 or count % (50 if count >= 100 else 10) == 0 or count == 25
