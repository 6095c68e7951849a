"""Our own Storage SCP, open only while a C-MOVE runs."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import BaseServer

from pynetdicom import AE, build_context, evt, register_uid
from pynetdicom.association import Association
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import ThreadedAssociationServer

from ..errors import RetryLater
from .archive import Archive
from .association import MAXIMUM_PDU_LENGTH
from .contexts import ALL_SYNTAXES, STORAGE_CLASSES
from .intake import Intake
from .sockets import answer_at_once, cut, limit_reads

#: Associations at a time; archives send over a few at most, and one that hangs must not shut out the others.
_MAXIMUM_ASSOCIATIONS = 25
#: Seconds between two looks at the listening socket.
_TICK = 0.05


@dataclass(frozen=True)
class Receiver:
    """A Storage SCP that listens."""

    server: ThreadedAssociationServer

    def associations(self) -> list[Association]:
        return self.server.active_associations

    def is_idle(self) -> bool:
        """No archive is connected."""
        return not self.associations()


def _prepare(association: Association, seconds: float) -> None:
    answer_at_once(association)
    limit_reads(association, seconds)


@contextmanager
def open_receiver(
    archive: Archive, intake: Intake, sop_classes: Iterable[str] = (), moved: Callable[[], None] = lambda: None
) -> Iterator[Receiver]:
    """Listens on every interface at archive.receiver_port; all connections have ended after the block.

    sop_classes: accepted besides STORAGE_CLASSES. moved: called whenever bytes arrive. Raises
    RetryLater("RECEIVER_PORT_BUSY").
    """
    ae = AE(ae_title=archive.calling_ae_title)
    ae.acse_timeout = archive.timeouts.acse
    ae.maximum_pdu_size = MAXIMUM_PDU_LENGTH
    ae.maximum_associations = _MAXIMUM_ASSOCIATIONS
    # Between two instances an archive may fetch from slow storage: as patient as the C-MOVE itself.
    ae.network_timeout = archive.timeouts.first_response + archive.timeouts.stall
    handlers = [
        (evt.EVT_CONN_OPEN, lambda event: _prepare(event.assoc, archive.timeouts.stall)),
        (evt.EVT_REQUESTED, _take_first_syntaxes),
        (evt.EVT_DATA_RECV, lambda _event: moved()),
        (evt.EVT_C_STORE, intake.handle),
    ]
    try:
        server = ae.make_server(
            ("0.0.0.0", archive.receiver_port),
            evt_handlers=handlers,
            contexts=_contexts(sop_classes),
            server_class=ThreadedAssociationServer,
        )
    except OSError:
        raise RetryLater("RECEIVER_PORT_BUSY") from None
    thread = threading.Thread(target=server.serve_forever, args=(_TICK,), name="receiver", daemon=True)
    thread.start()
    try:
        yield Receiver(server)
    finally:
        # Not AssociationServer.shutdown(), which expects start_server() with its half-second ticks.
        BaseServer.shutdown(server)
        server.server_close()
        thread.join()
        _end(server)


def wait_until(done: Callable[[], bool], seconds: float, moved_at: Callable[[], float]) -> None:
    """Returns when done, or when for so many seconds nothing has moved; moved_at on time.monotonic()'s clock."""
    started = time.monotonic()
    while not done() and time.monotonic() - max(started, moved_at()) < seconds:
        time.sleep(_TICK)


def _contexts(sop_classes: Iterable[str]) -> list:
    classes = dict.fromkeys((*STORAGE_CLASSES, *(uid for uid in sop_classes if uid)))
    for uid in classes:
        # Private and retired classes: pynetdicom ends the association over those that it has no service for.
        if uid_to_service_class(uid) is not StorageServiceClass:
            register_uid(uid, f"Storage_{uid.replace('.', '_')}", StorageServiceClass)
    return [build_context(uid, list(ALL_SYNTAXES)) for uid in classes]


def _take_first_syntaxes(event: evt.Event) -> None:
    """Leave the first usable syntax in each proposed context. An archive puts first what it holds; pynetdicom would
    choose by our order, which may make the archive transcode."""
    for context in event.assoc.requestor.primitive.presentation_context_definition_list:
        usable = [syntax for syntax in context.transfer_syntax if syntax in ALL_SYNTAXES]
        if usable:
            context.transfer_syntax = usable[:1]


def _end(server: ThreadedAssociationServer) -> None:
    for association in server.active_associations:
        with suppress(RuntimeError):
            cut(association)
            association.join(1.0)
