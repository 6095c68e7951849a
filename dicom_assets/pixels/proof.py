"""Is one file the other with boxes blanked, and nothing else changed? Seen by other decoders than those that blanked,
and with no code of theirs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ..errors import BadInput
from .alone import alone, is_padded
from .boxes import Box, of_frame
from .decode import FrameReader, open_frames
from .encapsulated import Frames
from .splice import OwnFile
from .stored import RLE

_GEOMETRY = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_PALETTE = tuple(
    f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")
) + tuple(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue"))
#: Other names that colour may have once it is decoded, or encoded without loss
_ALSO_CALLED = {"YBR_RCT": {"RGB"}, "YBR_ICT": {"RGB", "YBR_RCT"}, "YBR_FULL_422": {"YBR_FULL"}}
#: Pixels at the edge of a box in which decoders of JPEG blend the colours of both sides, where colour has half of the
#: resolution: two on each side of the edge of what is blanked, whose units have 8 or 16
_BLENDED = 4
_DCT = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51)}
_ROWS = 512  #: compared at a time: the largest frames need much memory as they are
_OVERLAYS = range(0x6000, 0x6100, 2)
_BASIC_PROFILE, _CLEAN_PIXEL_DATA = "113100", "113101"


def prove(
    original: Path,
    output: Path,
    boxes: Sequence[Box],
    detect: Callable[[FrameReader, Dataset], Iterable[Box]] | None = None,
) -> list[str]:
    """Reason codes for which output is not what it should be, each once; none where it is. Memory: a few frames.

    original: in any transfer syntax, before de-identification or behind. boxes: all whose pixels may differ. detect:
    finds text in frames, as found.text_in; None where a person has decided what is blanked.

    PIXELS_NOT_DECODABLE      either file; nothing else can then be said
    PIXEL_GEOMETRY_CHANGED    another size, number of frames, sign, palette or meaning of the samples
    PIXELS_CHANGED            outside of all boxes
    TEXT_NOT_BLANKED          a box, or an overlay in it, shows more than one value
    OVERLAY_IN_PIXEL_DATA     bits that the pixels do not use hold something
    TEXT_BESIDE_PIXELS        a code stream of the output has comments, application data or something behind its end
    PIXEL_ATTRIBUTES_WRONG    the header does not say what was done: (0028,0301), 113101, lossy history, icon
    TEXT_LEFT_IN_PIXELS       detection still finds some"""
    try:
        before, after = open_frames(original, "second"), open_frames(output, "second")
        if not _same_geometry(before, after):
            return ["PIXEL_GEOMETRY_CHANGED"]
        wrong = [*_wrong_pixels(original, before, after, boxes), *_wrong_overlays(after.header, boxes)]
        if detect and any(_shows(box, after, boxes) for box in detect(after, after.header)):
            wrong.append("TEXT_LEFT_IN_PIXELS")
        wrong += _beside_pixels(output, after)
    except BadInput as error:
        return [error.code]
    if not _states_the_cleaning(before.header, after.header):
        wrong.append("PIXEL_ATTRIBUTES_WRONG")
    return list(dict.fromkeys(wrong))


def _same_geometry(before: FrameReader, after: FrameReader) -> bool:
    names = [str(frames.header.PhotometricInterpretation) for frames in (before, after)]
    return (
        before.count == after.count
        and all(before.header.get(keyword) == after.header.get(keyword) for keyword in _GEOMETRY)
        and (names[0] == names[1] or names[1] in _ALSO_CALLED.get(names[0], ()))
        and all(_entries(before.header, keyword) == _entries(after.header, keyword) for keyword in _PALETTE)
    )


def _entries(header: Dataset, keyword: str) -> object:
    """Of a colour table, whose words are encoded as the data set is."""
    value = header.get(keyword)
    if isinstance(value, bytes) and not header.original_encoding[1]:
        return np.frombuffer(value, ">u2").astype("<u2").tobytes()
    return value


def _wrong_pixels(original: Path, before: FrameReader, after: FrameReader, boxes: Sequence[Box]) -> list[str]:
    wrong, other = [], open_frames(original, "first")
    margin = _BLENDED if after.samples > 1 and after.header.file_meta.TransferSyntaxUID in _DCT else 0
    for index in range(after.count):
        here = of_frame(boxes, index)
        words, shown = after.words(index), after.frame(index)
        outside = ~_inside(shown, here)
        if not any(_same(frames, index, shown, outside) for frames in (before, other)):
            wrong.append("PIXELS_CHANGED")
        if not all(_is_blank(words, box, margin) for box in here):
            wrong.append("TEXT_NOT_BLANKED")
        if not leaves_bits_empty(words, shown, after.header):
            wrong.append("OVERLAY_IN_PIXEL_DATA")
    return wrong


def _same(frames: FrameReader, index: int, shown: np.ndarray, outside: np.ndarray) -> bool:
    """What one family of decoders sees in the original. Of lossy code streams no two see quite the same; one of them
    either made the output or sees what nobody touched as it was."""
    try:
        frame = frames.frame(index)
    except BadInput:
        return False
    if frame.shape != shown.shape or frame.dtype != shown.dtype:
        return False
    return all(
        np.array_equal(frame[rows][outside[rows]], shown[rows][outside[rows]], equal_nan=frame.dtype.kind == "f")
        for rows in (slice(top, top + _ROWS) for top in range(0, len(shown), _ROWS))
    )


def _inside(frame: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """(rows, columns), bool."""
    inside = np.zeros(frame.shape[:2], bool)
    for box in boxes:
        inside[max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)] = True
    return inside


def _is_blank(words: np.ndarray, box: Box, margin: int) -> bool:
    """One value in each sample. margin: left out, but at the edges of the image, and of small boxes less."""
    rows, columns = words.shape[:2]
    sides = (box.bottom - box.top, box.right - box.left)
    down, across = (min(margin, (side - 1) // 2) for side in sides)
    top, left = box.top + (down if box.top else 0), box.left + (across if box.left else 0)
    bottom = box.bottom - (down if box.bottom < rows else 0)
    right = box.right - (across if box.right < columns else 0)
    inside = words[top:bottom, left:right]
    return inside.size > 0 and bool((inside == inside[0, 0]).all())


def has_unused_bits(header: Dataset) -> bool:
    return 0 < int(header.get("BitsStored") or 0) < int(header.get("BitsAllocated") or 0)


def leaves_bits_empty(words: np.ndarray, shown: np.ndarray, header: Dataset) -> bool:
    """The bits that are not stored ones are 0; above those of a signed value, its sign may go on. words, shown: of
    FrameReader."""
    if not has_unused_bits(header):
        return True
    syntax = header.file_meta.TransferSyntaxUID
    in_code_stream = syntax.is_encapsulated and syntax != RLE
    low = 0 if in_code_stream else int(header.get("HighBit", header.BitsStored - 1)) + 1 - int(header.BitsStored)
    stored = shown & ((1 << int(header.BitsStored)) - 1)
    return bool(((words == stored << low) | (words == shown << low)).all())


def _beside_pixels(output: Path, after: FrameReader) -> list[str]:
    if not after.header.file_meta.TransferSyntaxUID.is_encapsulated:
        return []
    with OwnFile(output) as file:
        frames = Frames(file, after.count)
        encoded = (frames.read(number) for number in range(after.count))
        return [] if all(is_padded(one, alone(one, file.syntax)) for one in encoded) else ["TEXT_BESIDE_PIXELS"]


def _wrong_overlays(header: Dataset, boxes: Sequence[Box]) -> list[str]:
    """Overlay planes (PS3.3 C.9.2) that draw in a box; one plane alone is drawn over all frames."""
    for group in (group for group in _OVERLAYS if (group, 0x3000) in header):
        rows, columns = (int(header[group, element].value) for element in (0x0010, 0x0011))
        top, left = (int(one) - 1 for one in header[group, 0x0050].value) if (group, 0x0050) in header else (0, 0)
        first = int(header[group, 0x0051].value) - 1 if (group, 0x0051) in header else 0
        bits = np.unpackbits(np.frombuffer(header[group, 0x3000].value, np.uint8), bitorder="little")
        count = int(header[group, 0x0015].value or 1) if (group, 0x0015) in header else 1
        planes = bits[: count * rows * columns].reshape(count, rows, columns)
        for number, plane in enumerate(planes):
            seen = boxes if count == 1 else of_frame(boxes, first + number)
            if plane[_inside(plane, [_moved(box, -left, -top) for box in seen])].any():
                return ["TEXT_NOT_BLANKED"]
    return []


def _moved(box: Box, right: int, down: int) -> Box:
    return Box(box.left + right, box.top + down, box.right + right, box.bottom + down, box.frame)


def _shows(found: Box, frames: FrameReader, boxes: Sequence[Box]) -> bool:
    """Some of what was found lies outside of what was blanked, which shows nothing."""
    picture = np.empty((frames.rows, frames.columns), bool)
    blanked = [box for box in boxes if box.frame < 0 or box.frame == found.frame]
    inside = _inside(picture, blanked)
    return not inside[found.top : found.bottom, found.left : found.right].all()


def _states_the_cleaning(before: Dataset, after: Dataset) -> bool:
    methods = [str(item.get("CodeValue", "")) for item in after.get("DeidentificationMethodCodeSequence") or ()]
    return (
        after.get("BurnedInAnnotation") == "NO"
        and (methods[:1] != [_BASIC_PROFILE] or _CLEAN_PIXEL_DATA in methods)
        and (before.get("LossyImageCompression") != "01" or after.get("LossyImageCompression") == "01")
        and "IconImageSequence" not in after
    )
