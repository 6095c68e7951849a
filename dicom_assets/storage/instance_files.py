"""Instances as files: read at random through an open descriptor, and written from parts of another.

Whose fault it was is told by the error: BadInput is the source's, OSError the target's.
"""

import os
import stat
from collections.abc import Sequence

from ..errors import BadInput

#: Bytes that are read at once when a file is opened: most headers, and the whole of a small file.
_FIRST_READ = 1 << 16
_COPY = 1 << 20


class FileSource:
    """An open file as the engine's Source. Raises BadInput("UNREADABLE_FILE") where it is shorter than it was."""

    def __init__(self, handle: int) -> None:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise BadInput("NOT_A_FILE")
        self.handle, self.size = handle, state.st_size
        self.beginning = self._pread(0, min(_FIRST_READ, self.size))

    def read(self, start: int, stop: int) -> bytes:
        if stop <= len(self.beginning):
            return self.beginning[start:stop]
        return self._pread(start, min(stop, self.size))

    def _pread(self, start: int, stop: int) -> bytes:
        try:
            piece = os.pread(self.handle, max(stop - start, 0), start)
            pieces = [piece]
            while piece and (start := start + len(piece)) < stop:
                piece = os.pread(self.handle, stop - start, start)
                pieces.append(piece)
        except OSError:
            raise BadInput("UNREADABLE_FILE") from None
        if start < stop:
            raise BadInput("UNREADABLE_FILE")
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]


def write_parts(source: FileSource, parts: Sequence[bytes | range], target: int) -> None:
    """The parts one behind the other into the descriptor target; ranges of the source that are not at hand are copied
    by the kernel. Raises BadInput where the source cannot be read to the end of a range, OSError where the target
    cannot be written."""
    at_hand: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, bytes):
            at_hand.append(part)
        elif part.stop <= len(source.beginning):
            at_hand.append(memoryview(source.beginning)[part.start : part.stop])
        else:
            _write_all(target, at_hand)
            at_hand.clear()
            _copy(source, part.start, part.stop, target)
    _write_all(target, at_hand)


def _write_all(target: int, pieces: list[bytes | memoryview]) -> None:
    if not pieces:
        return
    content = memoryview(b"".join(pieces)) if len(pieces) > 1 else memoryview(pieces[0])
    while content:
        content = content[os.write(target, content) :]


def _copy(source: FileSource, start: int, stop: int, target: int) -> None:
    try:
        while start < stop:
            copied = os.copy_file_range(source.handle, target, stop - start, start)
            if not copied:
                break
            start += copied
    except (OSError, AttributeError):
        pass  # not between these file systems, or not on this one: whose fault it is shows below
    while start < stop:
        _write_all(target, [source.read(start, min(start + _COPY, stop))])
        start = min(start + _COPY, stop)
