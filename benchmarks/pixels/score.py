"""What was found of what was planted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.pixels.frames import Frame
from benchmarks.pixels.planting import Planted
from dicom_assets.pixels.boxes import ALL_FRAMES, Box

#: A string is found if boxes hold so much of its ink
FOUND = 0.9


@dataclass(frozen=True)
class Seen:
    """One string: what it was, and the share of its ink that boxes hold."""

    frame: int
    row: str
    layout: str
    rows: int
    string: Planted
    held: float

    @property
    def is_found(self) -> bool:
        return self.held >= FOUND


@dataclass(frozen=True)
class Looked:
    """One frame, and what was found in it."""

    number: int
    row: str
    layout: str
    seconds: float
    boxes: tuple[Box, ...]
    seen: tuple[Seen, ...]


def score(frame: Frame, boxes: Sequence[Box], seconds: float) -> Looked:
    shown = [box for box in boxes if box.frame in (ALL_FRAMES, frame.only or 0)]
    covered = np.zeros((frame.rows, frame.columns), bool)
    for box in shown:
        covered[box.top : box.bottom, box.left : box.right] = True
    seen = []
    for one in frame.planted:
        here = covered[one.top : one.top + one.ink.shape[0], one.left : one.left + one.ink.shape[1]]
        held = float(here[one.ink].mean())
        seen.append(Seen(frame.number, frame.row, frame.layout, frame.rows, one, held))
    return Looked(frame.number, frame.row, frame.layout, seconds, tuple(boxes), tuple(seen))
