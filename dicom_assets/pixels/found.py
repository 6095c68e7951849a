"""Where an image shows text: which of its frames are looked at, in which pictures, and the boxes that come of it."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset

from .boxes import ALL_FRAMES, Box
from .detector import Detector
from .lines import Found, in_lines, joined
from .renderings import in_colour, pictures

if TYPE_CHECKING:
    from .decode import FrameReader

#: So many frames are looked at one by one; of more, what all of them show together, and some.
FEW = 4
#: Share of a box in other boxes from which on it is not new
_COVERED = 0.7


def text_in(frames: "FrameReader", header: Dataset) -> list[Box]:
    """Boxes round all text that is found, padded; of a loop, those of what stands still hold for all of its frames.

    header: the one that says how frames are shown (photometric interpretation, palette, windows). Memory is that of a
    few frames. Raises BadInput: PIXELS_NOT_SEEN where a frame cannot be shown, PIXELS_EXTRA_MISSING without the extra
    `pixels`, and what frames raises."""
    if frames.count == 1:
        return _boxes(_in_frame(frames.frame(0), header), frames, ALL_FRAMES)
    if frames.count <= FEW:
        return _frame_by_frame(frames, header)
    standing = _boxes(
        joined([one for values in _projections(frames, header) for one in _in_values(values, header)]),
        frames,
        ALL_FRAMES,
    )
    samples = (0, frames.count // 2, frames.count - 1)
    if all(_covered(box, standing) for index in samples for box in _of_frame(frames, header, index)):
        return standing
    return [*standing, *(box for box in _frame_by_frame(frames, header) if not _covered(box, standing, whole=True))]


def text_in_picture(picture: np.ndarray) -> list[Found]:
    """picture: uint8 (rows, columns) or (rows, columns, 3). Without padding. Also in its negative, turned by a quarter:
    what runs upwards is level there."""
    turned = _detector().boxes(np.ascontiguousarray(np.rot90(255 - picture)))
    return joined(_detector().boxes(picture) + [one.turned_back(picture.shape[1]) for one in turned])


@cache
def _detector() -> Detector:
    return Detector()


def _frame_by_frame(frames: "FrameReader", header: Dataset) -> list[Box]:
    return [box for index in range(frames.count) for box in _of_frame(frames, header, index)]


def _of_frame(frames: "FrameReader", header: Dataset, index: int) -> list[Box]:
    return _boxes(_in_frame(frames.frame(index), header), frames, index)


def _in_frame(frame: np.ndarray, header: Dataset) -> list[Found]:
    return _in_values(in_colour(frame, header), header)


def _in_values(values: np.ndarray, header: Dataset) -> list[Found]:
    """In each of its pictures; the first is turned, too."""
    first, *others = pictures(values, header)
    found = text_in_picture(first) + [one for picture in others for one in _detector().boxes(picture)]
    return in_lines(joined(found))


def _projections(frames: "FrameReader", header: Dataset) -> Iterator[np.ndarray]:
    """The largest and the least of each sample over all frames: what stands still is in both."""
    largest = least = in_colour(frames.frame(0), header)
    for index in range(1, frames.count):
        values = in_colour(frames.frame(index), header)
        largest, least = np.maximum(largest, values), np.minimum(least, values)
    yield largest
    yield least


def _boxes(found: Iterable[Found], frames: "FrameReader", frame: int) -> list[Box]:
    """With 2 pixels and a tenth of the line's height round each."""
    boxes = []
    for one in found:
        pad = 2 + round(0.1 * min(one.right - one.left, one.bottom - one.top))
        box = Box(one.left - pad, one.top - pad, one.right + pad, one.bottom + pad, frame).within(
            frames.rows, frames.columns
        )
        boxes += [box] if box else []
    return boxes


def _covered(box: Box, others: list[Box], whole: bool = False) -> bool:
    """Most of it lies in others, or all of it."""
    inside = np.zeros((box.bottom - box.top, box.right - box.left), bool)
    for other in others:
        top, left = max(other.top - box.top, 0), max(other.left - box.left, 0)
        inside[top : max(other.bottom - box.top, 0), left : max(other.right - box.left, 0)] = True
    return bool(inside.all() if whole else inside.mean() >= _COVERED)
