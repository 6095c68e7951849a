"""Connected parts of a map of probabilities, by the runs of its rows."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Component:
    """Pixels that touch, also at corners. area: their number. mean: of their values. tilt: of the axis along which they
    lie, degrees clockwise from level, -90 to 90."""

    left: int
    top: int
    width: int
    height: int
    area: int
    mean: float
    tilt: float


def components(values: np.ndarray, threshold: float) -> list[Component]:
    """values: float (rows, columns). What is over threshold, ordered by its first row."""
    inside = np.pad(values > threshold, ((0, 0), (1, 1)))
    steps = np.diff(inside.astype(np.int8), axis=1)
    row, start = np.nonzero(steps == 1)
    end = np.nonzero(steps == -1)[1]
    if not len(row):
        return []
    part = _labels(row, start, end, values.shape[1] + 2)
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    offset = row.astype(np.int64) * values.shape[1]
    mass = sums[offset + end] - sums[offset + start]
    area = np.bincount(part, end - start).astype(int)
    mean = np.bincount(part, mass) / area
    left, right, top, bottom = (
        np.full(len(area), np.iinfo(np.int64).max) if low else np.zeros(len(area), np.int64)
        for low in (True, False, True, False)
    )
    np.minimum.at(left, part, start)
    np.maximum.at(right, part, end)
    np.minimum.at(top, part, row)
    np.maximum.at(bottom, part, row + 1)
    tilt = _tilts(part, row, start, end)
    return [
        Component(*map(int, (x, y, w, h, a)), float(m), float(t))
        for x, y, w, h, a, m, t in zip(left, top, right - left, bottom - top, area, mean, tilt, strict=True)
    ]


def _tilts(part: np.ndarray, row: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of each component, by the variances of its pixels' places. The runs are those of part."""
    count, middle = (end - start).astype(np.float64), (start + end - 1) / 2
    area = np.bincount(part, count)
    x = middle - (np.bincount(part, count * middle) / area)[part]
    y = row - (np.bincount(part, count * row) / area)[part]
    along = np.bincount(part, count * (x * x + (count * count - 1) / 12))
    return np.degrees(np.arctan2(2 * np.bincount(part, count * x * y), along - np.bincount(part, count * y * y))) / 2


def _labels(row: np.ndarray, start: np.ndarray, end: np.ndarray, stride: int) -> np.ndarray:
    """For each run, the number of its component, counted from 0. Runs of neighbouring rows join where they touch."""
    first = np.searchsorted(row * stride + end, (row + 1) * stride + start)
    last = np.searchsorted(row * stride + start, (row + 1) * stride + end, side="right")
    count = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(row)), count)
    lower = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    label = np.arange(len(row))
    while True:
        lowest = np.minimum(label[upper], label[lower])
        joined = label.copy()
        np.minimum.at(joined, label[upper], lowest)
        np.minimum.at(joined, label[lower], lowest)
        joined = joined[joined]
        if np.array_equal(joined, label):
            return np.unique(label, return_inverse=True)[1]
        label = joined
