"""Folders that several processes put files into and one takes away: who puts shares the folder's lock, who takes holds
it alone. A killed process frees what it held."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[int]:
    """Descriptor of a folder that nobody can take away meanwhile. Raises FileNotFoundError where it is not there."""
    with _held(folder, fcntl.LOCK_SH) as handle:
        yield handle


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Descriptor of a folder into which nobody puts anything meanwhile. Waits; raises as shared()."""
    with _held(folder, fcntl.LOCK_EX) as handle:
        yield handle


def is_at(handle: int, path: Path) -> bool:
    """What is behind the descriptor is what has this name now."""
    try:
        there, here = path.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def is_locked(path: Path) -> bool:
    """A living process holds the file or folder alone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def open_shared(folder: Path) -> int:
    """As shared(); the descriptor is closed by the caller."""
    return _opened(folder, fcntl.LOCK_SH)


@contextlib.contextmanager
def _held(folder: Path, how: int) -> Iterator[int]:
    handle = _opened(folder, how)
    try:
        yield handle
    finally:
        os.close(handle)


def _opened(folder: Path, how: int) -> int:
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, how)
            is_there = is_at(handle, folder)
        except BaseException:
            os.close(handle)
            raise
        if is_there:
            return handle
        os.close(handle)
