"""Are these the same pixels? Compared as bytes where the encoding is the same, else as decoded arrays."""

import warnings
from collections.abc import Iterator
from math import ceil, prod

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ..deid.residual import AFTER_THE_DATA_SET, PIXEL_TAGS, Piece
from ..pixels.sizes import LARGEST_FRAME
from .instance_checks import number, text, value_of

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GEOMETRY = (
    *("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PhotometricInterpretation", "PlanarConfiguration"),
)
_PALETTE = tuple(
    f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Data", "Descriptor")
)
#: These encode native pixels in the same bytes.
_LITTLE_ENDIAN = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian}
_SAME_NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian}
_SYNTAX = 0x00020010
_DESCRIBING = frozenset(map(tag_for_keyword, (*_GEOMETRY, *_PALETTE)))
_PIECE = 1 << 20  # bytes that are compared at a time


class NotDecodable(Exception):
    """The pixels are not what the header says, or no decoder here can read them."""


def frames_of(dataset: Dataset, indices: list[int] | None = None, colour: bool = False) -> Iterator[np.ndarray]:
    """One frame after the other, (rows, columns) or (rows, columns, samples), as stored (colour: YBR becomes RGB).

    Raises NotDecodable. Sizes are checked before a decoder is asked: some end the process when memory is short."""
    _check_size(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield from iter_pixels(dataset, indices=indices, raw=not colour)
        except GeneratorExit:
            raise
        except Exception:  # decoders raise anything, and their messages may quote the header
            raise NotDecodable from None


def _check_size(dataset: Dataset) -> None:
    shape = [number(dataset, keyword) for keyword in ("Rows", "Columns", "BitsAllocated")]
    frame = prod(shape) * number(dataset, "SamplesPerPixel", 1)
    frames = number(dataset, "NumberOfFrames", 1)
    if min(shape) < 1 or frames < 1 or not 0 < frame <= 8 * LARGEST_FRAME:
        raise NotDecodable
    halved = text(dataset, "PhotometricInterpretation") == "YBR_FULL_422"  # colour for every second pixel only
    encoded = value_of(dataset, pixel_keyword(dataset))
    syntax = dataset.file_meta.TransferSyntaxUID
    native = not syntax.is_private and syntax.is_transfer_syntax and not syntax.is_encapsulated
    if encoded is None or (native and len(encoded) < ceil(frame * frames / (12 if halved else 8))):
        raise NotDecodable


def pixel_keyword(dataset: Dataset) -> str:
    """The element that holds the pixels; empty where none does."""
    return next((keyword for keyword in _PIXELS if keyword in dataset), "")


def compare_pixels(original: Dataset, output: Dataset) -> tuple[str, str]:
    """(reason, note): reason is empty where the pixels are the same; note where that could be shown of the encoded
    bytes alone, because nothing here decodes the original either."""
    keyword = pixel_keyword(original)
    if keyword != pixel_keyword(output):
        return "PIXELS_CHANGED", ""
    if not keyword:
        return "", ""
    if _meaning(original) != _meaning(output):
        return "PIXELS_CHANGED", ""
    if _has_a_tail(output, keyword):
        return "PIXEL_DATA_HAS_A_TAIL", ""
    before, after = value_of(original, keyword), value_of(output, keyword)
    same_bytes = before is not None and before == after
    if same_bytes and _same_encoding(original, output):
        return unchanged_pixels(output)
    if not _decodes(output):
        return ("PIXELS_NOT_DECODABLE" if _decodes(original) else "PIXELS_CHANGED"), ""
    try:
        return ("" if _same_frames(original, output) else "PIXELS_CHANGED"), ""
    except NotDecodable:
        return "PIXELS_CHANGED", ""


def have_the_same_bytes(before: list[Piece], original: bytes, after: list[Piece], output: bytes) -> bool:
    """Both files, taken apart, have all that makes their pixels in the same bytes: then unchanged_pixels says of the
    output alone what compare_pixels would of both. False where bytes do not tell."""
    syntaxes = {piece.value.rstrip(b"\0 ").decode("latin-1") for piece in (*before, *after) if piece.tag == _SYNTAX}
    if not syntaxes <= _SAME_NATIVE and (len(syntaxes) > 1 or DeflatedExplicitVRLittleEndian in syntaxes):
        return False
    if any(piece.zone == AFTER_THE_DATA_SET for piece in (*before, *after)):
        return False
    (described, spans), (described_after, spans_after) = _encoded_pixels(before), _encoded_pixels(after)
    return described == described_after and all(
        stop - start == stop_after - start_after
        and all(
            original[start + done : min(start + done + _PIECE, stop)]
            == output[start_after + done : min(start_after + done + _PIECE, stop_after)]
            for done in range(0, stop - start, _PIECE)
        )
        for (start, stop), (start_after, stop_after) in zip(spans, spans_after, strict=True)
    )


def _encoded_pixels(pieces: list[Piece]) -> tuple[list[tuple], list[tuple[int, int]]]:
    """What describes them, and where they are."""
    at_top = [piece for piece in pieces if not piece.path and not piece.zone]
    pixels = [piece for piece in at_top if piece.tag in PIXEL_TAGS]
    described = [piece[:3] for piece in at_top if piece.tag in _DESCRIBING]
    return [*described, *(piece.tag for piece in pixels)], [piece.span for piece in pixels]


def unchanged_pixels(output: Dataset) -> tuple[str, str]:
    """(reason, note) as of compare_pixels, of an output that has its original's pixels in the same bytes. Nothing is
    left to compare; the first frame is decoded, to see that it can be."""
    keyword = pixel_keyword(output)
    if not keyword:
        return "", ""
    if _has_a_tail(output, keyword):
        return "PIXEL_DATA_HAS_A_TAIL", ""
    return ("", "") if _decodes(output, [0]) else ("", "PIXELS_NOT_DECODABLE_HERE")


def _has_a_tail(dataset: Dataset, keyword: str) -> bool:
    """Native pixel data is longer than its geometry (with the padding to even) asks for."""
    syntax, encoded = dataset.file_meta.TransferSyntaxUID, value_of(dataset, keyword)
    if encoded is None or syntax.is_private or not syntax.is_transfer_syntax or syntax.is_encapsulated:
        return False
    shape = [number(dataset, name) for name in ("Rows", "Columns")]
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or number(dataset, "BitsAllocated")
    frame = prod(shape) * bits * number(dataset, "SamplesPerPixel", 1)
    return len(encoded) > ceil(frame * number(dataset, "NumberOfFrames", 1) / 8) + 1


def _meaning(dataset: Dataset) -> tuple:
    """What gives the numbers their meaning. Planar configuration and the names of colour spaces belong to the encoding,
    so they count only where the encoded bytes are compared."""
    keywords = [k for k in _GEOMETRY if k not in ("PlanarConfiguration", "PhotometricInterpretation")]
    values = [text(dataset, keyword) or ("1" if keyword == "NumberOfFrames" else "") for keyword in keywords]
    return (*values, *(_lookup_table(dataset, keyword) for keyword in _PALETTE))


def _lookup_table(dataset: Dataset, keyword: str) -> object:
    """Its words are encoded as the data set is."""
    value = value_of(dataset, keyword)
    if isinstance(value, bytes) and len(value) % 2 == 0 and dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        return np.frombuffer(value, ">u2").astype("<u2").tobytes()
    return value


def _same_encoding(original: Dataset, output: Dataset) -> bool:
    syntaxes = {original.file_meta.TransferSyntaxUID, output.file_meta.TransferSyntaxUID}
    named = [
        (text(dataset, "PlanarConfiguration"), text(dataset, "PhotometricInterpretation"))
        for dataset in (original, output)
    ]
    return (len(syntaxes) == 1 or syntaxes <= _LITTLE_ENDIAN) and named[0] == named[1]


def _decodes(dataset: Dataset, indices: list[int] | None = None) -> bool:
    """indices: of the frames that are decoded; all where None."""
    wanted = number(dataset, "NumberOfFrames", 1) if indices is None else len(indices)
    try:
        return sum(1 for _ in frames_of(dataset, indices)) == wanted
    except NotDecodable:
        return False


def _same_frames(original: Dataset, output: Dataset) -> bool:
    try:
        pairs = zip(frames_of(original), frames_of(output), strict=True)
        return all(
            before.dtype.newbyteorder("=") == after.dtype.newbyteorder("=")
            and np.array_equal(before, after, equal_nan=True)
            for before, after in pairs
        )
    except ValueError:  # not the same number of frames
        return False
