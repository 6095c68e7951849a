"""The socket below http.client: it waits as long as the archive's timeouts allow, and keeps the reason why it ended."""

import io
import socket
import ssl
from http.client import HTTPConnection

from ..errors import DicomAssetsError, RetryLater
from .connect import connect
from .patience import Patience
from .tls import why_refused

#: Linux only. Nagle's algorithm on the server's side holds back a body until its header is acknowledged, which is
#: delayed some 40 ms unless this is said before each wait.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class HttpLine(HTTPConnection):
    """A connection that knows no proxy, no redirect and no log.

    failure: why reading or writing ended before its time; None where the server itself ended it, or has not.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, patience: Patience) -> None:
        super().__init__(host, port)
        self.failure: DicomAssetsError | None = None
        self.patience = patience
        self._context = context
        self.default_port = 443 if context else 80  #: for the Host header

    def connect(self) -> None:
        """Raises as connect.connect."""
        plain = connect(self.host, self.port, self.patience.timeouts.connect, self._context)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = _Socket(plain, self)


class _Socket:
    """What http.client needs of a socket."""

    def __init__(self, connected: socket.socket, line: HttpLine) -> None:
        self._connected = connected
        self._line = line

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._connected, self._line))

    def sendall(self, data: bytes) -> None:
        try:
            self._connected.settimeout(self._line.patience.left())
            self._connected.sendall(data)
        except (OSError, DicomAssetsError) as error:
            self._line.failure = _coded(error)
            raise ConnectionError from None
        self._line.patience.moved(len(data))

    def close(self) -> None:
        self._connected.close()


class _Incoming(io.RawIOBase):
    """What the server sends. A failure is an end, so that nothing that came before it is lost in a buffer."""

    def __init__(self, connected: socket.socket, line: HttpLine) -> None:
        self._connected = connected
        self._line = line
        self._holder = connected.makefile("rb", buffering=0)  # the socket stays open as long as this is

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        if self._line.failure is not None:
            return 0
        try:
            if _QUICK_ACK is not None:
                self._connected.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            self._connected.settimeout(self._line.patience.left())
            count = self._connected.recv_into(buffer)
        except (OSError, DicomAssetsError) as error:
            self._line.failure = _coded(error)
            return 0
        self._line.patience.moved(count)
        return count

    def close(self) -> None:
        self._holder.close()
        super().close()


def _coded(error: Exception) -> DicomAssetsError:
    if isinstance(error, DicomAssetsError):
        return error
    if isinstance(error, TimeoutError):
        return RetryLater("PACS_STALLED")
    return why_refused(error) if isinstance(error, ssl.SSLError) else RetryLater("PACS_ABORTED")
