"""C-MOVE: the archive sends over associations of its own, to our receiver, or to that of another process of ours."""

from collections.abc import Iterable

from pydicom.dataset import Dataset

from .archive import Archive
from .contexts import MOVE_MODEL, UNCOMPRESSED
from .inbox import Inbox, collecting
from .intake import Intake
from .patience import Patience
from .receive import open_receiver, wait_until
from .requestor import open_association
from .suboperations import Outcome, Requests

#: Seconds without a byte, after the final response, in which an instance may still be on its way.
_STRAGGLER_SECONDS = 2.0


def move_instances(
    archive: Archive,
    targets: list[Dataset],
    intake: Intake,
    sop_classes: Iterable[str],
    inbox: Inbox | None = None,
) -> Outcome:
    """sop_classes: those that are awaited, as far as they are known. inbox: of the study, where another process may
    have the receiver's port. Raises as open_association and open_receiver."""
    patience = Patience(archive.timeouts)
    intake.on_wait = patience.progressed

    def stop_waiting() -> None:
        patience.stop = True

    intake.on_failure = stop_waiting
    if inbox is not None and inbox.is_served(archive.receiver_port):
        receiving = collecting(inbox, intake, patience)
    else:
        receiving = open_receiver(archive, intake, sop_classes, patience)
    with receiving as receiver:
        with open_association(archive, [(MOVE_MODEL, UNCOMPRESSED)], patience=patience) as association:
            requests = Requests(association, "move", MOVE_MODEL, intake, MoveDestination=archive.calling_ae_title)
            outcome = requests.all(targets)
        sent = (outcome.completed or 0) + (outcome.warning or 0)
        wait_until(
            lambda: (
                intake.failure is not None or intake.has_all() or (receiver.is_idle() and len(intake.stored) >= sent)
            ),
            min(_STRAGGLER_SECONDS, archive.timeouts.stall),
            lambda: patience.moved_at,
        )
    return outcome
