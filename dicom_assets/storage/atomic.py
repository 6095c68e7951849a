"""Files that appear whole or not at all: temp file in the same folder, fsync, rename, fsync of the folder."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import Refused

#: Temporary files carry this suffix; whatever has it is not finished and may be deleted by the owner of the folder.
UNFINISHED = ".part"
#: Seconds after which nobody is still writing a table or a page
LONG_AGO = 3600.0


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Create folder and its missing parents, each with this mode; folders that exist are left as they are."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=mode)
            fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_unfinished(folder: Path, *content: bytes, mode: int = 0o600) -> Path:
    """A temp file in folder with the parts of content one behind the other; publish() makes it durable and visible."""
    temp = folder / f"{secrets.token_hex(8)}{UNFINISHED}"
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return temp


def publish(names: Mapping[Path, Path]) -> None:
    """names: temp file -> final name in the same folder. All are made durable before the first gets its name: one wait
    for the disk instead of one a file."""
    for temp in names:
        handle = os.open(temp, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    for temp, final in names.items():
        temp.replace(final)
    for folder in {final.parent for final in names.values()}:
        fsync_folder(folder)


def write_file(path: Path, content: bytes, mode: int = 0o600, folder_mode: int = 0o700) -> None:
    """path holds content or what it held before, never a part."""
    make_folder(path.parent, folder_mode)
    temp = write_unfinished(path.parent, content, mode=mode)
    try:
        publish({temp: path})
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, content: bytes, mode: int = 0o600, folder_mode: int = 0o700) -> bool:
    """As write_file, but a file that already holds content is not touched. True where it was written."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    write_file(path, content, mode, folder_mode)
    return True


def create_exclusively(path: Path, content: bytes, mode: int = 0o600) -> bool:
    """As write_file, but False, and nothing written, where path exists; safe against a second process."""
    make_folder(path.parent)
    temp = write_unfinished(path.parent, content, mode=mode)
    try:
        with temp.open("rb") as file:
            os.fsync(file.fileno())
        os.link(temp, path)
    except FileExistsError:
        return False
    finally:
        temp.unlink()
    fsync_folder(path.parent)
    return True


def delete(paths: Iterable[Path]) -> None:
    """Those of the files that are there; no power cut brings one back afterwards."""
    paths = list(paths)
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        with contextlib.suppress(FileNotFoundError):
            fsync_folder(folder)


def remove_unfinished(folder: Path, older_than: float = 0.0) -> None:
    """Delete what a killed process left in folder. older_than: seconds, such as LONG_AGO for a folder to which other
    processes may be writing."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        unfinished = [entry for entry in entries if entry.name.endswith(UNFINISHED)]
    for entry in unfinished:
        with contextlib.suppress(FileNotFoundError):
            if not older_than or entry.stat().st_mtime < time.time() - older_than:
                Path(entry.path).unlink()


def sha256(path: Path) -> str:
    """Hex digest of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_digest(path: Path, digest: str) -> bool:
    """path is a file, and digest its hex SHA-256."""
    return path.is_file() and sha256(path) == digest


@contextlib.contextmanager
def exclusive_lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file; where another process holds it, wait, or raise Refused("BATCH_BUSY"). A killed process frees
    it."""
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Refused("BATCH_BUSY") from None
        yield
    finally:
        os.close(handle)
