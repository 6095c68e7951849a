"""Takes a file apart into every stretch of bytes that could hold text, for the search of residual.py.

Knows the encoding of data sets and nothing of de-identification; reads nothing but what it is given. Every byte of the
file, except the tag, VR and length of well-formed elements and the coded pixels, is in exactly one piece: what cannot
be parsed is a piece too, so that nothing hides in a damaged file.
"""

import struct
import warnings
import zlib
from functools import lru_cache
from typing import NamedTuple

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR

from .residual_fragments import text_beside_pixels

_DEPTH_LIMIT = 16  # real data stays under 10; deeper nesting is searched as one piece of bytes
_INFLATED_LIMIT = 1 << 30  # bytes; a deflated data set that grows beyond is cut, and its rest is not in any piece
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
#: Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
#: Zone of what cannot be parsed
AFTER_THE_DATA_SET = "after the data set"
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_IMPLICIT, _BIG_ENDIAN, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"


class Piece(NamedTuple):
    """tag: 0 where it is no element. vr: empty where unknown. codecs: Python's, of the data set that holds it."""

    tag: int
    vr: str
    value: bytes
    codecs: tuple[str, ...]
    path: tuple[tuple[int, int], ...]  #: (sequence's tag, item's index) from the outermost inwards
    zone: str  #: "", "file meta", "preamble", AFTER_THE_DATA_SET, ...
    span: tuple[int, int] = (0, 0)  #: of Pixel Data at the top: where its value starts and stops in the data set

    @property
    def place(self) -> str:
        """`(0008,1110)[0].(0008,1155)`, `file meta (0002,0016)`, `preamble`."""
        steps = [f"{_written(tag)}[{index}]" for tag, index in self.path]
        if self.tag:
            steps.append(_written(self.tag))
        return " ".join(part for part in (self.zone, ".".join(steps)) if part)


class Encoding:
    """How headers are read: the readers take (data, position). order: "<" or ">", as struct wants it."""

    def __init__(self, explicit: bool, order: str) -> None:
        self.explicit = explicit
        self.tag_vr_length = struct.Struct(f"{order}HH2sH").unpack_from  #: group, element, VR, 16 bits of length
        self.tag_length = struct.Struct(f"{order}HHL").unpack_from
        self.length = struct.Struct(f"{order}L").unpack_from


_PLAIN, _IMPLICIT_ITEMS, _BIG = Encoding(True, "<"), Encoding(False, "<"), Encoding(True, ">")
_DEFAULT_CODECS = ("iso8859",)


def pieces_of(encoded: bytes, beside_pixels: bool = True) -> list[Piece]:
    """encoded: a whole Part 10 file. A sequence is a piece with an empty value, followed by its content; a Pixel Data
    element too is one with an empty value. beside_pixels: whether what its fragments hold besides pixels is a piece."""
    if encoded[128:132] != b"DICM":
        return [Piece(0, "", encoded, _DEFAULT_CODECS, (), "not a Part 10 file")]
    meta = _Walk(encoded)
    start = meta.elements(132, len(encoded), _PLAIN, (), _DEFAULT_CODECS, only_group=2)
    syntax = next((p.value.decode("latin-1").rstrip("\0 ") for p in meta.pieces if p.tag == 0x00020010), "")
    body = encoded
    if syntax == _DEFLATED:
        body, start = _inflated(encoded[start:]), 0
    rest = _Walk(body, beside_pixels)
    explicit = syntax != _IMPLICIT if syntax else body[start + 4 : start + 6].isalpha()
    encoding = _BIG if syntax == _BIG_ENDIAN else _PLAIN if explicit else _IMPLICIT_ITEMS
    rest.elements(start, len(body), encoding, (), _DEFAULT_CODECS)
    preamble = Piece(0, "", encoded[:128], _DEFAULT_CODECS, (), "preamble")
    return [preamble, *(piece._replace(zone="file meta") for piece in meta.pieces), *rest.pieces]


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _INFLATED_LIMIT)
    except zlib.error:
        return packed


Path = tuple[tuple[int, int], ...]


class _Walk:
    """pieces grows as elements() and items() pass over data; both return the position where they stopped."""

    def __init__(self, data: bytes, beside_pixels: bool = True) -> None:
        self.data, self.beside_pixels = data, beside_pixels
        self.pieces: list[Piece] = []

    def elements(
        self, position: int, end: int, encoding: Encoding, path: Path, codecs: tuple[str, ...], only_group: int = 0
    ) -> int:
        """One data set, up to end, the end of its item, or the first element that is not of only_group."""
        data, pieces = self.data, self.pieces
        while position < end:
            if only_group and data[position : position + 2] != struct.pack("<H", only_group):
                return position
            header = _header(data, position, end, encoding)
            if header is None:
                pieces.append(Piece(0, "", data[position:end], codecs, path, AFTER_THE_DATA_SET))
                return end
            tag, vr, length, start = header
            if tag == _ITEM_END:
                return position
            undefined = length == _UNDEFINED
            stop = end if undefined else start + length
            if tag in PIXEL_TAGS and not path:
                position = _after_fragments(data, start, end, encoding) if undefined else stop
                pieces.append(Piece(tag, vr, b"", codecs, path, "", (start, position)))
                if undefined and self.beside_pixels:
                    beside = text_beside_pixels(data, start, end)
                    pieces.append(Piece(tag, "OB", beside, codecs, path, "beside the pixels of"))
            elif undefined or vr == "SQ" or (vr == "UN" and data[start : start + 4] == b"\xfe\xff\x00\xe0"):
                pieces.append(Piece(tag, vr, b"", codecs, path, ""))
                inner = _IMPLICIT_ITEMS if vr == "UN" else encoding
                position = self.items(start, stop, inner, tag, path, codecs)
                position = position if undefined else stop
            else:
                if tag == 0x00080005:
                    codecs = _codecs(data[start:stop])
                pieces.append(Piece(tag, vr, data[start:stop], codecs, path, ""))
                position = stop
        return position

    def items(self, position: int, end: int, encoding: Encoding, tag: int, path: Path, codecs: tuple[str, ...]) -> int:
        """The items of one sequence, up to end or its delimiter; what is no item is one piece of bytes."""
        data, index = self.data, 0
        while position + 8 <= end:
            group, element, length = encoding.tag_length(data, position)
            mark = group << 16 | element
            if mark == _SEQUENCE_END:
                return position + 8
            inner = (*path, (tag, index))
            if mark != _ITEM or len(inner) > _DEPTH_LIMIT:
                break
            position += 8
            if length == _UNDEFINED:
                position = self.elements(position, end, encoding, inner, codecs) + 8  # and the delimiter
            else:
                stop = min(position + length, end)
                self.elements(position, stop, encoding, inner, codecs)
                position = stop
            index += 1
        if position < end:
            self.pieces.append(Piece(tag, "UN", data[position:end], codecs, path, ""))
        return end


def _header(data: bytes, position: int, end: int, encoding: Encoding) -> tuple[int, str, int, int] | None:
    """(tag, VR, length, start of the value); None where no element can stand here."""
    if position + 8 > end:
        return None
    group, element, written, length = encoding.tag_vr_length(data, position)
    tag, start = group << 16 | element, position + 8
    if tag == _ITEM_END:
        return tag, "", 0, start
    if encoding.explicit:
        vr, is_long = _vr(written)
        if not vr or (is_long and position + 12 > end):
            return None
        if is_long:
            (length,), start = encoding.length(data, position + 8), position + 12
    else:
        (length,), vr = encoding.length(data, position + 4), _dictionary_vr(tag)
    if length != _UNDEFINED and start + length > end:
        return None
    return tag, vr, length, start


@lru_cache(maxsize=1024)
def _vr(written: bytes) -> tuple[str, bool]:
    """The VR, empty where it is none, and whether its length is one of 32 bits."""
    return (written.decode("ascii") if written.isalpha() and written.isupper() else ""), written in _LONG_VRS


def _after_fragments(data: bytes, position: int, end: int, encoding: Encoding) -> int:
    while position + 8 <= end:
        group, element, length = encoding.tag_length(data, position)
        position += 8
        if (group << 16 | element) == _SEQUENCE_END:
            return position
        if (group << 16 | element) != _ITEM or position + length > end:
            return position - 8
        position += length
    return position


@lru_cache(maxsize=8192)
def _dictionary_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UN"


@lru_cache(maxsize=256)
def _codecs(value: bytes) -> tuple[str, ...]:
    """Python's codecs for a Specific Character Set as encoded; Latin-1 where it names none that is known."""
    names = [name.strip() for name in value.decode("latin-1").rstrip("\0 ").split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(names if len(names) > 1 else names[0]))
        except (LookupError, ValueError):
            return _DEFAULT_CODECS


def _written(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
