"""The text that compressed pixel data carries beside its pixels, without decoding these.

Fragments (PS3.5 A.4) are read as one stream, however it is cut. One rule for each family of transfer syntaxes:

- JPEG and JPEG-LS (ITU-T T.81, T.87): images from SOI to EOI, with padding between. Each segment is looked at, between
  scans too: the next marker is searched, which coded data never holds. Of a stream above 1 MB, the data of a scan that
  holds all components of its image is read at its end only (4 kB): by T.81 nothing but EOI follows it.
- JPEG 2000 and HTJ2K (T.800, T.814), within JP2 boxes or without: each box, and each segment of the main header and of
  the tile-parts' headers. Coded data is passed over by the length that its tile-part states.
- Where the bytes keep to none of this (before an image, behind it, between segments): all text to the fragment's end.
- RLE, video and all others: all text that is longer than coded pixels look like text by chance.
"""

import re
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache

from .elements import Source
from .term_search import any_of

_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in range(50, 82))
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (*range(90, 94), *range(201, 204)))

_SMALL = 1 << 20  #: bytes of a stream that is read whole
_PIECE = 1 << 18  #: bytes that are searched at once
_OVERLAP = 256  #: bytes that two pieces share, so that what is shorter is whole in one of them
_AHEAD = 4096  #: bytes that are read where a few are wanted: most headers
_BEFORE_END = 4096  #: bytes of a fragment's end that are read for the image's end
_LAST = 256  #: bytes of a fragment's end where shorter text counts
_LONGEST_BOX = 1 << 16  #: bytes of a box that are told as they are

_SHORTEST = 6  #: printable bytes in a row that are text, where no coded pixels should be
_SHORTEST_AMONG_PIXELS = 12  #: and among them: 1 MB of random bytes holds some five such rows
_SHORTEST_ENCODED = 6  #: bytes of a name in other letters; shorter ones stand among coded pixels by chance
_CLASSES = bytes(ord("p") if 32 <= i < 127 or i in b"\0\t\n\r" else ord(".") for i in range(256))

_EOI = 0xD9  #: of JPEG; EOC of JPEG 2000
_SOI, _SOS, _COM, _APPLICATION = 0xD8, 0xDA, 0xFE, range(0xE0, 0xF0)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_SOF_OF_JPEG_LS = 0xF7
#: Frames, sequential or lossless, of which a scan holds all that there is of its components
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC3, 0xC9, 0xCB, 0xF7})
_SOC, _SOT, _SOD, _COM_2000 = 0x4F, 0x90, 0x93, 0x64
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_WITHOUT_LENGTH_2000 = frozenset(range(0x30, 0x40))
_CODESTREAM = b"jp2c"
_BOXES = frozenset(
    {_CODESTREAM, b"jP  ", b"jP\x1a\x1a", b"ftyp", b"jp2h", b"jp2i", b"xml ", b"uuid", b"uinf", b"asoc", b"free"}
)
#: What the usual Huffman tables hold (T.81 Annex K) and is printable
_HUFFMAN_VALUES = b"6789:CDEFGHIJSTUVWXYZcdefghijstuvwxyz"

_NO_PADDING = re.compile(rb"[^\0\xff]")
_NO_FILL = re.compile(rb"[^\xff]")
#: What ends coded data: in JPEG-LS, FF stands before any byte below 80 there; in JPEG 2000, before any below 90
_END_OF_SCAN = re.compile(rb"\xff[^\0\xd0-\xd7]")
_END_OF_SCAN_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xff]")
_END_OF_TILE = re.compile(rb"\xff[\x90\xd9]")


def text_beside_pixels(
    source: Source, fragments: Sequence[tuple[int, int]], syntax: str, encoded: frozenset[bytes]
) -> Iterator[bytes]:
    """fragments: begin and end of each, without the Basic Offset Table. syntax: UID. encoded: what is looked for among
    other bytes besides printable ASCII, and told where it stands. One text may come several times."""
    stream = _Stream(source, fragments, encoded)
    if syntax in _JPEG:
        yield from _images(stream, _Jpeg(stream))
    elif syntax in _JPEG_2000:
        yield from _images(stream, _Jpeg2000(stream))
    else:
        yield from stream.text(0, stream.size, _SHORTEST_AMONG_PIXELS)
        for end in stream.ends:
            yield from stream.text(max(end - _LAST, 0), end)


class _Stream:
    """Fragments one behind the other. Positions count from the first one's begin. ends: of the fragments."""

    def __init__(self, source: Source, fragments: Sequence[tuple[int, int]], encoded: frozenset[bytes]) -> None:
        self._source, self._fragments, self._encoded = source, fragments, encoded
        self.ends: list[int] = []
        self.size = 0
        for start, stop in fragments:
            self.size += stop - start
            self.ends.append(self.size)
        self._window_start, self._window = 0, b""

    def read(self, start: int, stop: int) -> bytes:
        """Fewer bytes only where the stream ends."""
        parts, stop = [], min(stop, self.size)
        at = bisect_right(self.ends, start)
        while start < stop:
            end, last = self.ends[at], self._fragments[at][1]
            parts.append(self._source.read(last - end + start, last - end + min(stop, end)))
            start, at = end, at + 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, position: int, count: int) -> bytes:
        """As read; for a few bytes, of which more will be wanted."""
        offset = position - self._window_start
        if offset < 0 or offset + count > len(self._window):
            self._window_start, offset = position, 0
            self._window = self.read(position, position + max(count, _AHEAD))
        return self._window[offset : offset + count]

    def end_of_fragment(self, position: int) -> int:
        return self.ends[bisect_right(self.ends, position)]

    def search(self, pattern: re.Pattern[bytes], position: int) -> int:
        """Where the pattern, of one byte or two, is found first; the stream's size where it is not. What is near costs
        little."""
        found, length = pattern.search(self.peek(position, 64)), _AHEAD
        while not found and position < self.size:
            found = pattern.search(self.read(position, position + length + 1))
            position += 0 if found else length
            length = min(4 * length, _PIECE)
        return position + found.start() if found else self.size

    def text(self, start: int, stop: int, shortest: int = _SHORTEST) -> Iterator[bytes]:
        """All that is text among other bytes."""
        for begin in range(start, stop, _PIECE):
            piece = self.read(begin, min(begin + _PIECE + _OVERLAP, stop))
            yield from _rows(piece, shortest)
            if self._encoded and _beginnings(self._encoded).search(piece):
                yield from (term for term in self._encoded if len(term) >= _SHORTEST_ENCODED and term in piece)

    def end_of_coded(self, start: int, end_of_coded: re.Pattern[bytes], is_last: bool) -> int:
        """Where the coded data ends that begins at start; the stream's size where its end is not marked. is_last:
        nothing but the image's end may follow it, so that of a large stream only the fragment's end is read, unless
        anything else stands there."""
        if is_last and start < self.size > _SMALL:
            stop = self.end_of_fragment(start)
            begin = max(start, stop - _BEFORE_END)
            data = self.read(begin, stop)
            image = data.rstrip(b"\0\xff")
            found = end_of_coded.search(data)
            if found and found.end() == len(image) and image[-1] == _EOI and not _is_text(image[-_LAST:]):
                return begin + found.start()
        return self.search(end_of_coded, start)


def _rows(data: bytes, shortest: int = _SHORTEST) -> Iterator[bytes]:
    """Printable bytes in a row, without the zeros of UTF-16."""
    classes, row = data.translate(_CLASSES) + b".", b"p" * shortest
    start = classes.find(row)
    while start >= 0:
        stop = classes.index(b".", start)
        text = data[start:stop].replace(b"\0", b"")
        if len(text) >= shortest:
            yield text
        start = classes.find(row, stop)


def _is_text(data: bytes) -> bool:
    """Coded pixels, of which less than 4 in 10 bytes are printable, never look like it."""
    return data.translate(_CLASSES).count(b"p") * 4 >= len(data) * 3


@lru_cache(16)
def _beginnings(encoded: frozenset[bytes]) -> re.Pattern[bytes]:
    return any_of(term for term in encoded if len(term) >= _SHORTEST_ENCODED)


class _Jpeg:
    """Frames of a cine loop have one and the same header: it is taken apart once."""

    begin, boxes = _SOI, frozenset()

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._header, self._is_only = b"", False  # to the end of an SOS; whether its scan is the only one
        self._frame, self._components = 0, 0

    def image(self, start: int) -> Generator[bytes, None, int]:
        """start: behind SOI. Returns where the image ends, or where something stands that is none of its segments."""
        stream, position = self._stream, start
        if self._header and stream.peek(start, len(self._header)) == self._header:
            position = yield from self._scan(start + len(self._header), self._is_only)
        else:
            self._header, self._frame, self._components = b"", 0, 0
        while position < stream.size:
            position, marker = _marker(stream, position)
            if marker == _EOI:
                return position + 2
            if marker in _WITHOUT_LENGTH:
                position += 2
                continue
            end, content = _segment(stream, position)
            if not marker or not end:
                return position
            position = end
            if marker == _COM or marker in _APPLICATION:
                yield content
            else:
                yield from _rows(content.replace(_HUFFMAN_VALUES, b""))
            if marker in _SOF:
                self._frame, self._components = marker, content[5] if len(content) > 5 else 0
            elif marker == _SOS:
                is_only = self._frame in _SEQUENTIAL and content[:1] == bytes([self._components])
                if not self._header and end - start <= _AHEAD:
                    self._header, self._is_only = stream.peek(start, end - start), is_only
                position = yield from self._scan(end, is_only)
        return position

    def _scan(self, start: int, is_only: bool) -> Generator[bytes, None, int]:
        """Returns where its coded data ends."""
        pattern = _END_OF_SCAN_LS if self._frame == _SOF_OF_JPEG_LS else _END_OF_SCAN
        return (yield from _coded(self._stream, start, pattern, is_only))


class _Jpeg2000:
    begin, boxes = _SOC, _BOXES

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def image(self, start: int) -> Generator[bytes, None, int]:
        """As of _Jpeg; start: behind SOC."""
        stream, position, tile_end = self._stream, start, 0
        while position < stream.size:
            position, marker = _marker(stream, position)
            if marker == _EOI:
                return position + 2
            if marker in _WITHOUT_LENGTH_2000:
                position += 2
                continue
            if marker == _SOD:
                data = position + 2
                if tile_end:
                    position = tile_end
                else:
                    position = yield from _coded(stream, data, _END_OF_TILE, is_last=True)
                if position < data:
                    return data
                continue
            end, content = _segment(stream, position)
            if not marker or not end:
                return position
            if marker == _COM_2000:
                yield content
            elif marker == _SOT:
                length = int.from_bytes(content[2:6], "big")
                tile_end = position + length if 0 < length <= stream.size - position else 0
            else:
                yield from _rows(content)
            position = end
        return position


def _images(stream: _Stream, family: _Jpeg | _Jpeg2000) -> Iterator[bytes]:
    """What images and boxes tell, and all text where neither of them stands."""
    position = 0
    while position < stream.size:
        if family.boxes and stream.peek(position, 8)[4:] in family.boxes:
            end = yield from _box(stream, position)
            if end:
                position = end
                continue
        found = stream.search(_NO_PADDING, position)
        if found == stream.size:
            return
        if found > position and stream.peek(found - 1, 2) == bytes([0xFF, family.begin]):
            position = yield from family.image(found + 1)
        else:
            end = stream.end_of_fragment(found)
            yield from stream.text(position, end)
            position = end


def _box(stream: _Stream, position: int) -> Generator[bytes, None, int]:
    """Returns where the box at position ends, or where its codestream begins; 0 where it does not fit."""
    head = stream.peek(position, 16)
    length, start = int.from_bytes(head[:4], "big"), position + 8
    if length == 1:
        length, start = int.from_bytes(head[8:], "big"), position + 16
    if head[4:8] == _CODESTREAM:
        return start
    end = position + length if length else stream.size
    if not start <= end <= stream.size:
        return 0
    yield stream.read(start, min(end, start + _LONGEST_BOX))
    yield from stream.text(start + _LONGEST_BOX, end)
    return end


def _marker(stream: _Stream, position: int) -> tuple[int, int]:
    """Where the marker at position begins, behind fill bytes, and which it is; 0: none."""
    lead = stream.peek(position, 2)
    if lead == b"\xff\xff":
        position = stream.search(_NO_FILL, position) - 1
        lead = stream.peek(position, 2)
    return position, lead[1] if len(lead) == 2 and lead[0] == 0xFF else 0


def _segment(stream: _Stream, position: int) -> tuple[int, bytes]:
    """End and content of the segment whose marker stands at position; 0 where it does not fit."""
    length = int.from_bytes(stream.peek(position + 2, 2), "big")
    end = position + 2 + length
    return (0, b"") if length < 2 or end > stream.size else (end, stream.peek(position + 4, length - 2))


def _coded(stream: _Stream, start: int, pattern: re.Pattern[bytes], is_last: bool) -> Generator[bytes, None, int]:
    """Returns where the coded data ends; where its end is not marked, text behind it would pass for coded data."""
    end = stream.end_of_coded(start, pattern, is_last)
    if end == stream.size:
        yield from stream.text(start, end, _SHORTEST_AMONG_PIXELS)
    return end
