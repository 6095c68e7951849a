"""restricted/incoming: what was pushed to us, one folder a study, until a batch takes it.

An instance gets its name when it is whole and on disk, and whoever sent it is told so only after its folder is on disk,
too. Of two contents under one SOPInstanceUID both are kept, side by side. Who puts a file into a study's folder shares
its lock, who takes the folder away holds it alone: so none gets into a folder that has been taken.
"""

import contextlib
import fcntl
import hashlib
import itertools
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, DicomAssetsError, RetryLater, from_os_error
from .atomic import UNFINISHED, fsync_folder, make_folder, publish, write_unfinished
from .instance_header import file_meta, is_uid, read_identity
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER

#: Below incoming: unfinished files, a folder a process; folders of studies that a C-MOVE of ours waits for
ARRIVING, AWAITED = ".arriving", ".awaited"
#: In a study's folder: how many instances its sender has in all
_COMPLETE = "complete"
#: Bytes after which, and seconds in which, an instance on its way looks round: is there room, is it still arriving?
_LOOK_BYTES, _LOOK_SECONDS = 8 << 20, 5.0
_PIECE = 1 << 20


@dataclass(frozen=True)
class Kept:
    """An instance that is durable. is_new: it was not there before."""

    study_key: str
    file: str
    is_new: bool


class Incoming:
    """folder: of the zone. study_key, file_name: of a StudyInstanceUID, of a SOPInstanceUID. reserve: bytes of the disk
    that stay free. Threads and processes may share the zone; begin() only within opened()."""

    def __init__(
        self, folder: Path, study_key: Callable[[str], str], file_name: Callable[[str], str], reserve: int
    ) -> None:
        self.folder, self.study_key, self.file_name, self._reserve = folder, study_key, file_name, reserve
        self._numbers = itertools.count()
        self._unfinished: Path | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator["Incoming"]:
        """While instances may arrive; what killed processes left unfinished is cleared away. Raises as begin()."""
        arriving = self.folder / ARRIVING
        try:
            make_folder(arriving, RESTRICTED_FOLDER)
            with _locked(arriving):
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

    def begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> "Arriving":
        """UIDs as the sender announced them. Raises BadInput("UID_MALFORMED"), RetryLater("DISK_FULL") and the like."""
        if not is_uid(sop_instance_uid):
            raise BadInput("UID_MALFORMED")
        self.refuse_if_full()
        header = file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        path = self._unfinished / f"{next(self._numbers)}{UNFINISHED}"
        try:
            return Arriving(self, path, sop_class_uid, sop_instance_uid, header)
        except OSError as error:
            raise from_os_error(error) from None

    def refuse_if_full(self) -> None:
        """Raises RetryLater("DISK_FULL") where no more than the reserve is left."""
        room = os.statvfs(self._unfinished)
        if room.f_bavail * room.f_frsize <= self._reserve:
            raise RetryLater("DISK_FULL")

    def declare_complete(self, study_key: str, instances: int) -> None:
        """The sender has so many instances of the study in all: once they are there nobody waits for more."""
        with contextlib.suppress(FileNotFoundError), _shared(self.folder / study_key):
            unfinished = write_unfinished(self.folder / study_key, str(instances).encode(), mode=RESTRICTED_FILE)
            publish({unfinished: self.folder / study_key / _COMPLETE})
        os.utime(self.folder)


class Arriving:
    """One instance that is arriving: a file that has no name yet. Exactly one of keep() and discard() ends it, whether
    or not keep() raises."""

    def __init__(
        self, incoming: Incoming, path: Path, sop_class_uid: str, sop_instance_uid: str, header: bytes
    ) -> None:
        self._incoming, self._path = incoming, path
        self._sop_class_uid, self._sop_instance_uid = sop_class_uid, sop_instance_uid
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
        self._size = os.write(self._handle, header)
        self._looked_bytes, self._looked_at = self._size, time.monotonic()

    def write(self, piece: bytes | memoryview) -> None:
        """Bytes of the data set as they were encoded on the wire. Raises RetryLater("DISK_FULL") and the like."""
        try:
            while (written := os.write(self._handle, piece)) < len(piece):
                piece = memoryview(piece)[written:]
                self._size += written
        except OSError as error:
            raise from_os_error(error) from None
        self._size += written
        if self._size - self._looked_bytes >= _LOOK_BYTES:
            self._looked_bytes = self._size
            self._incoming.refuse_if_full()
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._keep_study_unsettled()

    def keep(self) -> Kept:
        """It is whole; afterwards it is durable under its name.

        Raises BadInput: INSTANCE_UNREADABLE, INSTANCE_WITHOUT_STUDY, INSTANCE_NOT_AS_ANNOUNCED; RetryLater: DISK_FULL,
        FILE_OPERATION_FAILED.
        """
        try:
            study_key = self._incoming.study_key(self._study())
            os.fsync(self._handle)
            return self._publish(study_key)
        except OSError as error:
            raise from_os_error(error) from None
        finally:
            self.discard()

    def discard(self) -> None:
        os.close(self._handle)
        self._path.unlink(missing_ok=True)

    def _study(self) -> str:
        """StudyInstanceUID of the data set, which is what was announced."""
        identity = read_identity(self._handle, self._size, to_the_end=False)
        if identity is None or identity.is_cut:
            raise BadInput("INSTANCE_UNREADABLE")
        if not is_uid(identity.study_instance_uid):
            raise BadInput("INSTANCE_WITHOUT_STUDY")
        if (identity.sop_class_uid, identity.sop_instance_uid) != (self._sop_class_uid, self._sop_instance_uid):
            raise BadInput("INSTANCE_NOT_AS_ANNOUNCED")
        return identity.study_instance_uid

    def _publish(self, study_key: str) -> Kept:
        name = self._incoming.file_name(self._sop_instance_uid)
        awaited = self._incoming.folder / AWAITED / study_key
        if is_locked(awaited.with_suffix(".lock")):
            with contextlib.suppress(FileNotFoundError), _shared(awaited) as folder:
                return self._link(awaited, folder, study_key, name)
        study = self._incoming.folder / study_key
        while True:
            with contextlib.suppress(FileExistsError):
                study.mkdir(RESTRICTED_FOLDER)
                fsync_folder(study.parent)
            with contextlib.suppress(FileNotFoundError), _shared(study) as folder:
                return self._link(study, folder, study_key, name)

    def _link(self, path: Path, folder: int, study_key: str, name: str) -> Kept:
        """folder: descriptor of the folder at path."""
        is_new = self._linked(path / name)
        if not is_new and not self._is_in(path / name):
            os.lseek(self._handle, 0, os.SEEK_SET)
            with os.fdopen(os.dup(self._handle), "rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = f"{Path(name).stem}-{digest[:16]}.dcm"
            is_new = self._linked(path / name)
        os.fsync(folder)
        return Kept(study_key, name, is_new)

    def _linked(self, path: Path) -> bool:
        """The file has this name, too. False where another has it, which then is on disk for certain."""
        try:
            os.link(self._path, path)
        except FileExistsError:
            with path.open("rb", buffering=0) as file:
                os.fsync(file.fileno())
            return False
        return True

    def _is_in(self, other: Path) -> bool:
        """The same bytes are."""
        with other.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != self._size:
                return False
            position = 0
            while piece := file.read(_PIECE):
                if os.pread(self._handle, len(piece), position) != piece:
                    return False
                position += len(piece)
        return True

    def _keep_study_unsettled(self) -> None:
        """What takes its time on the way counts as something that came."""
        with contextlib.suppress(DicomAssetsError, OSError):
            study = self._incoming.folder / self._incoming.study_key(self._study())
            with contextlib.suppress(FileExistsError):
                study.mkdir(RESTRICTED_FOLDER)
            os.utime(study)


@dataclass(frozen=True)
class WaitingStudy:
    """A folder of the zone. changed_at: when something came last, seconds since 1970. is_complete: its sender has said
    how many instances there are, and they are here."""

    study_key: str
    folder: Path
    changed_at: float
    is_complete: bool

    def is_settled(self, now: float, settle_seconds: float) -> bool:
        return self.is_complete or now - self.changed_at >= settle_seconds


def waiting_studies(incoming: Path) -> list[WaitingStudy]:
    """In the order in which something came last. Two looks at the disk a study, however many files it has."""
    found = []
    try:
        entries = [entry for entry in os.scandir(incoming) if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    for entry in entries:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            changed_at = entry.stat().st_mtime
            folder = Path(entry.path)
            found.append(WaitingStudy(entry.name, folder, changed_at, _is_complete(folder)))
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
        if not _is_at(handle, study.folder) or os.fstat(handle).st_mtime != study.changed_at:
            return False
        if not instances_in(study.folder):
            shutil.rmtree(study.folder)  # of one that never came to its end
            return False
        (study.folder / _COMPLETE).unlink(missing_ok=True)
        study.folder.rename(target)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(handle)


def is_locked(lock: Path) -> bool:
    """A living process holds the file or folder alone."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _is_complete(folder: Path) -> bool:
    try:
        count = int((folder / _COMPLETE).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return len(instances_in(folder)) == count


@contextlib.contextmanager
def _shared(folder: Path) -> Iterator[int]:
    """Descriptor of a folder that nobody can take away meanwhile. Raises FileNotFoundError where it is not there."""
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            if _is_at(handle, folder):
                yield handle
                return
        finally:
            os.close(handle)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_at(handle: int, folder: Path) -> bool:
    """The folder behind the descriptor is the one that has this name now."""
    try:
        there, here = folder.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _clear_unfinished(arriving: Path) -> None:
    """What processes left that live no more."""
    for folder in arriving.iterdir():
        if not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
