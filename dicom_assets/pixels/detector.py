"""Where a picture holds text: the detection network (DBNet, PP-OCR) whose weights come inside an installed wheel.

The network gives each pixel a probability of lying in the core of a line of text. Cores that touch become one box,
which is grown back to the whole glyphs (Liao et al., Real-time Scene Text Detection with Differentiable Binarization).
Runs on one thread; memory is bounded by the tile, not by the picture.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from .components import Component, components
from .lines import Found, in_lines, joined
from .models import session
from .recognizer import Recognizer

#: Side of the largest piece given to the network at once, pixels after scaling.
TILE = 960
#: Pixels after scaling by which tiles overlap, so that no line of text is only seen cut through its height.
OVERLAP = 96
#: Pictures of up to this many pixels are looked at enlarged as well; text of 10 pixels is found there.
ENLARGED = 1_600_000

#: Pixels added round a picture: text that touches its edge is not seen otherwise
_FRAME = 16
#: Probability from which on a pixel counts, and the mean of a core's pixels from which on it does
_LIKELY, _CORE = 0.3, 0.5
#: By how much of area / length a core is grown; 1.5 is what the network was trained with, the rest is for safety
_GROW = 2.0
#: Sides and scores below which a core is a speck
_SPECK, _SPECK_SCORE = 8, 0.7
#: Sides below which nothing is a line of letters, in pixels; and up to which grain may be, so that it must be read well
_LOWEST, _LOW = 9, 10
#: A line whose core is thicker than this, in pixels, has letters some 50 high. Most such things are organs
_THICK = 24
#: How sure the recognizer must be of its characters; and if the network is sure of the line. So many may be where it
#: is less than this; elsewhere two are enough
_READ, _FAIRLY, _CLEAR, _MANY = 0.8, 0.6, 0.75, 4
#: What round things are read as: bones of the wrist, electrodes, vertebrae from above
_ROUND = frozenset("0OoCc")
#: Share of a line's height within which its ground is even
_AROUND = 0.3
#: What it cannot read is letters of another script if the network is this sure of it, it is slender, and strokes
#: cross it along and across: bars and ticks lie in one direction, edges of organs are few. Where they are some 30
#: pixels high it must be surer and its box longer, by its other side: flow in colours, a pacemaker
_SURE, _SURER, _SUREST, _LARGE, _BROAD = 0.9, 0.97, 0.99, 14, 1.8
_SLENDER, _LONG, _ALONG, _ACROSS = 2.4, 8.0, 8, 3
#: A line that runs level or upright is some three times as high as its core; what is so many times is grain
_HIGHEST = 12
#: Print has two colours, its own and the ground's, and what lies between: the variance beside that line is of none of
#: it. Flow in colours has 0.18
_BESIDE = 0.1


class Detector:
    """Costs some 60 ms and 40 MB to make; keep it. Raises BadInput PIXELS_EXTRA_MISSING without the extra `pixels`."""

    def __init__(self) -> None:
        self._network = session("ch_PP-OCRv4_det_infer.onnx")
        self._recognizer = Recognizer()

    def boxes(
        self, picture: np.ndarray, known: Sequence[Found] = (), scales: Sequence[float] = (), least: float = 0
    ) -> list[Found]:
        """picture: uint8 (rows, columns) or (rows, columns, 3). Lines of text, from all scales, overlapping ones
        joined. known: text already found in it, which is not returned again. scales: other than by its size. least:
        score below which nothing counts."""
        if picture.min() == picture.max():
            return []
        rows, columns = picture.shape[:2]
        scales = scales or ((1, 2) if rows * columns <= ENLARGED else (0.5, 1))
        framed = _framed(picture)
        seen = [one.clipped(rows, columns) for scale in scales for one in self._at(framed, scale)]
        lines = [one for one in in_lines(joined(seen)) if min(one.width, one.height) >= _LOWEST and one.score >= least]
        new = [one for one in lines if not any(one.lies_in(other) for other in known)]
        text = [line for line in new if self._is_text(line, picture)]
        short = [one for one in new if one not in text and one.score >= _SURE and one.thickness <= _LARGE]
        return text + [one for one in short if any(one.is_beside(other) for other in (*text, *known))]

    def _is_text(self, line: Found, picture: np.ndarray) -> bool:
        if line.is_tilted and self._shows_text(line, levelled(picture, line), aslant=True):
            return True
        return self._shows_text(line, picture[line.top : line.bottom, line.left : line.right])

    def _shows_text(self, line: Found, inside: np.ndarray, *, aslant: bool = False) -> bool:
        """inside: the line's rectangle, or what was cut out along it, which may be upside down."""
        low, long = sorted(inside.shape[:2])
        thick = line.thickness > _THICK
        text, sure = self._recognizer.read(inside, both_ways=aslant)
        letters = [one for one in text if one.isalnum()]
        few = 3 if thick else 2 if line.score >= (_SURER if sure < _READ else _CLEAR) else _MANY
        is_fair = line.score >= _SURE and not thick and not aslant and low > _LOW
        read = sure >= (_FAIRLY if is_fair else _READ)
        if read and len(letters) >= few and not _ROUND.issuperset(letters):
            return True
        large = line.thickness > _LARGE
        if line.score < (_SUREST if large else _SURER) or line.slenderness < (_LONG if thick else _SLENDER):
            return False
        if low > _HIGHEST * line.thickness:
            return False
        if large and long < _BROAD * low:
            return False
        along, across = strokes(inside)
        return along >= _ALONG and across >= _ACROSS and not (large and is_colourful(inside))

    def _at(self, framed: np.ndarray, scale: float) -> list[Found]:
        """Places are those in the picture without its frame."""
        found: list[Found] = []
        for left, top, tile in tiles(framed, scale):
            for part in components(self._probabilities(tile), _LIKELY):
                if part.mean >= _CORE:
                    found.append(_grown(part, left - _FRAME, top - _FRAME, scale))
        return [one for one in found if one.score >= _SPECK_SCORE or min(one.width, one.height) >= _SPECK]

    def _probabilities(self, tile: np.ndarray) -> np.ndarray:
        """tile: uint8 (rows, columns, 3). float32 (rows, columns), 0 to 1."""
        rows, columns = tile.shape[:2]
        padded = np.pad(tile, ((0, -rows % 32), (0, -columns % 32), (0, 0)), mode="edge")
        given = np.ascontiguousarray(padded.transpose(2, 0, 1)[None, ::-1].astype(np.float32)) / 127.5 - 1
        return self._network.run(None, {"x": given})[0][0, 0, :rows, :columns]


def _framed(picture: np.ndarray) -> np.ndarray:
    """With a frame of the value that most of its edge has."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    sides = ((_FRAME, _FRAME), (_FRAME, _FRAME), *[(0, 0)] * (picture.ndim - 2))
    framed = np.pad(picture, sides)
    usual = np.median(edge, axis=0).astype(np.uint8)
    framed[:_FRAME] = framed[-_FRAME:] = usual
    framed[:, :_FRAME] = framed[:, -_FRAME:] = usual
    return framed


def tiles(picture: np.ndarray, scale: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """Pieces of picture, overlapping, of about one size: left, top in its pixels, and uint8 (rows, columns, 3) of the
    piece scaled."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    for top, bottom in _spans(rows, scale):
        for left, right in _spans(columns, scale):
            piece = picture[top:bottom, left:right]
            if scale != 1:
                size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
                piece = np.asarray(Image.fromarray(piece).resize(size, Image.Resampling.BICUBIC))
            yield left, top, piece if piece.ndim == 3 else np.repeat(piece[:, :, None], 3, axis=2)


def levelled(picture: np.ndarray, line: Found) -> np.ndarray:
    """What lies along a tilted line, turned so that it runs level, be it upside down."""
    from PIL import Image

    angle = math.radians(line.tilt)
    along, down = math.cos(angle), math.sin(angle)
    high = line.thickness * (1 + _GROW * line.length / (line.length + line.thickness)) + 2
    long = max(line.width * along + line.height * abs(down) - high * abs(math.sin(2 * angle)), high)
    size = (round(long), round(high))
    left = (line.left + line.right - long * along + high * down) / 2
    top = (line.top + line.bottom - long * down - high * along) / 2
    ground = np.median(picture[line.top : line.bottom, line.left : line.right].reshape(-1, *picture.shape[2:]), axis=0)
    return np.asarray(
        Image.fromarray(picture).transform(
            size,
            Image.Transform.AFFINE,
            (along, -down, left, down, along, top),
            Image.Resampling.BICUBIC,
            fillcolor=tuple(map(int, np.atleast_1d(ground))),
        )
    )


def is_colourful(inside: np.ndarray) -> bool:
    """Has more than two colours and their blends, of which print on an even ground consists."""
    if inside.ndim == 2:
        return False
    _, beside, along = np.linalg.eigvalsh(np.cov(inside.reshape(-1, 3).T.astype(np.float64)))
    return bool(beside > _BESIDE * along)


def strokes(inside: np.ndarray) -> tuple[int, int]:
    """How often a line along the longer side of a part of a picture goes from light to dark or back, and one along the
    shorter side, in the channel where it does most. Against what is around each pixel: the ground may be uneven."""
    from PIL import Image, ImageFilter

    rows, columns = inside.shape[:2]
    around = ImageFilter.BoxBlur(_AROUND * min(rows, columns))
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(inside.reshape(rows, columns, -1), 2, 0)]
    details = [plane.astype(np.float32) - np.asarray(Image.fromarray(plane).filter(around)) for plane in planes]
    level, upright = max(map(_changes, details)), max(_changes(plane.T) for plane in details)
    return (level, upright) if columns >= rows else (upright, level)


def _changes(plane: np.ndarray) -> int:
    """plane: (rows, columns). Of the upper tenth of the rows in its middle half."""
    low, high = np.percentile(plane, (5, 95))
    middle = plane[len(plane) // 4 : max(3 * len(plane) // 4, len(plane) // 4 + 1)]
    states = (middle > low + 0.65 * (high - low)).astype(np.int8) - (middle < low + 0.35 * (high - low))
    return int(np.percentile([np.count_nonzero(np.diff(row[row != 0])) for row in states], 90))


def _spans(length: int, scale: float) -> list[tuple[int, int]]:
    """Where tiles begin and end, in pixels of the picture; as few as hold it."""
    overlap = int(OVERLAP / scale)
    count = max(1, math.ceil((length - overlap) / (int(TILE / scale) - overlap)))
    side = math.ceil((length + (count - 1) * overlap) / count)
    return [(at * (side - overlap), min(at * (side - overlap) + side, length)) for at in range(count)]


def _grown(part: Component, left: float, top: float, scale: float) -> Found:
    """The core back to the size of its glyphs, in pixels of the picture."""
    length = float(np.hypot(part.width, part.height))
    thickness = part.area / length
    margin = part.area * _GROW / (2 * (length + thickness)) + 1
    return Found(
        int(np.floor(left + (part.left - margin) / scale)),
        int(np.floor(top + (part.top - margin) / scale)),
        int(np.ceil(left + (part.left + part.width + margin) / scale)),
        int(np.ceil(top + (part.top + part.height + margin) / scale)),
        part.mean,
        thickness / scale,
        length / thickness,
        part.tilt,
    )
