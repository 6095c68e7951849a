"""How much there is to decode, by the header alone: asked before any decoder is."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import pydicom

from ..errors import BadInput

LARGEST_FRAME = 1 << 29  #: bytes, decoded; the largest of real detectors are below a fifth of it
_MOST_PIXELS = 1 << 40  #: of all frames


@dataclass(frozen=True)
class Size:
    """pixels: of all frames. decoded: bytes of all frames as arrays. file: bytes of the file."""

    pixels: int
    decoded: int
    file: int


def size_of(path: str | Path) -> Size:
    """Raises BadInput: PIXELS_TOO_LARGE, or PIXELS_NOT_DECODABLE where the header names no size."""
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    try:
        frame = prod(int(header[keyword].value) for keyword in ("Rows", "Columns"))
        frames = int(header.get("NumberOfFrames") or 1)
        bits = int(header.get("BitsAllocated") or 64) * int(header.get("SamplesPerPixel") or 1)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise BadInput("PIXELS_NOT_DECODABLE") from None
    if frame < 1 or frames < 1 or bits < 1:
        raise BadInput("PIXELS_NOT_DECODABLE")
    if frame * bits > 8 * LARGEST_FRAME or frame * frames > _MOST_PIXELS:
        raise BadInput("PIXELS_TOO_LARGE")
    return Size(frame * frames, frame * frames * max(bits, 8) // 8, Path(path).stat().st_size)
