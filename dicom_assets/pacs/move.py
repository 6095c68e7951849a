"""C-MOVE: the archive sends over associations of its own, to our receiver."""

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MoveModel

from .archive import Archive
from .association import open_association
from .contexts import UNCOMPRESSED
from .intake import Intake
from .receive import open_receiver, wait_until
from .suboperations import Outcome, request_all
from .watch import Watch

#: Seconds without a byte, after the final response, in which an instance may still be on its way.
_STRAGGLER_SECONDS = 5.0


def move_instances(archive: Archive, targets: list[Dataset], intake: Intake, sop_classes: Iterable[str]) -> Outcome:
    """sop_classes: those that are awaited, as far as they are known. Raises RetryLater("RECEIVER_PORT_BUSY")."""
    watch = Watch(archive.timeouts)
    intake.on_failure = watch.stop_waiting
    with open_receiver(archive, intake, sop_classes, watch.moved) as receiver:
        with open_association(archive, [build_context(MoveModel, UNCOMPRESSED)], watch=watch) as association:
            outcome = request_all(
                watch,
                "move",
                targets,
                lambda keys, msg: association.send_c_move(keys, archive.calling_ae_title, MoveModel, msg),
                intake.stored,
            )
        sent = (outcome.completed or 0) + (outcome.warning or 0)
        wait_until(
            lambda: (
                intake.failure is not None or intake.has_all() or (receiver.is_idle() and len(intake.stored) >= sent)
            ),
            min(_STRAGGLER_SECONDS, archive.timeouts.stall),
            lambda: watch.moved_at,
        )
    return outcome
