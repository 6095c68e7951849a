"""Running a batch from the command line, on the same Dagster instance that UI and daemon use."""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import dagster as dg
from dagster._core.execution.plan.objects import ErrorSource
from sqlalchemy.exc import DBAPIError

from ..errors import REASONS, RetryLater
from ..storage.atomic import create_exclusively
from .assets import ASSETS
from .lanes import STARTED_BY_HAND, URGENT, lane_of
from .partitions import STUDY_BATCH
from .processes import RUN_PROCESS, end_killed_runs, this_process


@dataclass(frozen=True)
class RunOutcome:
    """message: what the step that failed said: a code and its sentence; empty on success."""

    success: bool
    message: str


#: What SQLite says where its files cannot be written -> our code
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL: "DISK_FULL",
    sqlite3.SQLITE_IOERR: "FILE_OPERATION_FAILED",
    sqlite3.SQLITE_CANTOPEN: "FILE_OPERATION_FAILED",
}


@contextmanager
def coded_database_errors() -> Iterator[None]:
    """A full or broken disk under Dagster's own database, which lies beside ours unless it is elsewhere."""
    try:
        yield
    except DBAPIError as error:
        primary = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the rest says in which operation
        if primary not in _OF_THE_DISK:
            raise
        raise RetryLater(_OF_THE_DISK[primary]) from None


@coded_database_errors()
def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME; a home without dagster.yaml gets ours, which captures no output of steps."""
    create_exclusively(home / "dagster.yaml", files("dicom_assets.defs").joinpath("dagster.yaml").read_bytes())
    with (home / "instance.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # Dagster makes its database at first use, and two that do so fail
        return dg.DagsterInstance.get()


@coded_database_errors()
def run_batch(
    instance: dg.DagsterInstance, defs: dg.Definitions, batch: str, start: str = "", *, urgent: bool = False
) -> RunOutcome:
    """Register the batch's partition where it is not yet, and materialize the assets from start on, in this process.
    urgent: whatever the archive's hours, and before other batches."""
    end_killed_runs(instance)
    if not instance.has_dynamic_partition(STUDY_BATCH, batch):
        instance.add_dynamic_partitions(STUDY_BATCH, [batch])
    names = [asset.key.to_user_string() for asset in ASSETS]
    selection = names[names.index(start) :] if start else names
    result = defs.resolve_job_def("extract_batch").execute_in_process(
        instance=instance,
        partition_key=batch,
        asset_selection=[dg.AssetKey(name) for name in selection],
        tags={
            **(URGENT if urgent else lane_of(batch)),
            STARTED_BY_HAND: selection[0],
            RUN_PROCESS: this_process(),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    return RunOutcome(result.success, first_failure(result.all_events))


def first_failure(events: Sequence[dg.DagsterEvent]) -> str:
    """What the first step that failed said, or what is known of it; empty where none failed."""
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return data.user_failure_data.description
            if data.error_source == ErrorSource.INTERRUPT:  # between two stages, in Dagster's own code
                return f"INTERRUPTED: {REASONS['INTERRUPTED']}"
            if data.error is not None and "check" in data.error.message.lower():
                return "LEDGER_DOES_NOT_ADD_UP: a blocking check failed; dicom-assets ledger shows the counts."
            return "INTERNAL_ERROR: a step failed; the run's page in the Dagster UI names it."
    return ""
