"""How it stands with what was pushed to us: what arrives, waits, is in work, lies in quarantine; and how much room is
left. Counts, seconds, bytes and codes only. It looks at folders, and reads no instance."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ..batches.key import is_arrival
from ..batches.request import list_batches
from ..settings import Settings
from ..storage.atomic import UNFINISHED
from ..storage.inbox import is_announced
from ..storage.incoming import WaitingStudy, waiting_studies
from ..storage.ledger import batches_begun, read_stage
from ..storage.manifests import MANIFEST, StagedInstance, manifest_of
from ..storage.set_aside import RECORD, SetAside
from ..storage.tables import read_sealed
from ..storage.zones import Zones
from .closing import is_finished
from .job import coded_file_errors, zones_of
from .watch import WatchState, watch_state

#: Of a file in quarantine that no record names
_NO_RECORD = "ORIGINAL_NOT_RELEASED"


@dataclass(frozen=True)
class Health:
    """arriving: of studies that have not settled. settled: of those that have, and that are in no batch yet.
    oldest_waiting_seconds: since something came last for the study that has waited longest; 0 where none waits.
    waits_for_operator: settled studies become batches by hand. quarantined: reason code -> instances in quarantine.
    released_today: instances of batches whose last stage was written today. reserve_bytes: of the restricted root's
    disk, that arrivals leave free. watched_waiting: files of the watched folder that will be taken; watched_left:
    reason code -> files that stay there; watch_problem: the reason code of what keeps all of them, or empty."""

    arriving_studies: int
    arriving_instances: int
    settled_studies: int
    settled_instances: int
    oldest_waiting_seconds: int
    waits_for_operator: bool
    batches_in_work: int
    studies_in_work: int
    quarantined: Mapping[str, int]
    released_today: int
    restricted_free_bytes: int
    released_free_bytes: int
    reserve_bytes: int
    receiver_running: bool
    watched_waiting: int
    watched_left: Mapping[str, int]
    watch_problem: str

    @property
    def counts(self) -> dict[str, object]:
        """Without what changes by itself: room and ages."""
        return {name: value for name, value in asdict(self).items() if not name.endswith(("_bytes", "_seconds"))}

    @property
    def concerns(self) -> list[str]:
        """Reason codes of what needs a person."""
        found = {
            "DISK_RESERVE_REACHED": min(self.restricted_free_bytes, self.released_free_bytes) <= self.reserve_bytes,
            "QUARANTINE_NOT_EMPTY": bool(self.quarantined),
            self.watch_problem: bool(self.watch_problem),
            "ARRIVALS_WAIT_FOR_OPERATOR": self.waits_for_operator and self.settled_studies > 0,
        }
        return [code for code, is_true in found.items() if is_true]


def health(settings: Settings, waiting: Sequence[WaitingStudy] | None = None) -> Health:
    """As it is at this moment. waiting: what waiting_studies() gave a moment ago. Raises as coded_file_errors."""
    zones, now = zones_of(settings), time.time()
    with coded_file_errors():
        waiting = waiting_studies(zones.incoming) if waiting is None else waiting
        settled = [one.folder for one in waiting if one.is_settled(now, settings.arrivals.settle_seconds)]
        arriving = [one.folder for one in waiting if not one.is_settled(now, settings.arrivals.settle_seconds)]
        claimed = list(_claimed_studies(zones))
        in_work = [zones.raw_batch(batch) for batch in unfinished_batches(zones) if is_arrival(batch)]
        watched = (watch_state(zones) if settings.arrivals.watch_folder else None) or WatchState()
        return Health(
            arriving_studies=len(arriving),
            arriving_instances=_instances(arriving),
            settled_studies=len(settled) + len(claimed),
            settled_instances=_instances([*settled, *claimed]),
            oldest_waiting_seconds=max(0, int(now - waiting[0].changed_at)) if waiting else 0,
            waits_for_operator=not settings.arrivals.deidentify_at_once,
            batches_in_work=len(in_work),
            studies_in_work=sum(len(_folders(batch)) for batch in in_work),
            quarantined=_quarantined(zones),
            released_today=_released_today(zones),
            restricted_free_bytes=_free_bytes(zones.restricted),
            released_free_bytes=_free_bytes(zones.released),
            reserve_bytes=settings.receiver.reserve,
            receiver_running=is_announced(zones.incoming, settings.receiver.port),
            watched_waiting=watched.waiting,
            watched_left=watched.left,
            watch_problem=watched.code,
        )


def unfinished_batches(zones: Zones) -> list[str]:
    """Of all requests, sorted."""
    return [batch for batch in list_batches(zones) if not is_finished(zones, batch)]


def _claimed_studies(zones: Zones) -> Iterator[Path]:
    """Folders of studies that were taken for a batch whose request was not written: the next plan writes it."""
    requested = set(list_batches(zones))
    for batch in _folders(zones.restricted / "raw"):
        if is_arrival(batch.name) and batch.name not in requested:
            yield from _folders(batch)


def _quarantined(zones: Zones) -> dict[str, int]:
    """The most frequent reason first."""
    counts: Counter[str] = Counter()
    for batch in _folders(zones.restricted / "quarantine"):
        for folder in (batch, *_folders(batch)):
            files = [name for name in _files(folder) if not name.endswith((*_RECORDS, UNFINISHED))]
            reasons = _reasons(folder, *(_version(folder / name) for name in _RECORDS)) if files else {}
            counts.update(reasons.get(file, _NO_RECORD) for file in files)
    return dict(counts.most_common())


_RECORDS = (MANIFEST, RECORD)


@lru_cache(1 << 14)
def _reasons(folder: Path, *_versions: object) -> Mapping[str, str]:
    """File name -> reason code. versions: of the records, so that they are read once."""
    staged = {row.raw_file: row.reason for row in read_sealed(manifest_of(folder), StagedInstance)}
    return staged | {row.file: row.reason for row in read_sealed(folder / RECORD, SetAside)}


def _version(path: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    return None


def _released_today(zones: Zones) -> int:
    midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    today = (batch for batch in batches_begun(zones) if _ended_at(zones, batch) >= midnight)
    return sum(row.released for batch in today for row in read_stage(zones, batch, "validation_report"))


def _ended_at(zones: Zones, batch: str) -> float:
    """Seconds since 1970; 0 where the batch has not come to its end."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return zones.ledger(batch, "validation_report").stat().st_mtime
    return 0.0


def _free_bytes(root: Path) -> int:
    """Of the disk on which the root is, or will be."""
    return shutil.disk_usage(next(path for path in (root, *root.parents) if path.exists())).free


def _instances(folders: Sequence[Path]) -> int:
    return sum(len([name for name in _files(folder) if name.endswith(".dcm")]) for folder in folders)


def _files(folder: Path) -> list[str]:
    """Their names in it; none where it is not there any more."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file()]
    return []


def _folders(parent: Path) -> list[Path]:
    """Those in it whose names do not begin with a dot; none where it is not there."""
    with suppress(FileNotFoundError), os.scandir(parent) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return []
