"""PDUs on a TCP connection (PS3.8 9.3). One thread reads and writes it; waiting is limited by a Patience.

The data of a PDU is handed on as it comes, so that neither a large instance nor a length that lies takes memory.
"""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..errors import DicomAssetsError, RetryLater
from .patience import Patience
from .tls import why_refused

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

#: Bytes of a P-DATA PDU that we accept: fewer, larger PDUs are faster. PS3.8 D.1.
MAXIMUM_PDU_LENGTH = 131072

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  #: Linux only
#: Bytes of the buffer: it grows as long as it is filled, so that a connection that brings little takes little memory.
_FIRST_BUFFER, _BUFFER = 1 << 13, 1 << 17
#: Seconds of one wait, after which it is looked whether somebody has given up meanwhile.
_SLICE = 0.2
_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_PDU_PDV = struct.Struct(">BxIIBB")

#: Hands out the next piece of what is to be sent.
Read = Callable[[int], bytes]


class Connection:
    """Raises RetryLater: PACS_STALLED where patience ends, PACS_ABORTED where the peer hung up."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self.patience = patience
        self.received = 0  #: bytes in all
        self.is_waiting = False  #: for the peer, at this moment
        self._socket = sock
        self._buffer = memoryview(bytearray(_FIRST_BUFFER))
        self._start = self._stop = 0
        self._timeout: float | None = None
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def is_plain(self) -> bool:
        """Nothing of it is in this process alone: it is not enciphered, and all that came has been read."""
        return not isinstance(self._socket, ssl.SSLSocket) and self._start == self._stop

    def fileno(self) -> int:
        return self._socket.fileno()

    def read_header(self) -> tuple[int, int]:
        """Type and length, in bytes, of the next PDU."""
        return _PDU.unpack(self.read(_PDU.size))

    def read_pdv_header(self) -> tuple[int, int, int]:
        """Bytes of the fragment that follows, presentation context ID, message control header."""
        length, context_id, control = _PDV.unpack(self.read(_PDV.size))
        return length - 2, context_id, control

    def read(self, count: int) -> bytes:
        if count <= self._stop - self._start:
            self._start += count
            return bytes(self._buffer[self._start - count : self._start])
        return b"".join(bytes(piece) for piece in self.pieces(count))

    def pieces(self, count: int) -> Iterator[memoryview]:
        """The next count bytes as they come; each piece is good until the next is asked for."""
        while count > 0:
            if self._start == self._stop:
                self._fill()
            piece = self._buffer[self._start : min(self._stop, self._start + count)]
            self._start += len(piece)
            count -= len(piece)
            yield piece

    def skip(self, count: int) -> None:
        for _ in self.pieces(count):
            pass

    def send(self, *pieces: bytes) -> None:
        self.is_waiting = True
        try:
            self._limit(self.patience.timeouts.stall)
            self._socket.sendall(b"".join(pieces))
        except (OSError, ValueError) as error:
            raise _coded(error) from None
        finally:
            self.is_waiting = False

    def send_pdu(self, kind: int, body: bytes) -> None:
        self.send(_PDU.pack(kind, len(body)), body)

    def send_fragments(self, context_id: int, maximum: int, is_command: bool, length: int, read: Read) -> None:
        """One P-DATA PDU a fragment, of even length (PS3.8 9.3.5). maximum: bytes of a PDU that the peer takes."""
        room = max(maximum - _PDV.size & ~1, 2)
        while True:
            piece = read(min(room, length))
            length -= len(piece)
            if length and not piece:
                raise RetryLater("FILE_OPERATION_FAILED")
            control = is_command | (0 if length else 2)
            header = _PDU_PDV.pack(P_DATA, len(piece) + _PDV.size, len(piece) + 2, context_id, control)
            self.send(header, piece)
            if not length:
                return

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """A-ABORT, for which a peer that reads has room at once, and the end of the connection."""
        with suppress(OSError, ValueError):
            self._limit(_SLICE)
            self._socket.sendall(_PDU.pack(ABORT, 4) + bytes((0, 0, source, reason)))
        self.close()

    def close(self) -> None:
        cut(self._socket)
        with suppress(OSError):
            self._socket.close()

    def _fill(self) -> None:
        """At least one byte more."""
        if self._stop == len(self._buffer) < _BUFFER:
            self._buffer = memoryview(bytearray(2 * len(self._buffer)))
        self.is_waiting = True
        try:
            while True:
                # Nagle's algorithm on the peer's side holds back the second part of a message for the acknowledgement
                # of the first, which is delayed some 40 ms unless this is said before each wait.
                if _QUICK_ACK is not None:
                    self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
                self._limit(min(self.patience.left(), _SLICE))
                with suppress(TimeoutError):
                    self._start, self._stop = 0, self._socket.recv_into(self._buffer)
                    break
        except (OSError, ValueError) as error:
            raise _coded(error) from None
        finally:
            self.is_waiting = False
        if not self._stop:
            raise RetryLater("PACS_ABORTED")
        self.received += self._stop
        self.patience.moved()

    def _limit(self, seconds: float) -> None:
        """Of the next calls of the socket; each time that it is told costs a call of the system."""
        if seconds != self._timeout:
            self._socket.settimeout(seconds)
            self._timeout = seconds


def _coded(error: OSError | ValueError) -> DicomAssetsError:
    """What a socket raises, as our codes."""
    if isinstance(error, TimeoutError):
        return RetryLater("PACS_STALLED")
    return why_refused(error) if isinstance(error, ssl.SSLError) else RetryLater("PACS_ABORTED")


def cut(sock: socket.socket) -> None:
    """End a connection from any thread, whatever it waits for. Past SSLSocket.shutdown(): after that, what is still on
    its way would be read undeciphered."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
