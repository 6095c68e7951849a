"""How an image's samples are stored: the Image Pixel Module (PS3.3 C.7.6.3) and PS3.5 8.1, as far as they decide which
bits belong to which pixel."""

from dataclasses import dataclass

from ..deid.elements import OTHER_PIXELS
from ..errors import BadInput, Refused
from .sizes import LARGEST_FRAME
from .splice import OwnFile, pixel_tag

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS, _ALLOCATED = 0x00280010, 0x00280011, 0x00280100
_STORED, _HIGH, _SIGNED = 0x00280101, 0x00280102, 0x00280103
_PADDING, _FLOAT_PADDING = 0x00280120, {32: 0x00280122, 64: 0x00280123}


@dataclass(frozen=True)
class Layout:
    """Of every frame of a file. allocated, stored, high: as Bits Allocated, Bits Stored, High Bit. floating: Float or
    Double Float Pixel Data. padding: Pixel Padding Value as encoded; empty where there is none."""

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
    floating: bool = False
    padding: bytes = b""

    @property
    def shift(self) -> int:
        """Unused bits below the stored ones."""
        return self.high - self.stored + 1

    @property
    def lowest(self) -> int:
        """The least stored value that there can be."""
        return -(1 << self.stored - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        return (1 << self.stored - self.signed) - 1

    @property
    def frame_bits(self) -> int:
        """Of a native frame whose samples all are stored."""
        return self.rows * self.columns * self.samples * self.allocated


def layout_of(file: OwnFile) -> Layout:
    """Raises BadInput or Refused where it contradicts itself, or where a frame is larger than any real one."""
    tag = pixel_tag(file)
    floating = OTHER_PIXELS.get(tag, 0)
    allocated = floating or file.number(_ALLOCATED)
    stored = floating or file.number(_STORED, allocated)
    layout = Layout(
        rows=file.number(_ROWS),
        columns=file.number(_COLUMNS),
        frames=file.number(_FRAMES, 1) or 1,
        samples=file.number(_SAMPLES, 1) or 1,
        allocated=allocated,
        stored=stored,
        high=floating - 1 if floating else file.number(_HIGH, stored - 1),
        signed=not floating and file.number(_SIGNED) == 1,
        photometric=file.text(_PHOTOMETRIC),
        planar=file.number(_SAMPLES, 1) > 1 and file.number(_PLANAR) == 1,
        floating=bool(floating),
        padding=file.value(_FLOAT_PADDING.get(floating, _PADDING)),
    )
    if not layout.frame_bits or layout.allocated not in (1, 8, 16, 32, 64) or layout.samples not in (1, 3):
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    if not 0 < layout.stored <= layout.high + 1 <= layout.allocated or (layout.signed and layout.stored == 1):
        raise BadInput("PIXEL_GEOMETRY_MISSING")
    if layout.frame_bits > 8 * LARGEST_FRAME:
        raise Refused("PIXELS_TOO_LARGE")
    return layout
