"""C-GET: the archive sends over the association that asked."""

from collections import Counter
from collections.abc import Sequence

from pydicom.dataset import Dataset

from ..errors import BadInput, DicomAssetsError
from .archive import Archive
from .contexts import GET_MODEL, UNCOMPRESSED, USUAL_CLASSES, class_groups, storage_contexts
from .expected import InstanceMatch
from .intake import Intake
from .patience import Patience
from .requestor import open_association
from .suboperations import Outcome, Requests, image_targets, study_target, targets_at

#: Reasons that may only say that some instances found no presentation context in this association.
_OTHERS_MISSING = ("", "PACS_SUBOPERATIONS_FAILED", "PACS_SUBOPERATIONS_REFUSED", "PACS_RETRIEVE_FAILED")


def get_instances(
    archive: Archive, study_instance_uid: str, wanted: Sequence[InstanceMatch], intake: Intake, level: str
) -> Outcome:
    """One association for each group of SOP classes. It asks for the whole study only where one association has room
    for all its classes: some archives refuse a request of which they cannot send every instance.

    Raises BadInput("PACS_GET_NOT_SUPPORTED") where the first association is refused.
    """
    counted = Counter(match.sop_class_uid for match in wanted)
    unknown = USUAL_CLASSES if counted.pop("", 0) else ()
    groups = class_groups([*(uid for uid, _ in counted.most_common()), *unknown])
    outcome = Outcome()
    for group in groups:
        missing = [match for match in wanted if match.sop_instance_uid not in intake.stored]
        if len(groups) == 1:
            targets = targets_at(level, study_instance_uid, missing)
        else:
            targets = image_targets(study_instance_uid, [m for m in missing if m.sop_class_uid in (*group, "")])
        if targets:
            outcome = outcome.then(_get_more(archive, group, targets, intake, is_first=group is groups[0]))
        if intake.failure is not None or outcome.reason not in _OTHERS_MISSING:
            break
    return outcome


def get_unknown(archive: Archive, study_instance_uid: str, intake: Intake) -> Outcome:
    """The whole study without knowing its SOP classes: once for each group of usual ones, until as many instances have
    come as the archive counts. Raises as get_instances."""
    groups = class_groups(USUAL_CLASSES)
    for group in groups:
        targets = [study_target(study_instance_uid)]
        outcome = _get_more(archive, group, targets, intake, is_first=group is groups[0])
        if not outcome.reason or intake.failure is not None or outcome.reason not in _OTHERS_MISSING:
            break
        # The first group's failed sub-operations are the second group's completed ones.
        if outcome.total is not None and 0 < outcome.total <= len(intake.stored):
            return Outcome(completed=len(intake.stored), failed=0, warning=0, remaining=0)
    return outcome


def _get_more(
    archive: Archive, sop_classes: Sequence[str], targets: list[Dataset], intake: Intake, *, is_first: bool
) -> Outcome:
    """As _get; once an association has worked, a refused one is an outcome."""
    try:
        return _get(archive, sop_classes, targets, intake)
    except DicomAssetsError as error:
        if is_first:
            raise
        return Outcome(reason="PACS_NO_COMMON_CONTEXT" if error.code == "PACS_GET_NOT_SUPPORTED" else error.code)


def _get(archive: Archive, sop_classes: Sequence[str], targets: list[Dataset], intake: Intake) -> Outcome:
    patience = Patience(archive.timeouts)
    intake.on_wait = patience.progressed
    proposals = [(GET_MODEL, UNCOMPRESSED), *storage_contexts(sop_classes)]
    try:
        with open_association(archive, proposals, sop_classes, patience) as association:
            if association.context_for(GET_MODEL) is None or not any(c.as_scp for c in association.contexts.values()):
                raise BadInput("PACS_GET_NOT_SUPPORTED")
            return Requests(association, "get", GET_MODEL, intake).all(targets)
    except BadInput as error:
        code = "PACS_GET_NOT_SUPPORTED" if error.code == "PACS_NO_COMMON_CONTEXT" else error.code
        raise BadInput(code) from None
