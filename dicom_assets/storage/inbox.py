"""Where a C-MOVE finds its instances while `dicom-assets receive`, another process, holds the port.

The receiver tells by a lock that it lives. A run that waits for a study tells so by another, and meanwhile the receiver
puts the study's instances into `incoming/.awaited/<study key>/`. What the run has made durable in its own place is
deleted there; all else, and all that a killed run leaves, becomes an ordinary arrival: whoever sent it was told that we
have it.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import RetryLater, from_os_error
from .atomic import exclusive_lock, fsync_folder, make_folder
from .folder_locks import alone, is_at, is_locked
from .incoming import AWAITED, instances_in, lock_of, shared_or_made
from .instance_header import LONGEST_META, length_of_meta, read_identity
from .side_by_side import link_beside
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER

_PIECE = 1 << 20
#: Seconds in which a lock that somebody only looked at is free again
_LOOKS = 1.0


@contextlib.contextmanager
def announced(incoming: Path, port: int) -> Iterator[None]:
    """While this process receives at the port."""
    with exclusive_lock(_receiver(incoming, port), wait=True):
        yield


def is_announced(incoming: Path, port: int) -> bool:
    """A living process receives at the port, and puts what comes into incoming."""
    return is_locked(_receiver(incoming, port))


def _receiver(incoming: Path, port: int) -> Path:
    return incoming / f".receiver-{port}.lock"


@dataclass(frozen=True)
class Delivered:
    """An instance that has come. UIDs and transfer syntax as its sender announced them."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    def pieces(self) -> Iterator[memoryview]:
        """Its data set as it was encoded on the wire. Raises RetryLater("FILE_OPERATION_FAILED") and the like."""
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(length_of_meta(os.pread(file.fileno(), LONGEST_META, 0)))
                while piece := file.read(_PIECE):
                    yield memoryview(piece)
        except OSError as error:
            raise from_os_error(error) from None


class Inbox:
    """One study of one run, from the first open() to the end of the `with` block. One thread at a time uses it."""

    def __init__(self, incoming: Path, study_key: str) -> None:
        self._incoming, self._folder = incoming, incoming / AWAITED / study_key
        self._lock: int | None = None
        self._seen: set[str] = set()
        self._taken: set[Path] = set()
        self._stirred_at = 0

    def __enter__(self) -> "Inbox":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            try:
                _give_up(self._folder, self._lock)
            except OSError as error:
                raise from_os_error(error) from None

    def is_served(self, port: int) -> bool:
        """A receiver of ours has this port."""
        return is_announced(self._incoming, port)

    def open(self) -> None:
        """From now on the study's instances come here. Raises RetryLater: RECEIVER_PORT_BUSY where another run waits
        for the same study, DISK_FULL and the like."""
        if self._lock is not None:
            return
        try:
            make_folder(self._folder.parent, RESTRICTED_FOLDER)
            until = time.monotonic() + _LOOKS
            while (lock := _taken_lock(self._folder)) is None and time.monotonic() < until:
                time.sleep(_LOOKS / 50)
            if lock is None:
                raise RetryLater("RECEIVER_PORT_BUSY")
            self._lock = lock
            make_folder(self._folder, RESTRICTED_FOLDER)
        except OSError as error:
            raise from_os_error(error) from None

    def has_stirred(self) -> bool:
        """Something has come since this was asked last, or is on its way."""
        before, self._stirred_at = self._stirred_at, self._folder.stat().st_mtime_ns
        return self._stirred_at != before

    def delivered(self) -> Iterator[Delivered]:
        """What has not been handed out before. Raises RetryLater("FILE_OPERATION_FAILED") and the like."""
        try:
            for path in instances_in(self._folder):
                if path.name not in self._seen:
                    self._seen.add(path.name)
                    with path.open("rb", buffering=0) as file:
                        seen = read_identity(file.fileno(), os.fstat(file.fileno()).st_size, to_the_end=False)
                    if seen is not None:
                        yield Delivered(path, seen.sop_class_uid, seen.sop_instance_uid, seen.transfer_syntax_uid)
        except OSError as error:
            raise from_os_error(error) from None

    def take(self, one: Delivered) -> None:
        """The run has it, and will make it durable before clear()."""
        self._taken.add(one.path)

    def clear(self) -> None:
        """What was taken is durable elsewhere, and may come again. Raises RetryLater("FILE_OPERATION_FAILED")."""
        if not self._taken:
            return
        try:
            with alone(self._folder):
                for path in self._taken:
                    path.unlink()
        except OSError as error:
            raise from_os_error(error) from None
        self._seen -= {path.name for path in self._taken}
        self._taken.clear()


def return_unclaimed(incoming: Path) -> None:
    """What killed runs left becomes ordinary arrivals. Raises RetryLater("FILE_OPERATION_FAILED") and the like."""
    awaited = incoming / AWAITED
    try:
        for key in {path.name.removesuffix(".lock") for path in awaited.iterdir()} if awaited.is_dir() else ():
            lock = _taken_lock(awaited / key)
            if lock is not None:
                _give_up(awaited / key, lock)
    except OSError as error:
        raise from_os_error(error) from None


def _taken_lock(awaited: Path) -> int | None:
    """Descriptor of the lock of a study's folder, held; None where another process holds it, or looks at it."""
    handle = os.open(lock_of(awaited), os.O_RDWR | os.O_CREAT, RESTRICTED_FILE)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_at(handle, lock_of(awaited)):
            return handle
    os.close(handle)
    return None


def _give_up(awaited: Path, lock: int) -> None:
    """What is still in the folder goes where it would have gone if nobody had waited; then nobody waits any more."""
    try:
        with contextlib.suppress(FileNotFoundError), alone(awaited):
            _return(awaited, awaited.parent.parent / awaited.name)
            awaited.rmdir()
        lock_of(awaited).unlink()
    finally:
        os.close(lock)


def _return(awaited: Path, study: Path) -> None:
    paths = instances_in(awaited)
    if not paths:
        return
    with shared_or_made(study) as folder:
        fsync_folder(study.parent)
        for path in paths:
            with path.open("rb", buffering=0) as file:
                link_beside(path, file.fileno(), study, path.name)
        os.fsync(folder)
    for path in paths:
        path.unlink()
