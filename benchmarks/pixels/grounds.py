"""Pictures without text, as they are shown: float32 (rows, columns), 0 to 1. Anatomy of phantoms, ultrasound, noise,
and what a detector may take for letters: rulers, grids, electrodes, clips, bone edges."""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

from dicom_assets.demo.anatomy import volume
from dicom_assets.demo.projections import chest_radiograph, hand_radiograph, ultrasound_sector

Random = np.random.Generator
#: Files that pydicom ships and that show no text: CT, NM, MR
REAL = ("CT_small.dcm", "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "JPGExtended.dcm", "examples_overlay.dcm")


def black(rng: Random, size: int) -> np.ndarray:
    return np.full((size, size), rng.choice([0.0, 0.0, 0.04, 0.09]), np.float32)


def white(rng: Random, size: int) -> np.ndarray:
    return np.full((size, size), rng.choice([1.0, 0.95, 0.88]), np.float32)


def gradient(rng: Random, size: int) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    turn = rng.uniform(0, 2 * np.pi)
    slope = x * np.cos(turn) + y * np.sin(turn)
    return (slope - slope.min()) / np.ptp(slope)


def grain(rng: Random, size: int) -> np.ndarray:
    """Normal noise about a grey."""
    return _shown(rng.normal(rng.uniform(0.15, 0.6), rng.choice([0.03, 0.06, 0.1]), (size, size)))


def speckle(rng: Random, size: int) -> np.ndarray:
    """Rayleigh noise with a grain of some pixels, as in ultrasound."""
    step = int(rng.integers(1, 4))
    coarse = rng.rayleigh(0.22, (size // step + 1, size // step + 1)).astype(np.float32)
    return _shown(_sized(coarse, size))


def ct(rng: Random, size: int) -> np.ndarray:
    centre, width = [(40, 400), (-600, 1500), (300, 1800)][rng.integers(3)]
    return _shown((_slice("chest", rng, size) - centre) / width + 0.5)


def mr(rng: Random, size: int) -> np.ndarray:
    return _shown(_slice(str(rng.choice(["T1", "T2"])), rng, size) / 1000)


def pet(rng: Random, size: int) -> np.ndarray:
    return _shown(1 - _slice("tracer", rng, size) / 8000)


def chest(rng: Random, size: int) -> np.ndarray:
    picture = _sized(chest_radiograph(int(rng.integers(6)), 512), size)
    return _shown(picture + rng.normal(0, 0.01, picture.shape))


def hand(rng: Random, size: int) -> np.ndarray:
    picture = _sized(hand_radiograph(int(rng.integers(6)), 512), size)
    return _shown(picture + rng.normal(0, 0.008, picture.shape))


def ultrasound(rng: Random, size: int) -> np.ndarray:
    return ultrasound_sector(int(rng.integers(40)), size, size, rng.random()).astype(np.float32) / 255


def real(rng: Random, size: int) -> np.ndarray:
    return _sized(_file(str(rng.choice(REAL))), size)


def grid(rng: Random, size: int) -> np.ndarray:
    picture, step = black(rng, size), int(rng.integers(12, 80))
    picture[::step] = picture[:, ::step] = rng.uniform(0.3, 1)
    return picture


def ruler(rng: Random, size: int) -> np.ndarray:
    """Ticks along an edge of an ultrasound image, without numbers, and a bar of greys."""
    picture, step = ultrasound(rng, size).copy(), int(rng.integers(6, 20))
    for number, y in enumerate(range(10, size - 10, step)):
        picture[y, size - (14 if number % 5 == 0 else 8) : size - 3] = 0.8
    picture[size // 8 : size // 2, 6 : 6 + size // 40] = np.linspace(1, 0, size // 2 - size // 8)[:, None]
    return picture


def line_pairs(rng: Random, size: int) -> np.ndarray:
    """A phantom's groups of bars and its step wedge."""
    picture, left = np.full((size, size), 0.2, np.float32), 20
    for width in (8, 6, 4, 3, 2):
        for bar in range(4):
            start = left + bar * 2 * width
            picture[size // 4 : size // 3, start : start + width] = 0.9
        left += 8 * width + 12
    steps = np.repeat(np.linspace(0, 1, 10), size // 12)
    picture[size // 2 : size // 2 + size // 10, 20 : 20 + len(steps)] = steps
    return _shown(picture + rng.normal(0, 0.02, picture.shape))


def leads(rng: Random, size: int) -> np.ndarray:
    """A chest with catheters, electrodes, clips, staples and a pacemaker."""
    image = Image.fromarray(chest(rng, size))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 6))):
        at = rng.uniform(0.1, 0.9, 2) * size
        bend, line = rng.uniform(-0.5, 0.5, 2), []
        turn = rng.uniform(0, 2 * np.pi)
        for _ in range(60):
            turn += rng.normal(0, 0.12) + bend[0] * 0.05
            at = at + np.array([np.cos(turn), np.sin(turn)]) * size / 90
            line.append(tuple(at))
        pen.line(line, fill=0.97, width=max(1, size // 300))
    for _ in range(int(rng.integers(3, 9))):
        x, y, r = rng.uniform(0.1, 0.9) * size, rng.uniform(0.1, 0.9) * size, size / rng.uniform(40, 80)
        pen.ellipse((x - r, y - r, x + r, y + r), outline=1.0, width=2)
        pen.ellipse((x - r / 3, y - r / 3, x + r / 3, y + r / 3), fill=1.0)
    x, y = rng.uniform(0.2, 0.7, 2) * size
    for clip in range(int(rng.integers(3, 8))):  # a row of staples
        pen.line((x, y + clip * size / 50, x + size / 60, y + clip * size / 50), fill=1.0, width=2)
    x, y, side = rng.uniform(0.55, 0.7) * size, rng.uniform(0.15, 0.3) * size, size / 7
    pen.rounded_rectangle((x, y, x + side, y + side * 0.8), side / 4, fill=0.92, outline=1.0)
    return _shown(np.asarray(image))


def edges(rng: Random, size: int) -> np.ndarray:
    """A hand behind the shutters of a collimator, with the frame of a detector."""
    picture = hand(rng, size).copy()
    cut = (rng.uniform(0.03, 0.15, 4) * size).astype(int) + 1
    picture[: cut[0]] = picture[-cut[1] :] = picture[:, : cut[2]] = picture[:, -cut[3] :] = rng.choice([0.0, 1.0])
    return picture


def screen(rng: Random, size: int) -> np.ndarray:
    """Windows of a workstation with slices in them, icons without words."""
    picture, half = np.full((size, size), 0.12, np.float32), size // 2
    for y in (0, half):
        for x in (0, half):
            picture[y + 4 : y + half - 4, x + 4 : x + half - 4] = _sized(
                [ct, mr, pet][rng.integers(3)](rng, 256), half - 8
            )
    for at in range(5):
        picture[8:24, 10 + at * 26 : 26 + at * 26] = rng.uniform(0.3, 0.8)
    return picture


CLEAN: tuple[Callable[[Random, int], np.ndarray], ...] = (
    *(ct, mr, pet, chest, hand, ultrasound, real, grain, speckle, gradient),
    *(grid, ruler, line_pairs, leads, edges, screen),
)
ANATOMY = (ct, mr, pet, chest, hand, ultrasound, real, edges)
NOISE = (grain, speckle, gradient)


def _slice(body: str, rng: Random, size: int) -> np.ndarray:
    planes = volume(body, int(rng.integers(3)), 16, 256, 256)
    return _sized(planes[int(rng.integers(len(planes)))], size)


@cache
def _file(name: str) -> np.ndarray:
    data_set = dcmread(get_testdata_file(name, download=False))
    picture = apply_voi_lut(apply_modality_lut(pixel_array(data_set), data_set), data_set).astype(np.float32)
    picture = picture.mean(axis=-1) if picture.ndim == 3 else picture
    low, high = np.percentile(picture, (0.5, 99.5))
    return _shown((picture - low) / max(high - low, 1))


def _sized(picture: np.ndarray, size: int) -> np.ndarray:
    image = Image.fromarray(picture.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _shown(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0, 1).astype(np.float32)
