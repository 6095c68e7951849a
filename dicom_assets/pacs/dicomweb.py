"""DICOMweb (PS3.18) over one HTTP/1.1 connection: a request out, the meaning of its answer and its body in.

Nothing leaves for another host than the configured one: no redirect is followed, no proxy taken from the environment.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from ssl import SSLContext, create_default_context
from urllib.parse import urlsplit

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .http_line import HttpLine
from .patience import Patience
from .status import Meaning, meaning_of
from .tls import client_context, speaks_tls

#: Bytes of a body that is read as a whole: answers to queries and to STOW-RS.
_LARGEST_WHOLE = 64 << 20
#: Times that a request is sent to a server that names, by Retry-After, the seconds after which it will take it.
_ATTEMPTS = 3
_LONGEST_PAUSE = 60


class Answer:
    """status: of HTTP. meaning: of the status for this service. content_type: in lower case, without parameters."""

    def __init__(self, service: str, response: HTTPResponse, line: HttpLine) -> None:
        self.status = response.status
        self.meaning: Meaning = meaning_of(service, response.status)
        self.content_type = response.headers.get_content_type()
        self.boundary = response.headers.get_boundary("")
        self.warnings = response.headers.get_all("Warning", [])
        self._response = response
        self._line = line

    def read_into(self, buffer: memoryview) -> int:
        """Bytes read; fewer than there is room for only at the end. 0: the body has ended, why_ended() says how."""
        try:
            return self._response.readinto(buffer)
        except IncompleteRead as short:
            self._response.close()
            return len(short.partial)
        except (HTTPException, OSError, ValueError):
            self._response.close()
            return 0

    def read(self) -> bytes:
        """The whole body. RetryLater: as why_ended, PACS_UNREADABLE_ANSWER where it is larger than any real one."""
        body = bytearray()
        piece = memoryview(bytearray(1 << 16))
        while count := self.read_into(piece):
            body += piece[:count]
            if len(body) > _LARGEST_WHOLE:
                raise RetryLater("PACS_UNREADABLE_ANSWER")
        if self._response.length or self._line.failure is not None:
            raise self.why_ended()
        return bytes(body)

    def why_ended(self) -> DicomAssetsError:
        """For a body that ended before its time: RetryLater("PACS_STALLED" or "PACS_ABORTED")."""
        return self._line.failure or RetryLater("PACS_ABORTED")

    def pause(self) -> int | None:
        """Seconds after which the server wants to be asked again; None where it does not say, or too many."""
        text = self._response.headers.get("Retry-After", "").strip()
        if self.meaning.reason != "PACS_BUSY" or not (text.isascii() and text.isdigit() and len(text) < 4):
            return None
        return int(text) if int(text) <= _LONGEST_PAUSE else None


@dataclass(frozen=True)
class Body:
    """Of a request. pieces: made anew each time that it is sent. length: bytes in all."""

    content_type: str
    length: int
    pieces: Callable[[], Iterable[bytes]]


class DicomWeb:
    """Requests to one server, one after the other; see open_dicomweb."""

    def __init__(self, archive: Archive) -> None:
        self.patience = Patience(archive.timeouts)
        self._host, self._port, self._root, self._context = _address(archive)
        self._authorization = archive.dicomweb_authorization
        self._line: HttpLine | None = None

    @contextmanager
    def request(self, service: str, path: str, accept: str, body: Body | None = None) -> Iterator[Answer]:
        """A GET of the path below the root, or a POST where there is a body. service: qido, wado or stow. The answer is
        to be read within the block; what is left of it then is dropped with the connection. Raises

        RetryLater: PACS_HOST_UNKNOWN, PACS_PORT_CLOSED, PACS_UNREACHABLE, PACS_TIMEOUT, PACS_ABORTED, PACS_STALLED.
        BadInput: PACS_NOT_DICOMWEB, PACS_TLS_REQUIRED, PACS_TLS_UNTRUSTED, PACS_TLS_NOT_OFFERED,
        PACS_TLS_CLIENT_REFUSED.
        """
        for attempt in range(_ATTEMPTS):
            response = self._respond(path, accept, body)
            answer = Answer(service, response, self._line)
            pause = answer.pause()
            if pause is None or attempt == _ATTEMPTS - 1:
                break
            response.close()
            self.close()
            time.sleep(pause)
        try:
            with self.patience.answering():
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise RetryLater("PACS_UNREADABLE_ANSWER")  # none was offered: it may inflate without a limit
                yield answer
        finally:
            is_reusable = response.isclosed() and not response.will_close and self._line.failure is None
            response.close()
            if not is_reusable:
                self.close()

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _respond(self, path: str, accept: str, body: Body | None) -> HTTPResponse:
        """A connection that the server closed while nothing was asked is opened again."""
        is_new = self._line is None
        try:
            return self._send(path, accept, body)
        except RetryLater as error:
            if is_new or error.code != "PACS_ABORTED":
                raise
        return self._send(path, accept, body)

    def _send(self, path: str, accept: str, body: Body | None) -> HTTPResponse:
        if self._line is None:
            line = HttpLine(self._host, self._port, self._context, self.patience)
            line.connect()
            self._line = line
        line, refused = self._line, None
        headers = {"Accept": accept, "User-Agent": "dicom-assets"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        if body is not None:
            headers |= {"Content-Type": body.content_type, "Content-Length": str(body.length)}
        try:
            # The server may refuse, and hang up, before it has taken the whole body.
            with self.patience.answering(), suppress(ConnectionError):
                pieces = None if body is None else body.pieces()
                line.request("GET" if body is None else "POST", self._root + path, pieces, headers)
            refused, line.failure = line.failure, None
            with self.patience.answering():
                return line.getresponse()
        except (HTTPException, ConnectionError, ValueError) as error:
            # A TLS alert met while sending says more than the end of the connection that follows.
            ended = line.failure is None or line.failure.code == "PACS_ABORTED"
            failure = refused if ended else line.failure
            self.close()
            raise self._why_no_answer(failure, is_garbage=not isinstance(error, ConnectionError)) from None
        except BaseException:
            self.close()
            raise

    def _why_no_answer(self, failure: DicomAssetsError | None, *, is_garbage: bool) -> DicomAssetsError:
        failure = failure or RetryLater("PACS_ABORTED")
        if failure.code == "PACS_STALLED":
            return RetryLater("PACS_TIMEOUT")
        seconds = self.patience.timeouts.connect
        if failure.code == "PACS_ABORTED" and self._context is None and speaks_tls(self._host, self._port, seconds):
            return BadInput("PACS_TLS_REQUIRED")
        return BadInput("PACS_NOT_DICOMWEB") if is_garbage else failure


@contextmanager
def open_dicomweb(archive: Archive) -> Iterator[DicomWeb]:
    """The connection opens with the first request. Raises BadInput: PACS_DICOMWEB_URL, PACS_TLS_FILES."""
    web = DicomWeb(archive)
    try:
        yield web
    finally:
        web.close()


def _address(archive: Archive) -> tuple[str, int, str, SSLContext | None]:
    """Host, port, path of the root ending in a slash, and the TLS settings of https. A name and password in the URL
    are refused: a URL lands in logs and tables."""
    url = archive.dicomweb_url
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise BadInput("PACS_DICOMWEB_URL") from None
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise BadInput("PACS_DICOMWEB_URL")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BadInput("PACS_DICOMWEB_URL")
    context = None
    if parts.scheme == "https":
        context = create_default_context() if archive.tls is None else client_context(archive.tls)
    return parts.hostname, port, parts.path.rstrip("/") + "/", context
