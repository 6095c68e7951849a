"""Instances on their way into a raw folder. Each goes straight to disk; one thread reads back and judges what is whole,
in the order of arrival and behind the transfer's back, so that the archive does not wait for it."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import from_os_error
from .atomic import UNFINISHED, publish
from .instance_header import file_meta
from .manifests import RawInstance
from .raw import RawFolder
from .same_content import have_same_content
from .set_aside import CONFLICT, CUT_SHORT, NOT_OF_STUDY
from .zones import RESTRICTED_FILE

#: Instances, and their bytes, that are made durable together: what a crash may cost at most
_TOGETHER, _BYTES_TOGETHER = 512, 256 << 20


class Arrival:
    """One instance that is arriving: a file that has no name yet. Exactly one of keep() and discard() ends it."""

    def __init__(self, path: Path, sop_instance_uid: str, header: bytes, kept: Callable[["Arrival"], None]) -> None:
        self.path, self.sop_instance_uid, self._kept = path, sop_instance_uid, kept
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
        try:
            self.write(header)
        except BaseException:
            self.discard()
            raise

    def write(self, piece: bytes | memoryview) -> None:
        """Bytes of the data set as they were encoded on the wire. Raises RetryLater("DISK_FULL") and the like."""
        try:
            while (written := os.write(self._handle, piece)) < len(piece):
                piece = memoryview(piece)[written:]
        except OSError as error:
            raise from_os_error(error) from None

    def keep(self) -> None:
        os.close(self._handle)
        self._kept(self)

    def discard(self) -> None:
        os.close(self._handle)
        self.path.unlink(missing_ok=True)


@dataclass
class Arrivals:
    """elsewhere: what other batches hold of the study, SOPInstanceUID -> raw file and row. not_wanted: those that are
    no part of this batch, because an earlier one has them.

    What came first stays. Content that differs from what is held, here or elsewhere, is a conflict and set aside.
    After settle(), conflicts: SOPInstanceUIDs of those; accepted: of what came and contradicts nothing, be it new or
    not; cut_short: of what came without its end.
    """

    folder: RawFolder
    elsewhere: Mapping[str, tuple[Path, RawInstance]] = field(default_factory=dict)
    not_wanted: frozenset[str] = frozenset()
    conflicts: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    cut_short: set[str] = field(default_factory=set)
    _nameless: dict[str, tuple[Path, RawInstance]] = field(default_factory=dict)
    _nameless_bytes: int = 0
    _brought: int = 0
    _failure: BaseException | None = None

    @contextmanager
    def opened(self) -> Iterator["Arrivals"]:
        """While instances may arrive. What settle() has not made durable is dropped when the folder is opened again."""
        self._numbers = itertools.count()
        with ThreadPoolExecutor(1, thread_name_prefix="arrivals") as self._judges:
            try:
                yield self
            finally:
                self._judges.submit(self._tried, self._publish)

    def begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> Arrival:
        """A file, behind a file meta header of our own. Raises also what went wrong with earlier instances."""
        self._raise_failure()
        header = file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        path = self.folder.folder / f"{next(self._numbers)}{UNFINISHED}"
        try:
            return Arrival(path, sop_instance_uid, header, self._kept)
        except OSError as error:
            raise from_os_error(error) from None

    def settle(self) -> int:
        """Wait until all that came is judged and durable; how many instances the folder has got since last time."""
        self._judges.submit(self._tried, self._publish).result()
        self._raise_failure()
        brought, self._brought = self._brought, 0
        return brought

    def _kept(self, arrival: Arrival) -> None:
        self._judges.submit(self._tried, self._take, arrival.path, arrival.sop_instance_uid)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _tried(self, task: Callable, *arguments: object) -> None:
        """After a failure nothing more is done: nobody could say what became of it."""
        if self._failure is None:
            try:
                task(*arguments)
            except OSError as error:
                self._failure = from_os_error(error)
            except BaseException as error:
                self._failure = error

    def _take(self, path: Path, announced: str) -> None:
        seen = self.folder.examine(path)
        if seen.row is None or seen.row.sop_instance_uid != announced:
            if seen.reason == CUT_SHORT:
                self.cut_short.add(announced)
            self.folder.aside.take(path, announced, seen.reason or NOT_OF_STUDY, seen.sha256)
            return
        row = replace(seen.row, file=self.folder.name_of(announced))
        if not all(have_same_content(path, row, *one) for one in self._held(announced)):
            self.conflicts.add(announced)
            self.folder.aside.take(path, announced, CONFLICT, seen.sha256)
            return
        self.accepted.add(announced)
        if announced in self.not_wanted or announced in self.folder.verified or announced in self._nameless:
            path.unlink()
            return
        self._nameless[announced] = path, row
        self._nameless_bytes += row.size
        self._brought += 1
        if len(self._nameless) >= _TOGETHER or self._nameless_bytes >= _BYTES_TOGETHER:
            self._publish()

    def _held(self, uid: str) -> list[tuple[Path, RawInstance]]:
        """What there is of the instance already, here and elsewhere; a file that somebody deleted counts no more."""
        held = [self.elsewhere[uid]] if uid in self.elsewhere and self.elsewhere[uid][0].is_file() else []
        if uid in self._nameless:
            held.append(self._nameless[uid])
        elif uid in self.folder.verified:
            held.append((self.folder.path_of(uid), self.folder.verified[uid]))
        return held

    def _publish(self) -> None:
        self.folder.aside.write()  # first: after a crash nobody may take one of two contents for the only one
        publish({path: self.folder.path_of(uid) for uid, (path, _) in self._nameless.items()})
        self.folder.verified |= {uid: row for uid, (_, row) in self._nameless.items()}
        self._nameless.clear()
        self._nameless_bytes = 0
