"""One instance that is on its way into restricted/incoming: a file without a name until it is whole and on disk."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import BadInput, DicomAssetsError, from_os_error
from .instance_header import file_meta, identity_behind, is_uid
from .side_by_side import link_beside
from .zones import RESTRICTED_FILE

#: Bytes after which, and seconds in which, an instance on its way looks round: is there room, is it still arriving?
_LOOK_BYTES, _LOOK_SECONDS = 8 << 20, 5.0


@dataclass(frozen=True)
class Kept:
    """An instance that is durable. is_new: it was not there before."""

    study_key: str
    file: str
    is_new: bool


class Zone(Protocol):
    """What it needs of storage.incoming.Incoming."""

    study_key: Callable[[str], str]
    file_name: Callable[[str], str]
    on_kept: Callable[[str, str, Kept], object]

    def refuse_if_full(self) -> None: ...

    def place_for(self, study_key: str) -> contextlib.AbstractContextManager[tuple[Path, int]]: ...


class Arriving:
    """One instance that is arriving: a file that has no name yet. Exactly one of keep() and discard() ends it, whether
    or not keep() raises."""

    def __init__(
        self, incoming: Zone, path: str, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> None:
        self._incoming, self._path = incoming, path
        self._sop_class_uid, self._sop_instance_uid = sop_class_uid, sop_instance_uid
        header, self._syntax = file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid), transfer_syntax_uid
        self._data_begins = len(header)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
        self._size = 0
        self._looked_bytes, self._looked_at = 0, time.monotonic()
        try:
            self.write(header)
        except DicomAssetsError:
            self.discard()
            raise

    def write(self, piece: bytes | memoryview) -> None:
        """Bytes of the data set as they were encoded on the wire. Raises RetryLater("DISK_FULL") and the like."""
        try:
            # Whoever reads the header meanwhile moves the descriptor's own position.
            while (written := os.pwrite(self._handle, piece, self._size)) < len(piece):
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
            kept = self._publish(study_key)
        except OSError as error:
            raise from_os_error(error) from None
        finally:
            self.discard()
        self._incoming.on_kept(self._sop_class_uid, self._sop_instance_uid, kept)
        return kept

    def discard(self) -> None:
        os.close(self._handle)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108 - a Path takes its time

    def _study(self) -> str:
        """StudyInstanceUID of the data set, which is what was announced."""
        identity = identity_behind(self._handle, self._data_begins, self._size, self._syntax, to_the_end=False)
        if identity is None or identity.is_cut:
            raise BadInput("INSTANCE_UNREADABLE")
        if not is_uid(identity.study_instance_uid):
            raise BadInput("INSTANCE_WITHOUT_STUDY")
        if (identity.sop_class_uid, identity.sop_instance_uid) != (self._sop_class_uid, self._sop_instance_uid):
            raise BadInput("INSTANCE_NOT_AS_ANNOUNCED")
        return identity.study_instance_uid

    def _publish(self, study_key: str) -> Kept:
        with self._incoming.place_for(study_key) as (folder, handle):
            name = self._incoming.file_name(self._sop_instance_uid)
            name, is_new = link_beside(self._path, self._handle, folder, name)
            os.fsync(handle)
        return Kept(study_key, name, is_new)

    def _keep_study_unsettled(self) -> None:
        """What takes its time on the way counts as something that came."""
        with contextlib.suppress(DicomAssetsError, OSError):
            study_key = self._incoming.study_key(self._study())
            with self._incoming.place_for(study_key) as (_folder, handle):
                os.utime(handle)
