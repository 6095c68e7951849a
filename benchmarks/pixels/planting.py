"""Text set into pictures, with its ink and how hard it is to read."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.pixels.faces import BITMAPS, EAST_ASIAN, LATIN, turned
from benchmarks.pixels.texts import EAST_ASIAN as EAST_ASIAN_SCRIPTS
from benchmarks.pixels.texts import KINDS, SCRIPTS, text_of

#: What a person reads without effort, of 256 grey levels: the ink differs from what is around it by at least this ...
CONTRAST = 40
#: ... and by so many standard deviations of what is around it (Rose's criterion for certain detection is 3 to 5)
CONTRAST_TO_NOISE = 3.0
#: ... and the letters are so tall, pixels of the em; the strokes of East Asian letters merge below
SMALLEST = {"Chinese": 14, "Japanese": 14, "Korean": 14}
_SIZES = (10, 11, 12, 13, 14, 16, 18, 20, 24, 28, 32, 40, 48, 60)
_ANGLES = (5, -5, 20, -20, 45, -45, 70, 90, 180, 270)
_GAP = 6  #: pixels between two strings, at least


@dataclass(frozen=True)
class Wish:
    """One string to be. kind: of texts.text_of. size: pixels of the em. angle: degrees. ink, box: red, green, blue, 0
    to 1; no box: on what is there. opacity: of the ink, 0 to 1."""

    kind: str
    script: str
    size: int
    angle: int
    ink: tuple[float, float, float]
    box: tuple[float, float, float] | None = None
    opacity: float = 1.0


@dataclass(frozen=True)
class Planted:
    """top, left: of ink, bool (rows, columns), where the text covers at least a third of a pixel. contrast: of 256;
    contrast_to_noise: in standard deviations; both of the quarter of the string that is worst."""

    wish: Wish
    face: str
    text: str
    top: int
    left: int
    ink: np.ndarray
    contrast: float
    contrast_to_noise: float

    @property
    def is_easy(self) -> bool:
        """Whether a person reads it without effort."""
        return (
            self.contrast >= CONTRAST
            and self.contrast_to_noise >= CONTRAST_TO_NOISE
            and self.wish.size >= SMALLEST.get(self.wish.script, 10)
            and self.wish.kind != "marker"
        )


def wish(rng: random.Random, ink: tuple[float, float, float], **given) -> Wish:
    """One of all kinds, most of them upright; what is given is as given."""
    asked = {
        "kind": rng.choice([*KINDS, *KINDS, "short", "marker"]),
        "script": rng.choice([*SCRIPTS, "Latin", "Latin", "Latin"]),
        "size": rng.choice(_SIZES),
        "angle": 0,
        "ink": ink,
        **given,
    }
    return Wish(**asked)


def turns(rng: random.Random) -> int:
    return rng.choice(_ANGLES)


def plant(picture: np.ndarray, wished: Sequence[Wish], rng: random.Random) -> list[Planted]:
    """Set them into picture, float32 (rows, columns, 3), corners and edges first; such as do not fit are left out."""
    taken = np.zeros(picture.shape[:2], bool)
    planted = []
    for one in wished:
        faces = EAST_ASIAN if one.script in EAST_ASIAN_SCRIPTS else LATIN
        if one.script == "Latin" and rng.random() < 0.25:
            faces = BITMAPS
        face, text = rng.choice(faces), text_of(one.kind, one.script, rng)
        ink = turned(face.ink(text, one.size), one.angle)
        place = _place(taken, ink.shape, rng)
        if place is not None:
            planted.append(_set(picture, taken, one, face.name, text, ink, place))
    return planted


def _place(taken: np.ndarray, shape: tuple[int, int], rng: random.Random) -> tuple[int, int] | None:
    """top, left of a free place: a corner, an edge or anywhere; None where none was seen."""
    down, across = taken.shape[0] - shape[0], taken.shape[1] - shape[1]
    if down < 2 or across < 2:
        return None
    for _ in range(40):
        top, left = rng.randint(1, down - 1), rng.randint(1, across - 1)
        if rng.random() < 0.5:
            top = rng.choice([1, 4, down - 1, down - 4])
        if rng.random() < 0.5:
            left = rng.choice([1, 4, across - 1, across - 4])
        top, left = min(max(top, 0), down), min(max(left, 0), across)
        around = np.s_[max(0, top - _GAP) : top + shape[0] + _GAP, max(0, left - _GAP) : left + shape[1] + _GAP]
        if not taken[around].any():
            return top, left
    return None


def _set(
    picture: np.ndarray, taken: np.ndarray, one: Wish, face: str, text: str, ink: np.ndarray, place: tuple[int, int]
) -> Planted:
    top, left = place
    here = np.s_[top : top + ink.shape[0], left : left + ink.shape[1]]
    if one.box is not None:
        picture[max(0, top - 3) : top + ink.shape[0] + 3, max(0, left - 3) : left + ink.shape[1] + 3] = one.box
    cover = (ink * one.opacity)[:, :, None]
    picture[here] = picture[here] * (1 - cover) + np.array(one.ink, np.float32) * cover
    taken[here] = True
    drawn = ink >= 1 / 3
    return Planted(one, face, text, top, left, drawn, *_legibility(picture, drawn, ink, top, left))


def _legibility(picture: np.ndarray, drawn: np.ndarray, ink: np.ndarray, top: int, left: int) -> tuple[float, float]:
    """Contrast and contrast to noise between the strokes and what is within 3 pixels of them, in the lightness and in
    each colour, whichever is the best; of the string's quarters (along its longer side) the worst."""
    around = np.pad(ink, 3)
    canvas = np.zeros((*around.shape, 3), np.float32)
    rows, columns = (
        np.clip(np.arange(-3, ink.shape[0] + 3) + top, 0, picture.shape[0] - 1),
        np.clip(np.arange(-3, ink.shape[1] + 3) + left, 0, picture.shape[1] - 1),
    )
    canvas = picture[np.ix_(rows, columns)] * 255
    strokes = np.pad(drawn, 3) & (around > 0.7 * ink.max())
    near = _grown(np.pad(drawn, 3), 3) & (around < 0.05)
    planes = [canvas @ np.array([0.299, 0.587, 0.114], np.float32), *(canvas[..., colour] for colour in range(3))]
    parts = np.array_split(np.arange(canvas.shape[1]), 4)
    if canvas.shape[0] > canvas.shape[1]:
        planes, strokes, near = [plane.T for plane in planes], strokes.T, near.T
        parts = np.array_split(np.arange(canvas.shape[0]), 4)
    measured = [_of_part(planes, strokes, near, part) for part in parts]
    measured = [one for one in measured if one is not None] or [(0.0, 0.0)]
    return min(measured)


def _of_part(
    planes: list[np.ndarray], strokes: np.ndarray, near: np.ndarray, part: np.ndarray
) -> tuple[float, float] | None:
    """None where the part has no strokes, as between two words."""
    inside, outside = strokes[:, part], near[:, part]
    if inside.sum() < 4 or outside.sum() < 4:
        return None
    best = (0.0, 0.0)
    for at, plane in enumerate(planes):
        difference = abs(plane[:, part][inside].mean() - plane[:, part][outside].mean())
        noise = max(plane[:, part][outside].std(), 1.0)
        weight = 1 if at == 0 else 0.5  # a colour alone is read less well than lightness
        best = max(best, (float(difference * weight), float(difference / noise)))
    return best


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """By so many pixels in each direction."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * by + 1))) > 0
