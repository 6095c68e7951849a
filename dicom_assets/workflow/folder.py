"""`dicom-assets deidentify`: a folder in, a folder out, without archive or Dagster.

Outputs are written under OUT/.unfinished; then the tables of the mapping are made durable; then the outputs get their
names. So a run that is killed leaves no output under its name without its row, and the next run, which starts anew,
ends as if nothing had happened.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ..deid.profile import Profile
from ..deid.pseudonyms import PseudonymKey
from ..errors import BadInput, RetryLater, from_os_error
from ..storage.zones import RELEASED_FOLDER, RESTRICTED_FOLDER
from .folder_journal import Journal, shown
from .folder_places import Places, not_through_links, same_bytes
from .folder_pool import FolderPool
from .folder_tables import publish_tables
from .folder_worker import NOT_DICOM, FolderWorker, Row
from .working_folder import working_folder

#: Most files that a process gets at once; fewer where there are few.
_CHUNK = 32
#: What is named in quarantine.csv and was not read.
_NOT_READ = ("LINK_NOT_FOLLOWED", "NOT_A_FILE")

#: progress(what, total) gives a function to call with the number of files that are done
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]


@dataclass(frozen=True)
class FolderResult:
    """read = deidentified + quarantined + not_dicom, in files. bytes: of the files that were read. reasons: code ->
    files, of all that did not go out. details: places of bugs, for a report of them."""

    read: int
    deidentified: int
    quarantined: int
    not_dicom: int
    bytes: int
    seconds: float
    reasons: Mapping[str, int] = field(default_factory=dict)
    details: tuple[str, ...] = ()


def usable_processors() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0))


def check_places(source: Path, target: Path, mapping: Path | None, key_file: Path) -> None:
    """Raises BadInput where source is no file or folder, or a place lies in another so that originals could be
    overwritten or secrets be handed on with the output."""
    if not (source.is_dir() or source.is_file()):
        raise BadInput("INPUT_MISSING")
    places = [path.resolve() for path in (source, target, mapping) if path is not None]
    overlap = any(one.is_relative_to(other) for one in places for other in places if one is not other)
    if overlap or any(key_file.resolve().is_relative_to(place) for place in places[:2]):
        raise BadInput("FOLDERS_OVERLAP")


def deidentify_folder(
    source: Path,
    target: Path,
    profile: Profile,
    key: PseudonymKey,
    mapping: Path | None,
    workers: int,
    progress: Progress,
) -> FolderResult:
    """Every file of the folder source, or the one file, into target; tables into mapping. See check_places. No face is
    removed: what the profile would have defaced is kept back.

    Raises BadInput, Refused or RetryLater with a code where the run as a whole cannot go on (the disk is full, another
    run works here, a link stands in target); until all outputs are made nothing in target and mapping changes."""
    started = time.monotonic()
    if profile.faces == "deface":  # that takes a whole series
        profile = replace(profile, faces="withhold")
    try:
        with ExitStack() as stack:
            unfinished = stack.enter_context(working_folder(target, RELEASED_FOLDER))
            private = unfinished
            if mapping is not None:
                private = stack.enter_context(working_folder(mapping, RESTRICTED_FOLDER))
                mapping.chmod(RESTRICTED_FOLDER)
            journal = stack.enter_context(Journal(private))
            root = _open_root(source, journal)
            stack.callback(os.close, root)
            make_worker = partial(_make_worker, root, str(unfinished), profile, key)
            _work_through(journal, make_worker, workers, progress)
            given = shown(os.fsencode(source.resolve()))
            if mapping is not None:
                journal.add_earlier(mapping, given)
            places = Places(target, unfinished)
            journal.judge(partial(_same_input, root), places.holds_the_same)
            try:
                _make_ready(journal, places, target)
                if mapping is not None:
                    journal.write_tables(private, given)
            except BaseException:
                places.remove_empty(place for _temp, place in journal.outputs())
                raise
            _commit(journal, places, target, mapping, private)
            if journal.counts().get(""):
                _sync(target)
            return _result(journal, time.monotonic() - started)
    except OSError as error:
        raise from_os_error(error) from None
    except sqlite3.Error as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise RetryLater("DISK_FULL" if full else "FILE_OPERATION_FAILED") from None


def _open_root(source: Path, journal: Journal) -> int:
    """Lists what there is to do; the descriptor of the folder that its names are relative to."""
    if source.is_dir():
        root = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
        kept_back: list[Row] = []
        journal.add_found(_walk(os.fsencode(source), kept_back))
        journal.add(kept_back)
        return root
    source = source.resolve()
    journal.add_found([os.fsencode(source.name)])
    return os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY)


def _walk(root: bytes, kept_back: list[Row]) -> Iterator[bytes]:
    """Names of the regular files below root. kept_back gets what is no file, and folders that cannot be read."""
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root + b"/" + folder) as entries:
                for entry in entries:
                    name = folder + entry.name
                    if entry.is_symlink():
                        kept_back.append(Row(name, "LINK_NOT_FOLLOWED"))
                    elif entry.is_dir():
                        folders.append(name + b"/")
                    elif entry.is_file():
                        yield name
                    else:
                        kept_back.append(Row(name, "NOT_A_FILE"))
        except PermissionError:
            kept_back.append(Row(folder, "NO_PERMISSION"))
        except OSError:
            kept_back.append(Row(folder, "UNREADABLE_FILE"))


def _make_worker(root: int, unfinished: str, profile: Profile, key: PseudonymKey, number: int) -> Callable:
    folder = f"{unfinished}/{number}"
    Path(folder).mkdir(RESTRICTED_FOLDER)
    return FolderWorker(root, folder, profile, key).file


def _work_through(journal: Journal, make_worker: Callable, workers: int, progress: Progress) -> None:
    found = journal.found
    size = max(1, min(_CHUNK, found // (8 * workers)))
    with progress("de-identifying", found) as step, FolderPool(max(1, min(workers, found)), make_worker) as pool:
        for results, died in pool.map(journal.chunks(size)):
            journal.add([*(Row(*values) for values in results), *(Row(name, "WORKER_DIED") for name in died)])
            step(len(results) + len(died))


def _same_input(root: int, one: bytes, other: bytes) -> bool:
    return same_bytes(one, other, lambda path, flags: not_through_links(path, flags, root))


def _make_ready(journal: Journal, places: Places, target: Path) -> None:
    """All that the outputs need but their names: their folders are there, no other instance's output is in their place,
    and they are durable."""
    journal.judge_places(places.takes_another)
    places.refuse_links(journal.withdrawn())
    if journal.counts().get(""):
        _sync(target)


def _commit(journal: Journal, places: Places, target: Path, mapping: Path | None, private: Path) -> None:
    """When all that needs space is done, in this order: what no row will name goes for good, the rows are there, the
    outputs get their names."""
    if sum(map(places.remove, journal.withdrawn())):
        _sync(target)
    if mapping is not None:
        publish_tables(private, mapping)
    for temp, place in journal.outputs():
        places.give(temp, place)
    places.remove_empty(journal.withdrawn())


def _sync(folder: Path) -> None:
    """All that was written to the folder's file system is durable: one wait for the disk instead of one a file."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):  # not Linux
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(handle):
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(handle)


def _result(journal: Journal, seconds: float) -> FolderResult:
    reasons = journal.counts()
    deidentified = reasons.pop("", 0)
    not_dicom = reasons.get(NOT_DICOM, 0)
    quarantined = sum(count for code, count in reasons.items() if code not in (*_NOT_READ, NOT_DICOM))
    return FolderResult(
        read=deidentified + quarantined + not_dicom,
        deidentified=deidentified,
        quarantined=quarantined,
        not_dicom=not_dicom,
        bytes=journal.bytes_read,
        seconds=round(seconds, 3),
        reasons=reasons,
        details=tuple(journal.details()),
    )
