"""The raw folder of one study: instances as they came, in files of our own naming, each durable before it counts."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from .atomic import fsync_folder, make_folder, publish, remove_unfinished, sha256, write_unfinished
from .manifests import RawInstance, manifest_of
from .tables import read_rows, write_rows
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER

_IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
_HEADER_TAGS = ["StudyInstanceUID", "SOPInstanceUID", "SOPClassUID"]


@dataclass
class RawFolder:
    """folder: of one study. name_of: SOPInstanceUID -> file name."""

    folder: Path
    name_of: Callable[[str], str]
    _arrived: dict[Path, Path] = field(default_factory=dict)

    def open(self) -> None:
        """Make the folder and clear away what a killed process left unfinished."""
        make_folder(self.folder, RESTRICTED_FOLDER)
        remove_unfinished(self.folder)

    def add(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, data: bytes) -> None:
        """Write one instance as it came, behind a file meta header of our own; it counts after keep()."""
        header = _part10_header(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        final = self.folder / self.name_of(sop_instance_uid)
        earlier = self._arrived.pop(final, None)
        if earlier is not None:
            earlier.unlink()
        self._arrived[final] = write_unfinished(self.folder, header, data, mode=RESTRICTED_FILE)

    def keep(self) -> int:
        """Make durable what was added; how many instances."""
        kept = len(self._arrived)
        publish({temp: final for final, temp in self._arrived.items()})
        self._arrived.clear()
        return kept

    def holds(self, sop_instance_uid: str) -> bool:
        return (self.folder / self.name_of(sop_instance_uid)).is_file()

    def verify(self, study_instance_uid: str, sop_instance_uid: str) -> RawInstance | None:
        """The instance's row, read back from disk; None where the file is not this instance of this study."""
        instance = self._read_back(self.folder / self.name_of(sop_instance_uid), study_instance_uid)
        return instance if instance is not None and instance.sop_instance_uid == sop_instance_uid else None

    def verify_all(self, study_instance_uid: str) -> list[RawInstance]:
        """Rows of all files that are instances of this study."""
        rows = (self._read_back(self.folder / name, study_instance_uid) for name in sorted(self.names()))
        return [row for row in rows if row is not None and row.file == self.name_of(row.sop_instance_uid)]

    def _read_back(self, path: Path, study_instance_uid: str) -> RawInstance | None:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_HEADER_TAGS)
            study, instance, sop_class = (str(header.get(name, "")).strip(" \0") for name in _HEADER_TAGS)
            syntax = str(header.file_meta.TransferSyntaxUID)
        except OSError:
            raise
        except Exception:  # unreadable in any way: it is no instance of this study
            return None
        if study != study_instance_uid:
            return None
        return RawInstance(path.name, instance, sop_class, syntax, path.stat().st_size, sha256(path))

    def set_aside(self, names: set[str], quarantine: Path) -> None:
        """Move files that are no part of the study to quarantine; they are kept, and used for nothing."""
        if names:
            make_folder(quarantine, RESTRICTED_FOLDER)
            for name in sorted(names):
                (self.folder / name).replace(quarantine / name)
            fsync_folder(quarantine)

    def names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.dcm")}

    def write_manifest(self, rows: list[RawInstance]) -> None:
        write_rows(manifest_of(self.folder), sorted(rows, key=lambda row: row.file), RawInstance)

    def read_manifest(self) -> list[RawInstance]:
        return read_rows(manifest_of(self.folder), RawInstance)

    def is_whole(self) -> bool:
        """A manifest is there, and every file that it names, with its size."""
        manifest = manifest_of(self.folder)
        return manifest.is_file() and all(
            (self.folder / row.file).is_file() and (self.folder / row.file).stat().st_size == row.size
            for row in self.read_manifest()
        )


def _part10_header(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(_IMPLEMENTATION_CLASS_UID)
    buffer = io.BytesIO(b"\0" * 128 + b"DICM")
    buffer.seek(0, io.SEEK_END)
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return buffer.getvalue()
