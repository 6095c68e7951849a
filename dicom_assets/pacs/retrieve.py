"""C-GET or C-MOVE of a study's instances: one round. Whether the study is complete is for the caller to compare."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadInput
from .archive import Archive
from .find import InstanceMatch
from .get import get_instances, get_unknown
from .intake import Intake, ReceivedInstance, Store
from .move import move_instances
from .query import checked_uid
from .suboperations import Outcome, image_targets, study_target

__all__ = ["ReceivedInstance", "RetrieveReport", "Store", "retrieve_instances"]


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


def retrieve_instances(
    archive: Archive,
    study_instance_uid: str,
    wanted: Sequence[InstanceMatch] | None,
    store: Store,
    *,
    whole_study: bool,
) -> RetrieveReport:
    """Ask for the whole study at STUDY level (wanted then tells the SOP classes; any instance of the study is let in),
    or else for the wanted instances at IMAGE level (no other is let in). wanted None: unknown, as whole_study.

    A round that ends short is reported, what came before is kept. Raises what open_association raises, where nothing
    could be asked at all; BadInput("PACS_GET_NOT_SUPPORTED" or "QUERY_WILDCARD"); RetryLater("RECEIVER_PORT_BUSY");
    and what store raised.
    """
    study_instance_uid = checked_uid(study_instance_uid)
    uids = None if wanted is None else [match.sop_instance_uid for match in wanted]
    if uids == []:
        return RetrieveReport(0, 0, 0, 0, 0, "")
    intake = Intake(study_instance_uid, uids, store, whole_study=whole_study)
    outcome = _retrieve(archive, study_instance_uid, wanted, intake, whole_study)
    intake.raise_failure()
    reason = "" if intake.has_all() else outcome.reason
    return RetrieveReport(
        len(intake.stored), outcome.completed, outcome.failed, outcome.warning, outcome.remaining, reason
    )


def _retrieve(
    archive: Archive, study: str, wanted: Sequence[InstanceMatch] | None, intake: Intake, whole_study: bool
) -> Outcome:
    if archive.retrieve != "move":
        try:
            if wanted is None:
                return get_unknown(archive, study, intake)
            return get_instances(archive, study, wanted, intake, whole_study=whole_study)
        except BadInput as error:
            if archive.retrieve == "get" or error.code != "PACS_GET_NOT_SUPPORTED":
                raise
    targets = [study_target(study)] if whole_study or wanted is None else image_targets(study, wanted)
    return move_instances(archive, targets, intake, [match.sop_class_uid for match in wanted or ()])
