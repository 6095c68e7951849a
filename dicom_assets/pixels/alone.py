"""A frame's code stream without what it carries beside its pixels: comments, thumbnails and other application data, and
what stands before its beginning or behind its end. Coded pixels go over as they are."""

import re

from ..errors import BadInput
from .jpeg_markers import APP0, APP15, COM, DHT, EOI, SOF0, SOI, SOS, Segment, application_data

_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_LS = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203))
#: What ends coded data: in JPEG-LS, FF stands before any byte below 80 there
_END_OF_SCAN = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")
_END_OF_SCAN_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_JPG, _SOF_LS, _LSE = 0xC8, 0xF7, 0xF8  #: LSE: parameters of JPEG-LS (ISO/IEC 14495-1 C.2.4)
_DNL_TO_EXP = range(0xDC, 0xE0)
_TABLES = frozenset({DHT, 0xCC, 0xDB, 0xDD})  # DHT, DAC, DQT, DRI
_FRAMES = frozenset(range(SOF0, 0xD0)) - {DHT, _JPG, 0xCC}
#: HP's transformation of colour, APP8 of JPEG-LS
_COLOUR_OF_JPEG_LS = (0xE8, b"mrfx", 5)

_SOC_SIZ, _CODE_STREAM_BOX = b"\xff\x4f\xff\x51", b"jp2c"
_COMMENT, _START_OF_TILE, _START_OF_DATA, _END_OF_CODE_STREAM = 0xFF64, 0xFF90, 0xFF93, 0xFFD9


def alone(frame: bytes, syntax: str) -> bytes:
    """Padding is left out, too. Of other syntaxes than JPEG, JPEG-LS, JPEG 2000 and HTJ2K: the frame as it is.

    Raises BadInput: PIXEL_DATA_TRUNCATED where the code stream is not there to its end, PIXEL_DATA_MALFORMED where it
    is none, or holds another one."""
    if syntax in _JPEG:
        return _jpeg(frame, _END_OF_SCAN, _FRAMES)
    if syntax in _JPEG_LS:
        return _jpeg(frame, _END_OF_SCAN_LS, frozenset({_SOF_LS}))
    return _jpeg_2000(frame) if syntax in _JPEG_2000 else frame


def is_padded(frame: bytes, code_stream: bytes) -> bool:
    """Nothing but padding stands behind it."""
    return frame.startswith(code_stream) and not frame[len(code_stream) :].strip(b"\0\xff")


def _jpeg(frame: bytes, end_of_scan: re.Pattern[bytes], headers: frozenset[int]) -> bytes:
    """ISO/IEC 10918-1 Annex B, 14495-1 Annex C."""
    if frame[:2] != bytes((0xFF, SOI)):
        raise BadInput("PIXEL_DATA_MALFORMED")
    kept, place, is_framed = [frame[:2]], 2, False
    while True:
        while frame[place : place + 2] == b"\xff\xff":  # fill
            place += 1
        marker = _word(frame, place)
        if marker == 0xFF00 | EOI:
            break
        kind, start, stop = marker & 0xFF, place + 4, place + 2 + max(_word(frame, place + 2), 2)
        segment = Segment(kind, _all_of(frame, start, stop))
        if marker >> 8 != 0xFF or (kind in headers and is_framed):
            raise BadInput("PIXEL_DATA_MALFORMED")
        is_framed |= kind in headers
        if kind == COM or APP0 <= kind <= APP15:
            segment = _colour_of_jpeg_ls(segment) if _SOF_LS in headers else application_data(segment)
        elif kind not in headers and kind not in _TABLES and kind not in (SOS, _LSE) and kind not in _DNL_TO_EXP:
            raise BadInput("PIXEL_DATA_MALFORMED")
        kept += [segment.encoded()] if segment else []
        place = stop
        if kind == SOS:
            end = end_of_scan.search(frame, place)
            if not end:
                raise BadInput("PIXEL_DATA_TRUNCATED")
            kept.append(frame[place : end.start()])
            place = end.start()
    if b"\xff\xd8\xff" in frame[place:]:
        raise BadInput("PIXEL_DATA_MALFORMED")
    return b"".join([*kept, bytes((0xFF, EOI))])


def _colour_of_jpeg_ls(segment: Segment) -> Segment | None:
    marker, name, length = _COLOUR_OF_JPEG_LS
    is_kept = segment.marker == marker and segment.payload.startswith(name) and len(segment.payload) == length
    return segment if is_kept else None


def _jpeg_2000(frame: bytes) -> bytes:
    """ISO/IEC 15444-1 Annex A. Comments are overwritten, since other segments state how long tile-parts are."""
    begin = 0 if frame.startswith(_SOC_SIZ) else frame.find(_CODE_STREAM_BOX + _SOC_SIZ) + len(_CODE_STREAM_BOX)
    if frame[begin : begin + 4] != _SOC_SIZ:
        raise BadInput("PIXEL_DATA_MALFORMED")
    code, place, end_of_tile = bytearray(frame[begin:]), 2, 0
    while (marker := _word(code, place)) != _END_OF_CODE_STREAM:
        if marker == _START_OF_DATA:
            end_of_tile = end_of_tile or code.find(_END_OF_CODE_STREAM.to_bytes(2), place)
            if not place < end_of_tile <= len(code):
                raise BadInput("PIXEL_DATA_TRUNCATED")
            place, end_of_tile = end_of_tile, 0
            continue
        start, stop = place + 4, place + 2 + max(_word(code, place + 2), 2)
        content = _all_of(code, start, stop)
        if marker >> 8 != 0xFF or (end_of_tile and marker == _START_OF_TILE):
            raise BadInput("PIXEL_DATA_MALFORMED")
        if marker == _COMMENT:
            code[start:stop] = bytes(stop - start)
        elif marker == _START_OF_TILE:
            length = int.from_bytes(content[2:6])
            end_of_tile = place + length if length else 0
        place = stop
    if _SOC_SIZ in code[place:]:
        raise BadInput("PIXEL_DATA_MALFORMED")
    return bytes(code[: place + 2])


def _word(code: bytes | bytearray, place: int) -> int:
    return int.from_bytes(_all_of(code, place, place + 2))


def _all_of(code: bytes | bytearray, start: int, stop: int) -> bytes:
    if stop > len(code):
        raise BadInput("PIXEL_DATA_TRUNCATED")
    return bytes(code[start:stop])
