"""restricted/incoming: what was pushed to us, one folder a study, until a batch takes it.

An instance gets its name when it is whole and on disk, and whoever sent it is told so only after its folder is on disk,
too. Of two contents under one SOPInstanceUID both are kept, side by side. Who puts a file into a study's folder shares
its lock, who takes the folder away holds it alone: so none gets into a folder that has been taken.
"""

import contextlib
import fcntl
import functools
import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, RetryLater, from_os_error
from .arriving import Arriving, Kept
from .atomic import UNFINISHED, fsync_folder, make_folder, publish, write_unfinished
from .folder_locks import alone, is_at, is_locked, open_shared, shared
from .instance_header import is_uid
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER

#: Below incoming: unfinished files, a folder a process; folders of studies that a C-MOVE of ours waits for
ARRIVING, AWAITED = ".arriving", ".awaited"
#: In a study's folder: how many instances its sender has in all
_COMPLETE = "complete"
#: Folders of studies that are remembered to be on disk
_REMEMBERED = 10_000


class Incoming:
    """folder: of the zone. study_key, file_name: of a StudyInstanceUID, of a SOPInstanceUID. reserve: bytes of the disk
    that stay free. Threads and processes may share the zone; begin() only within opened(). on_kept: called by whichever
    thread with SOPClassUID, SOPInstanceUID and what keep() returns."""

    def __init__(
        self, folder: Path, study_key: Callable[[str], str], file_name: Callable[[str], str], reserve: int
    ) -> None:
        self.folder, self.file_name, self._reserve = folder, file_name, reserve
        self.study_key = functools.lru_cache(1024)(study_key)  # many instances of a study come one behind the other
        self.on_kept: Callable[[str, str, Kept], object] = lambda _sop_class_uid, _sop_instance_uid, _kept: None
        self._numbers = itertools.count()
        self._unfinished: Path | None = None
        self._on_disk: dict[Path, int] = {}  #: folder of a study -> its inode

    @contextlib.contextmanager
    def opened(self) -> Iterator["Incoming"]:
        """While instances may arrive; what killed processes left unfinished is cleared away. Raises as begin()."""
        arriving = self.folder / ARRIVING
        try:
            make_folder(arriving, RESTRICTED_FOLDER)
            with alone(arriving):
                _clear_unfinished(arriving)
                self._unfinished = arriving / secrets.token_hex(8)
                self._unfinished.mkdir(RESTRICTED_FOLDER)
                handle = os.open(self._unfinished, os.O_RDONLY)
                fcntl.flock(handle, fcntl.LOCK_EX)  # tells that we live
        except OSError as error:
            raise from_os_error(error) from None
        try:
            yield self
        finally:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished = None
            os.close(handle)

    def begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> Arriving:
        """UIDs as the sender announced them. Raises BadInput("UID_MALFORMED"), RetryLater("DISK_FULL") and the like."""
        if not is_uid(sop_instance_uid):
            raise BadInput("UID_MALFORMED")
        self.refuse_if_full()
        path = f"{self._unfinished}/{next(self._numbers)}{UNFINISHED}"
        try:
            return Arriving(self, path, sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        except OSError as error:
            raise from_os_error(error) from None

    def refuse_if_full(self) -> None:
        """Raises RetryLater("DISK_FULL") where no more than the reserve is left."""
        try:
            room = os.statvfs(self._unfinished)
        except OSError as error:
            raise from_os_error(error) from None
        if room.f_bavail * room.f_frsize <= self._reserve:
            raise RetryLater("DISK_FULL")

    def declare_complete(self, study_key: str, instances: int) -> None:
        """The sender has so many instances of the study in all: once they are there nobody waits for more."""
        folder = self.folder / study_key
        try:
            with contextlib.suppress(FileNotFoundError), shared(folder):
                unfinished = write_unfinished(folder, str(instances).encode(), mode=RESTRICTED_FILE)
                publish({unfinished: folder / _COMPLETE})
            os.utime(self.folder)
        except OSError as error:
            raise from_os_error(error) from None

    @contextlib.contextmanager
    def place_for(self, study_key: str) -> Iterator[tuple[Path, int]]:
        """The folder, and its descriptor, into which instances of the study go at this moment, be it that of a C-MOVE
        that waits for them; it is on disk, and nobody takes it away meanwhile. Raises OSError."""
        folder, handle = self._open_place(study_key)
        try:
            self._make_durable(folder, os.fstat(handle).st_ino)
            yield folder, handle
        finally:
            os.close(handle)

    def take_back(self, file: Path, study_key: str, name: str) -> None:
        """Move a file of ours, which is on disk on the same file system, into the study's folder: at any moment it is
        in one of the two places. A file that has the name already must have its content. Raises OSError."""
        make_folder(self.folder, RESTRICTED_FOLDER)
        with self.place_for(study_key) as (folder, handle):
            file.rename(folder / name)
            os.fsync(handle)
        fsync_folder(file.parent)

    def _open_place(self, study_key: str) -> tuple[Path, int]:
        awaited, lock, study = _places(self.folder, study_key)
        if is_locked(lock):
            with contextlib.suppress(FileNotFoundError):
                return awaited, open_shared(awaited)
        return study, _open_or_make(study)

    def _make_durable(self, folder: Path, inode: int) -> None:
        """Who made the folder may have been killed before its name was on disk."""
        if self._on_disk.get(folder) != inode:
            fsync_folder(folder.parent)
            if len(self._on_disk) >= _REMEMBERED:
                self._on_disk.clear()
            self._on_disk[folder] = inode


def lock_of(awaited: Path) -> Path:
    """What a C-MOVE holds as long as it waits for the instances of a study."""
    return awaited.with_suffix(".lock")


@functools.lru_cache(1024)
def _places(incoming: Path, study_key: str) -> tuple[Path, Path, Path]:
    """Where a C-MOVE waits for the study, its lock, and the study's own folder."""
    awaited = incoming / AWAITED / study_key
    return awaited, lock_of(awaited), incoming / study_key


@contextlib.contextmanager
def shared_or_made(study: Path) -> Iterator[int]:
    """As shared(), and the folder is made where it is not there, or is taken away meanwhile."""
    handle = _open_or_make(study)
    try:
        yield handle
    finally:
        os.close(handle)


def _open_or_make(study: Path) -> int:
    while True:
        with contextlib.suppress(FileNotFoundError):
            return open_shared(study)
        with contextlib.suppress(FileExistsError):
            study.mkdir(RESTRICTED_FOLDER)


@dataclass(frozen=True)
class WaitingStudy:
    """A folder of the zone. changed_at: when something came last, seconds since 1970. is_complete: its sender has said
    how many instances there are, and they are here."""

    study_key: str
    folder: Path
    changed_at: float
    is_complete: bool

    def is_settled(self, now: float, settle_seconds: float) -> bool:
        """A clock that was set back may have left a time that is long to come: then nobody waits for that."""
        return self.is_complete or abs(now - self.changed_at) >= settle_seconds


def waiting_studies(incoming: Path) -> list[WaitingStudy]:
    """In the order in which something came last. Two looks at the disk a study, however many files it has."""
    found = []
    try:
        entries = [entry for entry in os.scandir(incoming) if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    for entry in entries:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            changed_at, folder = entry.stat().st_mtime, Path(entry.path)
            has_count = os.access(f"{entry.path}/{_COMPLETE}", os.F_OK)  # of many studies few have
            found.append(WaitingStudy(entry.name, folder, changed_at, has_count and is_declared_complete(folder)))
    return sorted(found, key=lambda study: (study.changed_at, study.study_key))


def instances_in(folder: Path) -> list[Path]:
    """The files of a study's folder, sorted by name."""
    return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".dcm"))


def claim(study: WaitingStudy, target: Path) -> bool:
    """Move the study's folder to target, whose parent is there and on the same file system. False, and nothing moved,
    where something has come since, is coming, or where there is nothing. The caller makes it durable: fsync of
    target's parent, then of the zone's folder."""
    try:
        handle = os.open(study.folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_at(handle, study.folder) or os.fstat(handle).st_mtime != study.changed_at:
            return False
        if not instances_in(study.folder):
            shutil.rmtree(study.folder)  # of one that never came to its end
            return False
        study.folder.rename(target)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(handle)


def is_declared_complete(folder: Path) -> bool:
    """The sender has said how many instances the study has, and so many are in the folder."""
    try:
        count = int((folder / _COMPLETE).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return len(instances_in(folder)) == count


def _clear_unfinished(arriving: Path) -> None:
    """What processes left that live no more."""
    for folder in arriving.iterdir():
        if not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
