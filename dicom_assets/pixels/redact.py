"""Boxes of an image blanked, whatever its transfer syntax: the file is written anew, and what is outside the boxes goes
over as it is.

native.py       in the byte stream                  jpeg_blocks.py   blocks of the compressed domain
rle.py          the rows that boxes meet            recode.py        decoded and encoded again without loss

Where neither can: decoded, and written as Explicit VR Little Endian
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..deid.elements import PIXEL_DATA, UNDEFINED, header
from ..errors import BadInput, Refused
from . import attributes, rle
from .alone import alone, is_padded
from .boxes import Box, of_frame
from .decode import open_frames
from .encapsulated import Frames, write_frames
from .fill import Background, background_of
from .jpeg_blocks import blank_blocks
from .jpeg_markers import NotBlankable
from .layout import Layout, layout_of
from .native import blank_frames, blank_samples, samples_of
from .overlays import blanked_overlays
from .recode import recoded
from .splice import Change, OwnFile, pixel_tag

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_RLE = "1.2.840.10008.1.2.5"
_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51))
_RECODED = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 81, 90, 91, 201, 202, 203))
#: Photometric Interpretation of decoded frames, where it is another one than that of the encoded ones
_AS_DECODED = {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "YBR_FULL_422": "YBR_FULL"}


@dataclass(frozen=True)
class Redacted:
    """boxes: all whose pixels may differ, grown to what the encoding blanks at once. syntax: `from>to`, UIDs, where it
    changed. how: `native`, `rle`, `jpeg blocks`, `recoded`; `header only` where no pixel was blanked."""

    boxes: tuple[Box, ...]
    syntax: str
    how: str


def blank(source: Path, target: Path, boxes: Sequence[Box], overlay_bits: bool = False) -> Redacted:
    """Writes source, one of our own files, to target with the boxes blanked and the attributes in step, also where
    there is no box. overlay_bits: clear what native or RLE pixels have in the bits that they do not use. Raises
    BadInput or Refused; target is then of no use."""
    with OwnFile(source) as file:
        layout = layout_of(file)
        inside = [
            box for one in boxes if (box := one.within(layout.rows, layout.columns)) and box.frame < layout.frames
        ]
        changes = attributes.of_cleaned(file, changed=bool(inside)) | blanked_overlays(file, layout, inside)
        redact = _by_syntax(file.syntax)
        if overlay_bits and redact not in (_native, _rle):
            raise Refused("OVERLAY_IN_PIXEL_DATA")
        background = background_of(file, layout) if inside else Background(layout, None)
        work = _Work(file, source, target, background, inside, overlay_bits, changes)
        try:
            redacted = redact(work)
        except NotBlankable:
            redacted = _decoded(work)
        return redacted if inside or overlay_bits else replace(redacted, how="header only")


@dataclass(frozen=True)
class _Work:
    """One file. boxes: within the image. changes: elements beside the pixels. every_frame: is encoded anew, also where
    nothing of it is blanked."""

    file: OwnFile
    source: Path
    target: Path
    background: Background
    boxes: Sequence[Box]
    overlay_bits: bool
    changes: dict[int, Change]
    every_frame: bool = False

    @property
    def layout(self) -> Layout:
        return self.background.layout

    def write(self, blanked: Callable[[bytes, Sequence[Box]], bytes]) -> None:
        """blanked: a frame's encoding and its boxes -> its new encoding. Of every frame, also of those without a box,
        the code stream alone goes over."""
        frames, syntax = Frames(self.file, self.layout.frames), self.file.syntax

        def changed(number: int) -> bytes | None:
            encoded, here = frames.read(number), of_frame(self.boxes, number)
            new = alone(encoded, syntax)
            if here or syntax == _RLE or self.every_frame:
                new = alone(blanked(new, here), syntax)
            return None if is_padded(encoded, new) else new

        write_frames(frames, self.target, self.changes, changed)


def _by_syntax(syntax: str) -> Callable[[_Work], Redacted]:
    if syntax == EXPLICIT_LITTLE:
        return _native
    if syntax == _RLE:
        return _rle
    if syntax in _JPEG:
        return _jpeg
    if syntax in _RECODED:
        return _recoded
    raise Refused("PIXELS_NOT_CLEANABLE")


def _native(work: _Work) -> Redacted:
    work.file.write(work.target, work.changes)
    with OwnFile(work.target) as written:
        element = written.elements[pixel_tag(written)]
    value = range(element.value, element.value_stop)
    boxes = blank_frames(work.target, value, work.background, work.boxes, work.overlay_bits)
    return Redacted(tuple(boxes), "", "native")


def _rle(work: _Work) -> Redacted:
    work.write(lambda frame, here: rle.blanked(frame, work.background, here, work.overlay_bits))
    return Redacted(tuple(work.boxes), "", "rle")


def _jpeg(work: _Work) -> Redacted:
    grown: set[Box] = set()
    background = None  # the stream knows better what its colours are
    if work.layout.samples == 1:
        background = [int(value) & (1 << work.layout.stored) - 1 for value in work.background.extreme]

    def blanked(frame: bytes, here: Sequence[Box]) -> bytes:
        new, boxes = blank_blocks(frame, here, background)
        grown.update(boxes)
        return new

    work.write(blanked)
    return Redacted(tuple(sorted(grown)), "", "jpeg blocks")


def _recoded(work: _Work) -> Redacted:
    if work.boxes and work.layout.photometric == "YBR_ICT":  # what is encoded without loss is YBR_RCT (PS3.5 8.2.4)
        photometric = attributes.photometric_of("YBR_RCT")
        work = replace(work, changes=work.changes | photometric, every_frame=True)
    work.write(lambda frame, here: recoded(frame, work.file.syntax, work.layout, here, work.background))
    return Redacted(tuple(work.boxes), "", "recoded")


def _decoded(work: _Work) -> Redacted:
    """Explicit VR Little Endian, where nobody here can encode the frames as they were."""
    layout = work.layout
    photometric = _AS_DECODED.get(layout.photometric, layout.photometric)
    native = replace(layout, photometric=photometric, planar=False, high=layout.stored - 1)
    background = background_of(work.file, native)
    frames, encoded_frames = open_frames(work.source), Frames(work.file, layout.frames)
    size = native.frame_bits * native.frames // 8
    if size + size % 2 >= UNDEFINED:
        raise Refused("PIXELS_TOO_LARGE")
    words = f"<{'i' if layout.signed else 'u'}{layout.allocated // 8}"

    def pieces() -> Iterator[bytes]:
        yield header(PIXEL_DATA, "OB" if layout.allocated == 8 else "OW", size + size % 2)
        for number in range(layout.frames):
            alone(encoded_frames.read(number), work.file.syntax)  # or it is damaged
            encoded = bytearray(frames.frame(number).astype(words).tobytes())
            if len(encoded) * 8 != native.frame_bits:
                raise BadInput("PIXEL_DATA_MALFORMED")
            if here := of_frame(work.boxes, number):
                blank_samples(samples_of(encoded, native), background, here, overlay_bits=False)
            yield bytes(encoded)
        yield b"\0" * (size % 2)

    changes = work.changes | attributes.of_decoded(work.file, native) | {PIXEL_DATA: pieces()}
    work.file.write(work.target, changes, EXPLICIT_LITTLE)
    return Redacted(tuple(work.boxes), f"{work.file.syntax}>{EXPLICIT_LITTLE}", "native")
