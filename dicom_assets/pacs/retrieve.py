"""A study's instances by C-GET, C-MOVE or WADO-RS: one round. Whether the study is complete is for the caller to
compare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import BadInput, DicomAssetsError
from .archive import Archive
from .expected import InstanceMatch
from .get import get_instances, get_unknown
from .inbox import Inbox
from .intake import Arrival, Intake, Store
from .move import move_instances
from .query import checked_uid
from .suboperations import Outcome, targets_at

__all__ = ["Arrival", "RetrieveReport", "Store", "retrieve_instances"]

#: Codes after which another way may do better: this one is not offered, not permitted, or not set up.
_ANOTHER_WAY = {
    "PACS_GET_NOT_SUPPORTED",
    "PACS_NO_COMMON_CONTEXT",
    "PACS_SERVICE_NOT_SUPPORTED",
    "PACS_NOT_AUTHORIZED",
    "PACS_REQUEST_REFUSED",
    "PACS_IDENTIFIER_REFUSED",
    "PACS_RETRIEVE_FAILED",
    "PACS_MOVE_FAILED",
    "PACS_UNKNOWN_DESTINATION",
    "PACS_UNKNOWN_STATUS",
    "PACS_SUBOPERATIONS_REFUSED",
    "RECEIVER_PORT_BUSY",
}


@dataclass(frozen=True)
class RetrieveReport:
    """instances: different ones that store took. The rest is the archive's own count of sub-operations, None where it
    gave none. reason: why the round ended short, as far as the archive said; empty where it reported success."""

    instances: int
    completed: int | None
    failed: int | None
    warning: int | None
    remaining: int | None
    reason: str


@dataclass(frozen=True)
class _Round:
    """What one round asks for. wanted None: nobody knows what the study holds."""

    archive: Archive
    study_instance_uid: str
    wanted: Sequence[InstanceMatch] | None
    level: str
    inbox: Inbox | None

    def get(self, intake: Intake) -> Outcome:
        if self.wanted is None:
            return get_unknown(self.archive, self.study_instance_uid, intake)
        return get_instances(self.archive, self.study_instance_uid, self.wanted, intake, self.level)

    def move(self, intake: Intake) -> Outcome:
        targets = targets_at(self.level, self.study_instance_uid, self.wanted or ())
        sop_classes = [match.sop_class_uid for match in self.wanted or ()]
        return move_instances(self.archive, targets, intake, sop_classes, self.inbox)

    def dicomweb(self, intake: Intake) -> Outcome:
        from .wado import wado_instances

        return wado_instances(self.archive, self.study_instance_uid, self.wanted, intake, self.level)

    def ways(self) -> list[Callable[[Intake], Outcome]]:
        """Those that the settings allow, in the order in which they are tried."""
        if self.archive.retrieve != "auto":
            return [getattr(self, self.archive.retrieve)]
        return [
            *([self.get] if self.archive.host and self.archive not in _WITHOUT_GET else []),
            *([self.move] if self.archive.host else []),
            *([self.dicomweb] if self.archive.dicomweb_url else []),
        ]


#: Archives that have refused C-GET to this process: the next study asks by C-MOVE at once.
_WITHOUT_GET: set[Archive] = set()


def retrieve_instances(
    archive: Archive,
    study_instance_uid: str,
    wanted: Sequence[InstanceMatch] | None,
    store: Store,
    *,
    level: str,
    inbox: Inbox | None = None,
) -> RetrieveReport:
    """Ask for the whole study (level STUDY; wanted then tells the SOP classes), for the series of the wanted instances
    (SERIES), or for the wanted instances alone (IMAGE). At IMAGE level no other is let in, else any of the study.
    wanted None: unknown, and level is STUDY. inbox: of the study, for the time that `dicom-assets receive` has the
    receiver's port; what store took from it has to be durable before it is cleared.

    A round that ends short is reported, what came before is kept. Raises what open_association raises, where nothing
    could be asked at all; BadInput("PACS_GET_NOT_SUPPORTED" or "QUERY_WILDCARD"); RetryLater("RECEIVER_PORT_BUSY");
    and what store raised.
    """
    study_instance_uid = checked_uid(study_instance_uid)
    uids = None if wanted is None else [match.sop_instance_uid for match in wanted]
    if uids == []:
        return RetrieveReport(0, 0, 0, 0, 0, "")
    rate = archive.instances_per_second
    intake = Intake(study_instance_uid, uids, store, level=level, instances_per_second=rate)
    outcome = _first_that_works(_Round(archive, study_instance_uid, wanted, level, inbox), intake)
    intake.raise_failure()
    reason = "" if intake.has_all() else outcome.reason
    return RetrieveReport(
        len(intake.stored), outcome.completed, outcome.failed, outcome.warning, outcome.remaining, reason
    )


def _first_that_works(asked: _Round, intake: Intake) -> Outcome:
    ways = asked.ways()
    if not ways:
        raise BadInput("PACS_NOT_CONFIGURED")
    for way in ways:
        is_last = way == ways[-1]
        try:
            outcome = way(intake)
        except DicomAssetsError as error:
            if is_last or error.code not in _ANOTHER_WAY:
                raise
            if error.code == "PACS_GET_NOT_SUPPORTED":
                _WITHOUT_GET.add(asked.archive)
            continue
        if is_last or intake.stored or intake.failure is not None or outcome.reason not in _ANOTHER_WAY:
            break
    return outcome
