"""C-GET and C-MOVE requests on an open association, and what their responses add up to."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from pydicom.dataset import Dataset

from .find import InstanceMatch
from .query import identifier
from .status import Meaning, read_status
from .watch import Watch

#: SOPInstanceUIDs in one identifier: 6.5 kB at most, where some archives limit a request to 16 kB.
_LIST_LENGTH = 100


@dataclass(frozen=True)
class Outcome:
    """Sub-operations as the archive counted them, None where it did not. reason: empty where all is well."""

    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None
    reason: str = ""

    @property
    def total(self) -> int | None:
        """Sub-operations in all; None where the archive gave no count."""
        counts = (self.completed, self.failed, self.warning, self.remaining)
        return None if all(count is None for count in counts) else sum(count or 0 for count in counts)

    def then(self, later: "Outcome") -> "Outcome":
        """Of two requests, one after the other: counts add up, the first reason stands."""
        return Outcome(
            _sum(self.completed, later.completed),
            _sum(self.failed, later.failed),
            _sum(self.warning, later.warning),
            _sum(self.remaining, later.remaining),
            self.reason or later.reason,
        )


_GIVEN_UP = ("PACS_RETRIEVE_FAILED", "PACS_MOVE_FAILED")

#: Sends a request: identifier and message ID in, pynetdicom's responses out.
Send = Callable[[Dataset, int], Iterable[tuple[Dataset, Dataset | None]]]


def study_target(study_instance_uid: str) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=study_instance_uid)


def image_targets(study_instance_uid: str, wanted: Iterable[InstanceMatch]) -> list[Dataset]:
    """Identifiers at IMAGE level, each with a list of instances of one series."""
    by_series: dict[str, list[str]] = {}
    for match in wanted:
        by_series.setdefault(match.series_instance_uid, []).append(match.sop_instance_uid)
    return [
        identifier(
            "IMAGE",
            StudyInstanceUID=study_instance_uid,
            SeriesInstanceUID=series_uid,
            SOPInstanceUID=uids[start : start + _LIST_LENGTH],
        )
        for series_uid, uids in by_series.items()
        for start in range(0, len(uids), _LIST_LENGTH)
    ]


def request_all(watch: Watch, service: str, targets: Iterable[Dataset], send: Send, stored: Set[str]) -> Outcome:
    """One request for each target, until the archive cannot go on. service: `get` or `move`. stored: SOPInstanceUIDs
    that have come, growing meanwhile.

    Some archives give up a request at the first instance that they cannot send: the rest of it is asked for in halves.
    """
    outcome, left, message_id = Outcome(), deque(targets), 0
    while left:
        target, message_id = left.popleft(), message_id + 1
        try:
            responses = send(target, message_id)
        except RuntimeError:
            # pynetdicom's for an association that has ended meanwhile.
            return outcome.then(Outcome(reason="PACS_ABORTED"))
        meaning, one = _request(watch, service, responses)
        outcome = outcome.then(one)
        if meaning.meaning in ("again_later", "configuration"):
            break
        # Where nothing has come at all, it is not for a single instance.
        if meaning.reason in _GIVEN_UP and stored:
            left.extendleft(_halves(target, stored))
    return outcome


def _halves(target: Dataset, stored: Set[str]) -> list[Dataset]:
    """Up to two identifiers for what is missing of a list; none where the target was no list."""
    asked = target.get("SOPInstanceUID", "")
    missing = [] if isinstance(asked, str) or not asked else [uid for uid in asked if uid not in stored]
    middle = (len(missing) + 1) // 2
    return [
        identifier(
            "IMAGE",
            StudyInstanceUID=target.StudyInstanceUID,
            SeriesInstanceUID=target.SeriesInstanceUID,
            SOPInstanceUID=[str(uid) for uid in part],
        )
        for part in (missing[middle:], missing[:middle])
        if part
    ]


def _request(watch: Watch, service: str, responses: Iterable) -> tuple[Meaning, Outcome]:
    counts = dict.fromkeys(("Completed", "Failed", "Warning", "Remaining"))
    with watch.answering(), warnings.catch_warnings():
        # pydicom warns, quoting values, about the list of failed instances that comes with a final response.
        warnings.simplefilter("ignore")
        for number, (response, _) in enumerate(responses):
            meaning = read_status(service, response, is_first=number == 0)
            for name in counts:
                counts[name] = response.get(f"NumberOf{name}Suboperations", counts[name])
            if meaning.is_success and "NumberOfRemainingSuboperations" not in response:
                counts["Remaining"] = 0
            if not meaning.is_pending:
                break
    reason = _reason(meaning, counts["Failed"], watch)
    return meaning, Outcome(counts["Completed"], counts["Failed"], counts["Warning"], counts["Remaining"], reason)


def _reason(meaning: Meaning, failed: int | None, watch: Watch) -> str:
    if watch.stalled:
        return "PACS_STALLED"
    if meaning.is_success and failed:
        return "PACS_SUBOPERATIONS_FAILED"
    # 0xB000 is also answered where sub-operations ended with warnings alone.
    return "" if meaning.meaning == "partial" and failed == 0 else meaning.reason


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)
