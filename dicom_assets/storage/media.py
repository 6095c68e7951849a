"""The DICOMDIR of a medium (PS3.3 Annex F, PS3.10 8): which files there should be, and of which study each is.

A directory is read here by a walk of its own: flat in memory, and nothing of it gets into a message. Names in it are
compared and never used as paths.
"""

import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import islice

from ..errors import BadInput
from .instance_files import FileSource
from .loose_files import BIG_ENDIAN, Kind, look_at

#: Bytes of a DICOMDIR; one of 100,000 images has some 40 MB
_LARGEST = 128 << 20
_MOST_RECORDS, _LONGEST_VALUE = 300_000, 1024
_DEEPEST = 16
_RECORDS, _FIRST_RECORD = 0x00041220, 0x00041200
_NEXT, _IN_USE, _LOWER, _FILE_ID, _INSTANCE, _STUDY = (
    0x00041400,
    0x00041410,
    0x00041420,
    0x00041500,
    0x00041511,
    0x0020000D,
)
_WANTED = frozenset({_NEXT, _IN_USE, _LOWER, _FILE_ID, _INSTANCE, _STUDY})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


@dataclass(frozen=True)
class Reference:
    """A file of the medium. name: as plain() gives it. UIDs: empty where the directory has none."""

    name: str
    sop_instance_uid: str
    study_instance_uid: str


class Media:
    """The directories that lie in one folder or ZIP, each at the root of its medium."""

    def __init__(self) -> None:
        self._references: list[Reference] = []

    def add(self, directory_name: str, source: FileSource) -> None:
        """directory_name: of the DICOMDIR, as plain(). Raises BadInput("MEDIA_UNREADABLE")."""
        root = directory_name.rpartition("/")[0]
        for one in references(source):
            name = f"{root}/{one.name}" if root else one.name
            self._references.append(Reference(name, one.sop_instance_uid, one.study_instance_uid))

    def missing(self, came: Container[str], is_here: Callable[[Reference], bool]) -> list[Reference]:
        """came: names, as plain(), of the files that were taken. is_here: of one of which no file of this name was."""
        return [one for one in self._references if one.name not in came and not is_here(one)]

    @property
    def names(self) -> set[str]:
        return {one.name for one in self._references}


def plain(name: str) -> str:
    """As names of media are compared: file systems change the case, and add versions and dots (ISO 9660 7.5)."""
    parts = name.replace("\\", "/").casefold().split("/")
    return "/".join(part.partition(";")[0].rstrip(".") for part in parts)


def is_directory(name: str) -> bool:
    """Of a DICOMDIR; name: as plain()."""
    return name.rpartition("/")[2] == "dicomdir"


def references(source: FileSource) -> list[Reference]:
    """The files that the directory names, each once. Raises BadInput("MEDIA_UNREADABLE")."""
    look = look_at(source.beginning, source.size)
    if look.kind is not Kind.DIRECTORY or source.size > _LARGEST:
        raise BadInput("MEDIA_UNREADABLE")
    try:
        return _Walk(source.read(0, source.size), look.start, look.syntax == BIG_ENDIAN).references()
    except (struct.error, _Damaged):
        raise BadInput("MEDIA_UNREADABLE") from None


class _Damaged(Exception):
    """Nobody can tell where the next element begins."""


class _Walk:
    """data: the file. position: of its data set. Links between records count from the file's beginning."""

    def __init__(self, data: bytes, position: int, big_endian: bool) -> None:
        order = "<>"[big_endian]
        self._data, self._position = data, position
        self._tag, self._short, self._long = (struct.Struct(order + form).unpack_from for form in ("HH", "H", "L"))
        self._implicit = not data[position + 4 : position + 6].isalpha()

    def references(self) -> list[Reference]:
        first, records = 0, {}
        for tag, start, stop in self._elements(self._position, len(self._data)):
            if tag == _FIRST_RECORD:
                first = self._number(start, stop)
            elif tag == _RECORDS:
                records = dict(islice(self._items(start, stop), _MOST_RECORDS + 1))
        if len(records) > _MOST_RECORDS:
            raise _Damaged
        found: dict[Reference, None] = {}
        waiting = [(first, "")]
        while waiting:
            offset, study = waiting.pop()
            if offset in records:
                record = records.pop(offset)
                waiting.append((self._link(record, _NEXT), study))
                study = _text(record.get(_STUDY, b"")) or study
                waiting.append((self._link(record, _LOWER), study))
                found |= self._referenced(record, study)
        for record in records.values():  # no link leads there: its study is not known
            found |= self._referenced(record, "")
        return list(found)

    def _referenced(self, record: dict[int, bytes], study: str) -> dict[Reference, None]:
        file_id = "/".join(part.strip() for part in _text(record.get(_FILE_ID, b"")).split("\\"))
        if not file_id or record.get(_IN_USE) == b"\0\0":
            return {}
        return {Reference(plain(file_id), _text(record.get(_INSTANCE, b"")), study): None}

    def _link(self, record: dict[int, bytes], tag: int) -> int:
        value = record.get(tag, b"")
        return self._long(value)[0] if len(value) == 4 else 0

    def _number(self, start: int, stop: int) -> int:
        return self._link({0: self._data[start:stop]}, 0)

    def _items(self, position: int, end: int) -> Iterator[tuple[int, dict[int, bytes]]]:
        """Where each record begins, and what is wanted of it."""
        while position < end:
            tag, length, value = self._header(position, implicit=True)
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise _Damaged
            stop = end if length == _UNDEFINED else min(value + length, end)
            record = {}
            start, position = position, stop
            for found, begin, behind in self._elements(value, stop):
                if found == _ITEM_END:
                    position = behind
                    break
                if found in _WANTED:
                    record[found] = self._data[begin : min(behind, begin + _LONGEST_VALUE)]
            yield start, record

    def _elements(self, position: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Tag and value of each element; of a sequence of undefined length, with its delimiter. An item's delimiter is
        the last."""
        while position < end:
            tag, length, value = self._header(position, self._implicit)
            stop = self._behind_sequence(value, 0) if length == _UNDEFINED else value + length
            if stop > len(self._data):
                raise _Damaged
            yield tag, value, stop
            if tag == _ITEM_END:
                return
            position = stop

    def _header(self, position: int, implicit: bool) -> tuple[int, int, int]:
        """Tag, length, and where the value begins. Raises struct.error at the file's end."""
        group, number = self._tag(self._data, position)
        if not implicit and group != 0xFFFE:
            if self._data[position + 4 : position + 6] in _LONG_VRS:
                return group << 16 | number, self._long(self._data, position + 8)[0], position + 12
            return group << 16 | number, self._short(self._data, position + 6)[0], position + 8
        return group << 16 | number, self._long(self._data, position + 4)[0], position + 8

    def _behind_sequence(self, position: int, depth: int) -> int:
        """Behind a sequence of undefined length."""
        if depth > _DEEPEST:
            raise _Damaged
        while True:
            tag, length, value = self._header(position, implicit=True)
            if tag == _SEQUENCE_END:
                return value
            if tag != _ITEM:
                raise _Damaged
            position = self._behind_item(value, depth) if length == _UNDEFINED else value + length

    def _behind_item(self, position: int, depth: int) -> int:
        while True:
            tag, length, value = self._header(position, self._implicit)
            if tag == _ITEM_END:
                return value
            position = self._behind_sequence(value, depth + 1) if length == _UNDEFINED else value + length


def _text(value: bytes) -> str:
    return value.strip(b" \0").decode("latin-1")
