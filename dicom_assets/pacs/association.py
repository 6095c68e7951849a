"""An established association: messages out, messages in (PS3.7, PS3.8)."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import DicomAssetsError, RetryLater
from .commands import C_STORE_RQ, Command, cancel, decode, encode, request
from .wire import ABORT, MAXIMUM_PDU_LENGTH, P_DATA, RELEASE_RP, RELEASE_RQ, Connection

LARGEST_NEGOTIATION = 1 << 18  #: bytes of an A-ASSOCIATE PDU: 128 contexts with all transfer syntaxes have some 160 kB
#: Bytes of a P-DATA PDU: far more than we announce, since some senders miscount, and no length that lies
_LARGEST_PDU = 1 << 20
_LARGEST_COMMAND = 1 << 16
_LARGEST_DATA = 1 << 24  #: bytes of a data set that is kept in memory: a list of failed instances, at most


@dataclass(frozen=True)
class Context:
    """An accepted presentation context. as_scu, as_scp: the roles that we play in it."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    as_scu: bool = True
    as_scp: bool = False


class Association:
    """An established association, used by one thread. maximum: bytes of a PDU that the peer takes; 0: no limit.
    is_between_messages: none has begun to come. has_spoken: a message of the peer's has come to its end. peer,
    calling_ae_title: address and name of one that has called us."""

    def __init__(
        self,
        connection: Connection,
        contexts: Mapping[int, Context],
        maximum: int,
        peer: str = "",
        calling_ae_title: str = "",
    ) -> None:
        self.connection, self.contexts = connection, contexts
        self.peer, self.calling_ae_title = peer, calling_ae_title
        self.is_between_messages, self.has_spoken = True, False
        self.maximum = min(maximum or MAXIMUM_PDU_LENGTH, MAXIMUM_PDU_LENGTH)
        self.patience = connection.patience
        self._left = 0  #: bytes of the current P-DATA PDU
        self._current = 0  #: context of the message that is being read

    def context_for(self, abstract_syntax: str, transfer_syntax: str = "") -> Context | None:
        """An accepted context in which we are SCU; of this transfer syntax, or of any."""
        for context in self.contexts.values():
            named = context.abstract_syntax == abstract_syntax and transfer_syntax in ("", context.transfer_syntax)
            if named and context.as_scu:
                return context
        return None

    def send(self, context: Context, command: Command, data: bytes = b"") -> None:
        encoded = encode(command)
        self._send_fragments(context, True, len(encoded), _reader(encoded))
        if command.has_data:
            self._send_fragments(context, False, len(data), _reader(data))

    def store(
        self,
        context: Context,
        sop_class_uid: str,
        sop_instance_uid: str,
        file: BinaryIO,
        start: int,
        stop: int,
        message_id: int = 1,
    ) -> Command:
        """C-STORE of the data set that is bytes start to stop of an open file; the response."""
        command = request(C_STORE_RQ, message_id, sop_class_uid, has_data=True, AffectedSOPInstanceUID=sop_instance_uid)
        file.seek(start)
        with self.patience.answering():
            self.send_command(context, command)
            self._send_fragments(context, False, stop - start, file.read)
        with self.patience.answering():
            while True:
                _, answer = self.next_command()
                if answer.has_data:
                    self.data()
                if answer.number("MessageIDBeingRespondedTo") == message_id and answer.status is not None:
                    return answer

    def send_command(self, context: Context, command: Command) -> None:
        """The command alone; what it announces follows."""
        encoded = encode(command)
        self._send_fragments(context, True, len(encoded), _reader(encoded))

    def cancel(self, context: Context, message_id: int) -> None:
        """C-CANCEL; the archive may ignore it."""
        self.send_command(context, cancel(message_id))

    def next_command(self) -> tuple[Context, Command]:
        """The next message's command; where it has data, data() or stream() has to read that.

        Raises RetryLater: PACS_ABORTED where the peer ended the association, PACS_STALLED, PACS_UNREADABLE_ANSWER.
        """
        pieces: list[bytes] = []
        size = 0
        self.is_between_messages, self.has_spoken = True, self._current > 0
        while True:
            length, context_id, control = self._next_fragment()
            self.is_between_messages = False
            context = self.contexts.get(context_id)
            size += length + 1  # empty fragments count, too
            if context is None or not control & 1 or size > _LARGEST_COMMAND:
                raise self._violated()
            pieces.append(self.connection.read(length))
            if control & 2:
                self._current = context_id
                return context, decode(b"".join(pieces))

    def data(self) -> bytes:
        """The data set of the message, whole."""
        pieces: list[bytes] = []
        size = 0

        def keep(piece: memoryview) -> None:
            nonlocal size
            size += len(piece)
            if size > _LARGEST_DATA:
                raise self._violated()
            pieces.append(bytes(piece))

        self.stream(keep)
        return b"".join(pieces)

    def stream(self, write: Callable[[memoryview], object]) -> None:
        """The data set of the message, piece by piece as it comes."""
        while True:
            length, context_id, control = self._next_fragment()
            if control & 1 or context_id != self._current:
                raise self._violated()
            for piece in self.connection.pieces(length):
                write(piece)
                self.patience.moved(len(piece))
            if control & 2:
                return

    def dismiss(self) -> None:
        """From another thread, between two messages: it has to end."""
        self.patience.stop = True

    def quiet_since(self) -> float:
        """When the peer last brought something of use, on time.monotonic()'s clock; now, while it waits for us."""
        return self.patience.progressed_at if self.connection.is_waiting else time.monotonic()

    def release(self) -> None:
        """In order where the peer plays along, else as well as it goes."""
        with suppress(DicomAssetsError), self.patience.negotiating():
            self.connection.send_pdu(RELEASE_RQ, bytes(4))
            while True:
                kind, length = self.connection.read_header()
                self.connection.skip(length)
                if kind == RELEASE_RQ:
                    self.connection.send_pdu(RELEASE_RP, bytes(4))
                elif kind != P_DATA:
                    break
        self.connection.close()

    def abort(self) -> None:
        self.connection.abort()

    def _send_fragments(self, context: Context, is_command: bool, length: int, read: Callable[[int], bytes]) -> None:
        self.connection.send_fragments(context.context_id, self.maximum, is_command, length, read)

    def _next_fragment(self) -> tuple[int, int, int]:
        """Length, context ID and control header of the next fragment (PS3.8 9.3.5.1)."""
        while not self._left:
            kind, length = self.connection.read_header()
            if kind == P_DATA and length <= _LARGEST_PDU:
                self._left = length
            else:
                self._end(kind, length)
        fragment, context_id, control = self.connection.read_pdv_header()
        self._left -= fragment + 6
        if fragment < 0 or self._left < 0:
            raise self._violated()
        return fragment, context_id, control

    def _end(self, kind: int, length: int) -> None:
        if kind == RELEASE_RQ and length <= _LARGEST_PDU:
            self.connection.skip(length)
            self.connection.send_pdu(RELEASE_RP, bytes(4))
            self.connection.close()
            raise Released("PACS_ABORTED")
        if kind == ABORT:
            self.connection.close()
            raise RetryLater("PACS_ABORTED")
        raise self._violated()

    def _violated(self) -> RetryLater:
        """The peer does not keep to the protocol: A-ABORT by the service provider (PS3.8 table 9-26)."""
        self.connection.abort(source=2, reason=0)
        return RetryLater("PACS_UNREADABLE_ANSWER")


class Released(RetryLater):
    """The peer ended the association in order. Between two messages that is no failure."""


def _reader(content: bytes) -> Callable[[int], bytes]:
    view = memoryview(content)
    at = 0

    def read(count: int) -> memoryview:
        nonlocal at
        at += count
        return view[at - count : at]

    return read
