"""One file of a folder: read through an open descriptor, de-identified, and written beside its final name.

Nothing here may end the process for the sake of one file: what cannot be done is a row with a reason."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..deid.deidentify import Deidentifier, notes_of
from ..deid.profile import Profile
from ..deid.pseudonyms import PseudonymKey
from ..deid.values import is_uid
from ..errors import BadInput, DicomAssetsError, Refused, from_os_error
from ..pixels.cleaned import Plan
from ..pixels.cleaner import cleaner
from ..quiet import describe_bug
from ..storage.instance_files import FileSource, write_parts
from ..storage.zones import RELEASED_FILE
from .pixel_plan import plan_of

NOT_DICOM = "NOT_DICOM"
#: Address of "DICM" behind the preamble, PS3.10 7.1
_PREAMBLE = 128
#: Pairs of UIDs that are kept to know them again, and as many in sets
_MOST_PAIRS = 20_000
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}){3}\.dcm", re.ASCII)


class Row(NamedTuple):
    """What became of one file. reason: a code where there is no output. temp: the output's path among the unfinished
    until it has its name. place: its final name below the target. patient_id, study, sop: as in the original, known
    also of most files that are kept back; where a UID is none, what stands for it. detail: the place of a bug.
    uids: (old, new) pairs that this worker has not told before, but for the SOP Instance UID; shared: those that it
    has, the same object for the same pairs."""

    name: bytes
    reason: str = ""
    temp: str = ""
    place: str = ""
    bytes: int = 0
    patient_id: str = ""
    patient: str = ""
    study: str = ""
    sop: str = ""
    tags: str = ""
    uid_tags: str = ""
    detail: str = ""
    uids: tuple[tuple[str, str], ...] = ()
    shared: tuple[tuple[str, str], ...] = ()


def is_place(path: str) -> bool:
    """patient/study/series/instance.dcm, and nothing that leads elsewhere."""
    return _PLACE.fullmatch(path) is not None


def instance_of(place: str) -> str:
    """The new SOP Instance UID."""
    return place[place.rfind("/") + 1 : -len(".dcm")]


class FolderWorker:
    """De-identifies files of one folder, one after the other; keep one a process.

    root: descriptor of the folder that names are relative to. unfinished: a folder of this process alone, on the file
    system of the target."""

    def __init__(self, root: int, unfinished: str, profile: Profile, key: PseudonymKey) -> None:
        self._root, self._unfinished, self._name = root, unfinished, unfinished.rpartition("/")[2]
        self._profile, self._key = profile, key
        self._engine = Deidentifier(profile, key)
        self._written = 0
        self._told: set[tuple[str, str]] = set()
        self._sets: dict[tuple, tuple] = {}
        self._pairs_kept = 0
        self._joined: dict[tuple[str, ...], str] = {}

    def file(self, name: bytes) -> Row:
        """Raises DicomAssetsError only for what concerns every file: the disk is full."""
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._root)
        except PermissionError:
            return Row(name, "NO_PERMISSION")
        except OSError:
            return Row(name, "UNREADABLE_FILE")
        try:
            return self._open_file(name, handle)
        finally:
            os.close(handle)

    def _open_file(self, name: bytes, handle: int) -> Row:
        try:
            source = FileSource(handle)
        except DicomAssetsError as error:
            return Row(name, error.code)
        if not source.size:
            return Row(name, "EMPTY_FILE")
        try:
            return self._deidentified(name, source)
        except OSError as error:  # of the target: those of the source are BadInput
            raise from_os_error(error) from None
        except (BadInput, Refused) as error:
            return self._kept_back(name, source, error.code)
        except MemoryError:
            return self._kept_back(name, source, "WORKER_DIED")
        except Exception as error:
            return self._kept_back(name, source, "INTERNAL_ERROR")._replace(detail=describe_bug(error))

    def _deidentified(self, name: bytes, source: FileSource) -> Row:
        result = self._engine.deidentify(source)
        instance = result.sop_instance_uid
        place = f"{result.patient}/{result.study_instance_uid}/{result.series_instance_uid}/{instance}.dcm"
        if not is_place(place):
            raise BadInput("UID_MISSING")
        notes = result.notes
        sop = self._known(notes.sop_instance_uid) or instance
        uids = tuple([pair for pair in result.uids if pair[1] != instance or pair[0] != sop])
        if len(uids) == len(result.uids):  # it was replaced under a name of its own, or not at all
            sop = instance
        row = Row(
            name,
            place=place,
            bytes=source.size,
            patient_id=_encodable(notes.patient_id),
            patient=result.patient,
            study=self._known(notes.study_instance_uid) or result.study_instance_uid,
            sop=sop,
        )
        try:
            plan = plan_of(self._profile, notes)
            temp, tags = self._write(source, result.parts), result.tags
            if plan is not None:
                temp, blanked = self._cleaned(source, temp, plan)
                tags += ("PixelData",) if blanked else ()
        except (BadInput, Refused) as error:
            return row._replace(reason=error.code)
        told = self._told
        shared = tuple([pair for pair in uids if pair in told])
        return row._replace(
            temp=temp,
            tags=self._one_text(tags),
            uid_tags=self._one_text(result.uid_tags),
            uids=self._not_yet_told(uids) if len(shared) < len(uids) else (),
            shared=self._one_set(shared),
        )

    def _known(self, uid: str) -> str:
        """The UID; where it is none, the one that stands for it."""
        return uid if not uid or is_uid(uid) else self._key.uid(uid, self._profile.uid_root)

    def _kept_back(self, name: bytes, source: FileSource, reason: str) -> Row:
        """With what can be told of the file, since others may share its UIDs."""
        row = Row(name, reason, bytes=source.size)
        is_part10 = source.beginning[_PREAMBLE : _PREAMBLE + 4] == b"DICM"
        try:
            notes = notes_of(source)
        except Exception:
            return row if is_part10 else row._replace(reason=NOT_DICOM)
        if not is_part10 and not notes.sop_class_uid:
            return row._replace(reason=NOT_DICOM)
        return row._replace(
            patient_id=_encodable(notes.patient_id),
            study=self._known(notes.study_instance_uid),
            sop=self._known(notes.sop_instance_uid),
        )

    def _write(self, source: FileSource, parts: Sequence[bytes | range]) -> str:
        """The name among the unfinished of a new file that holds the parts. Raises as write_parts, and leaves no file
        then."""
        self._written += 1
        path = f"{self._unfinished}/{self._written}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, RELEASED_FILE)
        try:
            write_parts(source, parts, handle)
        except BaseException:
            with suppress(OSError):
                Path(path).unlink()
            raise
        finally:
            os.close(handle)
        return f"{self._name}/{self._written}"

    def _cleaned(self, source: FileSource, uncleaned: str, plan: Plan) -> tuple[str, bool]:
        """The name among the unfinished of a file like uncleaned, which is no more, with its pixels cleaned and proved;
        whether anything was blanked. Raises as Cleaner.clean, and leaves no file then."""
        self._written += 1
        before, after = (Path(self._unfinished, name) for name in (uncleaned.rpartition("/")[2], str(self._written)))
        original = Path(f"/proc/{os.getpid()}/fd/{source.handle}")  # the very file, whatever has its name by now
        try:
            os.close(os.open(after, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, RELEASED_FILE))
            cleaned = cleaner().clean(original, before, after, plan)
            if problems := cleaner().prove(original, after, cleaned, plan):
                raise BadInput(problems[0])
        except BaseException:
            after.unlink(missing_ok=True)
            raise
        finally:
            before.unlink()
        return f"{self._name}/{self._written}", bool(cleaned.boxes)

    def _one_text(self, names: tuple[str, ...]) -> str:
        """`A; B; C`, the same object for the same names: instances of a series share it on their way."""
        if len(self._joined) > 1000:
            self._joined.clear()
        return self._joined.setdefault(names, "; ".join(names))

    def _not_yet_told(self, uids: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        new = tuple([pair for pair in uids if pair not in self._told])
        if len(self._told) > _MOST_PAIRS:
            self._told.clear()
        self._told.update(new)
        return new

    def _one_set(self, uids: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """As _one_text, of pairs of UIDs."""
        known = self._sets.get(uids)
        if known is None:
            self._pairs_kept += len(uids)
            if self._pairs_kept > _MOST_PAIRS:
                self._sets.clear()
                self._pairs_kept = len(uids)
            known = self._sets[uids] = uids
        return known


def _encodable(text: str) -> str:
    """The text, where it can be written as UTF-8; half characters escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
