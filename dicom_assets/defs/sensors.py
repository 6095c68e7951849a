"""The sensors: batch requests become partitions and runs, and batches that the archive kept waiting run again. Neither
starts a run that would only wait: for the archive's hours, or for one that is down."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from ..batches.request import list_batches
from ..settings import Settings
from ..workflow.again import AGAIN_LATER as REASONS_FOR_LATER
from ..workflow.again import MOST_TIMES, pause_before
from ..workflow.breaker import all_left_alone, breaker_folder
from ..workflow.job import archives_of, zones_of
from .failures import coded_failures
from .jobs import extract_batch
from .lanes import AGAIN_LATER, LANE, TIMES, URGENT, lane_of
from .partitions import STUDY_BATCH, study_batches
from .resources import PacsResource, StorageResource, settings_from

#: Runs that are asked for in a tick; the rest waits for the next.
_A_TICK = 20
#: Runs that ended longer ago are not looked at any more
_LOOK_BACK = timedelta(days=4)
_SENSORS = ("batch_requests", "retry_batches")
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


@dg.sensor(
    job=extract_batch,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every request file that is no partition yet becomes one, and a run of all five assets.",
)
def batch_requests(
    context: dg.SensorEvaluationContext, storage: StorageResource, pacs: PacsResource
) -> dg.SensorResult | dg.SkipReason:
    with coded_failures():
        settings = settings_from(storage, pacs)
        requested = list_batches(zones_of(settings))
        known = set(context.instance.get_dynamic_partitions(STUDY_BATCH))
        new = [key for key in requested if key not in known]
        ready, why_not = _ready(settings, new)
    if why_not:
        context.log.info(why_not)
    if not ready:
        return dg.SkipReason(why_not or "No request waits.")
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=key, partition_key=key, tags=lane_of(key)) for key in ready],
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
    due = {batch: times for batch, times, when in waiting if when <= datetime.now(UTC)}
    with coded_failures():
        settings = settings_from(storage, pacs)
        ready, why_not = _ready(settings, sorted(due))
    if not ready:
        return dg.SkipReason(why_not or _next_run(settings, [when for _, _, when in waiting]))
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{batch}-again-{due[batch]}",
                partition_key=batch,
                tags={**lane_of(batch), TIMES: str(due[batch])},
            )
            for batch in ready
        ]
    )


def _ready(settings: Settings, batches: Sequence[str]) -> tuple[list[str], str]:
    """Those that may start now; and what keeps others waiting, empty where nothing does."""
    if not batches:
        return [], ""
    zones, now = zones_of(settings), datetime.now(UTC)
    until = all_left_alone(breaker_folder(zones), archives_of(settings))
    if until is not None:
        moment = settings.hours.describe(until)
        return [], f"{len(batches)} waiting: no archive answers; the next try is at {moment}"
    if settings.hours.is_open(now):
        return list(batches[:_A_TICK]), ""
    urgent = [batch for batch in batches if lane_of(batch)[LANE] == URGENT[LANE]]
    waiting = len(batches) - len(urgent)
    opening = settings.hours.describe(settings.hours.next_opening(now))
    return urgent[:_A_TICK], f"{waiting} waiting for the archive's hours: they begin {opening}" if waiting else ""


def _next_run(settings: Settings, moments: Sequence[datetime]) -> str:
    """moments: at which batches are due for another run, none of them yet."""
    if not moments:
        return "No batch waits for another run."
    return f"{len(moments)} waiting for another run: the next is due {settings.hours.describe(min(moments))}"


def _to_run_again(instance: dg.DagsterInstance) -> list[tuple[str, int, datetime]]:
    """Batch, which further run it would be, and when; of the runs whose batch has had none since."""
    ended = dg.RunsFilter(
        job_name=extract_batch.name,
        statuses=list(_ENDED),
        tags={"dagster/sensor_name": list(_SENSORS), AGAIN_LATER: sorted(REASONS_FOR_LATER)},
        updated_after=datetime.now(UTC) - _LOOK_BACK,
    )
    found = []
    for record in instance.get_run_records(ended):
        run = record.dagster_run
        batch, times = run.tags["dagster/partition"], int(run.tags.get(TIMES, "0")) + 1
        if times <= MOST_TIMES and _is_latest(instance, run, batch):
            end = datetime.fromtimestamp(record.end_time, UTC)
            found.append((batch, times, end + timedelta(seconds=pause_before(times, batch))))
    return found


def _is_latest(instance: dg.DagsterInstance, run: dg.DagsterRun, batch: str) -> bool:
    latest = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": batch}), limit=1)
    return latest[0].run_id == run.run_id
