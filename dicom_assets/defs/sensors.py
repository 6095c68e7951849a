"""The sensors of requests: batch requests become partitions and runs, and batches that the archive kept waiting run
again. Neither starts a run that would only wait: for the archive's hours, or for one that is down. What was pushed to
us has a sensor of its own, arrival_sensor."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from ..batches.key import is_arrival
from ..batches.request import list_batches
from ..settings import Settings
from ..storage.ledger import batches_begun
from ..workflow.again import AGAIN_LATER as REASONS_FOR_LATER
from ..workflow.again import MOST_TIMES, pause_before
from ..workflow.breaker import all_left_alone, breaker_folder
from ..workflow.job import archives_of, zones_of
from .failures import coded_failures
from .jobs import extract_batch
from .lanes import AGAIN_LATER
from .partitions import PARTITION, study_batches
from .processes import end_killed_runs
from .resources import PacsResource, StorageResource, settings_from
from .runs import A_TICK, STARTED_BY_SENSOR, NextRun, ended_at, times_of, without_run

#: Runs that ended longer ago are not looked at any more
_LOOK_BACK = timedelta(days=4)
_SENSORS = ("batch_requests", "retry_batches")
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


@dg.sensor(
    job=extract_batch,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A request that has not begun and never had a run becomes a partition and a run of all five assets.",
)
def batch_requests(
    context: dg.SensorEvaluationContext, storage: StorageResource, pacs: PacsResource
) -> dg.SensorResult | dg.SkipReason:
    with coded_failures():
        end_killed_runs(context.instance)
        settings = settings_from(storage, pacs)
        zones = zones_of(settings)
        begun = batches_begun(zones)
        waiting = [key for key in list_batches(zones) if not is_arrival(key) and key not in begun]
        ready, why_not = _ready(settings, without_run(context.instance, zones, waiting))
    if why_not:
        context.log.info(why_not)
    if not ready:
        return dg.SkipReason(why_not or "No request waits.")
    return dg.SensorResult(
        run_requests=[NextRun(batch, 0, 0.0).request() for batch in ready],
        dynamic_partitions_requests=[study_batches.build_add_request(ready)],
    )


@dg.sensor(
    job=extract_batch,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Batches that the sensors started, and whose archive was down, busy or broke off, run again by "
    "themselves: after five minutes, ten, ... four hours, for two and a half days.",
)
def retry_batches(
    context: dg.SensorEvaluationContext, storage: StorageResource, pacs: PacsResource
) -> dg.SensorResult | dg.SkipReason:
    waiting = _to_run_again(context.instance)
    now = datetime.now(UTC).timestamp()
    due = {run.batch: run for run in waiting if run.due <= now}
    with coded_failures():
        settings = settings_from(storage, pacs)
        ready, why_not = _ready(settings, sorted(due))
    if not ready:
        return dg.SkipReason(why_not or _next_run(settings, [run.due for run in waiting]))
    return dg.SensorResult(run_requests=[due[batch].request() for batch in ready])


def _ready(settings: Settings, batches: Sequence[str]) -> tuple[list[str], str]:
    """Those that may start now; and what keeps others waiting, empty where nothing does."""
    if not batches:
        return [], ""
    zones, now = zones_of(settings), datetime.now(UTC)
    until = all_left_alone(breaker_folder(zones), archives_of(settings))
    if until is not None:
        moment = settings.hours.describe(until)
        return [], f"{len(batches)} waiting: no archive answers; the next try is at {moment}"
    if not settings.hours.is_open(now):
        opening = settings.hours.describe(settings.hours.next_opening(now))
        return [], f"{len(batches)} waiting for the archive's hours: they begin {opening}"
    return list(batches[:A_TICK]), ""


def _next_run(settings: Settings, moments: Sequence[float]) -> str:
    """moments: at which batches are due for another run, none of them yet; seconds since 1970."""
    if not moments:
        return "No batch waits for another run."
    first = settings.hours.describe(datetime.fromtimestamp(min(moments), UTC))
    return f"{len(moments)} waiting for another run: the next is due {first}"


def _to_run_again(instance: dg.DagsterInstance) -> list[NextRun]:
    """Of the runs that ended with a reason for later, and whose batch has had none since."""
    ended = dg.RunsFilter(
        job_name=extract_batch.name,
        statuses=list(_ENDED),
        tags={STARTED_BY_SENSOR: list(_SENSORS), AGAIN_LATER: sorted(REASONS_FOR_LATER)},
        updated_after=datetime.now(UTC) - _LOOK_BACK,
    )
    found = []
    for record in instance.get_run_records(ended):
        run = record.dagster_run
        batch, times = run.tags[PARTITION], times_of(run) + 1
        if times <= MOST_TIMES and _is_latest(instance, run, batch):
            found.append(NextRun(batch, times, ended_at(record) + pause_before(times, batch)))
    return found


def _is_latest(instance: dg.DagsterInstance, run: dg.DagsterRun, batch: str) -> bool:
    latest = instance.get_runs(dg.RunsFilter(tags={PARTITION: batch}), limit=1)
    return latest[0].run_id == run.run_id
