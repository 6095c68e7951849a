"""What came for a study and is no part of it: kept in quarantine for a person to look at, and used for nothing.

A conflict stays open until the archive, asked again in a later run, sends the content that is held, or a person deletes
one of the two files.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .atomic import publish
from .tables import read_sealed, write_sealed

RECORD = "set_aside.parquet"

#: Other content under a SOPInstanceUID of which there is one already
CONFLICT = "INSTANCE_CONFLICT"
#: The file ends within an element
CUT_SHORT = "INSTANCE_CUT_SHORT"
#: Unreadable, of another study, or not what it was announced as
NOT_OF_STUDY = "INSTANCE_NOT_OF_STUDY"
#: Of the study, but the archive does not list it
NOT_LISTED = "INSTANCE_NOT_LISTED"


@dataclass(frozen=True)
class SetAside:
    """A row of `restricted/quarantine/<batch>/<study key>/set_aside.parquet`."""

    file: str  #: name in the folder
    sop_instance_uid: str  #: as it was announced
    reason: str  #: one of the codes above
    sha256: str  #: hex, of the file
    settled: bool = False  #: a conflict after which the archive sent the content that is held


def name_in_raw(file: str) -> str:
    """Of a file that SetAsideFolder.take() has named: what the raw folder calls the instance."""
    return f"{Path(file).stem.partition('-')[0]}.dcm"


@dataclass
class SetAsideFolder:
    """The quarantine folder of one study. name_of: SOPInstanceUID -> file name. Files are named by their content, too,
    so that what comes again is there once. discarded: SHA-256 of contents that a reviewer does not want to see again.
    """

    folder: Path
    name_of: Callable[[str], str]
    discarded: Container[str] = frozenset()
    _rows: dict[str, SetAside] = field(init=False)
    _pending: dict[Path, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = {row.file: row for row in read_sealed(self.folder / RECORD, SetAside)}

    def take(self, path: Path, sop_instance_uid: str, reason: str, digest: str) -> None:
        """The file at path, on the same file system, moves here with the next write()."""
        if digest in self.discarded:
            path.unlink()
            return
        name = f"{Path(self.name_of(sop_instance_uid)).stem}-{digest[:16]}.dcm"
        target = self.folder / name
        self._rows[name] = SetAside(name, sop_instance_uid, reason, digest)
        if target.is_file():
            publish({target: target})  # whoever put it there may have been killed before it was on disk
            path.unlink()
        elif target in self._pending.values():
            path.unlink()
        else:
            self._pending[path] = target

    def write(self) -> None:
        """Make the record of what was taken durable, and then the files: none is without its reason."""
        if self._rows:
            write_sealed(self.folder / RECORD, [row for _, row in sorted(self._rows.items())], SetAside)
        if self._pending:
            publish(self._pending)
            self._pending.clear()

    @property
    def rows(self) -> list[SetAside]:
        """Of the files that are there."""
        return [row for row in self.all_rows if (self.folder / row.file).is_file()]

    @property
    def all_rows(self) -> list[SetAside]:
        """Of all that was ever set aside."""
        return [row for _, row in sorted(self._rows.items())]

    def disputed(self) -> set[str]:
        """SOPInstanceUIDs of which two contents were ever set aside, or were about to be."""
        return {row.sop_instance_uid for row in self._rows.values() if row.reason == CONFLICT}

    def conflicts(self) -> set[str]:
        """SOPInstanceUIDs of open conflicts."""
        return {
            row.sop_instance_uid
            for row in self._rows.values()
            if row.reason == CONFLICT and not row.settled and (self.folder / row.file).is_file()
        }

    def settle(self, sop_instance_uids: Iterable[str]) -> None:
        """The archive has sent again what is held of these."""
        uids = frozenset(sop_instance_uids)
        for name, row in self._rows.items():
            if row.reason == CONFLICT and row.sop_instance_uid in uids:
                self._rows[name] = replace(row, settled=True)
