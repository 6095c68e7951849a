"""A private folder inside the one that a run writes to, on the same file system, for what is not finished."""

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Refused
from ..storage.atomic import make_folder
from ..storage.zones import RESTRICTED_FOLDER

UNFINISHED = ".unfinished"
_LOCK = "lock"
#: Seconds to wait for the processes of a run that was killed to end.
_LOCK_SECONDS = 30


@contextmanager
def working_folder(parent: Path, mode: int) -> Iterator[Path]:
    """An empty private folder in parent, which this process alone has; gone afterwards.

    Raises Refused("FOLDER_BUSY") where another process has it for longer than a killed run's processes take to end, and
    Refused("PLACE_TAKEN") where a link, or anything but a folder, stands in its place."""
    make_folder(parent, mode)
    folder = parent / UNFINISHED
    lock = _lock(folder)
    try:
        for leftover in folder.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            elif leftover.name != _LOCK:
                leftover.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int:
    """Descriptor of the locked file in folder. Its holder removes it, so that what was locked may be there no more."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        with suppress(FileExistsError):
            folder.mkdir(RESTRICTED_FOLDER)
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise Refused("PLACE_TAKEN")
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), (folder / _LOCK).stat()):
                    return lock
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise Refused("FOLDER_BUSY") from None
                time.sleep(0.05)
            os.close(lock)
