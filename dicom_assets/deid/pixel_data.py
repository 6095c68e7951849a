"""What can be told of pixel data without decoding it: how many bytes native pixels have (PS3.3 C.7.6.3, PS3.5 8.1.1),
and the text that compressed streams carry beside their pixels (ITU-T T.81, T.87, T.800)."""

from collections.abc import Iterable, Iterator, Mapping

from ..errors import BadInput
from .elements import OTHER_PIXELS, Source

_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SAMPLES, _BITS, _PHOTOMETRIC = 0x00280002, 0x00280100, 0x00280004

_JPEG, _JPEG_2000, _END_OF_IMAGE = b"\xff\xd8", b"\xff\x4f", b"\xff\xd9"
_LAST_BEFORE_PIXELS = frozenset({0xDA, 0x90})  #: start of scan, start of tile-part
_COMMENTS = {_JPEG: frozenset({0xFE, *range(0xE0, 0xF0)}), _JPEG_2000: frozenset({0x64})}
_WITHOUT_LENGTH = frozenset({0xD8, 0x4F, *range(0xD0, 0xD8), *range(0x30, 0x40)})
_HEAD, _LONGEST_HEAD = 1024, 1 << 20  #: bytes of a stream that are looked at for its comments
_TAIL, _LONGEST_TAIL = (
    4,
    1 << 16,
)  #: bytes behind the end of an image; more of them are looked for where it is not there


def native_bytes(values: Mapping[int, bytes], tag: int, length: int) -> int:
    """Bytes of the pixel data element `tag` that the geometry asks for, padded to even. values: the top level's, as
    encoded in Little Endian. length: what there is, which tells whether YBR 4:2:2 was stored in full. Raises BadInput.
    """
    bits = OTHER_PIXELS.get(tag) or _number(values, _BITS, 0)
    samples = _number(values, _SAMPLES, 1) or 1
    pixels = _number(values, _ROWS, 0) * _number(values, _COLUMNS, 0) * _frames(values)
    if not pixels or not bits:
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    halved = values.get(_PHOTOMETRIC, b"").strip(b" \0") in (b"YBR_FULL_422", b"YBR_PARTIAL_422")
    if halved and length * 8 < pixels * samples * bits:
        samples = 2
    size = (pixels * samples * bits + 7) // 8
    return size + size % 2


def _number(values: Mapping[int, bytes], tag: int, default: int) -> int:
    return int.from_bytes(values[tag][:2], "little") if len(values.get(tag, b"")) >= 2 else default


def _frames(values: Mapping[int, bytes]) -> int:
    text = values.get(_FRAMES, b"").strip(b" \0")
    if not text:
        return 1
    if not text.isdigit() or len(text) > 10:
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    return int(text) or 1


def text_beside(source: Source, fragments: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Comments, application segments, and bytes behind the end of an image, of JPEG, JPEG-LS and JPEG 2000 streams.
    fragments: begin and end of each. What was told of one is not told again of an equal one."""
    seen: set[bytes] = set()
    for start, stop in fragments:
        head = source.read(start, min(start + _HEAD, stop))
        if head[:2] not in _COMMENTS:
            continue
        for segment in _segments(source, head, start, stop):
            if segment not in seen:
                seen.add(segment)
                yield segment
        behind = _behind_the_end(source, start, stop)
        if behind.strip(b"\0"):
            yield behind


def _segments(source: Source, head: bytes, start: int, stop: int) -> Iterator[bytes]:
    """Up to the first scan or tile: behind it come coded pixels."""
    telling, position = _COMMENTS[head[:2]], 0
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if marker in _LAST_BEFORE_PIXELS:
            return
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        end = position + 2 + int.from_bytes(head[position + 2 : position + 4], "big")
        if end + 4 > len(head) and len(head) < min(stop - start, _LONGEST_HEAD):
            head = source.read(start, min(start + 2 * end + _HEAD, start + _LONGEST_HEAD, stop))
            continue
        if marker in telling:
            yield head[position + 4 : end]
        position = end


def _behind_the_end(source: Source, start: int, stop: int) -> bytes:
    """Empty where the stream ends with its image, or with no image's end at all: a frame of several fragments."""
    last = source.read(max(start, stop - _TAIL), stop)
    if _END_OF_IMAGE in last:
        return last[last.rindex(_END_OF_IMAGE) + 2 :]
    last = source.read(max(start, stop - _LONGEST_TAIL), stop)
    return last[last.rindex(_END_OF_IMAGE) + 2 :] if _END_OF_IMAGE in last else b""
