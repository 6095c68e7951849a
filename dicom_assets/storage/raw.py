"""The raw folder of one study: instances as they came, in files of our own naming, and what was verified of them."""

import os
from collections.abc import Callable, Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput
from .atomic import make_folder, remove_unfinished
from .instance_header import Identity, read_identity
from .manifests import RawInstance, manifest_of
from .set_aside import CUT_SHORT, NOT_LISTED, NOT_OF_STUDY, SetAsideFolder
from .tables import read_sealed, write_sealed
from .zones import RESTRICTED_FOLDER

#: Files that are read back at a time
_READERS = 2


class Examined(NamedTuple):
    """A file read back from disk. row: None where it is no whole instance of the study, reason says why."""

    row: RawInstance | None
    reason: str
    sha256: str


@dataclass
class RawFolder:
    """folder: of one study. aside: takes what is no part of it. name_of: SOPInstanceUID -> file name. verified:
    SOPInstanceUID -> row of what was read back from disk and is durable."""

    folder: Path
    aside: SetAsideFolder
    study_instance_uid: str
    name_of: Callable[[str], str]
    verified: dict[str, RawInstance] = field(default_factory=dict)

    def open(self) -> None:
        """Make the folder, clear away what a killed process left unfinished, and read back all that is there."""
        make_folder(self.folder, RESTRICTED_FOLDER)
        remove_unfinished(self.folder)
        paths = sorted(self.folder.glob("*.dcm"))
        with ThreadPoolExecutor(_READERS) as readers:
            for path, seen in zip(paths, readers.map(self.examine, paths), strict=True):
                if seen.row is not None and seen.row.file == self.name_of(seen.row.sop_instance_uid):
                    self.verified[seen.row.sop_instance_uid] = seen.row
                else:
                    self.aside.take(path, path.stem, seen.reason or NOT_OF_STUDY, seen.sha256)
        self.aside.write()

    def examine(self, path: Path) -> Examined:
        """Hash the file and read whose it is. Raises OSError."""
        with path.open("rb", buffering=0) as file:
            digest = file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
            identity = read_identity(file.fileno(), size)
        if identity is None or identity.study_instance_uid != self.study_instance_uid:
            return Examined(None, CUT_SHORT if identity is not None and identity.is_cut else NOT_OF_STUDY, digest)
        if identity.is_cut:
            return Examined(None, CUT_SHORT, digest)
        return Examined(_row(path.name, identity, size, digest), "", digest)

    def path_of(self, sop_instance_uid: str) -> Path:
        return self.folder / self.name_of(sop_instance_uid)

    def drop_unlisted(self, listed: set[str]) -> None:
        """Set aside what is verified and not listed."""
        for uid in sorted(self.verified.keys() - listed):
            row = self.verified.pop(uid)
            self.aside.take(self.folder / row.file, uid, NOT_LISTED, row.sha256)
        self.aside.write()

    def write_manifest(self, but_not: Container[str] = ()) -> list[RawInstance]:
        """Of what is verified, less but_not (SOPInstanceUIDs); its rows, sorted by file."""
        rows = sorted(
            (row for uid, row in self.verified.items() if uid not in but_not),
            key=lambda row: row.file,
        )
        write_sealed(manifest_of(self.folder), rows, RawInstance)
        return rows

    def read_manifest(self) -> list[RawInstance]:
        return read_sealed(manifest_of(self.folder), RawInstance)

    def is_whole(self) -> bool:
        """A manifest is there, and every file that it names, with its size."""
        manifest = manifest_of(self.folder)
        return manifest.is_file() and all(
            (self.folder / row.file).is_file() and (self.folder / row.file).stat().st_size == row.size
            for row in self.read_manifest()
        )


def require_originals(folders: Iterable[Path]) -> None:
    """Raises BadInput("ORIGINALS_DELETED") where there is none of the files that a folder's manifest names."""
    for folder in folders:
        rows = read_sealed(manifest_of(folder), RawInstance)
        if rows and not any((folder / row.file).is_file() for row in rows):
            raise BadInput("ORIGINALS_DELETED")


def _row(file: str, identity: Identity, size: int, digest: str) -> RawInstance:
    return RawInstance(
        file=file,
        sop_instance_uid=identity.sop_instance_uid,
        sop_class_uid=identity.sop_class_uid,
        transfer_syntax_uid=identity.transfer_syntax_uid,
        size=size,
        sha256=digest,
        series_instance_uid=identity.series_instance_uid,
    )
