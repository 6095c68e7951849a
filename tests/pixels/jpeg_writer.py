"""Sequential JPEG streams from DCT coefficients: any sampling factors, scans and restart intervals. Each scan has
tables of its own with the symbols that it uses only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_DC, _AC = 0, 1


@dataclass
class JpegWriter:
    """coefficients: for each component (rows of blocks, columns of blocks, 64), quantized, in zigzag order, enough for
    whole units. factors: horizontal and vertical, of each. scans: places of their components. interval: units between
    restart markers. step: of quantization; one above 255 makes the process an extended one."""

    coefficients: Sequence[np.ndarray]
    rows: int
    columns: int
    factors: Sequence[tuple[int, int]]
    scans: Sequence[Sequence[int]]
    interval: int = 0
    precision: int = 8
    step: int = 16
    before_scans: bytes = b""

    def stream(self) -> bytes:
        wide = self.step > 255
        steps = bytes((wide << 4,)) + self.step.to_bytes(1 + wide) * 64
        components = b"".join(bytes((number, h << 4 | v, 0)) for number, (h, v) in enumerate(self.factors, 1))
        frame = (
            bytes((self.precision,)) + self.rows.to_bytes(2) + self.columns.to_bytes(2) + bytes((len(self.factors),))
        )
        written = [
            b"\xff\xd8",
            segment(0xDB, steps),
            segment(0xC1 if wide or self.precision == 12 else 0xC0, frame + components),
            segment(0xDD, self.interval.to_bytes(2)),
            self.before_scans,
            *map(self._scan, self.scans),
            b"\xff\xd9",
        ]
        return b"".join(written)

    def _scan(self, scan: Sequence[int]) -> bytes:
        units = list(self._units(scan))
        length = self.interval or len(units)
        intervals = [list(_codes(units[first : first + length])) for first in range(0, len(units), length)]
        used = [sorted({s for codes in intervals for of, s, _ in codes if of == kind}) for kind in (_DC, _AC)]
        # All codes of a table have one length, which leaves the code of ones only free.
        bits = [{symbol: f"{n:0{len(table).bit_length()}b}" for n, symbol in enumerate(table)} for table in used]
        written = []
        for kind, table in enumerate(used):
            counts = bytearray(16)
            counts[len(table).bit_length() - 1] = len(table)
            written.append(segment(0xC4, bytes((kind << 4,)) + counts + bytes(table)))
        header = bytes((len(scan),)) + b"".join(bytes((place + 1, 0)) for place in scan) + b"\0\x3f\0"
        written.append(segment(0xDA, header))
        for number, codes in enumerate(intervals):
            text = "".join(bits[kind][symbol] + value for kind, symbol, value in codes)
            text += "1" * (-len(text) % 8)
            written.append(int(text, 2).to_bytes(len(text) // 8).replace(b"\xff", b"\xff\0"))
            written.append(bytes((0xFF, 0xD0 + number % 8)))
        return b"".join(written[:-1])

    def _units(self, scan: Sequence[int]) -> Iterator[list[tuple[int, list[int]]]]:
        """Of each unit, component and coefficients of each block."""
        most_h, most_v = (max(factor[axis] for factor in self.factors) for axis in (0, 1))
        if len(scan) > 1:
            across, down = -(-self.columns // (8 * most_h)), -(-self.rows // (8 * most_v))
            shape = {place: self.factors[place] for place in scan}
        else:
            h, v = self.factors[scan[0]]
            across, down = -(-self.columns * h // (8 * most_h)), -(-self.rows * v // (8 * most_v))
            shape = {scan[0]: (1, 1)}
        for y in range(down):
            for x in range(across):
                yield [
                    (place, self.coefficients[place][y * v + j, x * h + i].tolist())
                    for place, (h, v) in shape.items()
                    for j in range(v)
                    for i in range(h)
                ]


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2) + payload


def _codes(units: list[list[tuple[int, list[int]]]]) -> Iterator[tuple[int, int, str]]:
    """Of one restart interval: class of the table, symbol, bits of the value behind it."""
    before: dict[int, int] = {}
    for place, (level, *others) in (block for unit in units for block in unit):
        yield _DC, *_value(level - before.get(place, 0), 0)
        before[place] = level
        run = 0
        for value in others:
            if not value:
                run += 1
                continue
            for _ in range(run // 16):
                yield _AC, 0xF0, ""
            yield _AC, *_value(value, run % 16)
            run = 0
        if run:
            yield _AC, 0, ""


def _value(value: int, run: int) -> tuple[int, str]:
    size = abs(value).bit_length()
    bits = f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""
    return run << 4 | size, bits
