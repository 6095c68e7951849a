"""A file that somebody hands us, into incoming: an instance, or a ZIP of them; what is neither is counted.

The file itself is never changed. An instance is durable in incoming before it is counted as taken; its preamble and
file meta information are replaced by ours, its data set stays as it is.
"""

import os
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TypeVar
from zipfile import ZipFile, ZipInfo

from ..errors import BadInput, RetryLater
from ..storage.arriving import Kept
from ..storage.file_trees import FileTree, signature_of
from ..storage.incoming import ARRIVING, Incoming
from ..storage.instance_files import FileSource
from ..storage.instance_header import Identity
from ..storage.loose_files import Kind, UnusableFile, identify, look_at
from ..storage.media import Media, Reference, is_directory, plain
from ..storage.zip_files import Room, kind_of, opened_zip, unpacked

#: A ZIP in a ZIP is opened, one in that is refused
_ZIPS_DEEP = 2
_PIECE = 1 << 20
#: Refusals that are named by their place; all are counted
_MOST_PLACES = 20

File = TypeVar("File")


@dataclass
class Tally:
    """What became of files and entries of ZIPs; a ZIP or DICOMDIR that can be read is not counted itself.

    bytes: of data sets. refused: code -> files. places: (where, code) of the first of them. missing: files that a
    DICOMDIR names and nobody gave. studies: study key -> names of its files in incoming. doubtful: keys of studies that
    lack a file; empty for one of which nobody can tell the study."""

    taken: int = 0
    already_here: int = 0
    conflicting: int = 0
    not_dicom: int = 0
    missing: int = 0
    bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    places: list[tuple[str, str]] = field(default_factory=list)
    studies: dict[str, set[str]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)

    @property
    def instances(self) -> int:
        """That are durable in incoming."""
        return self.taken + self.already_here + self.conflicting

    @property
    def read(self) -> int:
        return self.instances + self.not_dicom + self.refused.total()

    def add(self, other: "Tally", where: str = "") -> None:
        """where: place of what other counts, `file 3`."""
        for name in ("taken", "already_here", "conflicting", "not_dicom", "missing", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused.update(other.refused)
        for place, code in other.places[: max(0, _MOST_PLACES - len(self.places))]:
            self.places.append((", ".join(filter(None, (where, place))), code))
        for study_key, files in other.studies.items():
            self.studies.setdefault(study_key, set()).update(files)
        self.doubtful |= other.doubtful


def refusal(code: str, study_key: str = "") -> Tally:
    """Of one file."""
    return Tally(refused=Counter({code: 1}), places=[("", code)], doubtful={study_key})


#: What is done with a file that can be read
Work = Callable[[FileSource], Tally]


class Taking:
    """Into incoming, which is opened as long as this is used. When stop is set, what is being taken is left where it
    is: RetryLater("INTERRUPTED")."""

    def __init__(self, incoming: Incoming, stop: Event) -> None:
        self._incoming, self._stop = incoming, stop
        self._scratch = incoming.folder / ARRIVING

    def take_all(
        self,
        files: Sequence[File],
        name_of: Callable[[File], str],
        use: Callable[[File, Work], Tally],
        where: Callable[[int], str],
        work: Work,
        step: Callable[[], object] = lambda: None,
    ) -> Tally:
        """Of one folder or ZIP. name_of: as plain(). use: opens a file and works on it. where: names the file with this
        number, from 1. work: on what is no DICOMDIR. Raises what concerns every file: RetryLater("DISK_FULL"),
        BadInput("NO_PERMISSION") and the like of incoming; RetryLater("INTERRUPTED"); OSError."""
        tally, media, came = Tally(), Media(), set()
        for number, file in enumerate(files, 1):
            if is_directory(name := name_of(file)):
                tally.add(use(file, partial(self.read_directory, media, name)), where(number))
        wanted = media.names
        for number, file in enumerate(files, 1):
            if not is_directory(name := name_of(file)):
                one = use(file, work)
                tally.add(one, where(number))
                if one.instances and name in wanted:
                    came.add(name)
            step()
        tally.add(self.lacking(media, came))
        return tally

    def take(self, source: FileSource) -> Tally:
        """One file. Raises as take_all()."""
        return self._refused_or(lambda: self._take(source, None, 0))

    def read_directory(self, media: Media, name: str, source: FileSource) -> Tally:
        """Into media, what a DICOMDIR names."""

        def read() -> Tally:
            media.add(name, source)
            return Tally()

        return self._refused_or(read)

    def lacking(self, media: Media, came: Container[str]) -> Tally:
        """What directories name and nobody gave. came: names of files that were taken."""
        missing = media.missing(came, self._is_here)
        return Tally(missing=len(missing), doubtful={self._study_key(one.study_instance_uid) for one in missing})

    def _is_here(self, reference: Reference) -> bool:
        """The instance waits in incoming, whatever the name of the file that brought it."""
        study_key = self._study_key(reference.study_instance_uid)
        name = self._incoming.file_name(reference.sop_instance_uid)
        return bool(study_key) and (self._incoming.folder / study_key / name).is_file()

    def _study_key(self, study_instance_uid: str) -> str:
        return self._incoming.study_key(study_instance_uid) if study_instance_uid else ""

    def _refused_or(self, work: Callable[[], Tally]) -> Tally:
        try:
            return work()
        except UnusableFile as error:
            return refusal(error.code, self._study_key(error.study_instance_uid))
        except BadInput as error:
            if error.code == "NO_PERMISSION":  # incoming's: whoever opened the file had it
                raise
            return refusal(error.code)

    def _take(self, source: FileSource, room: Room | None, depth: int) -> Tally:
        """room: of the ZIP that it comes from. depth: how many ZIPs it lies in."""
        signature = signature_of(source.handle)
        look = look_at(source.beginning, source.size)
        if look.kind is Kind.ZIP:
            return self._zip(source, room or Room(source.size), depth)
        identity = identify(source, look, self._scratch) if look.kind is Kind.INSTANCE else None
        if identity is None:
            return Tally(not_dicom=1)
        arriving = self._incoming.begin(identity.sop_class_uid, identity.sop_instance_uid, look.syntax)
        try:
            for start in range(look.start, source.size, _PIECE):
                self._look_round()
                arriving.write(source.read(start, min(start + _PIECE, source.size)))
            if signature_of(source.handle) != signature:
                raise BadInput("FILE_CHANGED")
        except BaseException:
            arriving.discard()
            raise
        return self._counted(arriving.keep(), identity, source.size - look.start)

    def _look_round(self) -> None:
        if self._stop.is_set():
            raise RetryLater("INTERRUPTED")
        self._incoming.refuse_if_full()

    def _counted(self, kept: Kept, identity: Identity, size: int) -> Tally:
        tally = Tally(bytes=size, studies={kept.study_key: {kept.file}})
        if kept.file != self._incoming.file_name(identity.sop_instance_uid):
            tally.conflicting = 1
        elif kept.is_new:
            tally.taken = 1
        else:
            tally.already_here = 1
        return tally

    def _zip(self, source: FileSource, room: Room, depth: int) -> Tally:
        if depth == _ZIPS_DEEP:
            raise BadInput("ZIP_NESTED")
        with opened_zip(source.handle) as archive:
            return self.take_all(
                [entry for entry in archive.infolist() if not entry.is_dir()],
                lambda entry: plain(entry.filename),
                lambda entry, work: self._refused_or(lambda: self._unpacked(archive, entry, room, work)),
                lambda number: f"entry {number}",
                lambda unpacked: self._take(unpacked, room, depth + 1),
            )

    def _unpacked(self, archive: ZipFile, entry: ZipInfo, room: Room, work: Work) -> Tally:
        if kind_of(archive, entry) is Kind.OTHER and not is_directory(plain(entry.filename)):
            return Tally(not_dicom=1)
        with unpacked(archive, entry, room, self._scratch, self._look_round) as handle:
            return work(FileSource(handle))


def handed(tree: FileTree, name: bytes, work: Work) -> Tally:
    """Of a file below a folder that others write to. Raises as work does."""
    try:
        handle = tree.open(name)
    except PermissionError:
        return refusal("NO_PERMISSION")
    except OSError:
        return refusal("UNREADABLE_FILE")
    try:
        try:
            source = FileSource(handle)
        except BadInput as error:
            return refusal(error.code)
        return work(source)
    finally:
        os.close(handle)
