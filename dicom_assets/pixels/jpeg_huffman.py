"""Huffman tables of a sequential JPEG code stream (ISO/IEC 10918-1 Annex C and F)."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from .jpeg_markers import DHT, Damaged, NotBlankable, Segment

END_OF_BLOCK, SIXTEEN_ZEROS = 0x00, 0xF0
BEYOND_BLOCK = 128


class HuffmanTable:
    """counts: how many codes have 1 to 16 bits. symbols: in the order of their codes. Raises Damaged."""

    def __init__(self, counts: bytes, symbols: bytes) -> None:
        self._counts, self._symbols = bytearray(counts), bytearray(symbols)
        self._entries = np.zeros(1 << 16, np.uint16)
        self._codes: dict[int, str] = {}
        self._free = 0  # the first code of 16 bits that begins with none in use
        for length, symbol in zip(_lengths(counts), symbols, strict=True):
            self._append(length, symbol)

    def _append(self, length: int, symbol: int) -> None:
        span = 1 << (16 - length)
        if self._free + span > 1 << 16:
            raise Damaged
        self._codes.setdefault(symbol, f"{self._free >> (16 - length):0{length}b}")
        self._entries[self._free : self._free + span] = length << 8 | symbol
        self._free += span

    @cached_property
    def entries(self) -> memoryview:
        """By the next 16 bits of the stream as it is read, without codes that were added: length of the code << 8 |
        symbol; 0 where no code begins with them."""
        return memoryview(self._entries.copy())

    @cached_property
    def steps(self) -> np.ndarray:
        """By the next 16 bits, for an AC coefficient: (coefficients passed << 5) | bits passed, uint16; BEYOND_BLOCK
        coefficients for the end of the block, 0 for what can't stand there (F.1.2.2)."""
        length, symbol = self._entries >> 8, self._entries & 255
        size = symbol & 15
        passed = np.where(size > 0, (symbol >> 4) + 1, 0)
        passed[symbol == SIXTEEN_ZEROS] = 16
        passed[symbol == END_OF_BLOCK] = BEYOND_BLOCK
        return np.where((length > 0) & (passed > 0), passed << 5 | (length + size), 0).astype(np.uint16)

    def code(self, symbol: int) -> str:
        """Its bits. A symbol that the table lacks is added behind all others, so that no code in use changes; raises
        NotBlankable where the table is full (the code of ones only stays free, C.2)."""
        if symbol not in self._codes:
            if self._free + 1 >= 1 << 16:
                raise NotBlankable
            self._append(16, symbol)
            self._counts[15] += 1
            self._symbols.append(symbol)
        return self._codes[symbol]

    def difference_code(self, difference: int, largest: int) -> str:
        """The bits of a DC difference (F.1.2.1). largest: category that the process allows. Raises Damaged."""
        category = abs(difference).bit_length()
        if category > largest:
            raise Damaged
        value = difference if difference > 0 else difference + (1 << category) - 1
        return self.code(category) + (f"{value:0{category}b}" if category else "")

    def segment(self, place: int) -> Segment:
        """Its DHT segment. place: class << 4 | number."""
        return Segment(DHT, bytes((place,)) + bytes(self._counts) + bytes(self._symbols))

    @property
    def size(self) -> int:
        return len(self._symbols)


def _lengths(counts: bytes) -> list[int]:
    return [length for length, count in enumerate(counts, 1) for _ in range(count)]


def tables(payload: bytes) -> Iterator[tuple[int, HuffmanTable]]:
    """Of a DHT segment (B.2.4.2): class << 4 | number (class 0: DC, 1: AC), and each table. Raises Damaged."""
    while payload:
        counts = payload[1:17]
        size = 17 + sum(counts)
        if len(payload) < size or len(counts) < 16:
            raise Damaged
        yield payload[0], HuffmanTable(counts, payload[17:size])
        payload = payload[size:]
