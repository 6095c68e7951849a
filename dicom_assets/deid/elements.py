"""The encoded element stream of PS3.5: where elements, items and fragments begin and end, and how they are written.

Positions are byte offsets into the file. Nothing is decoded here but tags, VRs and lengths.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from ..errors import BadInput, Refused
from .dictionary import vr_of

UNDEFINED = 0xFFFFFFFF
DEEPEST = 16  #: levels of nested sequences; real objects stay under 10
MOST_ELEMENTS = 2_000_000  #: of one instance, nested ones and items included
MOST_OF_A_DATA_SET = 20_000  #: elements; the dictionary has 5,200
_MOST_ITEMS = 250_000  #: of one sequence
_MOST_FRAGMENTS = 1_000_000  #: of pixel data; the largest slides have half of it

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
#: Float and Double Float Pixel Data, with the bits of a sample
OTHER_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64}
PIXEL_TAGS = frozenset({PIXEL_DATA, *OTHER_PIXELS})

VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
#: VRs whose length field has 32 bits
LONG_VRS = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
ENCODED_VRS = {vr.encode(): vr for vr in VRS}
ENCODED_LONG_VRS = frozenset(vr.encode() for vr in LONG_VRS)
_PADDED_WITH_NUL = frozenset({"UI", "OB", "UN"})
#: Bytes of one number, for what big endian has the other way round
NUMBER_BYTES = {
    "US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4, "FD": 8, "OD": 8, "OV": 8,
    "SV": 8, "UV": 8,
}  # fmt: skip

short_header = struct.Struct("<HH2sH").unpack_from
implicit_header = struct.Struct("<HHL").unpack_from
long_length = struct.Struct("<L").unpack_from
_pack_short = struct.Struct("<HH2sH").pack
_pack_long = struct.Struct("<HH2sHL").pack
_pack_item = struct.Struct("<HHL").pack


class NotInOrder(Exception):
    """The elements of a data set are not in the order of their tags: it has to be written anew."""


class MoreNeeded(Exception):
    """The data set goes on behind the bytes that were read."""


class Source(Protocol):
    """Random access to one encoded instance. size: bytes."""

    size: int

    def read(self, start: int, stop: int) -> bytes:
        """Exactly the bytes from start to stop; fewer only where the file ends."""
        ...


class InMemory:
    """An instance whose bytes are at hand."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.size = len(encoded)

    def read(self, start: int, stop: int) -> bytes:
        return self.encoded[start:stop]


class Element(NamedTuple):
    """One element of the stream. vr: as stated, else the dictionary's first. stop: behind its delimiter, if any.
    value_stop: end of the value without the delimiter."""

    tag: int
    vr: str
    start: int
    value: int
    value_stop: int
    stop: int
    undefined: bool


def header(tag: int, vr: str, length: int) -> bytes:
    """Explicit VR Little Endian. A value that a 16-bit length cannot say is written as UN (PS3.5 6.2.2)."""
    if vr in LONG_VRS:
        return _pack_long(tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    if length > 0xFFFF:
        return _pack_long(tag >> 16, tag & 0xFFFF, b"UN", 0, length)
    return _pack_short(tag >> 16, tag & 0xFFFF, vr.encode(), length)


def encode(tag: int, vr: str, value: bytes) -> bytes:
    """The element in Explicit VR Little Endian, its value padded to even length."""
    if len(value) & 1:
        value += b"\0" if vr in _PADDED_WITH_NUL else b" " if vr not in NUMBER_BYTES else b"\0"
    return header(tag, vr, len(value)) + value


def encode_sequence(tag: int, items: list[bytes]) -> bytes:
    """items: encoded data sets. All lengths are defined."""
    content = b"".join([part for item in items for part in (_pack_item(0xFFFE, 0xE000, len(item)), item)])
    return _pack_long(tag >> 16, tag & 0xFFFF, b"SQ", 0, len(content)) + content


def header_at(data: bytes, position: int, end: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, stated VR (empty where implicit), length, and where the value begins. Raises BadInput."""
    if position + 8 > end:
        raise BadInput("ELEMENT_TRUNCATED")
    if implicit:
        group, number, length = implicit_header(data, position)
        return group << 16 | number, b"", length, position + 8
    group, number, stated, length = short_header(data, position)
    if stated in ENCODED_LONG_VRS:
        if position + 12 > end:
            raise BadInput("ELEMENT_TRUNCATED")
        return group << 16 | number, stated, long_length(data, position + 8)[0], position + 12
    return group << 16 | number, stated, length, position + 8


Ends = dict[int, int]  #: where sequences and items of undefined length begin and end in the same data: found once


def element_at(
    data: bytes, position: int, end: int, implicit: bool, depth: int = 0, ends: Ends | None = None
) -> Element:
    """The element that begins at position. Raises BadInput where it does not end before `end`."""
    tag, stated, length, value = header_at(data, position, end, implicit)
    vr = _implicit_vr(tag, length) if implicit else ENCODED_VRS.get(stated, "")
    if not vr:
        raise BadInput("VR_UNKNOWN")
    if length != UNDEFINED:
        if value + length > end:
            raise BadInput("ELEMENT_TRUNCATED")
        return Element(tag, vr, position, value, value + length, value + length, False)
    if vr not in ("SQ", "UN") or tag in PIXEL_TAGS:
        if tag in PIXEL_TAGS:
            stop = end_of_fragments(InMemory(data), value, end)
            return Element(tag, vr, position, value, stop - 8, stop, True)
        raise BadInput("ELEMENT_MALFORMED")
    stop = ends.get(value, 0) if ends is not None else 0
    if not stop:
        stop = _end_of_sequence(data, value, end, implicit or vr == "UN", depth, ends)
        if ends is not None:
            ends[value] = stop
    elif stop > end:
        raise BadInput("ELEMENT_TRUNCATED")
    return Element(tag, vr, position, value, stop - 8, stop, True)


def _implicit_vr(tag: int, length: int) -> str:
    """What an element without a stated VR is: the dictionary's first choice; of undefined length, a sequence."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "SQ" if length == UNDEFINED else "UN"
    vr = vr_of(tag).split(" or ")[0]
    return "SQ" if length == UNDEFINED and tag not in PIXEL_TAGS else vr if vr in VRS else "UN"


def elements(
    data: bytes, position: int, end: int, implicit: bool, depth: int = 0, ends: Ends | None = None
) -> Iterator[Element]:
    """The elements of a data set from position to end. Raises BadInput."""
    while position < end:
        element = element_at(data, position, end, implicit, depth, ends)
        if element.tag >> 16 == 0xFFFE:
            raise BadInput("ELEMENT_MALFORMED")
        yield element
        position = element.stop


def items(
    data: bytes, element: Element, implicit: bool, depth: int = 0, ends: Ends | None = None
) -> Iterator[tuple[int, int]]:
    """Begin and end of each item's data set, delimiters excluded. Raises BadInput, and Refused for too many."""
    count, position, end = 0, element.value, element.value_stop
    while position < end:
        if position + 8 > end:
            if not data[position:end].strip(b"\0"):
                break
            raise BadInput("SEQUENCE_MALFORMED")
        start, stop, position = _item(data, position, end, implicit, depth, ends)
        count += 1
        if count > _MOST_ITEMS:
            raise Refused("TOO_MANY_ELEMENTS")
        yield start, stop


def _item(data: bytes, position: int, end: int, implicit: bool, depth: int, ends: Ends | None) -> tuple[int, int, int]:
    """Begin and end of the item's data set, and the position behind the item."""
    group, number, length = implicit_header(data, position)
    if group << 16 | number != ITEM:
        raise BadInput("SEQUENCE_MALFORMED")
    start = position + 8
    if length != UNDEFINED:
        if start + length > end:
            raise BadInput("SEQUENCE_MALFORMED")
        return start, start + length, start + length
    position = ends.get(start, start) if ends is not None else start
    while True:
        if position + 8 > end:
            raise BadInput("SEQUENCE_MALFORMED")
        group, number, _length = implicit_header(data, position)
        if group << 16 | number == ITEM_END:
            if ends is not None:
                ends[start] = position
            return start, position, position + 8
        position = element_at(data, position, end, implicit, depth + 1, ends).stop


def _end_of_sequence(data: bytes, position: int, end: int, implicit: bool, depth: int, ends: Ends | None) -> int:
    """Behind the sequence delimiter."""
    if depth > DEEPEST:
        raise Refused("NESTED_TOO_DEEPLY")
    for _count in range(_MOST_ITEMS + 1):
        if position + 8 > end:
            raise BadInput("ELEMENT_TRUNCATED")
        group, number, _length = implicit_header(data, position)
        if group << 16 | number == SEQUENCE_END:
            return position + 8
        position = _item(data, position, end, implicit, depth, ends)[2]
    raise Refused("TOO_MANY_ELEMENTS")


def end_of_fragments(source: Source, position: int, end: int) -> int:
    """Behind the sequence delimiter of encapsulated pixel data."""
    for _start, stop in fragments(source, position, end):
        position = stop
    return position + 8


def fragments(source: Source, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each fragment, the Basic Offset Table first; ends before the sequence delimiter. Raises
    BadInput where there is none."""
    for _count in range(_MOST_FRAGMENTS + 2):
        encoded = source.read(position, min(position + 8, end))
        if len(encoded) < 8:
            raise BadInput("PIXEL_DATA_TRUNCATED")
        group, number, length = implicit_header(encoded, 0)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return
        if tag != ITEM or length == UNDEFINED:
            raise BadInput("PIXEL_DATA_MALFORMED")
        if position + 8 + length > end:
            raise BadInput("PIXEL_DATA_TRUNCATED")
        yield position + 8, position + 8 + length
        position += 8 + length
    raise Refused("TOO_MANY_ELEMENTS")


# What is not in order or not little endian is written anew before it is walked.


def rewritten(data: bytes, start: int, end: int, implicit: bool, big_endian: bool) -> bytes:
    """The data set in Little Endian, elements in the order of their tags, each once; VRs as they were.

    Raises Refused for an element that is there twice with different values: which one is true, nobody knows."""
    if big_endian:
        data, start, end = _swapped(data, start, end, depth=0), 0, end - start
    return _sorted(data, start, end, implicit, 0, {})


def _sorted(data: bytes, start: int, end: int, implicit: bool, depth: int, ends: Ends) -> bytes:
    if depth > DEEPEST:
        raise Refused("NESTED_TOO_DEEPLY")
    found: dict[int, bytes] = {}
    for element in elements(data, start, end, implicit, depth, ends):
        if element.vr == "SQ":
            extents = items(data, element, implicit, depth, ends)
            content = [_sorted(data, *item, implicit, depth + 1, ends) for item in extents]
            encoded = encode_sequence(element.tag, content)
            if implicit:
                encoded = encoded[:4] + encoded[8:]
        else:
            encoded = data[element.start : element.stop]
        if found.setdefault(element.tag, encoded) != encoded:
            raise Refused("ELEMENT_REPEATED")
        if len(found) > MOST_OF_A_DATA_SET:
            raise Refused("TOO_MANY_ELEMENTS")
    return b"".join(found[tag] for tag in sorted(found))


def _swapped(data: bytes, start: int, end: int, depth: int) -> bytes:
    """Explicit VR Big Endian -> the same bytes in number, Explicit VR Little Endian."""
    if depth > DEEPEST:
        raise Refused("NESTED_TOO_DEEPLY")
    parts, position, bits = [], start, 0
    while position < end:
        if position + 8 > end:
            raise BadInput("ELEMENT_TRUNCATED")
        group, number, encoded_vr, length = struct.unpack_from(">HH2sH", data, position)
        tag = group << 16 | number
        if group == 0xFFFE:  # an item's delimiter, or what has no place here
            if tag != ITEM_END or depth == 0:
                raise BadInput("ELEMENT_MALFORMED")
            parts.append(_pack_item(group, number, 0))
            return b"".join(parts)
        vr = ENCODED_VRS.get(encoded_vr, "")
        if not vr:
            raise BadInput("VR_UNKNOWN")
        value = position + 8
        if vr in LONG_VRS:
            if position + 12 > end:
                raise BadInput("ELEMENT_TRUNCATED")
            length, value = struct.unpack_from(">L", data, position + 8)[0], position + 12
            parts.append(_pack_long(group, number, encoded_vr, 0, length))
        else:
            parts.append(_pack_short(group, number, encoded_vr, length))
        if length != UNDEFINED and value + length > end:
            raise BadInput("ELEMENT_TRUNCATED")
        if vr == "SQ":
            content = _swapped_items(data, value, end if length == UNDEFINED else value + length, length, depth)
            parts.append(content)
            position = value + len(content)
            continue
        if length == UNDEFINED:
            raise BadInput("ELEMENT_MALFORMED")
        content = data[value : value + length]
        if tag == 0x00280100 and length == 2:
            bits = content[0] << 8 | content[1]
        size = NUMBER_BYTES.get(vr_of(tag).split(" or ")[0] if vr == "UN" else vr, 1)
        if tag == PIXEL_DATA and vr == "OW":
            if not bits:  # how its numbers lie is told too late
                raise BadInput("ELEMENT_MALFORMED")
            size = 4 if bits == 32 else size
        parts.append(_swap(content, size))
        position = value + length
    return b"".join(parts)


def _swapped_items(data: bytes, position: int, end: int, stated: int, depth: int) -> bytes:
    parts = []
    while position < end:
        if position + 8 > end:
            raise BadInput("SEQUENCE_MALFORMED")
        group, number, length = struct.unpack_from(">HHL", data, position)
        tag = group << 16 | number
        parts.append(_pack_item(group, number, length))
        position += 8
        if tag == SEQUENCE_END and stated == UNDEFINED:
            return b"".join(parts)
        if tag != ITEM or (length != UNDEFINED and position + length > end):
            raise BadInput("SEQUENCE_MALFORMED")
        content = _swapped(data, position, end if length == UNDEFINED else position + length, depth + 1)
        parts.append(content)
        position += len(content)
    if stated == UNDEFINED:
        raise BadInput("ELEMENT_TRUNCATED")
    return b"".join(parts)


def _swap(value: bytes, size: int) -> bytes:
    """Each number of `size` bytes the other way round; a rest that is no number stays as it is."""
    whole = len(value) // size * size
    if size == 1 or not whole:
        return value
    swapped = bytearray(value)
    for offset in range(size):
        swapped[offset:whole:size] = value[size - 1 - offset : whole : size]
    return bytes(swapped)


_INFLATED_AT_LEAST, _INFLATED_AT_MOST = 16 << 20, 256 << 20  #: bytes that are inflated, however small or large it is
_INFLATES = 40  #: times its size: headers inflate tenfold, pixels threefold
_PIECE = 1 << 20


def inflated(deflated: bytes) -> bytes:
    """The data set of Deflated Explicit VR Little Endian. Raises BadInput, and Refused where it grows beyond reason,
    which is found out before it is held in memory."""
    most = min(max(_INFLATED_AT_LEAST, _INFLATES * len(deflated)), _INFLATED_AT_MOST)
    size = 0
    engine, rest = zlib.decompressobj(-zlib.MAX_WBITS), deflated
    try:
        while not engine.eof and (piece := engine.decompress(rest, _PIECE)):
            size, rest = size + len(piece), engine.unconsumed_tail
            if size > most:
                raise Refused("INFLATES_TOO_FAR")
        if not engine.eof:
            raise BadInput("ELEMENT_TRUNCATED")
        return zlib.decompress(deflated, -zlib.MAX_WBITS, max(size, 1))
    except zlib.error:
        raise BadInput("UNREADABLE") from None
