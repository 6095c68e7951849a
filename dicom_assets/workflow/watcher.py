"""One pass after the other through the watched folder: what is due, what has to wait for the rest of its medium, what
becomes of it."""

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from threading import Event

from ..errors import BadInput, DicomAssetsError
from ..quiet import describe_bug
from ..storage.file_trees import FileTree, PassedOver, Signature, signature_of
from ..storage.incoming import Incoming
from ..storage.instance_files import FileSource
from ..storage.loose_files import Kind, look_at
from ..storage.media import Media, is_directory, plain
from ..storage.watched_aside import WatchedAside
from ..storage.zones import Zones
from .job import coded_file_errors
from .take import Taking, Tally, Work, handed, refusal

#: Seconds for which a file must not have changed before it is looked into
QUIET = 10.0
#: A file is left where it is: it is no DICOM, or none that we may or can read
NOT_DICOM = "NOT_DICOM"
_LEFT = frozenset({"NO_PERMISSION", "UNREADABLE_FILE", "NOT_A_FILE"})
_SUFFIXES = {Kind.DIRECTORY: ".dicomdir", Kind.ZIP: ".zip"}
#: Counts that are kept of Tally
COUNTED = ("taken", "already_here", "conflicting", "missing")


@dataclass
class _Seen:
    """A file. since: when it was seen as it is now for the first time; due: when it is looked into; both in seconds of
    the monotonic clock. left: why it stays where it is; empty where it does not. media: what a DICOMDIR
    names, when it was read."""

    signature: Signature
    since: float
    due: float
    left: str = ""
    media: Media | None = None


class Watcher:
    """What is known of the folder from one look to the next. counts: of instances since the first look. set_aside: code
    -> files in quarantine since then. seconds: that listing the folder took last time."""

    def __init__(self, zones: Zones, incoming: Incoming, settle_seconds: float, stop: Event) -> None:
        self._taking = Taking(incoming, stop)
        self._aside = WatchedAside(zones.quarantine("watched", ""))
        self._settle = max(settle_seconds, QUIET)
        self._files: dict[bytes, _Seen] = {}
        self._emptied: dict[bytes, float] = {}
        self._passed_over: Counter[str] = Counter()
        self._now = 0.0
        self.counts: Counter[str] = Counter()
        self.set_aside: Counter[str] = Counter()
        self.seconds = 0.0

    @property
    def left(self) -> Counter[str]:
        """Code -> files that stay where they are."""
        return Counter(seen.left for seen in self._files.values() if seen.left) + self._passed_over

    @property
    def waiting(self) -> int:
        return sum(not seen.left for seen in self._files.values())

    def look(self, tree: FileTree) -> None:
        """Take what is due. Raises DicomAssetsError where nothing can be taken at the moment."""
        with coded_file_errors():
            self._list(tree)
            held = self._take_media(tree)
            for name in [name for name, seen in self._files.items() if self._is_due(seen) and name not in held]:
                self._finish(tree, name, self._taken(tree, name))
            self._remove_emptied(tree)

    def _list(self, tree: FileTree) -> None:
        self._now = time.monotonic()
        files, passed_over = {}, Counter()
        for found in tree.files(hidden=False):
            if isinstance(found, PassedOver):
                passed_over[found.code] += 1
                continue
            name, signature = found
            seen = self._files.get(name)
            if seen is None or seen.signature != signature:
                seen = _Seen(signature, self._now, self._now + QUIET)
            files[name] = seen
        self._files, self._passed_over = files, passed_over
        self.seconds = time.monotonic() - self._now

    def _is_due(self, seen: _Seen) -> bool:
        return not seen.left and seen.due <= self._now

    def _is_quiet(self, seen: _Seen) -> bool:
        return self._now - seen.since >= QUIET

    def _has_settled(self, since: float) -> bool:
        return self._now - since >= self._settle

    def _take_media(self, tree: FileTree) -> set[bytes]:
        """Files that are for nobody else to take in this look: those of media."""
        directories = [name for name in self._files if b"dicomdir" in name[-16:].lower() and is_directory(_plain(name))]
        held: set[bytes] = set()
        by_name = {_plain(name): name for name in self._files} if directories else {}
        for directory in directories:
            if not self._files[directory].left:
                held |= self._take_medium(tree, directory, by_name)
        return held

    def _take_medium(self, tree: FileTree, directory: bytes, by_name: dict[str, bytes]) -> set[bytes]:
        """The files of the medium. They leave the folder together when all are here, the DICOMDIR first: what is left
        of them after a crash is files like any other. What is missing is waited for as long as a study settles."""
        seen = self._files[directory]
        if seen.media is None and self._is_due(seen):
            self._read_directory(tree, directory, seen)
        if seen.media is None:
            return {directory} if self._is_quiet(seen) else self._below(directory.rpartition(b"/")[0])
        names = seen.media.names
        members = [by_name[name] for name in names if by_name.get(name) in self._files]
        held = {directory, *members}
        newest = max(self._files[name].since for name in held)
        is_waited_for = len(members) < len(names) and not self._has_settled(newest)
        if is_waited_for or any(self._files[name].due > self._now for name in held):
            return held
        found = {name: self._taken(tree, name) for name in members}
        came = {_plain(name) for name, tally in found.items() if tally.instances}
        lacking = self._taking.lacking(seen.media, came)
        if lacking.missing and not self._has_settled(newest):
            for name in held:
                self._files[name].due = newest + self._settle
            return held
        self.counts["missing"] += lacking.missing
        self._leave(tree, directory, "MEDIA_INCOMPLETE" if lacking.missing else "")
        for name, tally in found.items():
            self._finish(tree, name, tally)
        return held

    def _read_directory(self, tree: FileTree, directory: bytes, seen: _Seen) -> None:
        media = Media()
        read = self._taken(tree, directory, partial(self._taking.read_directory, media, _plain(directory)))
        if read.refused:
            self._finish(tree, directory, read)
        else:
            seen.media = media

    def _below(self, folder: bytes) -> set[bytes]:
        return {name for name in self._files if not folder or name.startswith(folder + b"/")}

    def _taken(self, tree: FileTree, name: bytes, work: Work | None = None) -> Tally:
        """What became of the file, if it is still the one that was listed."""

        def checked(source: FileSource) -> Tally:
            if signature_of(source.handle) != self._files[name].signature:
                return refusal("FILE_CHANGED")
            return (work or self._taking.take)(source)

        try:
            return handed(tree, name, checked)
        except (DicomAssetsError, OSError):
            raise
        except Exception as error:  # one file does not keep the others from being taken
            print(f"INTERNAL_ERROR: {describe_bug(error)}", file=sys.stderr)
            return refusal("INTERNAL_ERROR")

    def _finish(self, tree: FileTree, name: bytes, tally: Tally) -> None:
        """Where the file goes, or when it is looked into again."""
        seen = self._files[name]
        code = next(iter(tally.refused), "MEDIA_INCOMPLETE" if tally.missing else "")
        if code in _LEFT:
            seen.left = code
        elif code and not self._has_settled(seen.since):
            seen.due = seen.since + self._settle
        elif code or tally.instances:
            self.counts.update({count: getattr(tally, count) for count in COUNTED})
            self._leave(tree, name, code)
        else:
            seen.left = NOT_DICOM

    def _leave(self, tree: FileTree, name: bytes, code: str) -> None:
        """Out of the folder; with a code, into quarantine. Where it cannot be removed it stays and is not taken again,
        until it changes."""
        seen = self._files[name]
        if code and (refused := self._taken(tree, name, partial(self._put_aside, name, code)).refused):
            seen.left = next(iter(refused))
            return
        try:
            if tree.remove(name, seen.signature):
                del self._files[name]
                self._emptied[name.rpartition(b"/")[0]] = self._now
        except FileNotFoundError:
            pass
        except OSError:
            seen.left = "NO_PERMISSION"

    def _put_aside(self, name: bytes, code: str, source: FileSource) -> Tally:
        suffix = (
            ".dicomdir"
            if is_directory(_plain(name))
            else ".zip"
            if look_at(source.beginning, source.size).kind is Kind.ZIP
            else ".dcm"
        )
        try:
            self._aside.take(source, suffix, code)
        except BadInput as error:
            return refusal(error.code)
        self.set_aside[code] += 1
        return Tally()

    def _remove_emptied(self, tree: FileTree) -> None:
        """Folders in which nothing is left, and nothing came for as long as a study settles."""
        for folder in [folder for folder, since in self._emptied.items() if self._has_settled(since)]:
            del self._emptied[folder]
            if folder and tree.remove_if_empty(folder):
                self._emptied[folder.rpartition(b"/")[0]] = self._now


def _plain(name: bytes) -> str:
    return plain(os.fsdecode(name))
