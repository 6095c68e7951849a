"""One frame's boxes blanked by decoding it and encoding it again, without loss, in the transfer syntax that it had.

What the syntax asks of the code stream stays true: precision, sign, components, transformation of colour (PS3.5 8.2 and
A.4). Where no encoder here can do that, the caller writes Explicit VR Little Endian.
"""

from collections.abc import Callable, Sequence

import numpy as np
from pydicom.uid import UID

from .boxes import Box
from .code_streams import CodeStream, code_stream_of
from .decode import one_frame
from .fill import Background
from .jpeg_markers import NotBlankable
from .layout import Layout
from .stored import Stored

_SPIFF = b"\xff\xe8"
_SMALLEST = 64  #: PS3.5 A.4.4 of HTJ2K RPCL: the least resolution's rows or columns


def recoded(frame: bytes, syntax: str, layout: Layout, boxes: Sequence[Box], background: Background) -> bytes:
    """frame: as encoded. boxes: of this frame, within the image. Every pixel outside of them decodes to what it did.

    Raises NotBlankable where the frame cannot be written in this syntax; BadInput where it cannot be decoded."""
    encode = _ENCODERS.get(syntax)
    stream = code_stream_of(frame)
    if encode is None or stream is None or layout.floating:
        raise NotBlankable
    if layout.photometric == "YBR_ICT" and not stream.transformed:
        raise NotBlankable  # its caller names it YBR_RCT, which it is not
    stored = _stored(layout, syntax)
    words = one_frame(frame, stored)
    values = stored.without_unused_bits(words)
    outside = np.ones(values.shape[:2], bool)
    for box in boxes:
        outside[box.top : box.bottom, box.left : box.right] = False
    fill = np.array(background.of(values[outside])).astype(values.dtype)
    if not _holds(stream, layout, fill):
        raise NotBlankable
    return encode(_in_the_stream(words, outside, fill, stream), stream)


def _holds(stream: CodeStream, layout: Layout, fill: np.ndarray) -> bool:
    """Its precision may be less than Bits Stored."""
    least = -(1 << stream.bits - 1) if stream.signed else 0
    return stream.bits >= layout.stored or bool(((fill >= least) & (fill < least + (1 << stream.bits))).all())


def _in_the_stream(words: np.ndarray, outside: np.ndarray, fill: np.ndarray, stream: CodeStream) -> np.ndarray:
    """The words as the code stream has them: of its own sign, and of bytes where its precision needs no more."""
    blanked = words.copy()
    blanked[~outside] = fill if words.ndim == 3 else fill[0]
    if not stream.signed and stream.bits < 8 * blanked.itemsize:
        blanked &= (1 << stream.bits) - 1
    kind = "i" if stream.signed else "u"
    return np.ascontiguousarray(
        blanked.view(f"{kind}{blanked.itemsize}").astype(f"{kind}{1 if stream.bits <= 8 else 2}")
    )


def _stored(layout: Layout, syntax: str) -> Stored:
    return Stored(
        rows=layout.rows,
        columns=layout.columns,
        frames=1,
        samples=layout.samples,
        allocated=layout.allocated,
        stored=layout.stored,
        high=layout.high,
        signed=layout.signed,
        photometric=layout.photometric,
        planar=layout.planar,
        syntax=UID(syntax),
    )


def _jpeg_2000(values: np.ndarray, stream: CodeStream) -> bytes:
    """Reversible 5/3; colour transformed (RCT) where it was."""
    from openjpeg.utils import encode_array

    _at_most(stream, 16)
    srgb = 1 if stream.transformed else 0
    return bytes(encode_array(values, stream.bits, photometric_interpretation=srgb, use_mct=stream.transformed))


def _htj2k(values: np.ndarray, stream: CodeStream) -> bytes:
    """Reversible 5/3 in RPCL order, with tile-part lengths and as many resolutions as PS3.5 asks of HTJ2K RPCL."""
    from imagecodecs import htj2k_encode

    _whole_words(stream)
    halvings = max(5, *(int(np.ceil(np.log2(size / _SMALLEST))) for size in (stream.rows, stream.columns)))
    return bytes(htj2k_encode(values, reversible=True, rgb=stream.transformed, tlm=True, resolutions=halvings))


def _jpeg_ls(values: np.ndarray, stream: CodeStream) -> bytes:
    from imagecodecs import jpegls_encode

    _whole_words(stream)
    encoded = jpegls_encode(values, out=2 * values.nbytes + 1024)  # noise grows
    at = 2
    while encoded[at : at + 2] == _SPIFF:  # of files, not of DICOM
        at += 2 + int.from_bytes(encoded[at + 2 : at + 4])
    return encoded[:2] + encoded[at:]


def _jpeg_lossless(values: np.ndarray, stream: CodeStream) -> bytes:
    """Predictor 1, which both of its transfer syntaxes allow; no colour is transformed."""
    from imagecodecs import jpeg8_encode

    _at_most(stream, 16)
    space = {"colorspace": "RGB", "outcolorspace": "RGB"} if stream.samples > 1 else {}
    return bytes(jpeg8_encode(values, lossless=True, predictor=1, bitspersample=stream.bits, **space))


def _at_most(stream: CodeStream, bits: int) -> None:
    if not 2 <= stream.bits <= bits:
        raise NotBlankable


def _whole_words(stream: CodeStream) -> None:
    """These encoders know no other precision than that of bytes and words."""
    if stream.bits not in (8, 16):
        raise NotBlankable


_ENCODERS: dict[str, Callable[[np.ndarray, CodeStream], bytes]] = {
    f"1.2.840.10008.1.2.4.{number}": encoder
    for encoder, numbers in {
        _jpeg_lossless: (57, 70),
        _jpeg_ls: (80, 81),
        _jpeg_2000: (90, 91),
        _htj2k: (201, 202, 203),
    }.items()
    for number in numbers
}
