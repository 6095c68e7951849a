"""What a header says of how its pixels are stored, checked before anything is allocated: PS3.3 C.7.6.3."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..errors import BadInput
from .sizes import LARGEST_FRAME

_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True)
class Stored:
    """allocated, stored, high: as Bits Allocated, Bits Stored, High Bit. keyword: of the element with the pixels.
    halved: native with every second pixel's colour (YBR_FULL_422). word_vr: the element is written as OW."""

    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    planar: bool
    syntax: UID
    keyword: str = "PixelData"
    word_vr: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, self.columns, self.samples)[: 3 if self.samples > 1 else 2]

    @property
    def floating(self) -> bool:
        return self.keyword in _FLOATS

    @property
    def halved(self) -> bool:
        return self.photometric == "YBR_FULL_422" and not self.syntax.is_encapsulated

    @property
    def swapped(self) -> bool:
        """Bytes that were written as words of big endian."""
        return not self.syntax.is_little_endian and self.allocated == 8 and self.word_vr

    @property
    def frame_bits(self) -> int:
        """Of a native frame."""
        bits = self.rows * self.columns * self.samples * self.allocated
        return bits // 3 * 2 if self.halved else bits

    def native_bits(self, index: int) -> tuple[int, int]:
        """Where a native frame begins and ends, in bits from the first."""
        return index * self.frame_bits, (index + 1) * self.frame_bits

    def native_bytes(self, frames: int) -> int:
        return -(-self.frame_bits * frames // 8)

    def is_full(self, size: int) -> bool:
        """Native, and every pixel has its own colour, whatever the photometric interpretation says. size: bytes."""
        return size * 8 >= self.rows * self.columns * self.samples * self.allocated * self.frames

    @property
    def word(self) -> np.dtype:
        """In memory."""
        if self.floating:
            return np.dtype(f"f{self.allocated // 8}")
        return np.dtype(f"{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")

    def without_unused_bits(self, words: np.ndarray) -> np.ndarray:
        """Bits Stored of each word, down from High Bit; the sign carried on."""
        if self.floating or self.allocated == 1 or self.stored == self.allocated:
            return words
        high = self.stored - 1 if self.syntax.is_encapsulated and self.syntax != RLE else self.high
        return words << (self.allocated - 1 - high) >> (self.allocated - self.stored)

    @property
    def pydicom_options(self) -> dict[str, object]:
        options: dict[str, object] = {
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "bits_allocated": self.allocated,
            "bits_stored": self.stored,
            "photometric_interpretation": self.photometric,
            "pixel_keyword": self.keyword,
            "pixel_vr": "OW" if self.word_vr else "OB",
        }
        if not self.floating:
            options["pixel_representation"] = int(self.signed)
        if self.samples > 1:
            options["planar_configuration"] = int(self.planar)
        return options


RLE = UID("1.2.840.10008.1.2.5")


def stored_of(header: Dataset, syntax: UID, keyword: str, word_vr: bool) -> Stored:
    """Raises BadInput: PIXELS_NOT_DECODABLE where the header contradicts itself, PIXELS_TOO_LARGE."""
    allocated = _FLOATS.get(keyword) or int(header.BitsAllocated)
    bits = allocated if keyword in _FLOATS else int(header.get("BitsStored") or allocated)
    samples = int(header.get("SamplesPerPixel") or 1)
    stored = Stored(
        rows=int(header.Rows),
        columns=int(header.Columns),
        frames=int(header.get("NumberOfFrames") or 1),
        samples=samples,
        allocated=allocated,
        stored=bits,
        high=int(header.get("HighBit", bits - 1)) if keyword not in _FLOATS else bits - 1,
        signed=keyword not in _FLOATS and header.get("PixelRepresentation") == 1,
        photometric=str(header.PhotometricInterpretation).strip(),
        planar=samples > 1 and header.get("PlanarConfiguration") == 1,
        syntax=syntax,
        keyword=keyword,
        word_vr=word_vr,
    )
    fits = 0 < stored.stored <= stored.high + 1 <= allocated and allocated in (1, 8, 16, 32, 64)
    if not fits or stored.samples not in (1, 3) or min(stored.rows, stored.columns, stored.frames) < 1:
        raise BadInput("PIXELS_NOT_DECODABLE")
    if stored.rows * stored.columns * samples * max(allocated, 8) > 8 * LARGEST_FRAME:
        raise BadInput("PIXELS_TOO_LARGE")
    return stored
