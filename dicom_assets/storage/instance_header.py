"""The header of a retrieved instance: the file meta that we write before it, and who it says it is when read back.

Reads what it needs of the top level and passes over the rest, so that a file that ends too early is told from a whole
one without its pixels being read. What is strange in any other way is for the de-identification to judge.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pydicom

_IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_BEGINNING = b"DICM" + struct.pack("<HH2sH", 2, 0, b"UL", 4)
LONGEST_META = 1024  #: bytes of preamble and file meta information together; ours has about 350
#: Behind (0002,0000), which tells how many bytes are left of the file meta information
_META_BEGINS = 128 + len(_BEGINNING) + 4
_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES, _SYNTAX = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00020010
_KEYWORDS = {
    _STUDY: "StudyInstanceUID",
    _SERIES: "SeriesInstanceUID",
    _SOP_INSTANCE: "SOPInstanceUID",
    _SOP_CLASS: "SOPClassUID",
}
_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_DEEPEST = 16  #: sequences within sequences; real objects stay below 10
_WINDOW = 1 << 16  #: bytes that are read at once
_INFLATED = 1 << 20  #: bytes of a deflated data set that are looked at
#: Bytes in which pydicom looks for what we could not find: lengths that lie may cost it much time and memory
_LOOKED_AT = 1 << 16
#: PS3.5 7.1.2: VRs with a length of 16 bits, and those with 32
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

#: Byte order -> header with a short length, header of implicit VR, long length
_STRUCTS = {order: tuple(struct.Struct(order + form).unpack_from for form in ("HH2sH", "HHL", "L")) for order in "<>"}


_UID = re.compile(r"(?=\.*[0-9])[0-9.]{1,64}")


class Identity(NamedTuple):
    """UIDs as the data set has them, without padding; empty where it has none. is_cut: the file ends within an
    element."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    is_cut: bool


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and file meta information (PS3.10 7.1) for a data set as it was encoded on the wire. UIDs as the peer
    gave them, at most 64 characters of each."""
    before, behind = _around(sop_class_uid, transfer_syntax_uid)
    content = before + _uid(0x0003, sop_instance_uid) + behind
    return b"".join((bytes(128), _BEGINNING, len(content).to_bytes(4, "little"), content))


@lru_cache(256)
def _around(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """What stands before and behind the element with the SOP Instance UID."""
    version = struct.pack("<HH2sHL", 2, 1, b"OB", 0, 2) + b"\0\1"
    return (
        version + _uid(0x0002, sop_class_uid),
        _uid(0x0010, transfer_syntax_uid) + _uid(0x0012, _IMPLEMENTATION_CLASS_UID),
    )


def _uid(number: int, uid: str) -> bytes:
    value = uid.encode("ascii", "replace")[:64]
    value += b"\0" * (len(value) & 1)
    return struct.pack("<HH2sH", 2, number, b"UI", len(value)) + value


def is_uid(text: str) -> bool:
    """Digits and dots, as many as fit; zeros that lead are let through, as senders have them."""
    return _UID.fullmatch(text) is not None


def length_of_meta(head: bytes) -> int:
    """Where the data set begins in a Part 10 file. head: its first LONGEST_META bytes, or all. 0 where it is none."""
    if len(head) < _META_BEGINS or not head.startswith(_BEGINNING, 128):
        return 0
    start = _META_BEGINS + int.from_bytes(head[_META_BEGINS - 4 : _META_BEGINS], "little")
    return start if start <= len(head) else 0


def read_identity(handle: int, size: int, *, to_the_end: bool = True) -> Identity | None:
    """What the Part 10 file behind the descriptor says of itself; None where it cannot be read. size: bytes.
    to_the_end: else nothing behind the UIDs is looked at, and nobody knows whether the file is cut. Raises OSError."""
    head = os.pread(handle, LONGEST_META, 0)
    start = length_of_meta(head)
    if not start:
        return None
    meta = _Reader(lambda begin, count: head[begin : begin + count], start, implicit=False)
    syntax = _text(meta.top_level(_META_BEGINS, {_SYNTAX}).get(_SYNTAX, b""))
    return identity_behind(handle, start, size, syntax, to_the_end=to_the_end)


def identity_behind(handle: int, start: int, size: int, syntax: str, *, to_the_end: bool = True) -> Identity | None:
    """As read_identity, of a file whose data set is known to begin at start and to be encoded in syntax."""
    try:
        found, is_cut = _data_set(handle, start, size, syntax, None if to_the_end else _SERIES)
    except zlib.error:
        return None
    if (_STUDY in found and _SOP_INSTANCE in found) or is_cut or syntax == DEFLATED:
        return _identity(syntax, found, is_cut)
    return _by_pydicom(handle, syntax)


def identity_of(path: Path, *, to_the_end: bool = True) -> Identity | None:
    """As read_identity, of the file at path."""
    with path.open("rb", buffering=0) as file:
        return read_identity(file.fileno(), os.fstat(file.fileno()).st_size, to_the_end=to_the_end)


def _data_set(handle: int, start: int, size: int, syntax: str, last: int | None) -> tuple[dict[int, bytes], bool]:
    """The values of _KEYWORDS, and whether the data set ends within an element; last: as in _Reader.top_level."""
    if syntax == DEFLATED:
        # Inflated no further than needed: a small file may grow without limit.
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        content = engine.decompress(os.pread(handle, min(size - start, _INFLATED), start), _INFLATED)
        reader = _Reader(lambda begin, count: content[begin : begin + count], len(content))
        found = reader.top_level(0, _KEYWORDS.keys())
        return found, len(content) < _INFLATED and (reader.is_cut or not engine.eof)
    reader = _Reader(lambda begin, count: os.pread(handle, count, begin), size, order="<>"[syntax == _BIG_ENDIAN])
    return reader.top_level(start, _KEYWORDS.keys(), last), reader.is_cut


def _identity(syntax: str, found: dict[int, bytes], is_cut: bool) -> Identity:
    study, series, instance, sop_class = (_text(found.get(tag, b"")) for tag in _KEYWORDS)
    return Identity(study, series, instance, sop_class, syntax, is_cut)


def _by_pydicom(handle: int, syntax: str) -> Identity | None:
    head = BytesIO(os.pread(handle, _LOOKED_AT, 0))
    try:
        header = pydicom.dcmread(head, stop_before_pixels=True, specific_tags=list(_KEYWORDS.values()))
        values = {tag: str(header.get(keyword, "")).encode() for tag, keyword in _KEYWORDS.items()}
    except Exception:  # whatever a damaged header makes pydicom raise: it is no instance of this study
        return None
    return _identity(syntax, values, is_cut=False)


def _text(value: bytes) -> str:
    return value.strip(b" \0").decode("latin-1")


class _Cut(Exception):
    """An element goes beyond the end."""


class _Strange(Exception):
    """Nobody can tell where the next element begins."""


class _Reader:
    """The elements of a data set, read window by window. read(begin, count) gives the bytes. implicit: None to let the
    first element tell, which senders that mislabel do better than the transfer syntax. order: of struct."""

    def __init__(
        self, read: Callable[[int, int], bytes], end: int, implicit: bool | None = None, order: str = "<"
    ) -> None:
        self.is_cut = False
        self._short_header, self._implicit_header, self._long_length = _STRUCTS[order]
        self._read, self._end, self._implicit = read, end, implicit
        self._window, self._begin = b"", 0

    def top_level(self, position: int, wanted: set[int], last: int | None = None) -> dict[int, bytes]:
        """The values of the wanted tags; afterwards is_cut tells whether the data set ends too early. Elements behind
        one that cannot be understood, or behind the last tag where one is given, are not looked at."""
        found: dict[int, bytes] = {}
        try:
            if self._implicit is None:
                offset = self._at(position, 8)
                self._implicit = self._window[offset + 4 : offset + 6] not in _SHORT_VRS | _LONG_VRS
            while True:
                position = self._skim(position, wanted, found, _UNDEFINED if last is None else last)
                if position >= self._end or self._is_padding(position):
                    break
                tag, vr, length, value = self._header(position, self._implicit)
                if last is not None and tag > last:
                    return found
                if tag in wanted and length <= 64:
                    offset = self._at(value, length)
                    found[tag] = self._window[offset : offset + length]
                if length != _UNDEFINED:
                    position = value + length
                elif tag in _PIXEL_TAGS:
                    position = self._behind_fragments(value)
                else:
                    position = self._behind_sequence(value, self._implicit or vr == b"UN", 0)
            self.is_cut = position > self._end
        except _Cut:
            self.is_cut = True
        except _Strange:
            pass
        return found

    def _skim(self, position: int, wanted: set[int], found: dict[int, bytes], last: int) -> int:
        """Past the elements in the window that have nothing special about them, which most have not; as top_level, with
        less ado."""
        window, implicit, long_length = self._window, self._implicit, self._long_length
        header = self._implicit_header if implicit else self._short_header
        offset, stop = position - self._begin, len(window) - 12
        while 0 <= offset <= stop:
            value = offset + 8
            if implicit:
                group, number, length = header(window, offset)
            else:
                group, number, vr, length = header(window, offset)
                if vr in _LONG_VRS:
                    (length,) = long_length(window, value)
                    value += 4
                elif vr not in _SHORT_VRS:
                    break
            tag = group << 16 | number
            if tag in wanted:
                if value + length > len(window):
                    break
                if length <= 64:
                    found[tag] = window[value : value + length]
            elif tag > last or not tag or length == _UNDEFINED:
                break
            offset = value + length
        return self._begin + offset

    def _is_padding(self, position: int) -> bool:
        """A few zeros at the end, too short for an element."""
        return self._end - position < 8 and not self._read(position, 8).strip(b"\0")

    def _at(self, position: int, count: int) -> int:
        """Where position lies in the window, which holds at least so many bytes from there on."""
        offset = position - self._begin
        if offset < 0 or offset + count > len(self._window):
            self._window, self._begin, offset = self._read(position, _WINDOW), position, 0
            if position + count > self._end or len(self._window) < count:
                raise _Cut
        return offset

    def _header(self, position: int, implicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, VR, length, and where the value begins."""
        offset = self._at(position, 8)
        if implicit:
            group, number, length = self._implicit_header(self._window, offset)
            vr = b""
        else:
            group, number, vr, length = self._short_header(self._window, offset)
            if vr in _LONG_VRS:
                offset = self._at(position, 12)
                return group << 16 | number, vr, self._long_length(self._window, offset + 8)[0], position + 12
            if vr not in _SHORT_VRS and group != 0xFFFE:
                raise _Strange  # padding behind the data set among them
            if group == 0xFFFE:
                length = self._long_length(self._window, offset + 4)[0]
        if not group and not number:
            raise _Strange
        return group << 16 | number, vr, length, position + 8

    def _behind_fragments(self, position: int) -> int:
        """Behind encapsulated pixel data (PS3.5 A.4); a delimiter that is missing at the file's end is forgiven."""
        while position < self._end:
            if position + 8 > self._end:
                raise _Cut
            group, number, length = self._implicit_header(self._read(position, 8), 0)
            position += 8
            if group << 16 | number == _SEQUENCE_END:
                return position
            if group << 16 | number != _ITEM or length == _UNDEFINED:
                raise _Strange
            position += length
        return position

    def _behind_sequence(self, position: int, implicit: bool, depth: int) -> int:
        """Behind a sequence of undefined length."""
        if depth > _DEEPEST:
            raise _Strange
        while True:
            tag, _vr, length, position = self._header(position, implicit=True)
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise _Strange
            position = self._behind_item(position, implicit, depth) if length == _UNDEFINED else position + length

    def _behind_item(self, position: int, implicit: bool, depth: int) -> int:
        while True:
            tag, vr, length, position = self._header(position, implicit)
            if tag == _ITEM_END:
                return position
            if length == _UNDEFINED:
                position = self._behind_sequence(position, implicit or vr == b"UN", depth + 1)
            else:
                position += length
