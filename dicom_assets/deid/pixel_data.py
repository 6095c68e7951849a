"""The pixel data element, without decoding it: which of its bytes go over, how many bytes native pixels have (PS3.3
C.7.6.3, PS3.5 8.1.1), and the text that compressed streams carry beside their pixels (ITU-T T.81, T.87, T.800)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import BadInput, Refused
from .context import Effect, uids_told
from .dictionary import name_of
from .elements import (
    ENCODED_VRS,
    OTHER_PIXELS,
    PIXEL_DATA,
    UNDEFINED,
    Source,
    fragments,
    header,
    implicit_header,
    long_length,
    short_header,
)
from .identity import Identity
from .part10 import Opened

_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SAMPLES, _BITS, _PHOTOMETRIC = 0x00280002, 0x00280100, 0x00280004
_LONGEST_EXCESS = 1024  #: bytes behind the pixels that are cut off; more of them means that the geometry is wrong
_EMPTY_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"

_JPEG, _JPEG_2000, _END_OF_IMAGE = b"\xff\xd8", b"\xff\x4f", b"\xff\xd9"
_LAST_BEFORE_PIXELS = frozenset({0xDA, 0x90})  #: start of scan, start of tile-part
_COMMENTS = {_JPEG: frozenset({0xFE, *range(0xE0, 0xF0)}), _JPEG_2000: frozenset({0x64})}
_WITHOUT_LENGTH = frozenset({0xD8, 0x4F, *range(0xD0, 0xD8), *range(0x30, 0x40)})
_PRINTABLE = bytes(range(32, 127)) + b"\0\t\r\n"
_HEAD, _LONGEST_HEAD = 1024, 1 << 20  #: bytes of a stream that are looked at for its comments
#: Bytes at the end of a stream that are looked at for its image's end; more where it is not there
_TAIL, _LONGEST_TAIL = 512, 1 << 16


def pixel_parts(
    file: Opened, position: int, noted: dict[int, bytes], effects: list[Effect], identity: Identity
) -> tuple[list[bytes | range], int, int]:
    """The parts of the pixel data that begins at position: its header, and the range of its value, no byte more than
    the geometry asks for. Where it ends, and its tag."""
    source = file.source
    encoded = source.read(position, position + 12)
    group, number, stated, length = short_header(encoded, 0)
    tag, value = group << 16 | number, position + 8
    if file.implicit:
        vr, length = "UN", implicit_header(encoded, 0)[2]
    else:
        vr = ENCODED_VRS.get(stated, "")
        if vr not in ("OB", "OW", "OF", "OD", "UN") or len(encoded) < 12:
            raise BadInput("PIXEL_DATA_MALFORMED")
        length, value = long_length(encoded, 8)[0], position + 12
    if length == UNDEFINED:
        if not file.encapsulated or tag != PIXEL_DATA or file.implicit:
            raise BadInput("PIXEL_DATA_MALFORMED")
        extents = list(fragments(source, value, source.size))
        stop = extents[-1][1] if extents else value
        texts = list(_text_beside(source, extents))
        if any(identity.found_in(text, "UT") for text in texts):
            raise Refused("IDENTIFIER_LEFT")
        effects.append(Effect(mentions=uids_told(b"\n".join(texts))))
        head, first = header(tag, "OB", UNDEFINED), value
        if extents and not _is_offset_table(source, extents):
            head, first = head + _EMPTY_ITEM, extents[0][1]
        return [head, range(first, stop), _SEQUENCE_END], stop + 8, tag
    if value + length > source.size:
        raise BadInput("PIXEL_DATA_TRUNCATED")
    if file.encapsulated:  # bytes without fragments, under a syntax that has them
        raise BadInput("PIXEL_DATA_MALFORMED")
    wanted = _native_bytes(noted, tag, length)
    if length < wanted - 1:
        raise BadInput("PIXEL_DATA_TRUNCATED")
    if length > wanted + _LONGEST_EXCESS:
        raise BadInput("PIXEL_DATA_TOO_LONG")
    written = {32: "OF", 64: "OD"}.get(OTHER_PIXELS.get(tag), "")
    if not written:
        written = vr if vr in ("OB", "OW") else "OW"
    elif vr not in (written, "UN"):
        raise BadInput("PIXEL_DATA_MALFORMED")
    parts: list[bytes | range] = [header(tag, written, wanted), range(value, value + min(length, wanted))]
    if length < wanted:
        parts.append(b"\0")
    if length != wanted:
        effects.append(Effect(tags=frozenset({name_of(tag)})))
    return parts, value + length, tag


def refuse_overlay_in_pixels(noted: dict[int, bytes]) -> None:
    """Overlays in the unused bits of the pixel data cannot be seen here, and go nowhere by removing elements."""
    for tag, value in noted.items():
        if tag & 0xFF00FFFF == 0x60000102 and value.strip(b"\0") and (tag & 0xFFFF0000 | 0x3000) not in noted:
            raise Refused("OVERLAY_IN_PIXEL_DATA")


def _native_bytes(values: Mapping[int, bytes], tag: int, length: int) -> int:
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


def _is_offset_table(source: Source, fragments: Sequence[tuple[int, int]]) -> bool:
    """Is the first fragment a Basic Offset Table (PS3.5 A.4): empty, or offsets of fragments, ascending from 0?"""
    start, stop = fragments[0]
    table, first = source.read(start, stop), stop
    if len(table) % 4:
        return False
    offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    begins = {begin - 8 - first for begin, _ in fragments[1:]}
    return all(offset in begins for offset in offsets) and offsets == sorted(offsets)


def _text_beside(source: Source, fragments: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Comments, application segments, and bytes behind the end of an image, of JPEG, JPEG-LS and JPEG 2000 streams;
    fragments that are nothing but text.
    fragments: begin and end of each. What was told of one is not told again of an equal one."""
    seen: set[bytes] = set()
    for start, stop in fragments:
        head = source.read(start, min(start + _HEAD, stop))
        if head[:2] not in _COMMENTS:
            if _is_text(head):
                yield source.read(start, min(start + _LONGEST_TAIL, stop))
            continue
        for segment in _segments(source, head, start, stop):
            if segment not in seen:
                seen.add(segment)
                yield segment
        behind = _behind_the_end(source, start, stop)
        if behind.strip(b"\0") not in (b"", _END_OF_IMAGE):
            yield behind


def _is_text(head: bytes) -> bool:
    """Coded pixels, of which less than 4 in 10 bytes are printable, never look like it."""
    return len(head) > 0 and len(head.translate(None, _PRINTABLE)) * 4 <= len(head)


def _segments(source: Source, head: bytes, start: int, stop: int) -> Iterator[bytes]:
    """Up to the first scan or tile: behind it come coded pixels."""
    telling, position = _COMMENTS[head[:2]], 0
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker = head[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
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
    for length in (_TAIL, _LONGEST_TAIL):
        last = source.read(max(start, stop - length), stop)
        if _END_OF_IMAGE in last:  # which coded pixels never hold
            return last[last.index(_END_OF_IMAGE) + 2 :]
    return b""
