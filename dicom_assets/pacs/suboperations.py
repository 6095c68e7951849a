"""C-GET and C-MOVE requests on an open association, and what their responses add up to."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..errors import RetryLater
from .association import Association
from .commands import C_GET_RQ, C_MOVE_RQ, C_STORE_RQ, Command, request
from .datasets import encoded
from .expected import InstanceMatch
from .intake import Intake
from .query import identifier
from .receive import take_instance
from .status import Meaning, read_status

#: SOPInstanceUIDs in one identifier: 6.5 kB at most, where some archives limit a request to 16 kB.
_LIST_LENGTH = 100

#: Requests without an instance, one after the other, after which a list is not halved any more: what is damaged of a
#: hundred is found after seven.
_IN_VAIN = 10
_GIVEN_UP = ("PACS_RETRIEVE_FAILED", "PACS_MOVE_FAILED")
_FIELDS = {"get": C_GET_RQ, "move": C_MOVE_RQ}
_COUNTS = ("Completed", "Failed", "Warning", "Remaining")


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


def study_target(study_instance_uid: str) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=study_instance_uid)


def series_targets(study_instance_uid: str, wanted: Iterable[InstanceMatch]) -> list[Dataset]:
    """Identifiers at SERIES level, one for each series of which an instance is wanted."""
    series = dict.fromkeys(match.series_instance_uid for match in wanted)
    return [identifier("SERIES", StudyInstanceUID=study_instance_uid, SeriesInstanceUID=uid) for uid in series]


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


def targets_at(level: str, study_instance_uid: str, wanted: Iterable[InstanceMatch]) -> list[Dataset]:
    """level: STUDY, SERIES or IMAGE."""
    if level == "STUDY":
        return [study_target(study_instance_uid)]
    return (series_targets if level == "SERIES" else image_targets)(study_instance_uid, wanted)


class Requests:
    """Retrieve requests on one association. service: `get` or `move`. more: further elements of the command."""

    def __init__(self, association: Association, service: str, model: str, intake: Intake, **more: str) -> None:
        self._association, self._service, self._model, self._intake = association, service, model, intake
        self._more = more
        self._message_id = 0

    def all(self, targets: Iterable[Dataset]) -> Outcome:
        """One request for each target, until the archive cannot go on.

        Some archives give up a request at the first instance that they cannot send: the rest of it is asked for in
        halves. Where that brings nothing several times in a row, it is not for single instances.
        """
        outcome, left, in_vain = Outcome(), deque(targets), 0
        while left:
            target, before = left.popleft(), len(self._intake.stored)
            meaning, one = self._one(target)
            outcome = outcome.then(one)
            in_vain = in_vain + 1 if len(self._intake.stored) == before else 0
            if meaning.meaning in ("again_later", "configuration"):
                break
            if meaning.reason in _GIVEN_UP and in_vain < _IN_VAIN:
                left.extendleft(self._halves(target))
        return outcome

    def _halves(self, target: Dataset) -> list[Dataset]:
        """Up to two identifiers for what is missing of a list; none where the target was no list."""
        asked = target.get("SOPInstanceUID", "")
        missing = [] if isinstance(asked, str) or not asked else [u for u in asked if u not in self._intake.stored]
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

    def _one(self, target: Dataset) -> tuple[Meaning, Outcome]:
        """A request that ends without a final response ends the association."""
        counts: dict[str, int | None] = dict.fromkeys(_COUNTS)
        stored_before, is_answered = len(self._intake.stored), False
        patience = self._association.patience
        try:
            with patience.answering():
                for response in self._responses(target):
                    is_answered = True
                    meaning = read_status(self._service, response)
                    told = {name: response.number(f"NumberOf{name}Suboperations") for name in _COUNTS}
                    if any(told[name] not in (None, counts[name]) for name in _COUNTS):
                        patience.progressed()
                    counts = {name: counts[name] if told[name] is None else told[name] for name in _COUNTS}
                    if meaning.is_success and told["Remaining"] is None:
                        counts["Remaining"] = 0
                    if not meaning.is_pending:
                        break
            reason = _reason(meaning, counts["Failed"])
        except RetryLater as error:
            is_first = not is_answered and len(self._intake.stored) == stored_before
            reason = "PACS_REQUEST_ABORTED" if error.code == "PACS_ABORTED" and is_first else error.code
            meaning = Meaning("again_later", reason)
            self._association.abort()
        return meaning, Outcome(counts["Completed"], counts["Failed"], counts["Warning"], counts["Remaining"], reason)

    def _responses(self, target: Dataset) -> Iterator[Command]:
        """Responses to this request; instances that come between them over the same association are taken."""
        self._message_id += 1
        association, context = self._association, self._association.context_for(self._model)
        command = request(_FIELDS[self._service], self._message_id, self._model, has_data=True, **self._more)
        association.send(context, command, encoded(target, context.transfer_syntax))
        while True:
            its_context, command = association.next_command()
            if command.field == C_STORE_RQ:
                take_instance(association, its_context, command, self._intake)
                if self._intake.failure is not None:
                    association.cancel(context, self._message_id)
                    raise RetryLater("PACS_RETRIEVE_CANCELLED")
                continue
            if command.has_data:
                association.stream(lambda _piece: None)  # the list of failed instances: what is missing is compared
            if command.number("MessageIDBeingRespondedTo") in (None, self._message_id):
                yield command


def _reason(meaning: Meaning, failed: int | None) -> str:
    if meaning.is_success and failed:
        return "PACS_SUBOPERATIONS_FAILED"
    # 0xB000 is also answered where sub-operations ended with warnings alone.
    return "" if meaning.meaning == "partial" and failed == 0 else meaning.reason


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)
