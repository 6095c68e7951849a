"""Rectangles in which the detector sees text, put together: the same line seen twice, pieces of one line."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

#: Share of the smaller box from which on two are the same
_SAME = 0.5
#: Gap between pieces of a line, by its height
_GAP = 1.2
#: Degrees up to which a line is as good as level; and slenderness from which on it tells which way it runs
_TILTED, _TELLS = 10, 2.4
#: Ratio of two lines' heights up to which both are of one print
_AS_HIGH = 1.6


@dataclass(frozen=True)
class Found:
    """A rectangle of a picture, in its pixels, right and bottom outside. score: how sure the network is of it, 0 to 1.
    thickness: of the core of the line, half of its letters' height or less, also where the line is not level.
    slenderness: length of the core by its thickness, or width by height. tilt: of the core, degrees clockwise from
    level, -90 to 90."""

    left: int
    top: int
    right: int
    bottom: int
    score: float
    thickness: float = 0.0
    slenderness: float = 1.0
    tilt: float = 0.0

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def length(self) -> float:
        """Of the core."""
        return self.slenderness * self.thickness

    def clipped(self, rows: int, columns: int) -> "Found":
        sides = {"left": max(self.left, 0), "top": max(self.top, 0)}
        return replace(self, **sides, right=min(self.right, columns), bottom=min(self.bottom, rows))

    def lies_in(self, other: "Found") -> bool:
        """Wholly, but for a margin of a tenth of the other's height and 2 pixels, by which boxes are made larger."""
        margin = other.margin
        return (
            other.left - margin <= self.left
            and other.top - margin <= self.top
            and self.right <= other.right + margin
            and self.bottom <= other.bottom + margin
        )

    @property
    def margin(self) -> int:
        """Pixels by which what is blanked is larger, on each side."""
        return 2 + round(0.1 * min(self.width, self.height))

    def is_beside(self, other: "Found") -> bool:
        """Of about the other's print and no further from it than it is high, be it on its line, below or above."""
        low, high = sorted((min(self.width, self.height), min(other.width, other.height)))
        across = max(self.left, other.left) - min(self.right, other.right)
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        thin, thick = sorted((self.thickness, other.thickness))
        return high <= _AS_HIGH * low and thick <= _AS_HIGH * thin and max(across, down) <= low

    @property
    def is_tilted(self) -> bool:
        """Neither level nor upright: its rectangle holds much that is not of the line."""
        return self.slenderness >= _TELLS and _TILTED < abs(self.tilt) < 90 - _TILTED

    def turned(self, columns: int) -> "Found":
        """Of a picture of so many columns, in the one that numpy.rot90 makes of it."""
        sides = {"left": self.top, "right": self.bottom, "tilt": _quarter(self.tilt)}
        return replace(self, **sides, top=columns - self.right, bottom=columns - self.left)

    def turned_back(self, columns: int) -> "Found":
        """Of a picture that numpy.rot90 has turned, in the one before, which has so many columns."""
        sides = {"left": columns - self.bottom, "right": columns - self.top, "tilt": _quarter(self.tilt)}
        return replace(self, **sides, top=self.left, bottom=self.right)


def joined(found: list[Found]) -> list[Found]:
    """Boxes of which one covers half of another, or more, become one, if their lines are about as thick: a line that
    lies in something large stays a line."""
    return _merged(found, lambda one, other: _alike(one, other) and _overlap(one, other) >= _SAME)


def in_lines(found: list[Found]) -> list[Found]:
    """Boxes of about one height that follow each other on a line become one, with what is between them: letters that
    have the ground's lightness are not seen, their neighbours are. Also of lines that run upwards, or aslant."""
    return _merged(
        found,
        lambda one, other: (
            _in_row(one, other, 0.5) or _in_row(_turned(one), _turned(other), 0.9) or _aslant(one, other)
        ),
    )


def outermost(found: list[Found]) -> list[Found]:
    """Without those that lie in another one: of boxes that all are text."""
    distinct = list(dict.fromkeys(found))
    return [one for one in distinct if not any(other is not one and _within(one, other) for other in distinct)]


def _quarter(tilt: float) -> float:
    """Turned by a quarter, either way."""
    return tilt - 90 if tilt > 0 else tilt + 90


def _within(one: Found, other: Found) -> bool:
    inside = other.left <= one.left and other.top <= one.top and one.right <= other.right and one.bottom <= other.bottom
    same = (one.left, one.top, one.right, one.bottom) == (other.left, other.top, other.right, other.bottom)
    return inside and (not same or one.score < other.score)


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
    longest = max(one, other, key=lambda piece: piece.length)
    return Found(left, top, right, bottom, surest.score, thickness, slenderness, longest.tilt)


def _alike(one: Found, other: Found) -> bool:
    return max(one.thickness, other.thickness) <= 2 * min(one.thickness, other.thickness)


def _overlap(one: Found, other: Found) -> float:
    """Share of the smaller one that the other covers."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(one.width * one.height, other.width * other.height)


def _in_row(one: Found, other: Found, squat: float) -> bool:
    """Neither is narrower than squat by its height: a piece of a line in the other direction. Short words below each
    other are broad; letters of a line that runs upwards are not."""
    low, high = sorted((one.height, other.height))
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    gap = max(one.left, other.left) - min(one.right, other.right)
    level = all(box.width >= squat * box.height and not box.is_tilted for box in (one, other))
    return level and high <= _AS_HIGH * low and shared >= 0.6 * low and gap <= _GAP * low


def _aslant(one: Found, other: Found) -> bool:
    """Both are tilted by about as much, and follow each other. A line is some three times as high as its core."""
    if not (one.is_tilted and other.is_tilted) or abs(one.tilt - other.tilt) > _TILTED:
        return False
    thin, thick = sorted((one.thickness, other.thickness))
    angle = math.radians(max(one, other, key=lambda piece: piece.length).tilt)
    right = (one.left + one.right - other.left - other.right) / 2
    down = (one.top + one.bottom - other.top - other.bottom) / 2
    along = abs(right * math.cos(angle) + down * math.sin(angle))
    beside = abs(down * math.cos(angle) - right * math.sin(angle))
    gap = along - (one.length + other.length) / 2
    return thick <= _AS_HIGH * thin and beside <= thick and gap <= 3 * _GAP * thin


def _turned(one: Found) -> Found:
    return replace(one, left=one.top, top=one.left, right=one.bottom, bottom=one.right)
