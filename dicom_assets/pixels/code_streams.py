"""What an encoded frame says of itself, read without a decoder: ISO/IEC 10918-1 (JPEG), 14495-1 (JPEG-LS), 15444-1 and
-15 (JPEG 2000, HTJ2K)."""

from dataclasses import dataclass

_JP2 = b"\0\0\0\x0cjP  "
#: Frame headers of JPEG and JPEG-LS; C4, C8 and CC are others
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _CODING_STYLE, _START_OF_TILE = 0xDA, 0xFF52, 0xFF90


@dataclass(frozen=True)
class CodeStream:
    """bits: precision of a sample. transformed: the colour components are mixed (JPEG 2000's MCT). signed: known of
    JPEG 2000 alone."""

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False
    transformed: bool = False


def code_stream_of(frame: bytes) -> CodeStream | None:
    """None where it is no such code stream, is cut off or has components of other sizes than the image."""
    try:
        return _jpeg(frame) if frame.startswith(b"\xff\xd8") else _jpeg_2000(frame)
    except IndexError:
        return None


def _jpeg(frame: bytes) -> CodeStream | None:
    at = 2
    while frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _FRAME_HEADERS:
            return CodeStream(_word(frame, at + 5), _word(frame, at + 7), frame[at + 9], frame[at + 4])
        if marker == _START_OF_SCAN:
            return None
        at += 2 + max(_word(frame, at + 2), 2)
    return None


def _jpeg_2000(frame: bytes) -> CodeStream | None:
    begin = 0
    if frame.startswith(_JP2):  # no DICOM, but seen
        begin = frame.find(b"jp2c\xff\x4f\xff\x51") + 4
    if frame[begin : begin + 4] != b"\xff\x4f\xff\x51":
        return None
    right, bottom, left, top = (_long(frame, begin + at) for at in (8, 12, 16, 20))
    components = _word(frame, begin + 40)
    described = {frame[begin + 42 + 3 * each : begin + 45 + 3 * each] for each in range(components)}
    if len(described) != 1:
        return None
    depth, across, down = described.pop()
    if (across, down) != (1, 1):
        return None
    transformed = bool(_coding_style(frame, begin + 4 + _word(frame, begin + 4)))
    return CodeStream(bottom - top, right - left, components, (depth & 0x7F) + 1, depth > 0x7F, transformed)


def _coding_style(frame: bytes, at: int) -> int:
    """The multiple component transformation of COD, 0 or 1. at: the marker behind SIZ."""
    while (marker := _word(frame, at)) != _CODING_STYLE:
        if marker == _START_OF_TILE:
            raise IndexError
        at += 2 + max(_word(frame, at + 2), 2)
    return frame[at + 8]


def _word(frame: bytes, at: int) -> int:
    return frame[at] << 8 | frame[at + 1]


def _long(frame: bytes, at: int) -> int:
    return _word(frame, at) << 16 | _word(frame, at + 2)
