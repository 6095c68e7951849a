"""What encapsulated pixel data may tell besides pixels: text rows anywhere in it, comments, what stands before and
behind the images.

Nothing is walked: fragments are joined, and the bytes searched. Markers by ITU-T T.81 (JPEG), T.87 (JPEG-LS) and T.800
(JPEG 2000, HTJ2K): coded data holds none of them.
"""

import re
import struct
from collections.abc import Iterator

_ITEM = 0xFFFEE000
_JPEG_START, _J2K_STARTS, _END = b"\xff\xd8\xff", (b"\xff\x4f\xff", b"\0\0\0\x0cjP"), b"\xff\xd9"
_JPEG_TEXT = re.compile(rb"\xff[\xe0-\xef\xfe](..)", re.DOTALL)
_J2K_TEXT = re.compile(rb"\xff\x64(..)\0[\0\1]", re.DOTALL)
_STRAY = 64  # bytes before the first image, in which a stream is still known for what it is
_TAIL, _SMALL = 256, 1 << 16  # bytes: there no text is too short
_PIECE = 1 << 20  # bytes
_HUFFMAN = b"6789:CDEFGHIJSTUVWXYZcdefghijstuvwxyz"  # of most JPEG images: T.81 K.3
#: Printable bytes in a row; among pixels 10 MB of random bytes hold one such row
_SHORT_ROW, _LONG_ROW = 6, 16
_LIKE_TEXT = bytes(0x74 if 0x20 <= i < 0x7F or i in (0, 9, 10, 13) else 0 for i in range(256))


def text_beside_pixels(data: bytes, position: int, end: int) -> bytes:
    """All that may be text, of all fragments from position to end (little endian items), one after the other with a
    line feed between; each once."""
    fragments = list(_fragments(memoryview(data), position, end))
    stream = b"".join(fragments)
    first = len(fragments[0]) if fragments else 0
    head = stream[first : first + _STRAY]
    is_coded = _JPEG_START in head or any(sign in head for sign in _J2K_STARTS)  # not as in RLE, where values stand
    if is_coded and len(stream) <= _SMALL:
        found = dict.fromkeys(_rows(stream, _SHORT_ROW))
    else:
        found = dict.fromkeys(_rows(stream, _LONG_ROW))
        found |= dict.fromkeys(row for fragment in fragments for row in _rows(bytes(fragment[-_TAIL:]), _SHORT_ROW))
    found |= dict.fromkeys(_segments(stream, first))
    return b"\n".join(found)


def _fragments(data: memoryview, position: int, end: int) -> Iterator[memoryview]:
    """The first item is the Basic Offset Table: a fragment like any other here."""
    while position + 8 <= end:
        group, element, length = struct.unpack_from("<HHL", data, position)
        if (group << 16 | element) != _ITEM:
            return
        yield data[position + 8 : min(position + 8 + length, end)]
        position += 8 + length


def _rows(stream: bytes, shortest: int) -> Iterator[bytes]:
    """What is printable for at least so many bytes, the zeros of UTF-16 among them."""
    wanted = b"t" * shortest
    for begin in range(0, len(stream), _PIECE):
        piece = stream[begin : begin + _PIECE + _TAIL]
        marked, stop = piece.translate(_LIKE_TEXT), 0
        while (start := marked.find(wanted, stop)) >= 0:
            stop = marked.find(b"\0", start)
            stop = len(piece) if stop < 0 else stop
            row = piece[start:stop].replace(_HUFFMAN, b"")
            if len(row.replace(b"\0", b"")) >= shortest:
                yield row.strip(b"\0")


def _segments(stream: bytes, first: int) -> Iterator[bytes]:
    """Comments and application segments, and what stands outside the images. first: where the first one should be."""
    head = stream[first : first + _STRAY]
    if _JPEG_START in head:
        text, start = _JPEG_TEXT, first + head.index(_JPEG_START)
    elif any(sign in head for sign in _J2K_STARTS):
        text, start = _J2K_TEXT, first
    else:
        return
    yield stream[first:start]
    for marker in text.finditer(stream):
        length = struct.unpack(">H", marker[1])[0]
        yield stream[marker.start() + 4 : marker.start() + 2 + length]
    last = stream.rfind(_END)
    if last >= 0:
        yield from _outside(stream[last + 2 :].strip(b"\0\xff"))


def _outside(rest: bytes) -> Iterator[bytes]:
    if len(rest) <= _SMALL:
        yield rest
    else:
        yield from _rows(rest, _SHORT_ROW)
