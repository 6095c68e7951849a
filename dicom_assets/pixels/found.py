"""Where an image shows text: which of its frames are looked at, in which pictures, and the boxes that come of it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydicom import Dataset

from .boxes import ALL_FRAMES, Box
from .detector import Detector
from .lines import Found, in_lines, joined, outermost
from .renderings import equalised, in_colour, pictures

if TYPE_CHECKING:
    from .decode import FrameReader

#: So many frames are looked at one by one; of more, what all of them show together, and each at a glance.
FEW = 4
#: Score that text must have where contrast was made of grain
_IN_GRAIN = 0.95
#: Of the range of a scene's first frame, and of all pixels: a frame of which more are more unlike begins another scene
_UNLIKE, _CHANGED = 0.25, 0.25


def text_in(frames: "FrameReader", header: Dataset) -> list[Box]:
    """Boxes round all text that is found, padded; of a loop, those of what stands still hold for all of its frames.

    header: the one that says how frames are shown (photometric interpretation, palette, windows). Memory is that of a
    few frames. Raises BadInput: PIXELS_NOT_SEEN where a frame cannot be shown, PIXELS_EXTRA_MISSING without the extra
    `pixels`, and what frames raises."""
    if frames.count == 1:
        return _boxes(_in_frame(frames.frame(0), header), frames, ALL_FRAMES)
    if frames.count <= FEW:
        return [box for index in range(frames.count) for box in _of_frame(frames, header, index)]
    return [box for scene in _scenes(frames, header) for box in _in_scene(frames, header, scene)]


def text_in_picture(picture: np.ndarray, known: Sequence[Found] = (), least: float = 0) -> list[Found]:
    """picture: uint8 (rows, columns) or (rows, columns, 3). Without padding and without what lies in known ones. Also
    in its negative, where other pairs of letters show, and that turned by a quarter: what runs upwards is level there.
    least: as of Detector.boxes."""
    detector, negative = _detector(), 255 - picture
    found = detector.boxes(picture, known, least=least)
    found += detector.boxes(negative, [*known, *found], scales=(1,), least=least)
    columns = picture.shape[1]
    seen = [one.turned(columns) for one in (*known, *found)]
    turned = detector.boxes(np.ascontiguousarray(np.rot90(negative)), seen, scales=(1,), least=least)
    return joined(found + [one.turned_back(columns) for one in turned])


@cache
def _detector() -> Detector:
    return Detector()


def _of_frame(frames: "FrameReader", header: Dataset, index: int, known: Sequence[Found] = ()) -> list[Box]:
    return _boxes(_in_frame(frames.frame(index), header, known), frames, index)


def _in_frame(frame: np.ndarray, header: Dataset, known: Sequence[Found] = ()) -> list[Found]:
    """Also in a palette's indices: two entries may have one colour."""
    shown = in_colour(frame, header)
    found = _in_values(shown, header, known)
    if shown.ndim > frame.ndim:
        found = outermost(joined(found + text_in_picture(equalised(frame), [*known, *found], _IN_GRAIN)))
    return found


def _shows_more(frame: np.ndarray, header: Dataset, known: Sequence[Found]) -> bool:
    """A glance, at one picture, at one scale."""
    return bool(_detector().boxes(pictures(in_colour(frame, header), header)[0], known, scales=(1,)))


def _in_values(values: np.ndarray, header: Dataset, known: Sequence[Found] = ()) -> list[Found]:
    """In each of its pictures; the first is turned, too. Without what lies in known ones."""
    first, *others = pictures(values, header)
    found = text_in_picture(first, known)
    for picture in others:
        found += _detector().boxes(picture, [*known, *found])
    return outermost(in_lines(joined(found)))


class _Scene(NamedTuple):
    """Frames one after the other that look much alike, with the largest and the least of each of their samples: what
    stands still is in both."""

    frames: range
    largest: np.ndarray
    least: np.ndarray


def _scenes(frames: "FrameReader", header: Dataset) -> Iterator[_Scene]:
    """What all frames show together would not show what is in one frame alone, between others of another kind."""
    start, values = 0, in_colour(frames.frame(0), header)
    first = largest = least = values
    for index in range(1, frames.count):
        values = in_colour(frames.frame(index), header)
        if _is_another(first, values):
            yield _Scene(range(start, index), largest, least)
            start, first, largest, least = index, values, values, values
        else:
            largest, least = np.maximum(largest, values), np.minimum(least, values)
    yield _Scene(range(start, frames.count), largest, least)


def _is_another(first: np.ndarray, values: np.ndarray) -> bool:
    """So many pixels are so unlike those of a scene's first frame that it is over. One of 16 is looked at."""
    one, other = (picture[::4, ::4].astype(np.float32) for picture in (first, values))
    changed = np.abs(other - one) > _UNLIKE * np.ptp(one)
    return bool(changed.mean() > _CHANGED)


def _in_scene(frames: "FrameReader", header: Dataset, scene: _Scene) -> list[Box]:
    if len(scene.frames) <= FEW:
        return [box for index in scene.frames for box in _of_frame(frames, header, index)]
    standing: list[Found] = []
    for values in (scene.largest, scene.least):
        standing += _in_values(values, header, standing)
    standing = outermost(joined(standing))
    boxes = _boxes(standing, frames, ALL_FRAMES)
    for index in scene.frames:
        frame = frames.frame(index)
        if _shows_more(frame, header, standing):
            boxes += _boxes(_in_frame(frame, header, standing), frames, index)
    return boxes


def _boxes(found: Iterable[Found], frames: "FrameReader", frame: int) -> list[Box]:
    """With a margin round each."""
    boxes = []
    for one in found:
        sides = (one.left - one.margin, one.top - one.margin, one.right + one.margin, one.bottom + one.margin)
        box = Box(*sides, frame).within(frames.rows, frames.columns)
        boxes += [box] if box else []
    return boxes
