"""What a blanked pixel shows: the image's background. It depends on the header and on pixels that stay, never on those
that are blanked."""

import math
import struct
from dataclasses import dataclass

import numpy as np

from ..errors import Refused
from .layout import Layout
from .splice import OwnFile

_RGB = frozenset({"RGB", "YBR_RCT", "YBR_ICT"})  #: YBR_RCT and ICT: what a decoder of JPEG 2000 gives for them
_YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})
_YBR_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_DESCRIPTORS, _PALETTES, _SEGMENTED = (
    (0x00281101, 0x00281102, 0x00281103),
    (0x00281201, 0x00281202, 0x00281203),
    (0x00281221, 0x00281222, 0x00281223),
)
_MOST_ENTRIES = 1 << 16
_FLOATS = {32: "<f", 64: "<d"}


@dataclass(frozen=True)
class Background:
    """Of one file. constant: the stored value of each sample where the header alone decides; None: the darkest of the
    pixels that stay (of MONOCHROME1, the brightest)."""

    layout: Layout
    constant: tuple[float, ...] | None

    def of(self, outside: np.ndarray) -> tuple[float, ...]:
        """outside: stored values of the pixels of the frame that stay, in any shape."""
        if self.constant is not None:
            return self.constant
        inverted = self.layout.photometric == "MONOCHROME1"
        if self.layout.floating:
            outside = outside[np.isfinite(outside)]
        if outside.size:
            return ((outside.max() if inverted else outside.min()).item(),)
        return self.extreme

    @property
    def extreme(self) -> tuple[float, ...]:
        """Without a look at any pixel."""
        if self.constant is not None:
            return self.constant
        if self.layout.floating:
            return (0.0,)
        return (self.layout.highest if self.layout.photometric == "MONOCHROME1" else self.layout.lowest,)


def background_of(file: OwnFile, layout: Layout) -> Background:
    """Raises Refused for a photometric interpretation of which nobody here can tell what is black."""
    name, samples = layout.photometric, layout.samples
    if samples == 1 and name in ("MONOCHROME1", "MONOCHROME2"):
        padding = _padding(layout)
        return Background(layout, None if padding is None else (padding,))
    if samples == 1 and name == "PALETTE COLOR":
        return Background(layout, (_darkest_index(file, layout),))
    if samples == 3 and not (layout.signed or layout.floating):
        middle = 1 << layout.stored - 1
        if name in _RGB:
            return Background(layout, (0, 0, 0))
        if name in _YBR_FULL:
            return Background(layout, (0, middle, middle))
        if name in _YBR_PARTIAL:
            return Background(layout, (middle >> 3, middle, middle))
    raise Refused("PIXELS_NOT_CLEANABLE")


def _padding(layout: Layout) -> float | None:
    """Pixel Padding Value, where pixels can have it."""
    if layout.floating:
        form = _FLOATS[layout.allocated]
        value = struct.unpack(form, layout.padding)[0] if len(layout.padding) == struct.calcsize(form) else math.nan
        return value if math.isfinite(value) else None
    if len(layout.padding) != 2:
        return None
    value = int.from_bytes(layout.padding, "little", signed=layout.signed)
    return value if layout.lowest <= value <= layout.highest else None


def _darkest_index(file: OwnFile, layout: Layout) -> int:
    """The first entry of the colour tables whose light (ITU-R BT.601) is least."""
    tables = [_table(file, *tags) for tags in zip(_DESCRIPTORS, _PALETTES, _SEGMENTED, strict=True)]
    first, red = tables[0]
    if any(begin != first or len(entries) != len(red) for begin, entries in tables):
        raise Refused("PIXELS_NOT_CLEANABLE")
    light = np.average([entries for _first, entries in tables], axis=0, weights=(0.299, 0.587, 0.114))
    usable = light[: max(layout.highest - first + 1, 0)]
    if not usable.size:
        raise Refused("PIXELS_NOT_CLEANABLE")
    return first + int(usable.argmin())


def _table(file: OwnFile, descriptor: int, plain: int, segmented: int) -> tuple[int, np.ndarray]:
    """The index of its first entry, and the entries (PS3.3 C.7.6.3.1.5 and .6)."""
    count, first, bits = struct.unpack("<3H", file.value(descriptor)[:6].ljust(6, b"\0"))
    count = count or _MOST_ENTRIES
    data = file.value(plain)
    if data:
        in_bytes = len(data) < 2 * count
    else:
        data, in_bytes = file.value(segmented), bits == 8
    entries = np.frombuffer(data[: len(data) // 2 * 2], np.uint8 if in_bytes else "<u2")
    if plain not in file.elements:
        entries = np.array(_expanded(entries.tolist(), 256 if in_bytes else _MOST_ENTRIES))
    if bits not in (8, 16) or len(entries) < count:
        raise Refused("PIXELS_NOT_CLEANABLE")
    return first, entries[:count].astype(float)


def _expanded(segments: list[int], radix: int) -> list[int]:
    """Segmented tables, PS3.3 C.7.9.2: 0 discrete, 1 linear, 2 indirect. radix: of the two or four words that make an
    indirect segment's offset, least significant first."""
    entries: list[int] = []
    words = 2 if radix == _MOST_ENTRIES else 4

    def expand(position: int, most: int, nested: bool) -> None:
        done = 0
        while position + 1 < len(segments) and done < most and len(entries) <= _MOST_ENTRIES:
            code, length = segments[position : position + 2]
            position, done = position + 2, done + 1
            if code == 0:
                entries.extend(segments[position : position + length])
                position += length
            elif code == 1 and entries and position < len(segments):
                start, stop = entries[-1], segments[position]
                entries.extend(start + (stop - start) * step // length for step in range(1, length + 1))
                position += 1
            elif code == 2 and not nested and position + words <= len(segments):
                offset = sum(word * radix**at for at, word in enumerate(segments[position : position + words]))
                expand(offset // (2 if words == 2 else 1), length, nested=True)
                position += words
            else:
                raise Refused("PIXELS_NOT_CLEANABLE")

    expand(0, len(segments), nested=False)
    return entries
