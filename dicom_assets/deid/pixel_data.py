"""The pixel data element, without decoding it: which of its bytes go over, how many bytes native pixels have (PS3.3
C.7.6.3, PS3.5 8.1.1). What compressed streams tell beside their pixels is found in streams.py."""

from collections.abc import Mapping, Sequence

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
from .streams import text_beside_pixels

_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_SAMPLES, _BITS, _PHOTOMETRIC = 0x00280002, 0x00280100, 0x00280004
_BITS_STORED, _HIGH_BIT = 0x00280101, 0x00280102
_OVERLAY_BIT_POSITIONS = frozenset(group << 16 | 0x0102 for group in range(0x6000, 0x6100, 2))
_OVERLAY_TYPES = frozenset(group << 16 | 0x0040 for group in range(0x6000, 0x6100, 2))
_LONGEST_EXCESS = 1024  #: bytes behind the pixels that are cut off; more of them means that the geometry is wrong
_EMPTY_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


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
        texts = set(text_beside_pixels(source, extents[1:], file.syntax, identity.encoded))
        if any(identity.found_in(text, vr) for text in texts for vr in ("UT", "OB")):
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


def overlays_in_pixels(noted: Mapping[int, bytes]) -> list[int]:
    """The bits of the pixel data in which overlays are stored (PS3.3 C.9.2, retired): they do not go by removing
    elements."""
    if _OVERLAY_BIT_POSITIONS.isdisjoint(noted):  # of nearly all, and asked of each
        return []
    return [
        int.from_bytes(value[:2], "little")
        for tag, value in noted.items()
        if tag in _OVERLAY_BIT_POSITIONS and value.strip(b"\0") and (tag & 0xFFFF0000 | 0x3000) not in noted
    ]


def overlays_of_regions(noted: Mapping[int, bytes]) -> bool:
    """Planes that a profile with Clean Graphics keeps (PS3.3 C.9.2.1.1): drawn by hand, so that they may show text."""
    if _OVERLAY_TYPES.isdisjoint(noted):
        return False
    return any(
        noted[tag].strip(b" \0") == b"R" and tag - 0x0040 + 0x3000 in noted for tag in _OVERLAY_TYPES & noted.keys()
    )


def refuse_overlay_among_pixels(noted: Mapping[int, bytes]) -> None:
    """An overlay in bits that the pixels use too cannot be cleared without changing them."""
    high = _number(noted, _HIGH_BIT, -1)
    lowest = high - _number(noted, _BITS_STORED, high + 1) + 1
    if any(high < 0 or lowest <= bit <= high for bit in overlays_in_pixels(noted)):
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
