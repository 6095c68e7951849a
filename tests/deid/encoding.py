"""An encoded instance as a tree that can be changed at will and written again, rightly or with lies.

`parse` is strict: what PS3.5 forbids raises ValueError, so that it judges outputs as well, without any reading library.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from dicom_assets.deid import dictionary

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010

IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
#: VRs with a length of 32 bits in explicit encodings: PS3.5 Table 7.1-1
LONG_VRS = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
VRS = (*sorted(LONG_VRS), *"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
#: Bytes of one number, for the VRs that depend on byte order
SIZES = {"US": 2, "SS": 2, "AT": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4,
    "FD": 8, "OD": 8, "SV": 8, "UV": 8, "OV": 8}  # fmt: skip


@dataclass
class Item:
    """undefined: written with a delimiter instead of a length. delimited False: and the delimiter forgotten."""

    elements: list["Element"] = field(default_factory=list)
    undefined: bool = False
    claimed: int | None = None
    delimited: bool = True


@dataclass
class Element:
    """One of value (in little endian), items (a sequence) or fragments (encapsulated pixel data, offset table first).

    claimed: the length that is written in place of the right one. delimited: as in Item.
    """

    tag: int
    vr: str
    value: bytes = b""
    items: list[Item] | None = None
    fragments: list[bytes] | None = None
    undefined: bool = False
    claimed: int | None = None
    delimited: bool = True


@dataclass
class File:
    """A Part-10 file. meta without its group length, which is written unless `meta_length` is False."""

    meta: list[Element]
    elements: list[Element]
    preamble: bytes = b"\0" * 128
    prefix: bytes = b"DICM"
    meta_length: int | bool = True  #: an integer: added to the right one
    tail: bytes = b""

    @property
    def syntax(self) -> str:
        found = [element.value for element in self.meta if element.tag == 0x00020010]
        return found[0].decode("latin-1").rstrip(" \0") if found else IMPLICIT

    @syntax.setter
    def syntax(self, uid: str) -> None:
        self.meta = [element for element in self.meta if element.tag != 0x00020010]
        self.meta.append(Element(0x00020010, "UI", uid.encode() + b"\0" * (len(uid) % 2)))
        self.meta.sort(key=lambda element: element.tag)


def walk(elements: list[Element]) -> Iterator[tuple[list[Element], Element]]:
    """(the list that holds it, the element) for each element at any depth."""
    for element in elements:
        yield elements, element
        for item in element.items or ():
            yield from walk(item.elements)


# --- reading -----------------------------------------------------------------------------------------------------


def parse(encoded: bytes) -> File:
    """Raises ValueError (or struct.error, zlib.error) where the file does not keep to PS3.5 and PS3.10."""
    if encoded[128:132] != b"DICM":
        raise ValueError("no prefix")
    length_element = _Reader(encoded, True, "<").element(132, len(encoded))
    group_length = struct.unpack("<L", length_element[0].value)[0]
    meta = _Reader(encoded, True, "<").elements(144, 144 + group_length)
    file = File(meta, [], preamble=encoded[:128])
    body = encoded[144 + group_length :]
    if file.syntax == DEFLATED:
        body = zlib.decompress(body, -zlib.MAX_WBITS)
    reader = _Reader(body, file.syntax != IMPLICIT, ">" if file.syntax == BIG_ENDIAN else "<")
    file.elements = reader.elements(0, len(body))
    return file


@dataclass
class _Reader:
    data: bytes
    explicit: bool
    order: str

    def elements(self, position: int, end: int, delimiter: bool = False) -> list[Element]:
        """All from position to end, or to the item delimiter; end_of_item is then the position behind it."""
        found: list[Element] = []
        while position < end:
            if delimiter and self._tag(position) == ITEM_END:
                if self._length(position + 4) != 0:
                    raise ValueError("delimiter with a length")
                self.end_of_item = position + 8
                return found
            element, position = self.element(position, end)
            if found and element.tag <= found[-1].tag:
                raise ValueError("tags out of order")
            found.append(element)
        if delimiter:
            raise ValueError("delimiter missing")
        if position != end:
            raise ValueError("element passes the end")
        return found

    def element(self, position: int, end: int) -> tuple[Element, int]:
        tag = self._tag(position)
        if self.explicit:
            vr = self.data[position + 4 : position + 6].decode("latin-1")
            if vr not in VRS:
                raise ValueError("no such VR")
            if vr in LONG_VRS:
                if self.data[position + 6 : position + 8] != b"\0\0":
                    raise ValueError("reserved bytes are not zero")
                length, start = self._length(position + 8), position + 12
            else:
                length, start = struct.unpack_from(f"{self.order}H", self.data, position + 6)[0], position + 8
        else:
            length, start = self._length(position + 4), position + 8
            vr = dictionary.vr_of(tag).split(" or ")[-1] or "UN"
        undefined = length == UNDEFINED
        stop = end if undefined else start + length
        if stop > end or (not undefined and length % 2):
            raise ValueError("length is odd or passes the end")
        if undefined and tag == PIXEL_DATA:
            fragments, position = self._fragments(start, stop)
            return Element(tag, vr, fragments=fragments, undefined=True), position
        if vr == "SQ" or undefined:
            reader = _Reader(self.data, False, "<") if vr == "UN" and self.explicit else self
            items, position = reader._items(start, stop, undefined)
            return Element(tag, vr, items=items, undefined=undefined), position
        value = self.data[start:stop]
        return Element(tag, vr, value if self.order == "<" else swapped(vr, value)), stop

    def _items(self, position: int, end: int, undefined: bool) -> tuple[list[Item], int]:
        items = []
        while position < end:
            mark, length = self._tag(position), self._length(position + 4)
            position += 8
            if undefined and mark == SEQUENCE_END:
                return items, position
            if mark != ITEM or (length != UNDEFINED and position + length > end):
                raise ValueError("no item")
            if length == UNDEFINED:
                items.append(Item(self.elements(position, end, delimiter=True), undefined=True))
                position = self.end_of_item
            else:
                items.append(Item(self.elements(position, position + length)))
                position += length
        if undefined:
            raise ValueError("delimiter missing")
        return items, position

    def _fragments(self, position: int, end: int) -> tuple[list[bytes], int]:
        fragments = []
        while True:
            mark, length = self._tag(position), self._length(position + 4)
            position += 8
            if mark == SEQUENCE_END and length == 0:
                return fragments, position
            if mark != ITEM or length % 2 or position + length > end:
                raise ValueError("no fragment")
            fragments.append(self.data[position : position + length])
            position += length

    def _tag(self, position: int) -> int:
        group, element = struct.unpack_from(f"{self.order}HH", self.data, position)
        return group << 16 | element

    def _length(self, position: int) -> int:
        return struct.unpack_from(f"{self.order}L", self.data, position)[0]


# --- writing -----------------------------------------------------------------------------------------------------


def write(file: File) -> bytes:
    """In the transfer syntax that the file meta names; explicit little endian where that is none that is known."""
    meta = b"".join(_element(element, True, "<") for element in file.meta)
    if file.meta_length is not False:
        length = (len(meta) + int(file.meta_length is not True and file.meta_length)) & 0xFFFFFFFF
        meta = _element(Element(0x00020000, "UL", struct.pack("<L", length)), True, "<") + meta
    syntax = file.syntax
    body = write_elements(file.elements, syntax != IMPLICIT, ">" if syntax == BIG_ENDIAN else "<")
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body += b"\0" * (len(body) % 2)
    return file.preamble + file.prefix + meta + body + file.tail


def write_elements(elements: list[Element], explicit: bool, order: str = "<") -> bytes:
    return b"".join(_element(element, explicit, order) for element in elements)


def _element(element: Element, explicit: bool, order: str) -> bytes:
    inner = (False, "<") if explicit and element.vr == "UN" else (explicit, order)  # PS3.5 6.2.2 note 4
    if element.fragments is not None:
        value = b"".join(_tag(ITEM, order) + struct.pack(f"{order}L", len(one)) + one for one in element.fragments)
    elif element.items is not None:
        value = b"".join(_item(item, *inner) for item in element.items)
    else:
        value = element.value if order == "<" else swapped(element.vr, element.value)
    length = UNDEFINED if element.undefined else len(value)
    if element.undefined and element.delimited:
        value += _tag(SEQUENCE_END, inner[1]) + b"\0\0\0\0"
    if element.claimed is not None:
        length = element.claimed
    return _head(element.tag, element.vr, length, explicit, order) + value


def _head(tag: int, vr: str, length: int, explicit: bool, order: str) -> bytes:
    if not explicit:
        return _tag(tag, order) + struct.pack(f"{order}L", length)
    if vr in LONG_VRS:
        return _tag(tag, order) + vr.encode("latin-1") + b"\0\0" + struct.pack(f"{order}L", length)
    return _tag(tag, order) + vr.encode("latin-1") + struct.pack(f"{order}H", length & 0xFFFF)


def _item(item: Item, explicit: bool, order: str) -> bytes:
    body = write_elements(item.elements, explicit, order)
    length = UNDEFINED if item.undefined else len(body)
    if item.undefined and item.delimited:
        body += _tag(ITEM_END, order) + b"\0\0\0\0"
    return _tag(ITEM, order) + struct.pack(f"{order}L", length if item.claimed is None else item.claimed) + body


def _tag(tag: int, order: str) -> bytes:
    return struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)


def swapped(vr: str, value: bytes) -> bytes:
    """The value in the other byte order; what is no whole number of numbers stays."""
    size = SIZES.get(vr, 1)
    if size == 1 or len(value) % size:
        return value
    return b"".join(value[i : i + size][::-1] for i in range(0, len(value), size))
