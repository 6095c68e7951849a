"""The job that deletes originals whose time is up, and its schedule. No asset: nothing is made."""

import time

import dagster as dg

from ..workflow.job import zones_of
from ..workflow.retire import retire_batches as retire
from .failures import coded_failures
from .resources import StorageResource, settings_from
from .schedules import site_time_zone

_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_UNDER_WAY = [status for status in dg.DagsterRunStatus if status not in _ENDED]


class Retention(dg.Config):
    """dry_run: only say what would be deleted."""

    dry_run: bool = False


@dg.op(description="Deletes what DICOM_RETENTION_DAYS and DICOM_RETENTION_FREE_GIGABYTES do not keep, and audits it.")
def retire_originals(context: dg.OpExecutionContext, config: Retention, storage: StorageResource) -> None:
    def has_run_under_way(batch: str) -> bool:
        of_batch = dg.RunsFilter(statuses=_UNDER_WAY, tags={"dagster/partition": batch})
        return bool(context.instance.get_run_ids(of_batch, limit=1))

    with coded_failures():
        settings = settings_from(storage)
        retirement = retire(
            zones_of(settings), settings.retention, time.time(), in_work=has_run_under_way, dry_run=config.dry_run
        )
    for one in retirement.retired:
        context.log.info(f"{'would delete' if config.dry_run else 'deleted'} {one.area} of {one}")
    if retirement.busy:
        context.log.info(f"{retirement.busy} batches are worked on, and left for the next time")
    if retirement.is_short:
        context.log.warning("There is less room than DICOM_RETENTION_FREE_GIGABYTES, and no original left to delete.")


@dg.job(
    description="Deletes originals, staged copies and quarantine of batches that ended DICOM_RETENTION_DAYS ago. "
    "Mapping, ledger, reports and released files stay."
)
def retire_batches() -> None:
    retire_originals()


retention = dg.ScheduleDefinition(
    name="retention",
    job=retire_batches,
    cron_schedule="30 4 * * *",
    execution_timezone=site_time_zone(),
    description="At 04:30 in DICOM_SITE_TIME_ZONE (else UTC): delete the originals whose time is up.",
)
