"""Phantom volumes: bodies made of soft-edged ellipsoids, painted slice by slice. Deterministic for a variant number.

Coordinates run from -1 to 1 over the volume: z from feet to head, y from front to back, x from the patient's right to
left.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Ellipsoid:
    centre: tuple[float, float, float]  #: z, y, x
    radii: tuple[float, float, float]  #: z, y, x
    value: float


def chest(variant: int) -> list[Ellipsoid]:
    """Values in HU. Later ones cover earlier ones."""
    parts = [
        Ellipsoid((0, 0, 0), (9, 0.66, 0.92), -95),
        Ellipsoid((0, 0, 0), (9, 0.60, 0.85), 45),
        Ellipsoid((0.15, -0.02, -0.42), (0.95, 0.46, 0.33), -860),
        Ellipsoid((0.15, -0.02, 0.42), (0.95, 0.46, 0.33), -850),
        Ellipsoid((-1.05, -0.02, -0.38), (0.62, 0.44, 0.42), 108),
        Ellipsoid((-1.1, 0.12, 0.52), (0.5, 0.25, 0.2), 120),
        *_lung_vessels(variant),
        Ellipsoid((-0.1, -0.14, 0.10), (0.48, 0.28, 0.29), 60),
        Ellipsoid((-0.12, -0.14, 0.16), (0.32, 0.17, 0.15), 190),
        Ellipsoid((0.45, 0.02, 0.0), (0.28, 0.08, 0.16), 230),
        Ellipsoid((0, 0.24, 0.10), (9, 0.075, 0.07), 240),
        Ellipsoid((0.7, 0.02, 0.0), (0.6, 0.05, 0.06), -980),
        Ellipsoid((0, 0.42, 0), (9, 0.13, 0.13), 420),
        Ellipsoid((0, 0.42, 0), (9, 0.105, 0.105), 190),
        Ellipsoid((0, 0.52, 0), (9, 0.045, 0.05), 25),
        Ellipsoid((0, 0.60, 0), (9, 0.05, 0.025), 380),
        Ellipsoid((0.1, -0.57, 0), (0.7, 0.03, 0.09), 360),
        *_ribs(),
        Ellipsoid((0.2, 0.08, -0.5), (0.07, 0.045, 0.045), 55),
    ]
    return [parts[0], *_jittered(parts[1:], variant)]


def head(variant: int, weighting: str) -> list[Ellipsoid]:
    """weighting: T1 or T2. Values in arbitrary units to about 1000."""
    scalp, skull, fluid, grey, white = {"T1": (850, 60, 120, 430, 620), "T2": (600, 50, 980, 560, 400)}[weighting]
    parts = [
        Ellipsoid((0, 0, 0), (1.15, 0.90, 0.74), scalp),
        Ellipsoid((0, 0, 0), (1.09, 0.85, 0.69), skull),
        Ellipsoid((0, 0, 0), (1.02, 0.80, 0.64), fluid),
        Ellipsoid((0.02, 0, 0), (0.97, 0.76, 0.60), grey),
        Ellipsoid((0.02, 0, -0.29), (0.80, 0.64, 0.24), white),
        Ellipsoid((0.02, 0, 0.29), (0.80, 0.64, 0.24), white),
        Ellipsoid((0.3, 0, 0), (0.8, 0.78, 0.012), fluid),
        Ellipsoid((0.1, -0.12, -0.10), (0.34, 0.30, 0.06), fluid),
        Ellipsoid((0.1, -0.12, 0.10), (0.34, 0.30, 0.06), fluid),
        Ellipsoid((0.1, 0.28, -0.20), (0.26, 0.20, 0.06), fluid),
        Ellipsoid((0.1, 0.28, 0.20), (0.26, 0.20, 0.06), fluid),
        Ellipsoid((0.0, 0.06, -0.20), (0.22, 0.15, 0.09), grey),
        Ellipsoid((0.0, 0.06, 0.20), (0.22, 0.15, 0.09), grey),
        Ellipsoid((-0.65, -0.72, -0.30), (0.2, 0.14, 0.14), fluid),
        Ellipsoid((-0.65, -0.72, 0.30), (0.2, 0.14, 0.14), fluid),
    ]
    return [parts[0], *_jittered(parts[1:], variant)]


def tracer(variant: int) -> list[Ellipsoid]:
    """Values as uptake (SUV times 1000)."""
    parts = [
        Ellipsoid((0, 0, 0), (9, 0.60, 0.85), 700),
        Ellipsoid((0.15, -0.02, -0.42), (0.95, 0.46, 0.33), 300),
        Ellipsoid((0.15, -0.02, 0.42), (0.95, 0.46, 0.33), 300),
        Ellipsoid((-1.05, -0.02, -0.38), (0.62, 0.44, 0.42), 2100),
        Ellipsoid((-0.1, -0.14, 0.14), (0.42, 0.24, 0.24), 5200),
        Ellipsoid((-0.1, -0.14, 0.14), (0.30, 0.13, 0.13), 1500),
        Ellipsoid((-0.8, 0.25, -0.40), (0.25, 0.12, 0.10), 6800),
        Ellipsoid((-0.8, 0.25, 0.40), (0.25, 0.12, 0.10), 6800),
        Ellipsoid((0, 0.42, 0), (9, 0.12, 0.12), 1200),
        Ellipsoid((0.2, 0.08, -0.5), (0.14, 0.08, 0.08), 9500),
        Ellipsoid((0.55, -0.1, 0.18), (0.10, 0.06, 0.06), 7400),
    ]
    return _jittered(parts, variant)


@lru_cache(maxsize=8)
def volume(body: str, variant: int, slices: int, rows: int, columns: int) -> np.ndarray:
    """body: chest, T1, T2 or tracer. Returns float32 (slices, rows, columns), feet first, not to be written to."""
    background, texture = {"chest": (-1000.0, 14.0), "T1": (8.0, 28.0), "T2": (8.0, 28.0), "tracer": (0.0, 60.0)}[body]
    parts = {"chest": chest, "tracer": tracer}[body](variant) if body in ("chest", "tracer") else head(variant, body)
    space = np.full((slices, rows, columns), background, np.float32)
    for z, plane in zip(np.linspace(-0.85, 0.85, slices), space, strict=True):
        for part in parts:
            _paint(plane, float(z), part)
    grain = smooth_texture(slices * 7 + variant, (slices, rows, columns))
    space += grain * texture * (space > background + 30)
    if body == "tracer":
        space = _blurred(space)
    space.flags.writeable = False
    return space


def smooth_texture(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """float32 of this shape, about -1 to 1, with features of some 4 pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-1, 1, tuple(max(2, n // step) for n, step in zip(shape, (2, 4, 4), strict=True)))
    for axis, length in enumerate(shape):
        at = np.linspace(0, coarse.shape[axis] - 1, length)
        low = np.minimum(at.astype(int), coarse.shape[axis] - 2)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        coarse = np.take(coarse, low, axis) * (1 - part) + np.take(coarse, low + 1, axis) * part
    return coarse.astype(np.float32)


def _paint(plane: np.ndarray, z: float, part: Ellipsoid) -> None:
    """Blend the part's cut at height z into plane (rows, columns), with an edge one pixel wide."""
    height = 1 - ((z - part.centre[0]) / part.radii[0]) ** 2
    if height <= 0:
        return
    scale = height**0.5
    spans = []
    for length, centre, radius in zip(plane.shape, part.centre[1:], part.radii[1:], strict=True):
        reach = radius * scale + 3 / length
        first = max(0, int((centre - reach + 1) / 2 * length))
        last = min(length, int((centre + reach + 1) / 2 * length) + 2)
        spans.append((first, last, radius * scale, centre, length))
    (top, bottom, radius_y, centre_y, rows), (left, right, radius_x, centre_x, columns) = spans
    y = ((np.arange(top, bottom, dtype=np.float32) + 0.5) / rows * 2 - 1 - centre_y)[:, None] / radius_y
    x = ((np.arange(left, right, dtype=np.float32) + 0.5) / columns * 2 - 1 - centre_x)[None, :] / radius_x
    pixels_deep = (1 - np.sqrt(y * y + x * x)) * min(radius_y * rows, radius_x * columns) / 2
    weight = np.clip(pixels_deep + 0.5, 0, 1)
    cut = plane[top:bottom, left:right]
    cut += weight * (part.value - cut)


def _jittered(parts: list[Ellipsoid], variant: int) -> list[Ellipsoid]:
    """The same body plan for another patient: sizes and places differ by a few per cent."""
    rng = np.random.default_rng(1000 + variant)
    girth, depth = rng.uniform(0.93, 1.03, 2)
    return [
        replace(
            part,
            centre=(part.centre[0], part.centre[1] * depth, part.centre[2] * girth),
            radii=(part.radii[0], part.radii[1] * depth, part.radii[2] * girth),
        )
        for part in parts
    ]


def _ribs() -> list[Ellipsoid]:
    """Rings of small ellipsoids round the chest that slope down to the front."""
    return [
        Ellipsoid(
            (level - 0.14 * np.cos(angle), 0.555 * np.cos(angle + np.pi), 0.79 * np.sin(angle)), (0.05, 0.05, 0.05), 430
        )
        for level in np.arange(-1.0, 1.1, 0.2)
        for angle in np.linspace(0.35, 2 * np.pi - 0.35, 56)
    ]


def _lung_vessels(variant: int) -> list[Ellipsoid]:
    """Chains of beads that run outwards from each lung's root and get thinner."""
    rng = np.random.default_rng(variant)
    beads = []
    for side in (-1, 1):
        for _ in range(14):
            direction = rng.normal(size=3) * (0.5, 0.30, 0.12) + (0, 0, 0.10 * side)
            for step in np.linspace(0, 1, 12):
                z, y, x = np.array((0.2, 0.02, 0.22 * side)) + direction * step
                inside = ((z - 0.15) / 0.9) ** 2 + ((y + 0.02) / 0.43) ** 2 + ((x - 0.42 * side) / 0.30) ** 2 < 1
                if inside:
                    radius = 0.035 * (1 - 0.75 * step)
                    beads.append(Ellipsoid((z, y, x), (radius * 2, radius, radius), 40))
    return beads


def _blurred(space: np.ndarray) -> np.ndarray:
    """Mean over 5 x 5 pixels in each slice."""
    for axis in (1, 2):
        space = sum(np.roll(space, shift, axis) for shift in (-2, -1, 0, 1, 2)) / np.float32(5)
    return space
