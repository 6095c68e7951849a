"""multipart/related bodies (RFC 2046 5.1, PS3.18 8.6.1.2) as they come: no part is ever whole in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

#: Bytes that are read at once. Large ones are what makes it fast.
_BUFFER = 1 << 20
#: Of a part's header; more than any server writes.
_LONGEST_LINE, _MOST_LINES = 1 << 13, 100
#: RFC 2046 5.1.1 allows 70; some servers write more.
_LONGEST_BOUNDARY = 200
_LINE_END, _CLOSE = b"\r\n", b"--"
_AFTER_DELIMITER = (_LINE_END, _CLOSE, b" ", b"\t")


class BodyEnded(Exception):
    """The body ended before its last delimiter, or is no multipart body."""


@dataclass(frozen=True)
class Part:
    """length: bytes, None where its header does not say. pieces: its content, to be read to the end before the next
    part; each piece is good until the next one is asked for."""

    length: int | None
    pieces: Iterator[memoryview] = field(repr=False)


class Multipart:
    """read_into: fills a buffer from the body and says with how many bytes, 0 at its end."""

    def __init__(self, boundary: str, read_into: Callable[[memoryview], int]) -> None:
        if not boundary or len(boundary) > _LONGEST_BOUNDARY or not boundary.isascii():
            raise BodyEnded
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._read_into = read_into
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        # The first delimiter may stand at the very beginning.
        self._view[:2] = _LINE_END
        self._start, self._stop = 0, 2

    def parts(self) -> Iterator[Part]:
        """Raises BodyEnded, also while a part's pieces are read."""
        for _ in self._pieces():
            pass  # the preamble
        while not self._is_last():
            part = Part(self._header(), self._pieces())
            yield part
            for _ in part.pieces:
                pass  # what the reader left

    def _pieces(self) -> Iterator[memoryview]:
        """The bytes up to the next delimiter, which is taken away."""
        size = len(self._delimiter)
        while True:
            at = self._buffer.find(self._delimiter, self._start, self._stop)
            is_whole = at >= 0 and at + size + 2 <= self._stop
            end = at if at >= 0 else max(self._start, self._stop - size + 1)
            if is_whole and not self._buffer.startswith(_AFTER_DELIMITER, at + size):
                end = at + size  # a longer line that begins with it, and is content
            if end > self._start:
                yield self._view[self._start : end]
                self._start = end
            if not is_whole:
                self._fill()
            elif end == at:
                self._start = at + size
                return

    def _is_last(self) -> bool:
        return self._buffer.startswith(_CLOSE, self._start)

    def _header(self) -> int | None:
        """The rest of the delimiter's line, and the part's header lines up to the empty one: Content-Length."""
        length = None
        self._line()
        for _ in range(_MOST_LINES):
            line = self._line()
            if not line:
                return length
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
                length = int(value)
        raise BodyEnded

    def _line(self) -> bytes:
        """The next line without its end."""
        while (at := self._buffer.find(_LINE_END, self._start, self._stop)) < 0:
            if self._stop - self._start > _LONGEST_LINE:
                raise BodyEnded
            self._fill()
        line = bytes(self._view[self._start : at])
        self._start = at + len(_LINE_END)
        return line

    def _fill(self) -> None:
        """More bytes behind those that are left, which move to the front."""
        left = self._stop - self._start
        self._view[:left] = self._view[self._start : self._stop]
        count = self._read_into(self._view[left:])
        self._start, self._stop = 0, left + count
        if count == 0:
            raise BodyEnded
