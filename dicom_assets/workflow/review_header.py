"""The header of an original as a reviewer reads it: each element, and what the profile does with it.

The bytes are a stranger's: what is printed is shortened and holds no control character, elements and depth are capped,
and nothing is decoded but text and numbers. Of a damaged file, all that can be read, and where that ends.
"""

import struct
from dataclasses import dataclass, field

from ..deid.actions import Action
from ..deid.dictionary import name_of, vr_of
from ..deid.elements import (
    DEEPEST,
    ENCODED_VRS,
    ITEM,
    ITEM_END,
    PIXEL_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    VRS,
    Source,
    end_of_fragments,
    header_at,
)
from ..deid.fits import TEXT_VRS
from ..deid.part10 import opened
from ..deid.private_elements import is_creator
from ..deid.profile import Profile
from ..deid.values import character_set, decoded
from ..errors import BadInput, DicomAssetsError, Refused
from ..quiet import printable

MOST_ELEMENTS = 5000
_LONGEST = 80  #: characters of a value
_MOST_BYTES = 512  #: of a value that are read
_SOP_CLASS, _CHARACTER_SET = 0x00080016, 0x00080005
_PSEUDONYMS = frozenset({0x00100010, 0x00100020})
_DONE = {
    Action.REMOVE: "removed",
    Action.EMPTY: "emptied",
    Action.DUMMY: "replaced",
    Action.UID: "new UID",
    Action.CLEAN: "cleaned",
}
#: VR -> form of one number, little endian
_NUMBERS = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q",
}  # fmt: skip
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})


@dataclass(frozen=True)
class Shown:
    """One element. depth: of its sequence, 0 at the top. done: what the profile does, in a word. text: shortened and
    harmless to a terminal; it identifies."""

    depth: int
    tag: int
    vr: str
    name: str
    done: str
    text: str = field(repr=False)


@dataclass
class Header:
    """rows: in the file's order, file meta information left out, as it is written anew. code: why reading ended, empty
    where all was read; position: byte of the data set's source where it did."""

    rows: list[Shown] = field(default_factory=list)
    code: str = ""
    position: int = 0


class _Enough(Exception):
    """As many elements as anybody reads."""


def header_of(source: Source, profile: Profile) -> Header:
    """Never raises for what the bytes hold."""
    header = Header()
    try:
        file = opened(source)
        reader = _Reader(file.source, profile, file.sop_class_uid, header)
        reader.data_set(file.start, file.source.size, file.implicit, (), False)
    except _Enough:
        header.code = "REVIEW_HEADER_CUT"
    except DicomAssetsError as error:
        header.code = error.code
    return header


class _Reader:
    def __init__(self, source: Source, profile: Profile, sop_class_uid: str, header: Header) -> None:
        self._source, self._profile, self._sop_class_uid, self._header = source, profile, sop_class_uid, header
        self._charset: bytes | None = b""

    def data_set(self, position: int, end: int, implicit: bool, path: tuple[str, ...], is_gone: bool) -> int:
        """Where it ends: at end, or behind the delimiter of an item. path: keywords of the sequences above. is_gone:
        one of these is removed. Raises DicomAssetsError."""
        creators: dict[int, str] = {}  #: group and block -> Private Creator
        while position < end:
            self._header.position = position
            tag, vr, length, value = self._element(position, end, implicit)
            if tag == ITEM_END and path:
                return position + 8
            if not tag and not length:
                return end  # padding
            if tag >> 16 == 0xFFFE:
                raise BadInput("ELEMENT_MALFORMED")
            is_nested = tag not in PIXEL_TAGS and (vr == "SQ" or length == UNDEFINED)
            if is_nested and vr not in ("SQ", "UN"):
                raise BadInput("ELEMENT_MALFORMED")
            stop = value if is_nested else self._stop(tag, value, length, end)
            content = b"" if is_nested else self._source.read(value, min(stop, value + _MOST_BYTES))
            if is_creator(tag):
                creators[tag >> 8 & 0xFFFF00 | tag & 0xFF] = content.decode("latin-1").strip(" \0")
            done = "removed" if is_gone else self._done(tag, vr, path, creators.get(tag >> 8, ""))
            self._show(len(path), tag, vr, done, "" if is_nested else self._text(tag, vr, content, stop - value))
            if is_nested:
                below = (*path, name_of(tag))
                is_implicit = implicit or vr == "UN"
                stop = self._items(value, length, end, is_implicit, below, is_gone or done in ("removed", "emptied"))
            elif stop > end:
                raise BadInput("ELEMENT_TRUNCATED")
            elif not path:
                self._remember(tag, content)
            position = stop
        return position

    def _element(self, position: int, end: int, implicit: bool) -> tuple[int, str, int, int]:
        """Tag, VR, length and where the value begins."""
        head = self._source.read(position, min(position + 12, end))
        tag, stated, length, value = header_at(head, 0, len(head), implicit)
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            return tag, "", 0, position + 8
        if not implicit and stated not in ENCODED_VRS:
            raise BadInput("VR_UNKNOWN")
        vr = ENCODED_VRS.get(stated, "") or vr_of(tag).split(" or ")[0] or ("LO" if is_creator(tag) else "UN")
        return tag, vr if vr in VRS else "UN", length, position + value

    def _stop(self, tag: int, value: int, length: int, end: int) -> int:
        return end_of_fragments(self._source, value, end) if length == UNDEFINED else value + length

    def _items(self, position: int, length: int, end: int, implicit: bool, path: tuple[str, ...], gone: bool) -> int:
        """Where the sequence ends."""
        if len(path) > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        last = end if length == UNDEFINED else position + length
        if last > end:
            raise BadInput("ELEMENT_TRUNCATED")
        while position < last:
            self._header.position = position
            head = self._source.read(position, min(position + 8, last))
            tag, _, size, _ = header_at(head, 0, len(head), True)
            if tag == SEQUENCE_END and length == UNDEFINED:
                return position + 8
            if tag != ITEM or (size != UNDEFINED and position + 8 + size > last):
                raise BadInput("SEQUENCE_MALFORMED")
            self._show(len(path), ITEM, "", "", "")
            stop = last if size == UNDEFINED else position + 8 + size
            position = self.data_set(position + 8, stop, implicit, path, gone)
        if length == UNDEFINED:
            raise BadInput("ELEMENT_TRUNCATED")
        return last

    def _show(self, depth: int, tag: int, vr: str, done: str, text: str) -> None:
        if len(self._header.rows) >= MOST_ELEMENTS:
            raise _Enough
        name = "Item" if tag == ITEM else name_of(tag)
        self._header.rows.append(Shown(depth, tag, vr, name, done, text))

    def _done(self, tag: int, vr: str, path: tuple[str, ...], creator: str) -> str:
        profile = self._profile
        if tag >> 16 & 1:
            if is_creator(tag):
                return "with block" if profile.keeps_private else "removed"
            is_kept = profile.private_vr(creator, tag >> 16, tag & 0xFF) is not None
            return "kept" if is_kept else "removed"
        if tag in PIXEL_TAGS:
            return "kept"
        action = profile.action_for(tag, vr, self._sop_class_uid, path)
        if action is Action.KEEP:
            return "cleaned" if profile.cleans_names and vr in TEXT_VRS else "kept"
        return "pseudonym" if tag in _PSEUDONYMS and not path else _DONE[action]

    def _remember(self, tag: int, content: bytes) -> None:
        """What decides over the elements behind it."""
        if tag == _CHARACTER_SET:
            self._charset = character_set(content)
        elif tag == _SOP_CLASS:
            self._sop_class_uid = content.decode("latin-1").strip(" \0") or self._sop_class_uid

    def _text(self, tag: int, vr: str, content: bytes, size: int) -> str:
        if vr in _BYTES or tag in PIXEL_TAGS:
            return f"<{size} bytes>"
        if form := _NUMBERS.get(vr):
            count = len(content) // struct.calcsize(form)
            numbers = struct.unpack_from(f"<{count}{form}", content)
            return harmless("\\".join(f"{number:g}" if form in "fd" else str(number) for number in numbers))
        if vr == "AT":
            pairs = struct.iter_unpack("<HH", content[: len(content) // 4 * 4])
            return harmless("\\".join(f"({group:04X},{element:04X})" for group, element in pairs))
        text = decoded(content, vr, self._charset)
        return harmless((content.decode("latin-1") if text is None else text).strip(" \0"))


def harmless(text: str) -> str:
    """Shortened, and with every character that a terminal would obey written as an escape."""
    shown = printable(text[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
