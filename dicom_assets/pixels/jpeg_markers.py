"""The marker segments of a JPEG code stream: split, checked, and what is read from them (ISO/IEC 10918-1 Annex B).

Only the sequential Huffman processes (baseline and extended, 8 and 12 bit); others are NotBlankable.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BadInput, Refused

SOF0, SOF1, DHT, SOI, EOI, SOS, DQT, DRI = 0xC0, 0xC1, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
APP0, APP14, APP15, COM = 0xE0, 0xEE, 0xEF, 0xFE

# SOF2 and on (progressive, lossless, hierarchical, arithmetic), JPG, DAC, DNL, DHP, EXP.
_OTHER_PROCESSES = {*range(0xC2, 0xD0), 0xDC, 0xDE, 0xDF} - {DHT}
_END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")


class NotBlankable(Refused):
    """A whole code stream, of a process whose blocks can't be blanked one by one."""

    def __init__(self) -> None:
        super().__init__("JPEG_PROCESS_NOT_BLANKABLE")


class Damaged(BadInput):
    """A code stream that is cut short or breaks the rules of its process."""

    def __init__(self) -> None:
        super().__init__("JPEG_DAMAGED")


@dataclass(frozen=True)
class Segment:
    """marker: its second byte. payload: without marker and length. entropy: of SOS, the coded data of each restart
    interval, byte stuffing removed."""

    marker: int
    payload: bytes
    entropy: tuple[bytes, ...] = ()

    def encoded(self) -> bytes:
        """Marker, length and payload; what follows an SOS isn't in it."""
        return bytes((0xFF, self.marker)) + (len(self.payload) + 2).to_bytes(2) + self.payload


@dataclass(frozen=True)
class Component:
    """horizontal, vertical: sampling factors, 1 to 4. quantization: number of its table."""

    number: int
    horizontal: int
    vertical: int
    quantization: int


@dataclass(frozen=True)
class FrameHeader:
    """precision: bits a sample, 8 or 12."""

    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]

    @property
    def unit(self) -> tuple[int, int]:
        """Height and width, in pixels, of what one minimum coded unit covers (A.2)."""
        if len(self.components) == 1:
            return 8, 8
        return 8 * max(c.vertical for c in self.components), 8 * max(c.horizontal for c in self.components)


def segments(stream: bytes) -> Iterator[Segment]:
    """From behind SOI up to EOI, EOI not included. What stands behind EOI is left out; another image there is an error,
    as is anything where a marker should be. Raises Damaged and NotBlankable."""
    if stream[:2] != b"\xff\xd8":
        raise Damaged
    place = 2
    while True:
        marker, place = _marker(stream, place)
        if marker == EOI:
            if b"\xff\xd8\xff" in stream[place:]:
                raise NotBlankable
            return
        if marker in _OTHER_PROCESSES:
            raise NotBlankable
        if marker < SOF0 or SOF1 < marker < DHT or DHT < marker < SOS:
            raise Damaged
        length = int.from_bytes(stream[place : place + 2])
        payload = stream[place + 2 : place + length]
        if length < 2 or len(payload) != length - 2:
            raise Damaged
        place += length
        if marker == SOS:
            end = _END_OF_SCAN.search(stream, place)
            if not end:
                raise Damaged
            yield Segment(marker, payload, _intervals(stream[place : end.start()]))
            place = end.start()
        else:
            yield Segment(marker, payload)


def _marker(stream: bytes, place: int) -> tuple[int, int]:
    """The marker at place, over any fill bytes (B.1.1.2), and the place behind it."""
    if stream[place : place + 1] != b"\xff":
        raise Damaged
    while stream[place : place + 1] == b"\xff":
        place += 1
    if place == len(stream):
        raise Damaged
    return stream[place], place + 1


def _intervals(coded: bytes) -> tuple[bytes, ...]:
    parts = _RESTART.split(coded)
    if any(marker[0] != 0xD0 + number % 8 for number, marker in enumerate(parts[1::2])):
        raise Damaged
    parts = [part.rstrip(b"\xff") for part in parts[::2]]  # an FF that isn't followed by 00 is a fill byte
    if any(part.count(b"\xff") != part.count(b"\xff\x00") for part in parts):
        raise Damaged
    return tuple(part.replace(b"\xff\x00", b"\xff") for part in parts)


def frame_header(segment: Segment) -> FrameHeader:
    """Of SOF0 or SOF1 (B.2.2). Raises Damaged."""
    payload = segment.payload
    if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
        raise Damaged
    rows, columns = int.from_bytes(payload[1:3]), int.from_bytes(payload[3:5])
    components = tuple(
        Component(number, factors >> 4, factors & 15, table)
        for number, factors, table in zip(payload[6::3], payload[7::3], payload[8::3], strict=True)
    )
    header = FrameHeader(payload[0], rows, columns, components)
    if payload[0] not in ((8,) if segment.marker == SOF0 else (8, 12)) or not rows or not columns:
        raise Damaged  # rows of 0 would come later, in a DNL segment
    if not 1 <= len({c.number for c in components}) == len(components) <= 4:
        raise Damaged
    if any(not (1 <= c.horizontal <= 4 and 1 <= c.vertical <= 4) for c in components):
        raise Damaged
    return header


def first_quantizers(payload: bytes) -> Iterator[tuple[int, int]]:
    """Of a DQT segment (B.2.4.1): number of each table and its step for the DC coefficient. Raises Damaged."""
    while payload:
        wide, number = payload[0] >> 4, payload[0] & 15
        size = 1 + 64 * (wide + 1)
        step = int.from_bytes(payload[1 : 2 + wide])
        if wide > 1 or len(payload) < size or not step:
            raise Damaged
        yield number, step
        payload = payload[size:]


def application_data(segment: Segment) -> Segment | None:
    """What is kept of an APPn segment: what steers colour, without a thumbnail or anything else in it."""
    if segment.marker == APP0 and segment.payload.startswith(b"JFIF\0") and len(segment.payload) >= 14:
        return Segment(APP0, segment.payload[:12] + b"\0\0")  # a thumbnail of 0 x 0
    if segment.marker == APP14 and segment.payload.startswith(b"Adobe") and len(segment.payload) >= 12:
        return Segment(APP14, segment.payload[:12])
    return None
