"""Where a picture holds text: the detection network (DBNet, PP-OCR) whose weights come inside an installed wheel.

The network gives each pixel a probability of lying in the core of a line of text. Cores that touch become one box,
which is grown back to the whole glyphs (Liao et al., Real-time Scene Text Detection with Differentiable Binarization).
Runs on one thread; memory is bounded by the tile, not by the picture.
"""

from collections.abc import Iterator

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
#: A line this sure and slender is text ...
_SURE, _SLENDER = 0.9, 4.4
#: ... if its core is no thicker than this, in pixels: of letters some 50 high. What is larger, or compact, is often an
#: organ and must be readable, or be longer yet.
_THICK, _SURER, _LONG = 24, 0.95, 8.0
#: Short lines of letters that are not small have as many strokes, or must be readable; an edge of an organ has fewer
_PLAIN, _FINE, _STROKES = 12.0, 6.0, 4
#: Sides and scores below which a core is a speck
_SPECK, _SPECK_SCORE = 8, 0.7
#: How sure the recognizer must be of its characters
_READ = 0.8


class Detector:
    """Costs some 60 ms and 40 MB to make; keep it. Raises BadInput PIXELS_EXTRA_MISSING without the extra `pixels`."""

    def __init__(self) -> None:
        self._network = session("ch_PP-OCRv4_det_infer.onnx")
        self._recognizer = Recognizer()

    def boxes(self, picture: np.ndarray) -> list[Found]:
        """picture: uint8 (rows, columns) or (rows, columns, 3). Lines of text, from all scales, overlapping ones
        joined."""
        if picture.min() == picture.max():
            return []
        rows, columns = picture.shape[:2]
        scales = (1, 2) if rows * columns <= ENLARGED else (0.5, 1)
        framed = _framed(picture)
        seen = [one.clipped(rows, columns) for scale in scales for one in self._at(framed, scale)]
        return [line for line in in_lines(joined(seen)) if self._is_text(line, picture)]

    def _is_text(self, line: Found, picture: np.ndarray) -> bool:
        thick, inside = line.thickness > _THICK, picture[line.top : line.bottom, line.left : line.right]
        plain = line.slenderness >= _PLAIN or line.thickness <= _FINE or strokes(inside) >= _STROKES
        if plain and line.slenderness >= (_LONG if thick else _SLENDER) and line.score >= (_SURER if thick else _SURE):
            return True
        text, sure = self._recognizer.read(inside)
        return sure >= _READ and sum(map(str.isalnum, text)) >= (3 if thick else 2)

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


def tiles(picture: np.ndarray, scale: float) -> Iterator[tuple[float, float, np.ndarray]]:
    """Pieces of picture, overlapping: left, top in its pixels, and uint8 (rows, columns, 3) of the piece scaled."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    for top in _starts(rows, scale):
        for left in _starts(columns, scale):
            side = int(TILE / scale)
            piece = picture[top : top + side, left : left + side]
            if scale != 1:
                size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
                piece = np.asarray(Image.fromarray(piece).resize(size, Image.Resampling.BICUBIC))
            yield left, top, piece if piece.ndim == 3 else np.repeat(piece[:, :, None], 3, axis=2)


def strokes(inside: np.ndarray) -> int:
    """How often a line along the longer side of a part of a picture goes from light to dark or back, in the channel
    where it does most."""
    rows, columns = inside.shape[:2]
    planes = np.moveaxis(inside.reshape(rows, columns, -1), 2, 0).astype(np.float32)
    return max(_changes(plane if columns >= rows else plane.T) for plane in planes)


def _changes(plane: np.ndarray) -> int:
    """plane: (rows, columns). Of the upper quartile of the rows in its middle half."""
    low, high = np.percentile(plane, (5, 95))
    middle = plane[len(plane) // 4 : max(3 * len(plane) // 4, len(plane) // 4 + 1)]
    states = (middle > low + 0.65 * (high - low)).astype(np.int8) - (middle < low + 0.35 * (high - low))
    return int(np.percentile([np.count_nonzero(np.diff(row[row != 0])) for row in states], 75))


def _starts(length: int, scale: float) -> list[int]:
    """Where tiles begin, in pixels of the picture."""
    side, step = int(TILE / scale), int((TILE - OVERLAP) / scale)
    if length <= side:
        return [0]
    return [*range(0, length - side, step), length - side]


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
    )
