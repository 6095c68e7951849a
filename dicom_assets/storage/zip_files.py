"""ZIP files that somebody hands us. Names in them are never paths, lengths in them are never believed, and what one
may grow to has limits. Only stored and deflated entries are read: the other methods can ask for gigabytes of memory."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import BadInput, DicomAssetsError
from .loose_files import Kind, look_at

#: Bytes of the list of entries: of some 150,000
_LARGEST_LIST = 16 << 20
#: A ZIP may grow to so many times its size; deflate makes 1032 times of zeros, and images stay below 20
_GROWTH, _ALWAYS_ALLOWED = 100, 256 << 20
_PIECE, _LOOK = 1 << 20, 8
#: Bytes that tell whether an entry is worth unpacking
_FIRST = 1024
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class Room:
    """Bytes that may still come out of a ZIP and of the ZIPs in it. size: of the outermost file."""

    def __init__(self, size: int) -> None:
        self._left = max(_ALWAYS_ALLOWED, _GROWTH * size)

    def take(self, count: int) -> None:
        """Raises BadInput("ZIP_GROWS_TOO_FAR")."""
        self._left -= count
        if self._left < 0:
            raise BadInput("ZIP_GROWS_TOO_FAR")


@contextmanager
def opened_zip(handle: int) -> Iterator[zipfile.ZipFile]:
    """The entries are those of infolist(). Raises BadInput: ZIP_LIST_TOO_LONG, ZIP_DAMAGED (also of one that is not all
    there yet: its list is at the end)."""
    try:
        archive = zipfile.ZipFile(_Capped(handle))
    except DicomAssetsError:
        raise
    except Exception:  # whatever a damaged list makes zipfile raise
        raise BadInput("ZIP_DAMAGED") from None
    with archive:
        yield archive


def kind_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Kind:
    """Raises BadInput: ZIP_ENTRY_ENCRYPTED, ZIP_ENTRY_COMPRESSION, ZIP_ENTRY_DAMAGED."""
    with _opened(archive, entry) as stream:
        return look_at(_read(stream, _FIRST), entry.file_size).kind


@contextmanager
def unpacked(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: Room, scratch: Path, look_round: Callable[[], object]
) -> Iterator[int]:
    """Descriptor of a file without name in the folder scratch that holds the entry, whose checksum is right.
    look_round: called now and then, may raise. Raises as kind_of(); BadInput("ZIP_GROWS_TOO_FAR"); OSError of
    scratch."""
    with tempfile.TemporaryFile(dir=scratch, buffering=0) as file:
        with _opened(archive, entry) as stream:
            pieces = 0
            while piece := _read(stream, _PIECE):
                room.take(len(piece))
                pieces += 1
                if pieces % _LOOK == 0:
                    look_round()
                _write(file, piece)
        yield file.fileno()


@contextmanager
def _opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    if entry.flag_bits & _ENCRYPTED:
        raise BadInput("ZIP_ENTRY_ENCRYPTED")
    if entry.compress_type not in _READABLE:
        raise BadInput("ZIP_ENTRY_COMPRESSION")
    try:
        stream = archive.open(entry)
    except Exception:  # a local header that is not where or what the list says
        raise BadInput("ZIP_ENTRY_DAMAGED") from None
    with stream:
        yield stream


def _read(stream: BinaryIO, count: int) -> bytes:
    try:
        return stream.read(count)
    except Exception:  # checksum, deflate, end of file
        raise BadInput("ZIP_ENTRY_DAMAGED") from None


def _write(file: BinaryIO, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


class _Capped(io.FileIO):
    """zipfile reads the list of entries at once, and believes how long it is said to be."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle, "rb", closefd=False)

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_LIST:
            raise BadInput("ZIP_LIST_TOO_LONG")
        return super().read(size if size >= 0 else _LARGEST_LIST)
