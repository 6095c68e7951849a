"""Frames of a file as they are stored, one at a time, by one of two families of decoders that share no code.

first    pydicom, with pylibjpeg for what is compressed
second   own code for native and RLE, imagecodecs for the rest (decode_second.py)
either   the first; the second where that cannot read a frame, as of JPEG with 12 bits

Sizes are checked before a decoder is asked: some end the process where memory is short.
"""

import warnings
from array import array
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ..errors import BadInput
from . import decode_second
from .code_streams import code_stream_of
from .stored import RLE, Stored, stored_of

_KEYWORDS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_UNDEFINED = 0xFFFFFFFF
#: (is implicit VR, is little endian) ->
_UNNAMED = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")


class FrameReader(Protocol):
    """header: the data set without its pixels. samples: 1, or 3 as the last axis."""

    count: int
    rows: int
    columns: int
    samples: int
    header: Dataset

    def frame(self, index: int) -> np.ndarray:
        """(rows, columns) or (rows, columns, samples): stored values, signed where Pixel Representation says so, unused
        bits left out; no colour space is converted but that of JPEG 2000's own transformations (they give RGB), no
        palette applied. Raises BadInput: PIXELS_NOT_DECODABLE."""

    def words(self, index: int) -> np.ndarray:
        """As frame, with what is in the unused bits."""


def open_frames(path: Path, family: Literal["first", "second", "either"] = "either") -> FrameReader:
    """Raises BadInput: PIXELS_NOT_DECODABLE, also where header and file contradict each other; PIXELS_TOO_LARGE."""
    with _quietly():
        return _File(path, _FAMILIES[family])


def one_frame(encoded: bytes, stored: Stored) -> np.ndarray:
    """The words of one encapsulated frame, by either family. Raises BadInput."""
    with _quietly():
        _check(encoded, stored)
        return _by_either(encoded, stored)


class _quietly:
    """Decoders raise anything and warn, and their messages may quote the header."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, kind: type | None, error: BaseException | None, _traceback: object) -> None:
        self._warnings.__exit__(None, None, None)
        if isinstance(error, Exception) and not isinstance(error, (BadInput, MemoryError, OSError)):
            raise BadInput("PIXELS_NOT_DECODABLE") from None


class _File:
    """FrameReader. The file is open only while it is read."""

    def __init__(self, path: Path, decoder: Callable[[bytes, Stored], np.ndarray]) -> None:
        self._path, self._decoder = path, decoder
        self._inflated: bytes | None = None
        with path.open("rb") as file:
            self.header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            syntax = _syntax_of(self.header)
            if syntax == DeflatedExplicitVRLittleEndian:
                file.seek(0)
                self._inflated = pydicom.dcmread(file).PixelData
                self._value, size, keyword, vr = 0, len(self._inflated), "PixelData", b"OW"
            else:
                keyword, vr, size = _element(file, *self.header.original_encoding)
                self._value = file.tell()
            self._stored = stored_of(self.header, syntax, keyword, vr == b"OW")
            if self._stored.halved and self._stored.is_full(size):
                self._stored = replace(self._stored, photometric="YBR_FULL")
            self.rows, self.columns, self.samples = self._stored.rows, self._stored.columns, self._stored.samples
            self.count = self._stored.frames
            if syntax.is_encapsulated:
                if size != _UNDEFINED:
                    raise BadInput("PIXELS_NOT_DECODABLE")
                self._spans = _frames(file, self.count, self.header.get("ExtendedOffsetTable"))
            elif self._file_size(file) - self._value < size or size < self._stored.native_bytes(self.count):
                raise BadInput("PIXELS_NOT_DECODABLE")

    def frame(self, index: int) -> np.ndarray:
        return self._stored.without_unused_bits(self.words(index))

    def words(self, index: int) -> np.ndarray:
        if not 0 <= index < self.count:
            raise IndexError(index)
        with _quietly(), self._open() as file:
            if not self._stored.syntax.is_encapsulated:
                return self._native(file, index)
            encoded = b"".join(_read(file, start, stop) for start, stop in self._spans(index))
            _check(encoded, self._stored)
            words = self._decoder(encoded, self._stored)
        if words.shape != self._stored.shape:
            raise BadInput("PIXELS_NOT_DECODABLE")
        return words

    def _native(self, file: BinaryIO, index: int) -> np.ndarray:
        if self._decoder is not decode_second.words_of:
            file.seek(self._value)
            return _pydicom_array(file, self._stored, index, self.count)
        start, stop = self._stored.native_bits(index)
        begin, end = start // 8, -(-stop // 8)
        if self._stored.swapped:  # bytes in pairs, also over the borders of frames
            begin, end = begin - begin % 2, end + end % 2
        encoded = _read(file, self._value + begin, self._value + end)
        return decode_second.native_words(encoded, self._stored, start - 8 * begin)

    def _open(self) -> BinaryIO:
        return self._path.open("rb") if self._inflated is None else BytesIO(self._inflated)

    def _file_size(self, file: BinaryIO) -> int:
        if self._inflated is not None:
            return len(self._inflated)
        return self._path.stat().st_size


def _syntax_of(header: Dataset) -> UID:
    """Where the file meta does not name it: that in which the data set turned out to be."""
    named = header.file_meta.get("TransferSyntaxUID")
    return UID(named) if named else _UNNAMED[header.original_encoding]


def _element(file: BinaryIO, implicit: bool, little_endian: bool) -> tuple[str, bytes, int]:
    """The keyword, VR and length of the element at which a header ends; file is then at its value."""
    order = "little" if little_endian else "big"
    group, element = (int.from_bytes(file.read(2), order) for _ in range(2))
    vr = b"OW" if implicit else file.read(4)[:2]
    return _KEYWORDS[group << 16 | element], vr, int.from_bytes(file.read(4), order)


def _frames(file: BinaryIO, count: int, extended: bytes | None) -> Callable[[int], list[tuple[int, int]]]:
    """Where the fragments of a frame begin and end in the file, by its number (PS3.5 A.4). file: at the first item."""
    starts, stops = array("Q"), array("Q")
    while (tag := file.read(4)) == b"\xfe\xff\x00\xe0":
        length = int.from_bytes(file.read(4), "little")
        starts.append(file.tell())
        stops.append(starts[-1] + length)
        if len(starts) == 1:
            table = file.read(length)
        file.seek(stops[-1])
    if tag not in (b"\xfe\xff\xdd\xe0", b"") or not starts or file.seek(0, 2) < stops[-1]:
        raise BadInput("PIXELS_NOT_DECODABLE")
    begin = stops[0] + 8
    del starts[0], stops[0]
    firsts = _first_fragments(file, starts, begin, count, extended or b"", table)
    return lambda index: list(zip(*(ends[firsts[index] : firsts[index + 1]] for ends in (starts, stops)), strict=True))


def _first_fragments(file: BinaryIO, starts: array, begin: int, count: int, extended: bytes, basic: bytes) -> list[int]:
    """Number of the first fragment of each frame, and of the one behind the last. begin: to where offset 0 points."""
    number_at = {start: number for number, start in enumerate(starts)}
    firsts: list[int] = []
    for table, word in ((extended, "<u8"), (basic, "<u4")):
        if table and not firsts:
            firsts = [number_at[begin + int(offset)] for offset in np.frombuffer(table, word)]
    if not firsts and len(starts) == count:
        firsts = list(range(count))
    elif not firsts and count == 1:
        firsts = [0]
    elif not firsts:
        firsts = [at for at, start in enumerate(starts) if _read(file, start, start + 12).startswith(_BEGINNINGS)]
    if len(firsts) != count or firsts[0] or any(one >= other for one, other in pairwise(firsts)):
        raise BadInput("PIXELS_NOT_DECODABLE")
    return [*firsts, len(starts)]


def _read(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return file.read(stop - start)


def _check(encoded: bytes, stored: Stored) -> None:
    """The frame's own account of its geometry is the header's."""
    if stored.syntax == RLE:
        agrees = int.from_bytes(encoded[:4], "little") == stored.samples * stored.allocated // 8
    else:
        stream = code_stream_of(encoded)
        agrees = (
            stream is not None
            and (stream.rows, stream.columns, stream.samples) == (stored.rows, stored.columns, stored.samples)
            and stream.bits <= stored.allocated
        )
    if not agrees:
        raise BadInput("PIXELS_NOT_DECODABLE")


def _by_pydicom(encoded: bytes, stored: Stored) -> np.ndarray:
    return _pydicom_array(encapsulate([encoded], has_bot=False), stored, 0, 1)


def _by_either(encoded: bytes, stored: Stored) -> np.ndarray:
    try:
        return _by_pydicom(encoded, stored)
    except MemoryError:
        raise
    except Exception:
        return decode_second.words_of(encoded, stored)


def _pydicom_array(source: bytes | BinaryIO, stored: Stored, index: int, count: int) -> np.ndarray:
    array, _properties = get_decoder(stored.syntax).as_array(
        source,
        index=index,
        raw=True,
        number_of_frames=count,
        correct_unused_bits=False,
        apply_jls_sign_correction=False,
        apply_j2k_sign_correction=False,
        transfer_syntax_uid=stored.syntax,
        **stored.pydicom_options,
    )
    return array.astype(stored.word, copy=False)


_FAMILIES = {"first": _by_pydicom, "second": decode_second.words_of, "either": _by_either}
