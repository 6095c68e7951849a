"""Frames with text and without, each made from the seed and its number alone."""

import random
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from benchmarks.pixels import grounds
from benchmarks.pixels.layouts import COLOUR, GREY, WINDOWS, stored
from benchmarks.pixels.planting import Planted, Wish, plant, turns, wish

SEED = 20250611
#: What a frame with text shows; the first ones are the most frequent in practice
ROWS = (
    *("white on black", "black on white", "white over anatomy", "white over anatomy", "black over anatomy"),
    *("on noise", "coloured on colour", "in a box over anatomy", "faint", "half transparent over anatomy"),
    *("rotated", "window", "loop, on all frames", "loop, on one frame", "white on black", "on a screen"),
)
_SIZES = (256, 320, 384, 480, 512, 512, 600, 640, 768, 1024)
_LARGE = 2048  #: one of forty
_LOOP = 9  #: frames
_COLOURS = (
    *((1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0.5, 0), (1, 0, 1), (1, 1, 1), (0.3, 0.5, 1)),
    *((0, 0, 0.6), (0.2, 0.2, 0.5), (0.4, 0, 0), (0, 0.35, 0.2), (0.5, 0.5, 0.5), (0, 0, 0)),
)


@dataclass
class Frame:
    """As pixels.found reads a file: frame(i) as stored. row: of ROWS, or `clean: ` and the ground's name. only: the one
    frame that shows the text; None: all do. shown: float32 (frames, rows, columns, 3), as a person sees them."""

    number: int
    row: str
    layout: str
    values: np.ndarray
    header: Dataset
    shown: np.ndarray
    planted: list[Planted] = field(default_factory=list)
    only: int | None = None

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def rows(self) -> int:
        return self.values.shape[1]

    @property
    def columns(self) -> int:
        return self.values.shape[2]

    @property
    def samples(self) -> int:
        return self.values.shape[3] if self.values.ndim == 4 else 1

    def frame(self, number: int) -> np.ndarray:
        return self.values[number]


def with_text(number: int, seed: int = SEED) -> Frame:
    """One to four strings in the frame of this number; they are of one row of the table."""
    rng = random.Random(f"{seed} text {number}")
    numbers = np.random.default_rng([seed, number])
    row = ROWS[number % len(ROWS)]
    size = _LARGE if number % 40 == 7 else rng.choice(_SIZES)
    frames = _LOOP if row.startswith("loop") else 1
    size = min(size, 512) if frames > 1 else size
    while True:
        shown = _ground(row, size, frames, rng, numbers)
        only = rng.randrange(frames) if row == "loop, on one frame" else None
        at = only or 0
        planted = plant(shown[at], _wishes(row, rng), rng)
        if planted:
            break
    if only is None and frames > 1:
        shown = _on_all(shown, planted)
    layout = _layout(row, rng)
    values, header = stored(shown, layout, rng)
    return Frame(number, row, layout, values, header, shown, planted, only)


def clean(number: int, seed: int = SEED) -> Frame:
    """No text; the grounds by turns."""
    rng, numbers = random.Random(f"{seed} clean {number}"), np.random.default_rng([seed, number, 1])
    ground = grounds.CLEAN[number % len(grounds.CLEAN)]
    size = _LARGE if number % 40 == 7 else rng.choice(_SIZES)
    picture = _cut(ground(numbers, size), rng)
    shown = np.repeat(picture[None, :, :, None], 3, axis=3)
    layout = rng.choice([*GREY, "RGB"])
    values, header = stored(shown, layout, rng)
    return Frame(number, f"clean: {ground.__name__.replace('_', ' ')}", layout, values, header, shown)


def _ground(row: str, size: int, frames: int, rng: random.Random, numbers: np.random.Generator) -> np.ndarray:
    """float32 (frames, rows, columns, 3), to be written to."""
    if row == "coloured on colour":
        picture = np.empty((size * 3 // 4, size, 3), np.float32)
        picture[:] = rng.choice(_COLOURS)
        return picture[None]
    if frames > 1:
        beats = [grounds.ultrasound_sector(numbers.integers(9), size, size, at / frames) for at in range(frames)]
        return np.repeat(np.stack(beats).astype(np.float32)[..., None] / 255, 3, axis=3)
    among = {
        "white on black": [grounds.black],
        "faint": [grounds.black, grounds.white, *grounds.ANATOMY],
        "black on white": [grounds.white],
        "on noise": grounds.NOISE,
        "rotated": [grounds.black, grounds.white, grounds.chest, grounds.mr],
        "on a screen": [grounds.screen, grounds.ruler, grounds.leads],
    }.get(row, grounds.ANATOMY)
    picture = _cut(rng.choice(among)(numbers, size), rng)
    return np.repeat(picture[None, :, :, None], 3, axis=3)


def _cut(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    return picture[: int(len(picture) * rng.choice([1, 1, 0.75, 0.9]))]


def _wishes(row: str, rng: random.Random) -> list[Wish]:
    wishes = []
    for _ in range(rng.choice([1, 2, 2, 3, 4])):
        given: dict = {}
        light = rng.choice([1.0, 1.0, 0.85, 0.7])
        ink = (light,) * 3
        if row in ("black on white", "black over anatomy"):
            ink = (rng.choice([0.0, 0.0, 0.15]),) * 3
        elif row in ("on noise", "rotated", "on a screen"):
            ink = (rng.choice([0.0, 1.0, 1.0, 0.8]),) * 3
        elif row == "faint":
            ink = (rng.choice([0.08, 0.15, 0.2, 0.3, 0.8, 0.9]),) * 3
        elif row == "coloured on colour":
            ink = rng.choice(_COLOURS)
        elif row == "in a box over anatomy":
            dark, bright = (rng.uniform(0, 0.25),) * 3, (rng.uniform(0.7, 1),) * 3
            ink, given["box"] = rng.choice([(dark, bright), (bright, dark), (bright, (0, 0, 0.5))])
        elif row == "half transparent over anatomy":
            given["opacity"] = rng.choice([0.4, 0.55, 0.7])
        elif row == "window":
            ink, given["box"] = (1.0,) * 3, (0.7,) * 3
        if row == "rotated":
            given["angle"] = turns(rng)
        wishes.append(wish(rng, ink, **given))
    return wishes


def _on_all(shown: np.ndarray, planted: list[Planted]) -> np.ndarray:
    """What was set into the first frame, with its ink's edges, in all of them."""
    for one in planted:
        rows, columns = np.s_[one.top : one.top + one.ink.shape[0]], np.s_[one.left : one.left + one.ink.shape[1]]
        shown[1:, rows, columns][:, one.ink] = shown[0, rows, columns][one.ink]
    return shown


def _layout(row: str, rng: random.Random) -> str:
    if row == "window":
        return rng.choice(WINDOWS)
    if row in ("coloured on colour", "on a screen"):
        return rng.choice(COLOUR)
    return rng.choice([*GREY, *GREY, *COLOUR] if not row.startswith("loop") else ["8 bit", *COLOUR])
