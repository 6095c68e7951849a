"""The entropy-coded data of one scan, walked code by code and written again with some of its units blanked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .jpeg_huffman import BEYOND_BLOCK, END_OF_BLOCK, HuffmanTable
from .jpeg_markers import Damaged

_CHUNK = 1 << 17  # bytes whose steps are looked up at once
_LONGEST_UNIT = 4096  # bytes, more than 10 blocks (B.2.3) of 64 symbols of at most 31 bits


@dataclass(frozen=True)
class Block:
    """A block of a unit. level: quantized DC coefficient of the background."""

    component: int
    dc: HuffmanTable
    ac: HuffmanTable
    level: int


def rewritten(
    entropy: Sequence[bytes], blocks: Sequence[Block], blank: bytes, interval: int, largest_category: int
) -> bytes:
    """The scan's data with byte stuffing and restart markers.

    entropy: each restart interval without byte stuffing. blocks: those of one unit, in the scan's order. blank: for
    each unit of the scan, whether it is blanked. interval: units between restart markers, 0 for none. Tables of blocks
    gain what the new codes need. Raises Damaged and NotBlankable.
    """
    interval = interval or len(blank)
    starts = range(0, len(blank), interval)
    if len(starts) != len(entropy):
        raise Damaged
    walk = _Walk(b"".join(entropy), blocks, largest_category)
    written, place = [], 0
    for number, (first, coded) in enumerate(zip(starts, entropy, strict=True)):
        text = walk.interval(place, place + 8 * len(coded), blank[first : first + interval])
        text += "1" * (-len(text) % 8)
        written.append(int(text, 2).to_bytes(len(text) // 8).replace(b"\xff", b"\xff\x00"))
        written.append(bytes((0xFF, 0xD0 + number % 8)))
        place += 8 * len(coded)
    return b"".join(written[:-1])


class _Walk:
    """Places are bits from the beginning of the scan's data."""

    def __init__(self, coded: bytes, blocks: Sequence[Block], largest_category: int) -> None:
        self._coded = coded + bytes(_LONGEST_UNIT)
        self._largest = largest_category
        tables = list({id(block.ac): block.ac for block in blocks}.values())
        self._steps_of = [table.steps for table in tables]
        # Identity, not equality: a table is one object for all blocks that use it.
        self._blocks = [(b.component, b.dc, next(n for n, t in enumerate(tables) if t is b.ac), b) for b in blocks]
        self._steps, self._base, self._limit = [], 0, -1

    def _look_up(self, place: int) -> None:
        """For each AC table, the step from every bit of the chunk that begins at place."""
        first = place >> 3
        chunk = np.frombuffer(self._coded[first : first + _CHUNK + _LONGEST_UNIT], np.uint8).astype(np.uint32)
        three_bytes = chunk[:-2] << 16 | chunk[1:-1] << 8 | chunk[2:]
        next_bits = (three_bytes[:, None] >> np.arange(8, 0, -1, dtype=np.uint32)).astype(np.uint16).ravel()
        self._steps = [memoryview(steps[next_bits]) for steps in self._steps_of]
        self._base, self._limit = 8 * first, 8 * (first + _CHUNK)

    def interval(self, place: int, end: int, blank: bytes) -> str:
        """The bits of one restart interval, its units blanked where blank says so."""
        bits = f"{int.from_bytes(self._coded[place >> 3 : end >> 3]):0{end - place}b}"
        begin = kept = place  # what lies between kept and the block at hand is copied as it is
        read = dict.fromkeys((block[0] for block in self._blocks), 0)  # DC coefficient before, of each component
        wrote = dict(read)
        pieces: list[str] = []
        for blanked in blank:
            if place > end:
                raise Damaged
            if not self._base <= place < self._limit:
                self._look_up(place)
            for component, dc, steps, block in self._blocks:
                start = place
                difference, place = self._difference(dc, place)
                behind_dc = place
                place = self._behind_block(self._steps[steps], place)
                expected = read[component]
                read[component] += difference
                if blanked:
                    pieces.append(bits[kept - begin : start - begin])
                    pieces.append(dc.difference_code(block.level - wrote[component], self._largest))
                    pieces.append(block.ac.code(END_OF_BLOCK))
                    kept, wrote[component] = place, block.level
                else:
                    if wrote[component] != expected:
                        pieces.append(bits[kept - begin : start - begin])
                        pieces.append(dc.difference_code(read[component] - wrote[component], self._largest))
                        kept = behind_dc
                    wrote[component] = read[component]
        rest = bits[place - begin :]
        if place > end or len(set(rest)) > 1:  # what is left must be padding
            raise Damaged
        return "".join(pieces) + bits[kept - begin : place - begin]

    def _difference(self, table: HuffmanTable, place: int) -> tuple[int, int]:
        """The DC difference at place (F.2.2.1), and the place behind it."""
        first = place >> 3
        window = int.from_bytes(self._coded[first : first + 5])
        shift = 40 - (place & 7)
        entry = table.entries[window >> (shift - 16) & 0xFFFF]
        length, size = entry >> 8, entry & 255
        if not entry or size > self._largest:
            raise Damaged
        value = window >> (shift - length - size) & ((1 << size) - 1)
        if size and not value >> (size - 1):
            value -= (1 << size) - 1
        return value, place + length + size

    def _behind_block(self, steps: memoryview, place: int) -> int:
        """The place behind the AC coefficients at place."""
        position, at = 1, place - self._base
        while position < 64:
            step = steps[at]
            if not step:
                raise Damaged
            at += step & 31
            position += step >> 5
        if 64 < position < BEYOND_BLOCK:
            raise Damaged
        return at + self._base
