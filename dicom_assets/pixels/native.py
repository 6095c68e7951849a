"""Native pixel data (PS3.5 8.1 and 8.2): boxes blanked in the byte stream, a frame at a time."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import BadInput
from .boxes import Box, of_frame
from .fill import Background
from .layout import Layout

_FLOATS = {32: "<f4", 64: "<f8"}
_HALVED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})


def blank_frames(
    target: Path, value: range, background: Background, boxes: Sequence[Box], overlay_bits: bool
) -> list[Box]:
    """Blanks in place. value: where the pixel data's value stands in target. boxes: within the image. overlay_bits:
    clear what is stored beside the pixels in all frames. The boxes whose pixels may differ."""
    layout = background.layout
    halved = is_halved(layout, len(value))
    if halved:
        boxes = [_in_pairs(box) for box in boxes]
    bits = layout.frame_bits * 2 // 3 if halved else layout.frame_bits
    with target.open("r+b", buffering=0) as file:
        for number in range(layout.frames):
            here = of_frame(boxes, number)
            if here or overlay_bits:
                first, last = number * bits, (number + 1) * bits
                start, stop = value.start + first // 8, value.start + (last + 7) // 8
                encoded = bytearray(stop - start)
                _fill(file.fileno(), encoded, start)
                if layout.allocated == 1:
                    _blank_bits(encoded, first % 8, background, here)
                elif halved:
                    _blank_pairs(encoded, background, here)
                else:
                    blank_samples(samples_of(encoded, layout), background, here, overlay_bits)
                _write(file.fileno(), encoded, start)
    return list(boxes)


def is_halved(layout: Layout, length: int) -> bool:
    """Colour is stored for every second pixel only (PS3.5 8.2, PS3.3 C.7.6.3.1.2). length: bytes of all frames."""
    return (
        layout.photometric in _HALVED
        and layout.samples == 3
        and length * 8 < layout.frame_bits * layout.frames
        and layout.columns % 2 == 0
    )


def samples_of(encoded: bytearray, layout: Layout) -> np.ndarray:
    """A view of one frame: (rows, columns, samples), unsigned words as they are allocated, or floats."""
    kind = _FLOATS[layout.allocated] if layout.floating else f"<u{layout.allocated // 8}"
    words = np.frombuffer(encoded, kind)
    if layout.planar:
        return np.moveaxis(words.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return words.reshape(layout.rows, layout.columns, layout.samples)


def blank_samples(words: np.ndarray, background: Background, boxes: Sequence[Box], overlay_bits: bool) -> None:
    """Blanks in place. words: as of samples_of, of one frame."""
    layout = background.layout
    if overlay_bits:
        words[...] = _as_words(_stored(words, layout), layout)
    if not boxes:
        return
    if background.constant is None:
        stays = np.ones((layout.rows, layout.columns), bool)
        for box in boxes:
            stays[box.top : box.bottom, box.left : box.right] = False
        fill = background.of(_stored(words[..., 0][stays], layout))
    else:
        fill = background.constant
    value = np.array(fill, words.dtype) if layout.floating else _as_words(np.array(fill), layout)
    for box in boxes:
        words[box.top : box.bottom, box.left : box.right] = value


def _stored(words: np.ndarray, layout: Layout) -> np.ndarray:
    """The stored values: what stands in the bits that are in use."""
    if layout.floating:
        return words
    unused = layout.allocated - layout.high - 1
    signed = words.astype(f"{'<i' if layout.signed else '<u'}{layout.allocated // 8}")
    return (signed << unused) >> (unused + layout.shift) if layout.stored < layout.allocated else signed


def _as_words(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Stored values as they are allocated. Bits that are not in use: zero, or the sign's above signed ones."""
    return (values << layout.shift).astype(f"<i{layout.allocated // 8}").view(f"<u{layout.allocated // 8}")


def _blank_bits(encoded: bytearray, offset: int, background: Background, boxes: Sequence[Box]) -> None:
    """One bit a pixel, the first in the lowest bit of a byte; frames follow each other without padding. offset: of the
    frame's first bit."""
    layout = background.layout
    bits = np.unpackbits(np.frombuffer(encoded, np.uint8), bitorder="little")
    frame = bits[offset : offset + layout.frame_bits].reshape(layout.rows, layout.columns, layout.samples)
    blank_samples(frame, replace(background, layout=replace(layout, allocated=8)), boxes, overlay_bits=False)
    encoded[:] = np.packbits(bits, bitorder="little").tobytes()


def _blank_pairs(encoded: bytearray, background: Background, boxes: Sequence[Box]) -> None:
    """Two pixels of a row: both of their Y, then the CB and CR that they share."""
    layout = background.layout
    words = np.frombuffer(encoded, f"<u{layout.allocated // 8}").reshape(layout.rows, layout.columns // 2, 4)
    light, blue, red = background.extreme
    for box in boxes:
        words[box.top : box.bottom, box.left // 2 : box.right // 2] = (light, light, blue, red)


def _in_pairs(box: Box) -> Box:
    return replace(box, left=box.left // 2 * 2, right=(box.right + 1) // 2 * 2)


def _fill(handle: int, encoded: bytearray, start: int) -> None:
    rest = memoryview(encoded)
    while rest:
        count = os.preadv(handle, [rest], start)
        if not count:
            raise BadInput("PIXEL_DATA_TRUNCATED")
        rest, start = rest[count:], start + count


def _write(handle: int, encoded: bytearray, start: int) -> None:
    rest = memoryview(encoded)
    while rest:
        count = os.pwrite(handle, rest, start)
        rest, start = rest[count:], start + count
