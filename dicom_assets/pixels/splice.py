"""One of our own files (Part 10, Explicit VR Little Endian or encapsulated) at its top level: its elements found, and
a new file written in which some of them are others. What stays goes from file to file, in flat memory."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from ..deid.elements import (
    ENCODED_LONG_VRS,
    ENCODED_VRS,
    PIXEL_DATA,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    element_at,
    encode,
    end_of_fragments,
    long_length,
    short_header,
)
from ..errors import BadInput

_SYNTAX, _GROUP_LENGTH = 0x00020010, 0x00020000
_PREAMBLE = 132  #: bytes, `DICM` included
_HEADER = 12  #: bytes of the longest element header
_AHEAD = 1 << 16  #: bytes that are read where few are wanted
_COPY = 1 << 20
_LONGEST_VALUE = 1 << 28  #: bytes of an element other than pixel data that is taken into memory

#: What an element becomes: nothing, its encoding, or its encoding in pieces
Change = bytes | Iterable[bytes] | None


class OwnFile:
    """Open for reading. elements: of the data set's top level by tag, in order. syntax: UID. Also a deid.elements
    Source. Raises BadInput where the file is not as we write them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        try:
            self.handle, self.size = self._file.fileno(), os.fstat(self._file.fileno()).st_size
            self._window_start, self._window = 0, b""
            if self.read(128, _PREAMBLE) != b"DICM":
                raise BadInput("NOT_DICOM")
            self.meta, self.elements = {}, {}
            position = self._walk(self.meta, _PREAMBLE, group=0x0002)
            self._walk(self.elements, position)
            if _SYNTAX not in self.meta:
                raise BadInput("UNREADABLE")
            self.syntax = self._decoded(self.meta[_SYNTAX])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "OwnFile":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> bytes:
        """Exactly the bytes from start to stop; fewer only where the file ends."""
        stop = min(stop, self.size)
        offset = start - self._window_start
        if offset < 0 or stop - self._window_start > len(self._window):
            if stop - start > _AHEAD:
                return _read(self.handle, start, stop)
            self._window_start, offset = start, 0
            self._window = _read(self.handle, start, min(start + _AHEAD, self.size))
        return self._window[offset : offset + max(stop - start, 0)]

    def encoded(self, tag: int) -> bytes:
        """The whole element; empty where there is none."""
        element = self.elements.get(tag)
        return self._short(element.start, element.stop) if element else b""

    def value(self, tag: int) -> bytes:
        """Empty where there is no such element."""
        element = self.elements.get(tag)
        return self._short(element.value, element.value_stop) if element else b""

    def text(self, tag: int) -> str:
        return self._decoded(self.elements[tag]) if tag in self.elements else ""

    def number(self, tag: int, default: int = 0) -> int:
        """The first of VR US, or of IS."""
        element, value = self.elements.get(tag), self.value(tag)
        if element is not None and element.vr == "IS":
            text = value.split(b"\\")[0].strip(b" \0")
            return int(text) if text.isdigit() and len(text) <= 10 else default
        return int.from_bytes(value[:2], "little") if len(value) >= 2 else default

    def write(self, target: Path, changes: Mapping[int, Change], syntax: str = "") -> None:
        """The same file with other elements, where changes names them. syntax: UID, where it becomes another one."""
        meta = {tag: self.read(element.start, element.stop) for tag, element in self.meta.items()}
        meta.pop(_GROUP_LENGTH, None)
        if syntax:
            meta[_SYNTAX] = encode(_SYNTAX, "UI", syntax.encode())
        content = b"".join(meta[tag] for tag in sorted(meta))
        with target.open("wb", buffering=0) as out:
            _write(out.fileno(), b"\0" * 128 + b"DICM")
            _write(out.fileno(), encode(_GROUP_LENGTH, "UL", len(content).to_bytes(4, "little")) + content)
            unchanged: tuple[int, int] = (0, 0)  # elements in a row go over at once
            for tag in sorted({*self.elements, *changes}):
                element = self.elements.get(tag)
                if tag not in changes and element.start == unchanged[1]:
                    unchanged = (unchanged[0], element.stop)
                    continue
                self.copy(*unchanged, out.fileno())
                unchanged = (0, 0) if tag in changes else (element.start, element.stop)
                change = changes.get(tag)
                for piece in [change] if isinstance(change, bytes) else change or ():
                    _write(out.fileno(), piece)
            self.copy(*unchanged, out.fileno())

    def copy(self, start: int, stop: int, target: int) -> None:
        """Bytes of this file to the end of the open file `target`, by the kernel where it can."""
        try:
            while start < stop:
                copied = os.copy_file_range(self.handle, target, stop - start, start)
                if not copied:
                    break
                start += copied
        except (OSError, AttributeError):
            pass  # not between these file systems, or not on this one
        for begin in range(start, stop, _COPY):
            _write(target, _read(self.handle, begin, min(begin + _COPY, stop)))

    def _walk(self, found: dict[int, Element], position: int, group: int = 0) -> int:
        """Where the elements end; those of one group only, where one is named."""
        last = -1
        while position < self.size:
            encoded = self.read(position, position + _HEADER)
            if len(encoded) < 8:
                raise BadInput("ELEMENT_TRUNCATED")
            if group and int.from_bytes(encoded[:2], "little") != group:
                break
            element = self._element(position, encoded)
            if element.tag <= last:
                raise BadInput("ELEMENT_MALFORMED")
            found[element.tag] = element
            last, position = element.tag, element.stop
        return position

    def _element(self, position: int, encoded: bytes) -> Element:
        first, second, stated, length = short_header(encoded)
        tag, vr, value = first << 16 | second, ENCODED_VRS.get(stated, ""), position + 8
        if not vr:
            raise BadInput("VR_UNKNOWN")
        if stated in ENCODED_LONG_VRS:
            if len(encoded) < _HEADER:
                raise BadInput("ELEMENT_TRUNCATED")
            length, value = long_length(encoded, 8)[0], position + 12
        if length != UNDEFINED:
            if value + length > self.size:
                raise BadInput("ELEMENT_TRUNCATED")
            return Element(tag, vr, position, value, value + length, value + length, False)
        if tag in PIXEL_TAGS:
            stop = end_of_fragments(self, value, self.size)
            return Element(tag, vr, position, value, stop - 8, stop, True)
        stop = self._end_of_sequence(position)
        return Element(tag, vr, position, value, stop - 8, stop, True)

    def _end_of_sequence(self, position: int) -> int:
        """Behind the delimiter of a sequence of undefined length."""
        length = _AHEAD
        while True:
            data = self._short(position, min(position + length, self.size))
            try:
                return position + element_at(data, 0, len(data), implicit=False).stop
            except BadInput:
                if position + length >= self.size:
                    raise
                length *= 4

    def _short(self, start: int, stop: int) -> bytes:
        if stop - start > _LONGEST_VALUE:
            raise BadInput("HEADER_TOO_LARGE")
        return self.read(start, stop)

    def _decoded(self, element: Element) -> str:
        return self._short(element.value, element.value_stop).strip(b" \0").decode("latin-1")


def pixel_tag(file: OwnFile) -> int:
    """Of the element that holds the pixels. Raises BadInput where none does."""
    tag = next((tag for tag in (PIXEL_DATA, *PIXEL_TAGS) if tag in file.elements), 0)
    if not tag:
        raise BadInput("PIXEL_DATA_MALFORMED")
    return tag


def _read(handle: int, start: int, stop: int) -> bytes:
    pieces = []
    while start < stop and (piece := os.pread(handle, stop - start, start)):
        pieces.append(piece)
        start += len(piece)
    if start < stop:
        raise BadInput("UNREADABLE_FILE")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _write(target: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(target, rest) :]
