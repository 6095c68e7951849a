"""What encapsulated pixel data holds besides coded pixels: comments, application segments, bytes after an image's end.

Segments by ITU-T T.81 (JPEG), T.87 (JPEG-LS) and T.800 (JPEG 2000, HTJ2K); other streams have none.
"""

import struct
from collections.abc import Iterator

_ITEM = 0xFFFEE000
_JPEG_START, _J2K_START, _END = b"\xff\xd8", b"\xff\x4f", b"\xff\xd9"
_START_OF_SCAN, _START_OF_TILE = 0xDA, 0x90
_J2K_COMMENT, _JPEG_COMMENT = 0x64, 0xFE
_WITHOUT_LENGTH = {0xD8, 0x4F, *range(0xD0, 0xD8), *range(0x30, 0x40)}
_LONGEST_REST = 2  # bytes after an image's end that may be padding


def text_beside_pixels(data: bytes, position: int, end: int) -> bytes:
    """The segments that can hold text, of all fragments from position to end (little endian items), one after the
    other with a line feed between."""
    return b"\n".join(part for fragment in _fragments(data, position, end) for part in _parts(fragment))


def _fragments(data: bytes, position: int, end: int) -> Iterator[bytes]:
    """The first item is the Basic Offset Table: a fragment like any other here."""
    while position + 8 <= end:
        group, element, length = struct.unpack_from("<HHL", data, position)
        if (group << 16 | element) != _ITEM:
            return
        yield data[position + 8 : min(position + 8 + length, end)]
        position += 8 + length


def _parts(fragment: bytes) -> Iterator[bytes]:
    if fragment[:2] not in (_JPEG_START, _J2K_START):
        return
    yield from _segments(fragment, is_j2k=fragment[:2] == _J2K_START)
    last = fragment.rfind(_END)
    if last >= 0 and len(fragment) - last - 2 > _LONGEST_REST:
        yield fragment[last + 2 :]


def _segments(stream: bytes, is_j2k: bool) -> Iterator[bytes]:
    """Up to the first scan or tile: behind it come coded pixels."""
    position = 0
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker in (_START_OF_SCAN, _START_OF_TILE):
            return
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = struct.unpack_from(">H", stream, position + 2)[0]
        is_text = marker == _J2K_COMMENT if is_j2k else marker == _JPEG_COMMENT or 0xE0 <= marker <= 0xEF
        if is_text:
            yield stream[position + 4 : position + 2 + length]
        position += 2 + length
