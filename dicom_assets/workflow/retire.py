"""Retention: originals, staged copies and quarantine of batches that are over are deleted when their time is up.

Mapping, ledger, manifests, releases, reports and released files stay. Only a batch that has come to its end is touched:
whoever runs a cohort's or a night's again retrieves it again; an arrival's originals were the only ones, and its batch
is closed. What is deleted stands in the audit log before it goes; killed in the middle and called again, the rest goes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..batches.key import is_arrival
from ..batches.request import list_batches
from ..errors import Refused
from ..settings import RetentionSettings
from ..storage.atomic import UNFINISHED, delete, exclusive_lock
from ..storage.audit import Event, record
from ..storage.ledger import read_stage
from ..storage.zones import Zones
from .closing import close_batch, is_closed, is_finished
from .job import coded_file_errors

_DAY = 86400
_ORIGINALS, _ALL = ("staging", "raw"), ("staging", "raw", "quarantine")
#: Below quarantine: what a watched folder brought and could not be taken
_WATCHED = "watched"
#: Whatever else lies there is a record, and stays
_INSTANCE = (".dcm", UNFINISHED)
_RECORD = (".parquet", ".json")


@dataclass(frozen=True)
class Retired:
    """What is deleted of one batch, or of what a watched folder brought. area: staging, raw, quarantine."""

    area: str
    of: str
    files: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.of}: {self.files} files, {self.bytes} bytes"


@dataclass(frozen=True)
class Retirement:
    """busy: batches that somebody works on; left for the next time. is_short: less room is free than is asked for."""

    retired: tuple[Retired, ...]
    busy: int
    is_short: bool


def retire_batches(
    zones: Zones,
    retention: RetentionSettings,
    now: float,
    *,
    in_work: Callable[[str], bool] = lambda _batch: False,
    dry_run: bool = False,
) -> Retirement:
    """now: seconds since 1970. in_work: whether a run of the batch is under way, be it between two stages. dry_run:
    nothing is deleted or written; what would be is returned. Raises DicomAssetsError."""
    if not zones.restricted.is_dir():
        return Retirement((), 0, False)
    with coded_file_errors():
        over = sorted((ended, batch) for batch in list_batches(zones) if (ended := _ended_at(zones, batch)) is not None)
        retiring = _Retiring(zones, in_work, dry_run)
        if retention.days:
            limit = now - retention.days * _DAY
            for ended, batch in over:
                if ended <= limit:
                    retiring.retire(batch, _ALL)
            retiring.delete_files("quarantine", _WATCHED, _set_aside_before(zones, limit))
        for _, batch in over:
            if retiring.room >= retention.free:
                break
            retiring.retire(batch, _ORIGINALS)
        return Retirement(tuple(retiring.retired), retiring.busy, retiring.room < retention.free)


class _Retiring:
    """One call, and what it has done. Dry, it only counts."""

    def __init__(self, zones: Zones, in_work: Callable[[str], bool], dry_run: bool) -> None:
        self._zones, self._in_work, self._dry_run = zones, in_work, dry_run
        self._would_be_freed = 0
        self._seen: set[str] = set()
        self.retired: list[Retired] = []
        self.busy = 0

    @property
    def room(self) -> int:
        """Bytes that are free on the restricted root's disk; dry, that would be."""
        disk = os.statvfs(self._zones.restricted)
        return disk.f_bavail * disk.f_frsize + self._would_be_freed

    def retire(self, batch: str, areas: Sequence[str]) -> None:
        if batch in self._seen or not (_is_closing(self._zones, batch) or self._has_any(areas, batch)):
            return
        self._seen.add(batch)
        try:
            with self._held(batch):
                for area in areas:
                    self.delete_files(area, batch, _instances(self._zones, area, batch))
        except Refused:
            self.busy += 1

    def _has_any(self, areas: Sequence[str], batch: str) -> bool:
        return any(_instances(self._zones, area, batch) for area in areas)

    def delete_files(self, area: str, of: str, files: Sequence[Path]) -> None:
        sizes = [file.lstat() for file in files]
        told = Retired(area, of, len(files), sum(size.st_size for size in sizes))
        if files:
            self.retired.append(told)
        if self._dry_run:
            self._would_be_freed += sum(size.st_size for size in sizes if size.st_nlink == 1)
            return
        if files:
            record(self._zones, Event.DELETE, f"{area} of {told}", "retention")
        if area == "raw" and is_arrival(of):
            close_batch(self._zones, of, {})  # which first puts into quarantine what is not released
            files = [file for file in files if file.suffix == UNFINISHED]
        delete(files)

    @contextmanager
    def _held(self, batch: str) -> Iterator[None]:
        """It is over, and nobody works on it meanwhile. Raises Refused("BATCH_BUSY")."""
        if self._dry_run:
            yield
            return
        locks = self._zones.lock(f"{batch}.run"), self._zones.lock(batch)
        with exclusive_lock(locks[0]), exclusive_lock(locks[1]):
            if self._in_work(batch) or _ended_at(self._zones, batch) is None:
                raise Refused("BATCH_BUSY")
            yield


def _ended_at(zones: Zones, batch: str) -> float | None:
    """When the batch came to its end, seconds since 1970. None where it has not, or where running it again could bring
    more of a study that was found."""
    final = zones.ledger(batch, "validation_report")
    if not final.is_file():
        return None
    rows = [] if is_closed(zones, batch) else read_stage(zones, batch, "validation_report")
    if any(row.found and row.state in ("failed", "incomplete") for row in rows):
        return None
    return final.stat().st_mtime


def _is_closing(zones: Zones, batch: str) -> bool:
    """Somebody was killed while closing it."""
    return is_closed(zones, batch) and not is_finished(zones, batch)


def _instances(zones: Zones, area: str, batch: str) -> list[Path]:
    """Of a batch's studies, and what killed processes left unfinished."""
    return [file for file in _files(zones.restricted / area / batch) if file.suffix in _INSTANCE]


def _set_aside_before(zones: Zones, limit: float) -> list[Path]:
    """What came from a watched folder. st_ctime: a file keeps the time of its content when it is moved."""
    files = _files(zones.restricted / "quarantine" / _WATCHED)
    return [file for file in files if file.suffix not in _RECORD and file.lstat().st_ctime <= limit]


def _files(folder: Path) -> list[Path]:
    """All below folder, sorted; none where it is not there."""
    return sorted(Path(path, name) for path, _, names in os.walk(folder) for name in names)
