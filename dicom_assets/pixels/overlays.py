"""Overlay planes (PS3.3 C.9.2): those that are left after de-identification, as pictures, and with boxes cleared."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..deid.elements import encode
from ..errors import Refused
from .boxes import ALL_FRAMES, Box
from .layout import Layout
from .splice import Change, OwnFile

if TYPE_CHECKING:
    from pydicom import Dataset

_GROUPS = range(0x6000, 0x6100, 2)
_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FIRST_FRAME, _DATA = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051, 0x3000
_DESCRIBING = (_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FIRST_FRAME)
_MOST_BITS = 1 << 28  #: of one overlay, all its frames


class Plane(NamedTuple):
    """What an overlay draws over one frame. top, left: of its first pixel in the image's, counted from 0; negative
    where it begins outside. picture: (rows, columns), uint8, 255 where it draws."""

    frame: int
    top: int
    left: int
    picture: np.ndarray


class _Overlay(NamedTuple):
    """One group, as its elements say. row, column: of the image's pixel at which it begins, and first_frame: of the
    image's that its first is drawn over; counted from 1."""

    rows: int
    columns: int
    frames: int
    first_frame: int
    row: int
    column: int
    data: bytes

    @property
    def top(self) -> int:
        return self.row - 1

    @property
    def left(self) -> int:
        return self.column - 1

    def bits(self) -> np.ndarray:
        """(frames, rows, columns), 0 or 1. Raises Refused where there are too many or too few."""
        count = self.rows * self.columns * self.frames
        if not 0 < count <= min(_MOST_BITS, 8 * len(self.data)):
            raise Refused("OVERLAY_NOT_CLEANABLE")
        bits = np.unpackbits(np.frombuffer(self.data, np.uint8), count=count, bitorder="little")
        return bits.reshape(self.frames, self.rows, self.columns)

    def frame_of(self, number: int) -> int:
        """The image's frame that the overlay's frame `number` is drawn over; a single one over all."""
        return ALL_FRAMES if self.frames == 1 else self.first_frame - 1 + number


def overlay_planes(header: "Dataset") -> Iterator[Plane]:
    """One after the other; an overlay of a single frame once, for ALL_FRAMES. header: of one of our own files. Raises
    Refused."""
    for group in _GROUPS:
        if (group, _DATA) in header:
            told = {tag: header[group, tag].value if (group, tag) in header else None for tag in _DESCRIBING}
            overlay = _Overlay(
                *(int(told[tag] or 0) for tag in (_ROWS, _COLUMNS)),
                *(int(told[tag] or 1) for tag in (_FRAMES, _FIRST_FRAME)),
                *map(int, told[_ORIGIN] or (1, 1)),
                bytes(header[group, _DATA].value),
            )
            for number, bits in enumerate(overlay.bits()):
                if bits.any():
                    yield Plane(overlay.frame_of(number), overlay.top, overlay.left, bits * np.uint8(255))


def blanked_overlays(file: OwnFile, layout: Layout, boxes: Sequence[Box]) -> dict[int, Change]:
    """Overlay Data without what lies in a box, or outside the image, where nobody sees it."""
    changes: dict[int, Change] = {}
    for group in _GROUPS:
        tag = group << 16 | _DATA
        if tag in file.elements:
            overlay = _read(file, group << 16)
            bits = overlay.bits()
            for number, plane in enumerate(bits):
                _keep_inside(plane, -overlay.top, -overlay.left, layout)
                for box in boxes:
                    if ALL_FRAMES in (box.frame, overlay.frame_of(number)) or box.frame == overlay.frame_of(number):
                        top, left = max(box.top - overlay.top, 0), max(box.left - overlay.left, 0)
                        plane[top : max(box.bottom - overlay.top, 0), left : max(box.right - overlay.left, 0)] = 0
            cleared = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
            changes[tag] = encode(tag, file.elements[tag].vr, cleared)
    return changes


def _keep_inside(plane: np.ndarray, top: int, left: int, layout: Layout) -> None:
    """Clears what is outside the image, whose first pixel is at top, left of the plane."""
    plane[: max(top, 0)] = plane[max(top + layout.rows, 0) :] = 0
    plane[:, : max(left, 0)] = plane[:, max(left + layout.columns, 0) :] = 0


def _read(file: OwnFile, group: int) -> _Overlay:
    origin = file.value(group | _ORIGIN)
    return _Overlay(
        *(file.number(group | tag) for tag in (_ROWS, _COLUMNS)),
        *(file.number(group | tag, 1) or 1 for tag in (_FRAMES, _FIRST_FRAME)),
        *(np.frombuffer(origin, "<i2").tolist() if len(origin) == 4 else (1, 1)),
        file.value(group | _DATA),
    )
