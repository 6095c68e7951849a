"""RLE Lossless (PS3.5 Annex G): a frame is up to 15 byte planes, the most significant byte of each sample first, each
packed row by row. Rows that do not change keep their packets."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import BadInput
from .boxes import Box
from .fill import Background
from .layout import Layout
from .native import blank_samples

_HEADER = 64  #: bytes: the number of segments and the offset of each, 32 bits, fifteen of them
_MOST_SEGMENTS = 15
_LONGEST = 128  #: bytes of one packet, unpacked
_SHORTEST_RUN = 3  #: bytes that are shorter as a run, in between of others


class _Plane(NamedTuple):
    """One segment, unpacked. row_starts: where in the segment the packets of each row begin, and those behind the last;
    empty where packets go over the end of a row."""

    segment: bytes
    bytes_: bytearray
    row_starts: array


def blanked(frame: bytes, background: Background, boxes: Sequence[Box], overlay_bits: bool) -> bytes:
    """The frame with its boxes blanked. Raises BadInput where it is not as long as its geometry asks for."""
    layout = background.layout
    planes = [_unpacked(segment, layout) for segment in _segments(frame, layout)]
    words = _words(planes, layout)
    before = words.copy()
    blank_samples(words, background, boxes, overlay_bits)
    changed = _bytes_of(words, layout) != _bytes_of(before, layout)
    rows = _bytes_of(words, layout)
    segments = [_packed_again(*each) for each in zip(planes, rows, changed.any(axis=2), strict=True)]
    offsets = np.cumsum([_HEADER, *map(len, segments[:-1])], dtype="<u4")
    head = len(segments).to_bytes(4, "little") + offsets.tobytes()
    return b"".join([head.ljust(_HEADER, b"\0"), *segments])


def frame_samples(frame: bytes, layout: Layout) -> np.ndarray:
    """(rows, columns, samples), unsigned words as they are allocated. Raises BadInput."""
    return _words([_unpacked(segment, layout) for segment in _segments(frame, layout)], layout)


def _segments(frame: bytes, layout: Layout) -> list[bytes]:
    wanted = layout.samples * layout.allocated // 8
    offsets = np.frombuffer(frame[:_HEADER].ljust(_HEADER, b"\0"), "<u4").tolist()
    starts = offsets[1 : 1 + wanted]
    stops = [*starts[1:], len(frame)]
    orderly = all(start < stop for start, stop in zip(starts, stops, strict=True))
    if not 0 < wanted == offsets[0] <= _MOST_SEGMENTS or starts[0] != _HEADER or not orderly or layout.allocated % 8:
        raise BadInput("RLE_MALFORMED")
    return [frame[start:stop] for start, stop in zip(starts, stops, strict=True)]


def _unpacked(segment: bytes, layout: Layout) -> _Plane:
    """PackBits (G.3.2). Raises BadInput where there are more or fewer bytes than rows and columns ask for."""
    columns, size = layout.columns, layout.rows * layout.columns
    out, row_starts = bytearray(), array("Q", (0,))
    position, end, next_row, aligned = 0, len(segment), columns, True
    while len(out) < size and position < end:
        count = segment[position]
        if count < 128:
            out += segment[position + 1 : position + 2 + count]
            position += 2 + count
        elif count > 128:
            out += segment[position + 1 : position + 2] * (257 - count)
            position += 2
        else:
            position += 1
        if len(out) >= next_row and aligned:
            aligned = len(out) == next_row
            row_starts.append(position)
            next_row += columns
    if len(out) != size or position > end or segment[position:].strip(b"\0\x80"):
        raise BadInput("RLE_MALFORMED")
    return _Plane(segment, out, row_starts if aligned else array("Q"))


def _words(planes: Sequence[_Plane], layout: Layout) -> np.ndarray:
    width = layout.allocated // 8
    words = np.empty((layout.rows, layout.columns, layout.samples), f"<u{width}")
    as_bytes = words.view(np.uint8).reshape(layout.rows, layout.columns, layout.samples, width)
    for number, plane in enumerate(planes):
        sample, place = divmod(number, width)
        as_bytes[:, :, sample, width - 1 - place] = np.frombuffer(plane.bytes_, np.uint8).reshape(
            layout.rows, layout.columns
        )
    return words


def _bytes_of(words: np.ndarray, layout: Layout) -> np.ndarray:
    """(planes, rows, columns), in the order of the segments."""
    width = layout.allocated // 8
    as_bytes = words.view(np.uint8).reshape(layout.rows, layout.columns, layout.samples, width)[..., ::-1]
    return as_bytes.reshape(layout.rows, layout.columns, -1).transpose(2, 0, 1)


def _packed_again(plane: _Plane, rows: np.ndarray, changed: np.ndarray) -> bytes:
    """The segment of even length, padded with 0 (G.3.1). rows: (rows, columns). changed: whether each row did."""
    if not changed.any():
        return plane.segment + b"\0" * (len(plane.segment) % 2)
    starts, pieces, done = plane.row_starts, [], 0
    if not starts:
        return _even(b"".join(map(_packed, rows)))
    for number in np.flatnonzero(changed).tolist():
        pieces += (plane.segment[starts[done] : starts[number]], _packed(rows[number]))
        done = number + 1
    pieces.append(plane.segment[starts[done] : starts[-1]])
    return _even(b"".join(pieces))


def _packed(row: np.ndarray) -> bytes:
    """PackBits of one row: long runs as runs, all between them as it is."""
    content = row.tobytes()
    edges = np.concatenate(([0], np.flatnonzero(row[1:] != row[:-1]) + 1, [len(row)]))
    lengths = np.diff(edges)
    long = np.flatnonzero(lengths >= _SHORTEST_RUN)
    out, literal = bytearray(), 0
    for start, length in zip(edges[long].tolist(), lengths[long].tolist(), strict=True):
        _literal(out, content[literal:start])
        literal = start + length
        while length > 1:
            count = min(length, _LONGEST)
            out += bytes((257 - count, content[start]))
            length -= count
        if length:
            literal -= 1  # a single byte is no run
    _literal(out, content[literal:])
    return bytes(out)


def _literal(out: bytearray, content: bytes) -> None:
    for start in range(0, len(content), _LONGEST):
        piece = content[start : start + _LONGEST]
        out.append(len(piece) - 1)
        out += piece


def _even(segment: bytes) -> bytes:
    return segment + b"\0" * (len(segment) % 2)
