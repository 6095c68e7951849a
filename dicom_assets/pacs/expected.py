"""Which instances the archive says a study has, as exactly as it can say it. A list that may lack some is none."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..errors import BadInput
from .answers import number, text
from .archive import Archive
from .queries import Ask
from .query import checked_uid, identifier

#: Lengths at which a list without any count beside it may have been cut by a limit that nobody mentions
_USUAL_LIMITS = {100, 200, 250, 256, 500, 512, 1000, 1024, 2000, 2048, 2500, 4096, 5000, 10_000, 20_000}


@dataclass(frozen=True)
class InstanceMatch:
    """sop_class_uid is empty where the archive does not say."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Expected:
    """level: what count rests on: `IMAGE` the list of instances, `SERIES` or `STUDY` the archive's counts, or empty
    where count is None: the archive cannot say.

    instances: sorted by UID; None unless level is `IMAGE`. series: SeriesInstanceUID -> instances that the archive
    lists or counts, None where it does not. No instances at `IMAGE` level: the archive does not hold the study.
    """

    instances: tuple[InstanceMatch, ...] | None
    series: Mapping[str, int | None]
    count: int | None
    level: str

    def besides(self, held: Set[str]) -> int | None:
        """How many instances there are besides these SOPInstanceUIDs; None where the archive cannot say."""
        if self.instances is not None:
            return len({instance.sop_instance_uid for instance in self.instances} - held)
        return None if self.count is None else max(self.count - len(held), 0)


_NO_STUDY = Expected((), {}, 0, "IMAGE")


def expected_instances(archive: Archive, ask: Ask, study_instance_uid: str) -> Expected:
    """What the archive counts at STUDY and SERIES level and lists at IMAGE level has to fit together for the list, and
    then the counts, to be believed. Raises the code of a failed query at STUDY level, and RetryLater."""
    uid = checked_uid(study_instance_uid)
    study = _study(ask, uid)
    series_said, said = study or (None, None)
    series = _series(ask, uid)
    if series == {} and (study is None or said == 0):
        return _NO_STUDY
    if not series or len(series) < (series_said or 0):
        return _by_study(said, series or {})
    instances = _listed(archive, ask, uid, series, said)
    if instances is not None:
        listed = Counter(instance.series_instance_uid for instance in instances)
        return Expected(instances, dict(listed), len(instances), "IMAGE")
    counts = list(series.values())
    if None not in counts and sum(counts) >= (said or 0):
        return Expected(None, series, sum(counts), "SERIES")
    return _by_study(said, series)


def _by_study(count: int | None, series: Mapping[str, int | None]) -> Expected:
    return Expected(None, series, count, "" if count is None else "STUDY")


def _study(ask: Ask, uid: str) -> tuple[int | None, int | None] | None:
    """Series and instances that the archive counts in the study; None where it does not know it. Of answers for several
    patients the counts are added up: some archives keep one record a patient for one study."""
    keys = identifier(
        "STUDY",
        StudyInstanceUID=uid,
        PatientID="",
        NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="",
    )
    answers = [answer for answer in ask(keys) if text(answer, "StudyInstanceUID") == uid]
    if not answers:
        return None
    patients = {text(answer, "PatientID"): answer for answer in answers}.values()
    return _sum(patients, "NumberOfStudyRelatedSeries"), _sum(patients, "NumberOfStudyRelatedInstances")


def _sum(answers: Iterable[Dataset], keyword: str) -> int | None:
    counts = [number(answer, keyword) for answer in answers]
    return None if None in counts else sum(counts)


def _series(ask: Ask, uid: str) -> dict[str, int | None] | None:
    """Series of the study -> number of instances that the archive counts; None where it cannot list them."""
    keys = identifier("SERIES", StudyInstanceUID=uid, SeriesInstanceUID="", NumberOfSeriesRelatedInstances="")
    answers = _asked(ask, keys)
    if answers is None:
        return None
    found: dict[str, int | None] = {}
    for answer in answers:
        if text(answer, "StudyInstanceUID") not in (None, "", uid):
            continue
        series_uid = text(answer, "SeriesInstanceUID")
        if not series_uid:
            return None
        counted = number(answer, "NumberOfSeriesRelatedInstances")
        found[series_uid] = max((each for each in (counted, found.get(series_uid)) if each is not None), default=None)
    return found


def _listed(
    archive: Archive, ask: Ask, uid: str, series: Mapping[str, int | None], said: int | None
) -> tuple[InstanceMatch, ...] | None:
    """The study's instances, sorted by UID; None where the list may lack some. said: how many the archive counts."""
    found: dict[str, InstanceMatch] = {}
    is_doubtful = False
    for series_uid, counted in series.items():
        keys = identifier(
            "IMAGE", StudyInstanceUID=uid, SeriesInstanceUID=series_uid, SOPInstanceUID="", SOPClassUID=""
        )
        answers = _asked(ask, keys)
        if answers is None:
            return None
        instances = _instances(answers, uid, series_uid)
        if not instances or "" in instances or len(instances) < (counted or 0):
            return None
        at_limit = len(answers) in _USUAL_LIMITS or 0 < archive.query_limit <= len(answers)
        is_doubtful |= at_limit and not counted
        found |= instances
    if len(found) < (said or 0) or (is_doubtful and len(found) != said):
        return None
    return tuple(found[each] for each in sorted(found))


def _instances(answers: list[Dataset], uid: str, series_uid: str) -> dict[str, InstanceMatch]:
    """Only of this study and series, for archives that ignore a key."""
    return {
        instance_uid: InstanceMatch(instance_uid, text(answer, "SOPClassUID") or "", series_uid)
        for answer in answers
        if text(answer, "StudyInstanceUID") in (None, "", uid)
        and text(answer, "SeriesInstanceUID") in (None, "", series_uid)
        for instance_uid in [text(answer, "SOPInstanceUID") or ""]
    }


def _asked(ask: Ask, keys: Dataset) -> list[Dataset] | None:
    """None where the archive refuses the query, or cannot answer it as a whole."""
    try:
        return ask(keys)
    except BadInput:
        return None
