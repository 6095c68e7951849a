"""What each stage takes, in this process and its workers, from a real archive on loopback: above all, what the proof
costs beside the work that it proves."""

import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.orthanc import program
from benchmarks.report import table
from benchmarks.retrieval import Stored, archive_of
from benchmarks.ways import Place
from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.quiet import protect_process
from dicom_assets.settings import Settings
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job, job_of
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies

CORPORA = ("ct", "mr-enh", "us", "small")
STAGES: tuple[Callable[[Job, str], list[StudyRow]], ...] = (
    resolve_studies,
    retrieve_studies,
    deidentify_studies,
    map_batch,
    validate_and_release,
)
COLUMNS = (
    *("corpus", "find s", "retrieve s", "de-identify s", "map s", "validate s", "release s"),
    "validate / (find + retrieve + de-identify)",
)
_RELEASING = "releasing"  #: what release.py calls the copying into the released root, which is no part of the proof
_DAY = "20260101"


def measure(options: Namespace, scratch: Path, corpora: Path) -> dict:
    """Print a table; medians over the rounds. -> corpus -> stage -> seconds of each round"""
    if not program("Orthanc"):
        print("left out: stages; Orthanc is not installed")
        return {}
    protect_process()
    measured, rows = {}, []
    for name in (name for name in CORPORA if name in options.corpora):
        with archive_of(name, options.quick, scratch, corpora, {"TCP_NODELAY": "1"}) as (place, held):
            rounds = [_round(place, held) for _ in range(1 if options.quick else options.rounds or 3)]
        names = [*(stage.__name__ for stage in STAGES), _RELEASING]
        measured[name] = {what: list(seconds) for what, seconds in zip(names, zip(*rounds, strict=True), strict=True)}
        middle = [statistics.median(seconds) for seconds in measured[name].values()]
        share = middle[4] / (middle[0] + middle[1] + middle[2])
        rows.append([f"{name}: {held.instances} files", *(f"{seconds:.2f}" for seconds in middle), f"{share:.2f}"])
    print("\n# Stages\n", table(COLUMNS, rows), sep="\n")
    return measured


def _round(place: Place, held: Stored) -> Sequence[float]:
    """Seconds of each stage, the last one without the copying into the released root, and of that; every instance has
    to end released."""
    place.emptied()
    variables = {name: value for name, value in place.environment("get").items() if name.startswith("DICOM_")}
    clock = _Clock()
    job = job_of(Settings.from_env(variables), clock.progress)
    rows = [RequestRow(study_instance_uid=study) for study in held.studies]
    batch = create_request(job.zones, "cohort", _DAY, "", rows).batch
    took, final = [], []
    for stage in STAGES:
        start = time.monotonic()
        final = stage(job, batch)
        took.append(time.monotonic() - start)
    if sum(row.released for row in final) != held.instances:
        raise SystemExit(f"stages: {sum(row.released for row in final)} of {held.instances} released")
    took[-1] -= clock.releasing
    return [*took, clock.releasing]


class _Clock:
    """As a job's progress: how long the last stage was at copying."""

    releasing = 0.0

    @contextmanager
    def progress(self, what: str, _total: int) -> Iterator[Callable[[], None]]:
        start = time.monotonic()
        yield lambda: None
        if what == _RELEASING:
            self.releasing += time.monotonic() - start
