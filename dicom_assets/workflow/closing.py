"""The end of an arrival batch whose originals are not kept: what is released loses its original, the rest goes into
quarantine with its reason. From then on the batch is closed: its ledger stands, and no stage does anything again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, wraps
from pathlib import Path

from ..batches.key import is_arrival
from ..batches.request import load_request
from ..storage.atomic import delete, has_digest, sha256, write_file
from ..storage.audit import Event, record
from ..storage.decisions import reviews_on
from ..storage.incoming import instances_in
from ..storage.instance_header import identity_of
from ..storage.ledger import StudyRow, read_stage
from ..storage.manifests import StagedInstance, manifest_of
from ..storage.quarantine import keep_back, not_staged
from ..storage.tables import read_sealed
from ..storage.zones import Zones
from .job import Job, working_on
from .withdraw import read_release

_CLOSING, _CLOSED = b"closing", b"closed"
#: Reasons of a failed study after which the batch is run once more before its originals go into quarantine
_MAY_PASS = frozenset({"WORKER_CRASHED", "INTERNAL_ERROR"})
Stage = Callable[[Job, str], list[StudyRow]]


def unless_closed(name: str) -> Callable[[Stage], Stage]:
    """A stage that leaves a closed batch as it is. name: of the stage in the ledger."""

    def decorated(stage: Stage) -> Stage:
        @wraps(stage)
        def run(job: Job, batch: str) -> list[StudyRow]:
            if not is_closed(job.zones, batch):
                return stage(job, batch)
            with working_on(job, batch):
                _finish_closing(job.zones, batch)
                return read_stage(job.zones, batch, name)

        return run

    return decorated


def is_closed(zones: Zones, batch: str) -> bool:
    """Its originals are gone, or are going."""
    return zones.closed(batch).is_file()


def is_finished(zones: Zones, batch: str) -> bool:
    """Its last stage has come to its end, and where originals are not kept, none is left."""
    if is_closed(zones, batch):
        return zones.closed(batch).read_bytes() == _CLOSED
    return zones.ledger(batch, "validation_report").is_file() and _keeps_originals(zones, batch)


@lru_cache(1 << 16)
def _keeps_originals(zones: Zones, batch: str) -> bool:
    return not is_arrival(batch) or load_request(zones, batch).keep_originals


def close_unless_kept(zones: Zones, batch: str, withheld: Mapping[str, str]) -> None:
    """Where the request says that originals are not kept. withheld: `<study key>/<raw file>` -> reason code, of what
    was de-identified and not released. The batch's ledger and release are final and durable."""
    if not _keeps_originals(zones, batch) and not _deserves_another_run(zones, batch):
        close_batch(zones, batch, withheld)


def _deserves_another_run(zones: Zones, batch: str) -> bool:
    """True once, where a study failed by what may be over in the next run. The batch is not finished then."""
    tried = zones.closed(batch).with_name("tried")
    if tried.exists() or not any(row.reason in _MAY_PASS for row in read_stage(zones, batch, "validation_report")):
        return False
    write_file(tried, b"")
    return True


def close_batch(zones: Zones, batch: str, withheld: Mapping[str, str]) -> None:
    """As close_unless_kept, whatever the request says."""
    if not is_closed(zones, batch):
        reasons = {row.study_key: row.reason for row in read_stage(zones, batch, "validation_report")}
        raw = zones.raw_batch(batch)
        for folder in raw.iterdir() if raw.is_dir() else ():
            if folder.is_dir():
                _keep_in_quarantine(zones, batch, folder.name, reasons.get(folder.name, ""), withheld)
        write_file(zones.closed(batch), _CLOSING)
    _finish_closing(zones, batch)


def _keep_in_quarantine(zones: Zones, batch: str, study_key: str, reason: str, withheld: Mapping[str, str]) -> None:
    """What is not released gets its row there, and a second name before it loses the first, unless a reviewer has
    discarded it."""
    raw, quarantine = zones.raw(batch, study_key), zones.quarantine(batch, study_key)
    staged = {row.raw_file: row for row in read_sealed(manifest_of(zones.staging(batch, study_key)), StagedInstance)}
    released = set(read_release(zones, batch).files)
    reviews = reviews_on(zones, study_key)
    rows = []
    for file in instances_in(raw):
        row = staged.get(file.name)
        if (
            row is not None
            and row.released_path in released
            and has_digest(zones.released / row.released_path, row.sha256)
        ):
            continue
        row = row or _of_file(file)
        if reviews and (decided := reviews.get(sha256(file))):
            row = replace(row, review=decided)
        rows.append(replace(row, reason=row.reason or withheld.get(f"{study_key}/{file.name}", reason) or _UNKNOWN))
    if rows:
        keep_back(raw, quarantine, rows)


#: Of a file that nothing says anything about
_UNKNOWN = "ORIGINAL_NOT_RELEASED"


def _of_file(file: Path) -> StagedInstance:
    identity = identity_of(file)
    return not_staged(file.name, "" if identity is None else identity.sop_instance_uid)


def _finish_closing(zones: Zones, batch: str) -> None:
    """Delete the originals, all of which are released or in quarantine, and what was staged and not released."""
    if zones.closed(batch).read_bytes() == _CLOSED:
        return
    files = [file for area in ("raw", "staging") for file in (zones.restricted / area / batch).glob("*/*.dcm")]
    if files:
        record(zones, Event.DELETE, f"raw and staging of {batch}: {len(files)} files", "originals are not kept")
    delete(files)
    write_file(zones.closed(batch), _CLOSED)
