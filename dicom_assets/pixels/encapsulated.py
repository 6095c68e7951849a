"""Encapsulated pixel data, PS3.5 A.4: which fragments make a frame, and frames written with their offset tables."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..deid.elements import PIXEL_DATA, encode, fragments, header
from ..errors import BadInput, Refused
from .splice import Change, OwnFile

_OFFSETS, _LENGTHS, _TOTAL_LENGTH = 0x7FE00001, 0x7FE00002, 0x7FE00003
_UNDEFINED = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
_LARGEST_OFFSET = 0xFFFFFFFF  #: of a Basic Offset Table, which has 32 bits
#: What code streams begin with: SOI of JPEG and JPEG-LS, SOC of JPEG 2000, or the box in which it stands
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")


class Frames:
    """The frames of a file as they are encoded. Raises BadInput where nobody can tell which fragments make which."""

    def __init__(self, file: OwnFile, count: int) -> None:
        """count: Number of Frames."""
        element = file.elements.get(PIXEL_DATA)
        if element is None or not element.undefined:
            raise BadInput("PIXEL_DATA_MALFORMED")
        self.file, self.count = file, count
        self._starts, self._stops = array("Q"), array("Q")
        found = fragments(file, element.value, file.size)
        self._table = next(found, (0, 0))
        for start, stop in found:
            self._starts.append(start)
            self._stops.append(stop)
        self._firsts = self._first_fragments()

    @property
    def has_basic_table(self) -> bool:
        return self._table[1] > self._table[0]

    @property
    def are_single(self) -> bool:
        """Each is one fragment."""
        return len(self._starts) == self.count

    def extents(self, frame: int) -> list[tuple[int, int]]:
        """Begin and end of each of its fragments in the file."""
        numbers = range(self._firsts[frame], self._firsts[frame + 1])
        return [(self._starts[number], self._stops[number]) for number in numbers]

    def read(self, frame: int) -> bytes:
        """Its fragments one behind the other, padding included."""
        return b"".join(self.file.read(*extent) for extent in self.extents(frame))

    def _first_fragments(self) -> array:
        """The number of the first fragment of each frame, and of the one behind the last."""
        number = len(self._starts)
        if number == self.count:
            return array("Q", range(number + 1))
        if self.count == 1 and number:
            return array("Q", (0, number))
        for firsts in (self._by_table(), self._by_beginnings()):
            if len(firsts) == self.count and firsts[0] == 0:
                return array("Q", (*firsts, number))
        raise BadInput("PIXEL_DATA_MALFORMED")

    def _by_table(self) -> list[int]:
        """Empty where there is no Basic Offset Table, or one that points between fragments."""
        encoded = self.file.read(*self._table)
        table = array("I", encoded[: len(encoded) // 4 * 4])
        firsts, begin = [], self._table[1]
        for offset in table:
            start = begin + offset + 8
            at = bisect_left(self._starts, start)
            if at == len(self._starts) or self._starts[at] != start or (firsts and at <= firsts[-1]):
                return []
            firsts.append(at)
        return firsts

    def _by_beginnings(self) -> list[int]:
        starts = enumerate(self._starts)
        return [at for at, start in starts if self.file.read(start, start + 12).startswith(_BEGINNINGS)]


def write_frames(
    frames: Frames, target: Path, changes: Mapping[int, Change], changed: Callable[[int], bytes | None]
) -> None:
    """The file with other frames. changed: a frame's number -> its new encoding; None: it goes over byte for byte.
    changes: of other elements, see OwnFile.write. Offset tables are written in step."""
    file, offsets, lengths, size = frames.file, array("Q"), array("Q"), 0
    basic = frames.has_basic_table or (frames.count > 1 and not frames.are_single)  # else a reader has to guess
    extended = _OFFSETS in file.elements and frames.are_single

    def pieces() -> Iterator[bytes]:
        nonlocal size
        yield header(PIXEL_DATA, "OB", _UNDEFINED)
        yield _ITEM + (4 * frames.count * basic).to_bytes(4, "little") + bytes(4 * frames.count * basic)
        for number in range(frames.count):
            offsets.append(size)
            new = changed(number)
            if new is None:
                fragments_of = (file.read(*extent) for extent in frames.extents(number))
            else:
                fragments_of = iter((new + b"\0" * (len(new) % 2),))
            for fragment in fragments_of:
                yield _ITEM + len(fragment).to_bytes(4, "little") + fragment
                size += 8 + len(fragment)
            lengths.append(size - offsets[-1] - 8)
        yield _SEQUENCE_END

    own: dict[int, Change] = {**changes, _TOTAL_LENGTH: None, _OFFSETS: None, _LENGTHS: None, PIXEL_DATA: pieces()}
    if extended:
        own |= {tag: encode(tag, "OV", bytes(8 * frames.count)) for tag in (_OFFSETS, _LENGTHS)}
    file.write(target, own)
    _fill_tables(target, offsets if basic else None, (offsets, lengths) if extended else None)


def _fill_tables(target: Path, basic: array | None, extended: tuple[array, array] | None) -> None:
    """Where the frames went is known when they are written."""
    if basic and basic[-1] > _LARGEST_OFFSET:
        raise Refused("PIXELS_TOO_LARGE")
    if not (basic or extended):
        return
    with OwnFile(target) as written:
        places = {tag: written.elements[tag].value for tag in (_OFFSETS, _LENGTHS) if tag in written.elements}
        table = written.elements[PIXEL_DATA].value + 8
    with target.open("r+b", buffering=0) as out:
        if basic:
            os.pwrite(out.fileno(), array("I", basic).tobytes(), table)
        for place, values in zip(places.values(), extended or (), strict=bool(extended)):
            os.pwrite(out.fileno(), values.tobytes(), place)
