"""Rectangles in which the detector sees text, put together: the same line seen twice, pieces of one line."""

from collections.abc import Callable
from dataclasses import dataclass, replace

#: Share of the smaller box from which on two are the same
_SAME = 0.5
#: Gap between pieces of a line, by its height
_GAP = 1.2


@dataclass(frozen=True)
class Found:
    """A rectangle of a picture, in its pixels, right and bottom outside. score: how sure the network is of it, 0 to 1.
    thickness: of the core of the line, half of its letters' height or less, also where the line is not level.
    slenderness: length of the core by its thickness, or width by height."""

    left: int
    top: int
    right: int
    bottom: int
    score: float
    thickness: float = 0.0
    slenderness: float = 1.0

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def clipped(self, rows: int, columns: int) -> "Found":
        sides = {"left": max(self.left, 0), "top": max(self.top, 0)}
        return replace(self, **sides, right=min(self.right, columns), bottom=min(self.bottom, rows))

    def turned_back(self, columns: int) -> "Found":
        """Of a picture that numpy.rot90 has turned, in the one before, which has so many columns."""
        sides = {"left": columns - self.bottom, "right": columns - self.top}
        return replace(self, **sides, top=self.left, bottom=self.right)


def joined(found: list[Found]) -> list[Found]:
    """Boxes of which one covers half of another, or more, become one, if their lines are about as thick: a line that
    lies in something large stays a line."""
    return _merged(found, lambda one, other: _alike(one, other) and _overlap(one, other) >= _SAME)


def in_lines(found: list[Found]) -> list[Found]:
    """Boxes of about one height that follow each other on a line become one, with what is between them: letters that
    have the ground's lightness are not seen, their neighbours are. Also of lines that run upwards."""
    return _merged(found, lambda one, other: _in_row(one, other) or _in_row(_turned(one), _turned(other)))


def _merged(found: list[Found], together: Callable[[Found, Found], bool]) -> list[Found]:
    waiting, kept = list(found), []
    while waiting:
        one = waiting.pop()
        partner = next((other for other in waiting if together(one, other)), None)
        if partner is None:
            kept.append(one)
            continue
        waiting.remove(partner)
        waiting.append(_round(one, partner))
    return sorted(kept, key=lambda one: (one.top, one.left))


def _round(one: Found, other: Found) -> Found:
    left, top = min(one.left, other.left), min(one.top, other.top)
    right, bottom = max(one.right, other.right), max(one.bottom, other.bottom)
    width, height = right - left, bottom - top
    surest = max(one, other, key=lambda piece: (piece.score, piece.slenderness))
    slenderness = max(surest.slenderness, width / height, height / width)
    thickness = max(one.thickness, other.thickness)
    return Found(left, top, right, bottom, surest.score, thickness, slenderness)


def _alike(one: Found, other: Found) -> bool:
    return max(one.thickness, other.thickness) <= 2 * min(one.thickness, other.thickness)


def _overlap(one: Found, other: Found) -> float:
    """Share of the smaller one that the other covers."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(one.width * one.height, other.width * other.height)


def _in_row(one: Found, other: Found) -> bool:
    """Neither is a piece of a line that runs upwards."""
    low, high = sorted((one.height, other.height))
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    gap = max(one.left, other.left) - min(one.right, other.right)
    level = all(2 * box.width >= box.height for box in (one, other))
    return level and high <= 1.6 * low and shared >= 0.6 * low and gap <= _GAP * low


def _turned(one: Found) -> Found:
    return replace(one, left=one.top, top=one.left, right=one.bottom, bottom=one.right)
