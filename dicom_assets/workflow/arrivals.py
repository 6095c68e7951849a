"""What was pushed to us becomes batches: each study that has settled is taken out of incoming, once and whole.

A study's folder moves to `restricted/raw/<batch>/` by one rename; the request is written when all folders of the batch
have moved. A batch's folder without a request is what a killed process left; the next call writes its request.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from ..batches.key import batch_key, is_arrival
from ..batches.planning import INSTANCES_A_BATCH, STUDIES_A_BATCH
from ..batches.request import Request, RequestRow, last_number, list_batches, write_request
from ..storage.atomic import exclusive_lock, fsync_folder, make_folder
from ..storage.inbox import return_unclaimed
from ..storage.incoming import WaitingStudy, claim, instances_in, waiting_studies
from ..storage.instance_header import identity_of
from ..storage.zones import RESTRICTED_FOLDER, Zones
from .closing import is_finished
from .job import coded_file_errors

#: Bytes of a batch, at most, unless one study has more
_BYTES_A_BATCH = 20 << 30
#: Batches that are made in one call, and seconds after which no further study is claimed; the rest waits for the next
_A_CALL, _CALL_SECONDS = 20, 20.0


@contextmanager
def planning(zones: Zones) -> Iterator[None]:
    """One process at a time takes studies out of incoming."""
    with exclusive_lock(zones.incoming / ".planning.lock", wait=True):
        yield


def plan_arrivals(zones: Zones, settle_seconds: float, *, keep_originals: bool) -> list[Request]:
    """Batches of the studies that have settled, durable. A study of which a batch is still in work waits for its end.
    Raises DicomAssetsError."""
    with coded_file_errors(), planning(zones):
        return_unclaimed(zones.incoming)
        planned = [*_completed(zones, keep_originals)]
        settled = [one for one in waiting_studies(zones.incoming) if one.is_settled(time.time(), settle_seconds)]
        in_work = studies_in_work(zones) if settled else set()
        groups = _groups(study for study in settled if study.study_key not in in_work)
        until = time.monotonic() + _CALL_SECONDS
        for _, group in zip(range(_A_CALL), groups, strict=False):
            if request := _claimed(zones, group, until, keep_originals):
                planned.append(request)
            if time.monotonic() > until:
                break
    return planned


def arrival_batches(zones: Zones) -> list[str]:
    """All that were ever requested, sorted."""
    return [batch for batch in list_batches(zones) if is_arrival(batch)]


def studies_in_work(zones: Zones) -> set[str]:
    """Study keys of the arrival batches that have not finished."""
    folders = (zones.raw_batch(batch) for batch in arrival_batches(zones) if not is_finished(zones, batch))
    return {study.name for folder in folders if folder.is_dir() for study in folder.iterdir()}


def _completed(zones: Zones, keep_originals: bool) -> Iterator[Request]:
    """Requests of the batches whose folders were claimed by a process that did not come to write them."""
    raw = zones.restricted / "raw"
    requested = set(list_batches(zones))
    for batch in sorted(folder.name for folder in raw.iterdir()) if raw.is_dir() else ():
        if is_arrival(batch) and batch not in requested and (request := _requested(zones, batch, keep_originals)):
            yield request


def _groups(studies: Iterable[WaitingStudy]) -> Iterator[list[WaitingStudy]]:
    """So many as a batch may have."""
    group: list[WaitingStudy] = []
    instances = size = 0
    for study in studies:
        try:
            files = instances_in(study.folder)
            bytes_of_study = sum(file.stat().st_size for file in files)
        except FileNotFoundError:
            continue  # somebody takes it away
        is_full = instances + len(files) > INSTANCES_A_BATCH or size + bytes_of_study > _BYTES_A_BATCH
        if group and (is_full or len(group) == STUDIES_A_BATCH):
            yield group
            group, instances, size = [], 0, 0
        group.append(study)
        instances, size = instances + len(files), size + bytes_of_study
    if group:
        yield group


def _claimed(zones: Zones, studies: Iterable[WaitingStudy], until: float, keep_originals: bool) -> Request | None:
    """None where something came to all of them meanwhile. until: on time.monotonic()'s clock, no more are claimed."""
    batch = _new_batch(zones)
    folder = zones.raw_batch(batch)
    for study in studies:
        claim(study, folder / study.study_key)
        if time.monotonic() > until:
            break
    fsync_folder(folder)
    fsync_folder(zones.incoming)
    return _requested(zones, batch, keep_originals)


def _new_batch(zones: Zones) -> str:
    """A key that neither a request nor a folder has, and its folder."""
    day = f"{date.today():%Y%m%d}"
    number = last_number(zones, "arrival", day)
    make_folder(zones.restricted / "raw", RESTRICTED_FOLDER)
    while True:
        number += 1
        batch = batch_key("arrival", day, number)
        with suppress(FileExistsError):
            zones.raw_batch(batch).mkdir(RESTRICTED_FOLDER)
            fsync_folder(zones.restricted / "raw")
            return batch


def _requested(zones: Zones, batch: str, keep_originals: bool) -> Request | None:
    """The request for what the batch's folder holds; none, and no folder any more, where it is empty."""
    folder = zones.raw_batch(batch)
    studies = sorted(study for study in folder.iterdir() if study.is_dir())
    if not studies:
        folder.rmdir()
        return None
    rows = tuple(RequestRow(study_instance_uid=_study_of(instances_in(study))) for study in studies)
    request = Request(batch, "", rows, keep_originals)
    write_request(zones, request)
    return request


def _study_of(files: Iterable[Path]) -> str:
    """StudyInstanceUID of the files of one folder, each of which could be read when it came; else empty. It is read as
    it was then: where a file has a second one further on, that is not what the folder is named by."""
    seen = (identity_of(file, to_the_end=False) for file in files)
    return next((one.study_instance_uid for one in seen if one is not None), "")
