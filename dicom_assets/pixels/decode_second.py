"""Pixels decoded without pydicom: own code for native and RLE, imagecodecs for code streams."""

from collections.abc import Callable

import numpy as np

from ..errors import BadInput
from .stored import RLE, Stored

_END_OF_IMAGE = b"\xff\xd9"


def native_words(encoded: bytes, stored: Stored, first_bit: int) -> np.ndarray:
    """encoded: the bytes in which one frame lies, from its first_bit on (PS3.5 8.1.1, 8.2). Shape as Stored.shape."""
    if stored.swapped:
        encoded = np.frombuffer(encoded.ljust(len(encoded) + len(encoded) % 2, b"\0"), "u2").byteswap().tobytes()
    if stored.allocated == 1:
        bits = np.unpackbits(np.frombuffer(encoded, np.uint8), bitorder="little")
        return bits[first_bit : first_bit + stored.frame_bits].reshape(stored.shape)
    form = stored.word.newbyteorder("<" if stored.syntax.is_little_endian else ">")
    words = np.frombuffer(encoded, form, stored.frame_bits // stored.allocated, first_bit // 8)
    words = words.astype(stored.word)
    if stored.halved:  # PS3.3 C.7.6.3.1.2: two luminances, then the chroma of both
        pairs = words.reshape(-1, 4)
        return np.stack([pairs[:, :2], *(pairs[:, [at, at]] for at in (2, 3))], -1).reshape(stored.shape)
    if stored.planar:
        return np.ascontiguousarray(words.reshape(stored.samples, stored.rows, stored.columns).transpose(1, 2, 0))
    return words.reshape(stored.shape)


def words_of(encoded: bytes, stored: Stored) -> np.ndarray:
    """Of one encapsulated frame. Raises BadInput, and what decoders raise."""
    if stored.syntax == RLE:
        return _rle(encoded, stored)
    decode = _DECODERS.get(str(stored.syntax))
    if decode is None:
        raise BadInput("PIXELS_NOT_DECODABLE")
    values = decode(encoded, stored)
    if values.ndim == 3 and stored.samples == 1:
        values = values[..., 0]
    if values.dtype.kind == "i":
        return values.astype(stored.word)
    return values.astype(f"u{stored.word.itemsize}").view(stored.word)


def _rle(encoded: bytes, stored: Stored) -> np.ndarray:
    """PS3.5 G: one segment for each byte of a sample, most significant first."""
    from imagecodecs import packbits_decode

    count = stored.samples * stored.allocated // 8
    offsets = np.frombuffer(encoded, "<u4", 16)[1 : count + 1].tolist()
    pixels = stored.rows * stored.columns
    planes = np.empty((count, pixels), np.uint8)
    for plane, start, stop in zip(planes, offsets, [*offsets[1:], len(encoded)], strict=True):
        values = np.frombuffer(packbits_decode(encoded[start:stop]), np.uint8)
        plane[:] = values[:pixels]
    words = planes.reshape(stored.samples, -1, pixels)[:, ::-1].transpose(2, 0, 1)
    return np.ascontiguousarray(words).view(stored.word.newbyteorder("<")).astype(stored.word).reshape(stored.shape)


def _jpeg(encoded: bytes, stored: Stored) -> np.ndarray:
    """No colour space is converted: the same one is named on both sides."""
    from imagecodecs import jpeg8_decode

    space = "GRAYSCALE" if stored.samples == 1 else "RGB"
    return jpeg8_decode(encoded, colorspace=space, outcolorspace=space)


def _jpeg_ls(encoded: bytes, _stored: Stored) -> np.ndarray:
    from imagecodecs import jpegls_decode

    if not encoded.rstrip(b"\0").endswith(_END_OF_IMAGE):  # the decoder would search for it for seconds
        raise BadInput("PIXELS_NOT_DECODABLE")
    return jpegls_decode(encoded)


def _jpeg_2000(encoded: bytes, _stored: Stored) -> np.ndarray:
    from imagecodecs import jpeg2k_decode

    return jpeg2k_decode(encoded)


def _htj2k(encoded: bytes, _stored: Stored) -> np.ndarray:
    from imagecodecs import htj2k_decode

    return htj2k_decode(encoded, planar=False)


_DECODERS: dict[str, Callable[[bytes, Stored], np.ndarray]] = {
    f"1.2.840.10008.1.2.4.{number}": decoder
    for decoder, numbers in {
        _jpeg: (50, 51, 57, 70),
        _jpeg_ls: (80, 81),
        _jpeg_2000: (90, 91),
        _htj2k: (201, 202, 203),
    }.items()
    for number in numbers
}
