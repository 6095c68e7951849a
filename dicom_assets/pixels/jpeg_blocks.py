"""Blanking blocks of a JPEG frame in the compressed domain: no inverse DCT, every other coefficient stays as it is.

The Huffman codes of all blocks are walked. A block of a unit (MCU) that meets a box becomes one even block of the
background; all others are copied bit by bit, but for the DC difference behind a blanked run (ISO/IEC 10918-1 F.1.2.1).
Comments, thumbnails and what stands behind the image are left out.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import jpeg_huffman, jpeg_markers, jpeg_scan
from .boxes import Box
from .jpeg_huffman import HuffmanTable
from .jpeg_markers import Component, Damaged, FrameHeader, Segment
from .jpeg_scan import Block

_AC = 0x10
_WHOLE_BLOCKS = b"\x00\x3f\x00"  # what ends the SOS segment of a sequential process (B.2.3); some writers forget it
_MOST_BLOCKS = 10  # of an interleaved unit (B.2.3)


def blank_blocks(
    stream: bytes, boxes: Sequence[Box], background: Sequence[int] | None = None
) -> tuple[bytes, list[Box]]:
    """The frame with the background in all pixels of its boxes, and the boxes whose pixels may differ from before:
    grown to whole units and, at subsampled chroma, by what decoders blend over a unit's border.

    stream: one frame, from SOI to EOI. background: sample value of each component, as coded (YBR stays YBR), brought
    into the range of samples; None: black, as the stream says what its components are. Raises Damaged and NotBlankable.
    """
    frame = _Frame(boxes, background)
    written = [b"\xff\xd8"]
    for segment in jpeg_markers.segments(stream):
        written += frame.rewritten(segment)
    if not frame.header or len(frame.scanned) != len(frame.header.components):
        raise Damaged
    return b"".join([*written, b"\xff\xd9"]), frame.changed(boxes)


class _Frame:
    """What the segments have said so far."""

    def __init__(self, boxes: Sequence[Box], background: Sequence[int] | None) -> None:
        self.header: FrameHeader | None = None
        self.scanned: set[int] = set()
        self._boxes, self._background = boxes, background
        self._quantizers: dict[int, int] = {}
        self._tables: dict[int, HuffmanTable] = {}
        self._interval = 0  # units between restart markers; 0 for none
        self._adobe_transform: int | None = None

    def rewritten(self, segment: Segment) -> list[bytes]:
        """What stands for the segment in the new stream."""
        match segment.marker:
            case jpeg_markers.SOS:
                return self._scan(segment)
            case jpeg_markers.SOF0 | jpeg_markers.SOF1:
                if self.header:
                    raise Damaged
                self.header = jpeg_markers.frame_header(segment)
            case jpeg_markers.DHT:
                self._tables.update(jpeg_huffman.tables(segment.payload))
            case jpeg_markers.DQT:
                self._quantizers.update(jpeg_markers.first_quantizers(segment.payload))
            case jpeg_markers.DRI:
                if len(segment.payload) != 2:
                    raise Damaged
                self._interval = int.from_bytes(segment.payload)
            case _:
                kept = jpeg_markers.application_data(segment)
                if kept and kept.marker == jpeg_markers.APP14:
                    self._adobe_transform = kept.payload[11]
                return [kept.encoded()] if kept else []
        return [segment.encoded()]

    def changed(self, boxes: Sequence[Box]) -> list[Box]:
        """boxes, grown; without those that lie outside of the image."""
        grown = (self._whole_units(box) for box in boxes)
        return [self._with_margin(box, *self._blend).within(*self._size) for box in grown if box]

    @property
    def _size(self) -> tuple[int, int]:
        return self.header.rows, self.header.columns

    @property
    def _blend(self) -> tuple[int, int]:
        """Rows and columns over which decoders may blend the chroma of two units: what one sample covers."""
        rows, columns = (extent // 8 for extent in self.header.unit)
        components = self.header.components
        return (
            rows if rows > min(c.vertical for c in components) else 0,
            columns if columns > min(c.horizontal for c in components) else 0,
        )

    @staticmethod
    def _with_margin(box: Box, rows: int, columns: int) -> Box:
        return replace(
            box, left=box.left - columns, top=box.top - rows, right=box.right + columns, bottom=box.bottom + rows
        )

    def _whole_units(self, box: Box) -> Box | None:
        """The units to blank, as pixels that may lie beyond the image: all that decide over a pixel of the box."""
        box = box.within(*self._size)
        if not box:
            return None
        box = self._with_margin(box, *self._blend).within(*self._size)
        (rows, columns), (blend_rows, blend_columns) = self.header.unit, self._blend
        return replace(
            box,
            left=box.left // columns * columns,
            top=box.top // rows * rows,
            right=_end_of_unit(box.right, columns, blend_columns, self.header.columns),
            bottom=_end_of_unit(box.bottom, rows, blend_rows, self.header.rows),
        )

    def _scan(self, segment: Segment) -> list[bytes]:
        """An SOS segment and its data, behind the tables that the new codes need."""
        members = self._members(segment.payload)
        blocks = [
            Block(component.number, dc, ac, self._level(component))
            for component, dc, ac in members
            for _ in range(component.horizontal * component.vertical if len(members) > 1 else 1)
        ]
        if len(blocks) > _MOST_BLOCKS:
            raise Damaged
        blank = self._blank([component for component, _, _ in members], sum(map(len, segment.entropy)))
        sizes = {place: table.size for place, table in self._tables.items()}
        largest = 11 if self.header.precision == 8 else 15
        coded = jpeg_scan.rewritten(segment.entropy, blocks, blank, self._interval, largest)
        grown = [table.segment(place) for place, table in self._tables.items() if table.size != sizes[place]]
        header = replace(segment, payload=segment.payload[:-3] + _WHOLE_BLOCKS)
        return [*(table.encoded() for table in grown), header.encoded(), coded]

    def _members(self, payload: bytes) -> list[tuple[Component, HuffmanTable, HuffmanTable]]:
        """Of an SOS segment (B.2.3): the scan's components with their DC and AC tables."""
        if not self.header or not payload or len(payload) != 4 + 2 * payload[0]:
            raise Damaged
        components = {component.number: component for component in self.header.components}
        try:
            members = [
                (components[number], self._tables[choice >> 4], self._tables[_AC | choice & 15])
                for number, choice in zip(payload[1:-3:2], payload[2:-3:2], strict=True)
            ]
        except KeyError:
            raise Damaged from None
        numbers = {component.number for component, _, _ in members}
        if not members or len(numbers) != len(members) or numbers & self.scanned:
            raise Damaged
        self.scanned |= numbers
        return members

    def _blank(self, components: list[Component], coded: int) -> bytes:
        """For each unit of the scan, whether a box meets it. coded: bytes of the scan's data."""
        header = self.header
        unit_rows, unit_columns = header.unit
        across, down = -(-header.columns // unit_columns), -(-header.rows // unit_rows)
        if across * down * 2 > 8 * coded:  # a unit has two codes at least, which may have one bit
            raise Damaged
        met = np.zeros((down, across), np.uint8)
        for box in filter(None, map(self._whole_units, self._boxes)):
            rows = slice(box.top // unit_rows, box.bottom // unit_rows)
            met[rows, box.left // unit_columns : box.right // unit_columns] = 1
        if len(components) == 1 and len(header.components) > 1:  # not interleaved: its units are single blocks (A.2.2)
            wide, high = components[0].horizontal, components[0].vertical
            columns = -(-header.columns * wide * 8 // unit_columns)
            rows = -(-header.rows * high * 8 // unit_rows)
            met = met.repeat(high, 0).repeat(wide, 1)[: -(-rows // 8), : -(-columns // 8)]
        return met.tobytes()

    def _level(self, component: Component) -> int:
        """The quantized DC coefficient of the background; beyond the range of samples rather than short of it."""
        if component.quantization not in self._quantizers:
            raise Damaged
        largest = (1 << self.header.precision) - 1
        place = self.header.components.index(component)
        value = self._background[place] if self._background is not None else self._black(place)
        value = min(max(value, 0), largest)
        # The DC coefficient is 8 times the block's mean (A.3.3), samples shifted by half of their range (A.3.1).
        exact = 8 * (value - (largest + 1) // 2) / self._quantizers[component.quantization]
        return math.floor(exact) if value == 0 else math.ceil(exact) if value == largest else round(exact)

    def _black(self, place: int) -> int:
        """Sample value of a component's black: half of the range for chroma."""
        components = self.header.components
        letters = bytes(component.number for component in components) == b"RGB"
        chroma = len(components) == 3 and place > 0 and self._adobe_transform != 0 and not letters
        return 1 << (self.header.precision - 1) if chroma else 0


def _end_of_unit(end: int, unit: int, blend: int, size: int) -> int:
    """Where the last unit of a box ends, whose pixels end at `end`; that of the image's last one, where no more than
    blended pixels would stay behind it."""
    end = -(-end // unit) * unit
    return end if end + blend < size else -(-size // unit) * unit
