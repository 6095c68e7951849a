"""Rectangles of an image that are blanked, and why each is."""

from collections.abc import Iterable
from dataclasses import dataclass

ALL_FRAMES = -1


@dataclass(frozen=True, order=True)
class Box:
    """Pixels from left to right and top to bottom, counted from the image's upper left one; right and bottom are the
    first that are outside. frame: counted from 0, or ALL_FRAMES. source: `detected`, `region` (outside of the
    ultrasound regions), `device <name of its rule>`, `whole` or `reviewer`."""

    left: int
    top: int
    right: int
    bottom: int
    frame: int = ALL_FRAMES
    source: str = "detected"

    @property
    def text(self) -> str:
        """`left,top,right,bottom`, then `@frame` where it is of one frame."""
        place = f"{self.left},{self.top},{self.right},{self.bottom}"
        return place if self.frame == ALL_FRAMES else f"{place}@{self.frame}"

    def within(self, rows: int, columns: int) -> "Box | None":
        """As much of it as lies in the image; None where nothing does."""
        box = Box(
            max(self.left, 0),
            max(self.top, 0),
            min(self.right, columns),
            min(self.bottom, rows),
            self.frame,
            self.source,
        )
        return box if box.left < box.right and box.top < box.bottom else None


def of_frame(boxes: Iterable[Box], frame: int) -> list[Box]:
    return [box for box in boxes if box.frame in (ALL_FRAMES, frame)]


def parse(text: str, source: str) -> Box:
    """What Box.text gives. Raises ValueError."""
    place, _, frame = text.partition("@")
    left, top, right, bottom = map(int, place.split(","))
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError
    return Box(left, top, right, bottom, int(frame) if frame else ALL_FRAMES, source)
