"""The acceptor's side: listens at a port, and a thread a connection negotiates an association and serves it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, create_server, socket

from ..errors import BadInput, DicomAssetsError, Refused, RetryLater
from .archive import Timeouts, Tls
from .association import LARGEST_NEGOTIATION, Association
from .contexts import ALL_SYNTAXES
from .doorkeeper import REJECTIONS, Doorkeeper, Rules, Visitor
from .negotiation import accept, parse
from .patience import Patience
from .tls import server_context
from .wire import ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, Connection

#: Seconds between two looks at the listening socket.
_TICK = 0.05
_BACKLOG = 128
#: Source of an A-ABORT, and its reasons: PS3.8 table 9-26
_PROVIDER, _UNEXPECTED_PDU, _INVALID_PARAMETER = 2, 2, 6

#: Serves an association until it ends, which it tells by raising RetryLater, or by returning.
Serve = Callable[[Association], object]


@dataclass(frozen=True)
class Place:
    """Where and how we listen. address: of one interface, or of all: `0.0.0.0`, `::`. association_seconds: the longest
    that an association may last."""

    address: str
    port: int
    tls: Tls | None
    timeouts: Timeouts
    association_seconds: float = float("inf")


class Listener:
    """From its making until close(). sop_classes: those that are accepted. turned_away: code -> associations that were
    rejected.

    Raises RetryLater("RECEIVER_PORT_BUSY"), BadInput("PACS_TLS_FILES").
    """

    def __init__(self, place: Place, rules: Rules, sop_classes: Container[str], serve: Serve) -> None:
        self.turned_away: Counter[str] = Counter()
        self._place, self._sop_classes, self._serve = place, sop_classes, serve
        self._tls = None if place.tls is None else server_context(place.tls)
        self._door = Doorkeeper(rules)
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()
        family = AF_INET6 if ":" in place.address else AF_INET
        try:
            self._listening = create_server(
                (place.address, place.port), family=family, backlog=_BACKLOG, dualstack_ipv6=place.address == "::"
            )
        except OSError:
            raise RetryLater("RECEIVER_PORT_BUSY") from None
        self._listening.settimeout(_TICK)
        self._thread = threading.Thread(target=self._accept, name="receiver", daemon=True)
        self._thread.start()

    def is_idle(self) -> bool:
        """Nobody is connected."""
        return not self._threads

    def close(self, seconds: float = 0.0) -> None:
        """Whoever is in the middle of a message may bring it to its end, for so many seconds. Afterwards all
        connections have ended."""
        self._closing.set()
        self._thread.join()
        self._listening.close()
        until = time.monotonic() + seconds
        while self._threads and time.monotonic() < until:
            for visitor in self._door.everybody():
                if visitor.association is None:
                    visitor.put_out()
                elif visitor.association.is_between_messages:
                    visitor.association.dismiss()
            time.sleep(_TICK)
        for visitor in self._door.everybody():
            visitor.put_out()
        for thread in list(self._threads):
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, address = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                time.sleep(_TICK)  # out of descriptors; the next one may be luckier
                continue
            visitor = self._door.enter(sock, address[0])
            thread = threading.Thread(target=self._receive, args=(visitor,), name="receiving", daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # out of threads
                self._threads.discard(thread)
                self._door.leave(visitor)
                sock.close()

    def _receive(self, visitor: Visitor) -> None:
        try:
            with suppress(DicomAssetsError, OSError):  # it has ended, one way or the other
                patience = Patience(self._place.timeouts, self._place.association_seconds)
                with patience.negotiating():
                    association = self._negotiated(visitor, Connection(self._secured(visitor, patience), patience))
                try:
                    self._serve(association)
                finally:
                    association.abort()
        finally:
            visitor.sock.close()
            self._door.leave(visitor)
            self._threads.discard(threading.current_thread())

    def _secured(self, visitor: Visitor, patience: Patience) -> socket:
        if self._tls is not None:
            visitor.sock.settimeout(patience.left())
            visitor.sock = self._tls.wrap_socket(visitor.sock, server_side=True, do_handshake_on_connect=False)
            visitor.sock.do_handshake()
        return visitor.sock

    def _negotiated(self, visitor: Visitor, connection: Connection) -> Association:
        kind, length = connection.read_header()
        if kind != ASSOCIATE_RQ or length > LARGEST_NEGOTIATION:
            connection.abort(_PROVIDER, _INVALID_PARAMETER if kind == ASSOCIATE_RQ else _UNEXPECTED_PDU)
            raise RetryLater("PACS_UNREADABLE_ANSWER")
        try:
            requested = parse(connection.read(length))
            answer, contexts = accept(requested, self._sop_classes, ALL_SYNTAXES)
        except BadInput:
            connection.abort(_PROVIDER, _INVALID_PARAMETER)
            raise
        association = Association(connection, contexts, requested.maximum, visitor.peer, requested.calling_ae_title)
        try:
            self._door.examine(visitor, requested)
            self._door.let_in(visitor, association)
        except Refused as error:
            self.turned_away[error.code] += 1
            connection.send_pdu(ASSOCIATE_RJ, bytes((0, *REJECTIONS[error.code])))
            raise
        connection.send_pdu(ASSOCIATE_AC, answer)
        return association
