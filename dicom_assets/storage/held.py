"""What of a peer's instances is durable with us, wherever it has got to: incoming, a batch, quarantine, released.

What came a moment ago is remembered with its study, so that few folders are looked at; the rest is searched for.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import from_os_error
from .incoming import AWAITED, Kept, instances_in
from .instance_header import identity_of
from .manifests import RawInstance, manifest_of
from .mapping import mapped_batches, read_parts
from .tables import read_sealed
from .zones import Zones

#: Instances that are remembered
_RECENT = 100_000


class _Recent(NamedTuple):
    sop_class_uid: str
    study_key: str


class Holdings:
    """file_name: of a SOPInstanceUID, as incoming and the batches name their files. Threads may share it."""

    def __init__(self, zones: Zones, file_name: Callable[[str], str]) -> None:
        self._zones, self._file_name = zones, file_name
        self._recent: dict[str, _Recent] = {}
        self._lock = threading.Lock()

    def remember(self, sop_class_uid: str, sop_instance_uid: str, kept: Kept) -> None:
        """An instance has just been kept."""
        with self._lock:
            self._recent.pop(sop_instance_uid, None)
            self._recent[sop_instance_uid] = _Recent(sop_class_uid, kept.study_key)
            if len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]

    def find(self, sop_instance_uids: Iterable[str]) -> dict[str, str]:
        """SOPInstanceUID -> SOPClassUID, empty where nobody knows it any more, of those that we have. What is released
        counts as long as it is there and mapped. Raises RetryLater("FILE_OPERATION_FAILED") and the like."""
        wanted = {_stem(self._file_name(uid)): uid for uid in sop_instance_uids}
        with self._lock:
            recent = {stem: self._recent[uid] for stem, uid in wanted.items() if uid in self._recent}
        try:
            found = {
                wanted[stem]: recent[stem].sop_class_uid
                for stem, _ in self._files(set(recent), {one.study_key for one in recent.values()})
            }
            left = {stem for stem, uid in wanted.items() if uid not in found}
            found |= {wanted[stem]: _class_of(path) for stem, path in self._files(left)}
            left = {stem for stem, uid in wanted.items() if uid not in found}
            return found | {wanted[stem]: sop_class_uid for stem, sop_class_uid in self._released(left)}
        except OSError as error:
            raise from_os_error(error) from None

    def declare_complete(self, sop_instance_uids: Sequence[str], declare: Callable[[str, int], object]) -> None:
        """A sender has named these as all that it has sent: a study of which incoming has nothing else is whole.
        declare: takes its key and count. Of a study of one instance nothing is said: some devices ask after each."""
        named = {_stem(self._file_name(uid)) for uid in sop_instance_uids}
        with self._lock:
            keys = {self._recent[uid].study_key for uid in sop_instance_uids if uid in self._recent}
        for key in sorted(keys):
            with contextlib.suppress(FileNotFoundError):
                stems = [_stem(path.name) for path in instances_in(self._zones.incoming / key)]
                if len(stems) > 1 and named.issuperset(stems):
                    declare(key, len(stems))

    def _files(self, wanted: set[str], study_keys: Iterable[str] | None = None) -> Iterator[tuple[str, Path]]:
        """Stem and file of each that is found once; study_keys None: whosever it is."""
        left = set(wanted)
        for zone in self._zones_by_study():
            if not left:
                return
            for folder in _studies(zone) if study_keys is None else [zone / key for key in study_keys]:
                with contextlib.suppress(FileNotFoundError):
                    for path in instances_in(folder):
                        if (stem := _stem(path.name)) in left:
                            left.discard(stem)
                            yield stem, path

    def _zones_by_study(self) -> Iterator[Path]:
        """Folders that hold one of each study: where it came in, then the newest batches first. An instance moves from
        the first to the last of these, so that none is missed on its way."""
        incoming = self._zones.incoming
        yield from (incoming / AWAITED, incoming)
        for area in ("raw", "quarantine"):
            with contextlib.suppress(FileNotFoundError):
                yield from sorted((self._zones.restricted / area).iterdir(), key=_made, reverse=True)

    def _released(self, wanted: set[str]) -> Iterator[tuple[str, str]]:
        """Stem and SOPClassUID of those whose original is gone."""
        left = set(wanted)
        batches = mapped_batches(self._zones) if left else []
        columns = ("Original Filename", "Anonymized Filename")
        for batch, part in read_parts(self._zones, batches, columns, why="storage commitment"):
            for original, released in zip(*part.values(), strict=True):
                _, study_key, file = original.split("/")
                if (stem := _stem(file)) in left and (self._zones.released / released).is_file():
                    left.discard(stem)
                    rows = read_sealed(manifest_of(self._zones.raw(batch, study_key)), RawInstance)
                    yield stem, next((row.sop_class_uid for row in rows if row.file == file), "")


def _stem(name: str) -> str:
    """What files of one SOPInstanceUID have in common."""
    return name.removesuffix(".dcm").partition("-")[0]


def _made(batch: Path) -> float:
    return batch.stat().st_mtime


def _studies(zone: Path) -> list[Path]:
    if not zone.is_dir():
        return []
    return [Path(entry.path) for entry in os.scandir(zone) if not entry.name.startswith(".") and entry.is_dir()]


def _class_of(path: Path) -> str:
    try:
        identity = identity_of(path)
    except FileNotFoundError:  # it has moved on meanwhile
        return ""
    return "" if identity is None else identity.sop_class_uid
