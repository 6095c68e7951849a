"""Our own Storage SCP, open only while a C-MOVE runs. A thread a connection; instances go to disk as they come."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import RetryLater
from .archive import Archive
from .association import Association, Context
from .commands import C_ECHO_RQ, C_STORE_RQ, Command, response
from .contexts import STORAGE_CLASSES, VERIFICATION
from .doorkeeper import Rules
from .intake import Intake, fill
from .listener import Listener, Place
from .patience import Patience

#: Associations at a time; archives send over a few at most, and one that hangs must not shut out the others.
_MAXIMUM_ASSOCIATIONS = 25
_TICK = 0.05  #: seconds between two looks


def take_instance(association: Association, context: Context, command: Command, intake: Intake) -> None:
    """The rest of a C-STORE request whose command has been read, and the answer to it."""
    sop_class_uid, sop_instance_uid = command.text("AffectedSOPClassUID"), command.text("AffectedSOPInstanceUID")
    reception = intake.begin(sop_class_uid, sop_instance_uid, context.transfer_syntax)
    fill(reception, association, command)
    status = reception.finish()
    association.send_command(context, response(command, status))
    association.patience.progressed()


#: Answers one message whose command has been read; its data set, if it has one, has to be read.
Answer = Callable[[Association, Context, Command], None]


class Receiver(Listener):
    """Listens at archive.receiver_port and serves whoever connects. patience: of the request that all this is for.
    Raises as Listener."""

    def __init__(self, archive: Archive, answer: Answer, sop_classes: frozenset[str], patience: Patience) -> None:
        def serve(association: Association) -> None:
            # Between two instances an archive may fetch from slow storage: as patient as the C-MOVE itself.
            association.patience = association.connection.patience = patience
            while True:
                answer(association, *association.next_command())

        place = Place("0.0.0.0", archive.receiver_port, archive.tls, archive.timeouts)
        rules = Rules(_MAXIMUM_ASSOCIATIONS, _MAXIMUM_ASSOCIATIONS)
        super().__init__(place, rules, sop_classes, serve)


@contextmanager
def open_receiver(
    archive: Archive, intake: Intake, sop_classes: Iterable[str], patience: Patience
) -> Iterator[Receiver]:
    """Listens on every interface at archive.receiver_port; all connections have ended after the block.

    sop_classes: accepted besides STORAGE_CLASSES. patience: of the C-MOVE; what comes here counts there. Raises
    RetryLater("RECEIVER_PORT_BUSY"), BadInput("PACS_TLS_FILES").
    """
    classes = frozenset((*STORAGE_CLASSES, *(uid for uid in sop_classes if uid), VERIFICATION))

    def answer(association: Association, context: Context, command: Command) -> None:
        if command.field == C_STORE_RQ:
            take_instance(association, context, command, intake)
        elif command.field == C_ECHO_RQ and not command.has_data:
            association.send_command(context, response(command, 0x0000))
        else:
            association.abort()
            raise RetryLater("PACS_UNREADABLE_ANSWER")

    receiver = Receiver(archive, answer, classes, patience)
    try:
        yield receiver
    finally:
        receiver.close()


def wait_until(done: Callable[[], bool], seconds: float, moved_at: Callable[[], float]) -> None:
    """Returns when done, or when for so many seconds nothing has moved; moved_at on time.monotonic()'s clock."""
    started = time.monotonic()
    while not done() and time.monotonic() - max(started, moved_at()) < seconds:
        time.sleep(_TICK)
