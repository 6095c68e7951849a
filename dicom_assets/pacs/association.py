"""One association as a `with` block: messages out, messages in; and what went wrong where none came about."""

import ssl
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .commands import C_STORE_RQ, Command, cancel, decode, encode, request
from .connect import connect
from .negotiation import answered_contexts, association_request, parse_answer, why_rejected
from .patience import Patience
from .tls import client_context, speaks_tls, why_refused
from .wire import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA, RELEASE_RP, RELEASE_RQ, Connection

#: A presentation context that is proposed: abstract syntax, transfer syntaxes in order of preference.
Proposal = tuple[str, Sequence[str]]

_LARGEST_NEGOTIATION = 1 << 20  #: bytes of an A-ASSOCIATE PDU
_LARGEST_COMMAND = 1 << 16
_LARGEST_DATA = 1 << 24  #: bytes of a data set that is kept in memory: a list of failed instances, at most
_TLS_RECORD = 0x15  #: an alert: what a TLS server says to plain DICOM
#: Kinds of PDU that may answer a request for an association
_ANSWERS = (ASSOCIATE_AC, ASSOCIATE_RJ, ABORT)


@dataclass(frozen=True)
class Context:
    """An accepted presentation context. as_scu, as_scp: the roles that we play in it."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    as_scu: bool = True
    as_scp: bool = False


class Association:
    """An established association, used by one thread. maximum: bytes of a PDU that the peer takes."""

    def __init__(self, connection: Connection, contexts: Mapping[int, Context], maximum: int) -> None:
        self.connection, self.contexts, self.maximum = connection, contexts, maximum
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
        while True:
            length, context_id, control = self._next_fragment()
            context = self.contexts.get(context_id)
            if context is None or not control & 1 or sum(map(len, pieces)) + length > _LARGEST_COMMAND:
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
            if control & 2:
                return

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
            if kind == P_DATA:
                self._left = length
            else:
                self._end(kind, length)
        fragment, context_id, control = self.connection.read_pdv_header()
        self._left -= fragment + 6
        if fragment < 0 or self._left < 0:
            raise self._violated()
        return fragment, context_id, control

    def _end(self, kind: int, length: int) -> None:
        if kind == RELEASE_RQ:
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


@contextmanager
def open_association(
    archive: Archive, proposals: Iterable[Proposal], roles: Iterable[str] = (), patience: Patience | None = None
) -> Iterator[Association]:
    """An established association; released at the end, aborted where the block raises.

    proposals: at most 128. roles: SOP classes in which we offer to be SCP (PS3.7 D.3.3.4). patience: where its limits
    are shared with other connections. Raises
    RetryLater: PACS_HOST_UNKNOWN, PACS_UNREACHABLE, PACS_PORT_CLOSED, PACS_TIMEOUT, PACS_BUSY, PACS_ABORTED.
    BadInput: PACS_NOT_CONFIGURED, PACS_NOT_DICOM, PACS_REJECTED_CALLED_AE_TITLE, PACS_REJECTED_CALLING_AE_TITLE,
    PACS_REJECTED, PACS_NO_COMMON_CONTEXT (no proposed context was accepted), PACS_TLS_FILES, PACS_TLS_UNTRUSTED,
    PACS_TLS_NOT_OFFERED, PACS_TLS_CLIENT_REFUSED, PACS_TLS_REQUIRED.
    """
    if not archive.host or not archive.called_ae_title or not archive.calling_ae_title:
        raise BadInput("PACS_NOT_CONFIGURED")
    patience = patience or Patience(archive.timeouts)
    context = None if archive.tls is None else client_context(archive.tls)
    connection = Connection(connect(archive.host, archive.port, archive.timeouts.connect, context), patience)
    try:
        association = _associate(archive, connection, list(proposals), frozenset(roles))
        yield association
    except BaseException:
        connection.abort()
        raise
    association.release()


def _associate(
    archive: Archive, connection: Connection, proposals: list[Proposal], roles: frozenset[str]
) -> Association:
    try:
        with connection.patience.negotiating():
            connection.send_pdu(ASSOCIATE_RQ, association_request(archive, proposals, roles))
            kind, length = connection.read_header()
            if kind not in _ANSWERS or length > _LARGEST_NEGOTIATION:
                raise BadInput("PACS_TLS_REQUIRED" if kind == _TLS_RECORD and archive.tls is None else "PACS_NOT_DICOM")
            body = connection.read(length)
    except RetryLater as error:
        raise _why_no_answer(archive, connection, error) from None
    if kind == ABORT:
        raise RetryLater("PACS_ABORTED")
    if kind == ASSOCIATE_RJ:
        raise why_rejected(body)
    try:
        answer = parse_answer(body)
        contexts = {
            each.context_id: Context(
                each.context_id, str(each.abstract_syntax), str(each.transfer_syntax[0]), each.as_scu, each.as_scp
            )
            for each in answered_contexts(answer, proposals, roles)
        }
    except (struct.error, ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError):
        raise BadInput("PACS_NOT_DICOM") from None  # pynetdicom's parser gives up in many ways
    if not contexts:
        raise BadInput("PACS_NO_COMMON_CONTEXT")
    return Association(connection, contexts, answer.maximum_length_received or _LARGEST_COMMAND)


def _why_no_answer(archive: Archive, connection: Connection, error: RetryLater) -> DicomAssetsError:
    seconds = min(archive.timeouts.connect, archive.timeouts.acse)
    if not connection.received:
        connection.close()
        if archive.tls is None and speaks_tls(archive.host, archive.port, seconds):
            return BadInput("PACS_TLS_REQUIRED")
        if archive.tls is not None and error.code == "PACS_ABORTED":
            return _why_hung_up(archive, seconds) or error
    return RetryLater("PACS_TIMEOUT") if error.code == "PACS_STALLED" else error


def _why_hung_up(archive: Archive, seconds: float) -> DicomAssetsError | None:
    """TLS 1.3 refuses our certificate after the handshake, and what we have sent meanwhile may cost us the alert: so
    once more, without a word of ours."""
    try:
        with connect(archive.host, archive.port, seconds, client_context(archive.tls)) as silent:
            silent.settimeout(seconds)
            silent.recv(1)
    except ssl.SSLError as error:
        why = why_refused(error)
        return why if why.code != "PACS_ABORTED" else None
    except (OSError, DicomAssetsError):
        pass
    return None
