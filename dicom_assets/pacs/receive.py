"""Our own Storage SCP, open only while a C-MOVE runs. A thread a connection; instances go to disk as they come."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .association import LARGEST_NEGOTIATION, Association, Context
from .commands import C_ECHO_RQ, C_STORE_RQ, Command, response
from .contexts import ALL_SYNTAXES, STORAGE_CLASSES, VERIFICATION
from .intake import Intake
from .negotiation import accept, parse
from .patience import Patience
from .tls import server_context
from .wire import ASSOCIATE_AC, ASSOCIATE_RQ, Connection, cut

#: Associations at a time; archives send over a few at most, and one that hangs must not shut out the others.
_MAXIMUM_ASSOCIATIONS = 25
#: Seconds between two looks at the listening socket.
_TICK = 0.05
_BACKLOG = 32


def take_instance(association: Association, context: Context, command: Command, intake: Intake) -> None:
    """The rest of a C-STORE request whose command has been read, and the answer to it."""
    sop_class_uid, sop_instance_uid = command.text("AffectedSOPClassUID"), command.text("AffectedSOPInstanceUID")
    reception = intake.begin(sop_class_uid, sop_instance_uid, context.transfer_syntax)
    try:
        if command.has_data:
            association.stream(reception.write)
    except BaseException:
        reception.abandon()
        raise
    status = reception.finish()
    association.send_command(context, response(command, status))
    association.patience.progressed()


#: Answers one message whose command has been read; its data set, if it has one, has to be read.
Answer = Callable[[Association, Context, Command], None]


class Receiver:
    """Listens at archive.receiver_port and serves whoever connects. patience: of the request that all this is for.

    Raises RetryLater("RECEIVER_PORT_BUSY"), BadInput("PACS_TLS_FILES").
    """

    def __init__(self, archive: Archive, answer: Answer, sop_classes: frozenset[str], patience: Patience) -> None:
        self._archive, self._answer, self._sop_classes, self._patience = archive, answer, sop_classes, patience
        self._tls = None if archive.tls is None else server_context(archive.tls)
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        try:
            self._listening = socket.create_server(("0.0.0.0", archive.receiver_port), backlog=_BACKLOG)
        except OSError:
            raise RetryLater("RECEIVER_PORT_BUSY") from None
        self._listening.settimeout(_TICK)
        self._thread = threading.Thread(target=self._accept, name="receiver", daemon=True)
        self._thread.start()

    def is_idle(self) -> bool:
        """No archive is connected."""
        return not self._connections

    def close(self) -> None:
        """All connections have ended afterwards."""
        self._closing.set()
        self._thread.join()
        self._listening.close()
        with self._lock:
            threads = dict(self._connections)
        for thread, sock in threads.items():
            cut(sock)
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                time.sleep(_TICK)  # out of descriptors; the next one may be luckier
                continue
            thread = threading.Thread(target=self._serve, args=(sock,), name="receiving", daemon=True)
            with self._lock:
                if len(self._connections) >= _MAXIMUM_ASSOCIATIONS:
                    sock.close()
                    continue
                self._connections[thread] = sock
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            connection = Connection(self._secured(plain), Patience(self._archive.timeouts))
            try:
                association = self._negotiate(connection)
                while True:
                    self._answer(association, *association.next_command())
            finally:
                connection.close()
        except (DicomAssetsError, OSError):
            pass  # the association has ended, one way or the other; what came is in the intake
        finally:
            with self._lock:
                sock = self._connections.pop(threading.current_thread())
            sock.close()

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self._tls is None:
            return plain
        plain.settimeout(self._archive.timeouts.acse)
        secured: ssl.SSLSocket = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections[threading.current_thread()] = secured
        secured.do_handshake()
        return secured

    def _negotiate(self, connection: Connection) -> Association:
        with connection.patience.negotiating():
            kind, length = connection.read_header()
            if kind != ASSOCIATE_RQ or length > LARGEST_NEGOTIATION:
                raise RetryLater("PACS_UNREADABLE_ANSWER")
            try:
                requested = parse(connection.read(length))
                answer, contexts = accept(requested, self._sop_classes, ALL_SYNTAXES)
            except BadInput:
                connection.abort(source=2)
                raise
            connection.send_pdu(ASSOCIATE_AC, answer)
        # Between two instances an archive may fetch from slow storage: as patient as the C-MOVE itself.
        connection.patience = self._patience
        return Association(connection, contexts, requested.maximum)


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
