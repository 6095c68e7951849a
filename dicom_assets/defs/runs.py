"""Which runs batches have had, as Dagster knows it, and which run a batch needs next.

A batch is a partition before it has a run, and a daemon may be killed between the two: only a run shows that it was
started. Tags are asked for all batches in one query; a batch is looked at alone only where its last run has ended.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import dagster as dg

from ..batches.key import is_arrival
from ..storage.incoming import is_locked
from ..storage.zones import Zones
from ..workflow.again import AGAIN_LATER as REASONS_FOR_LATER
from ..workflow.again import MOST_TIMES, pause_before
from .lanes import AGAIN_LATER, TIMES, lane_of
from .partitions import PARTITION

#: Tag of a run, Dagster's own
STARTED_BY_SENSOR = "dagster/sensor_name"

#: Runs that a sensor asks for in a tick; the rest waits for the next.
A_TICK = 20

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_NOT_ENDED = [status for status in dg.DagsterRunStatus if status not in _ENDED]


@dataclass(frozen=True)
class NextRun:
    """times: which further run of the batch it is; 0: the first. due: when it may start, seconds since 1970."""

    batch: str
    times: int
    due: float

    def request(self) -> dg.RunRequest:
        """The key of a run is there once, so that no run is started twice."""
        if not self.times:
            return dg.RunRequest(run_key=self.batch, partition_key=self.batch, tags=lane_of(self.batch))
        return dg.RunRequest(
            run_key=f"{self.batch}-again-{self.times}",
            partition_key=self.batch,
            tags={**lane_of(self.batch), TIMES: str(self.times)},
        )


def without_run(instance: dg.DagsterInstance, zones: Zones, batches: Collection[str]) -> list[str]:
    """Those that never had a run, and of which no command line is about to start one."""
    had = _with_runs(instance) if batches else set()
    return [batch for batch in batches if batch not in had and not _is_held(zones, batch)]


def next_runs(instance: dg.DagsterInstance, zones: Zones, batches: Collection[str]) -> list[NextRun]:
    """Of batches that have not come to their end: the first run, or another one after growing pauses, whatever the last
    one ended with. None of those that are in work, that a person cancelled, or that have run often enough."""
    if not batches:
        return []
    had, in_work = _with_runs(instance), _in_work(instance)
    found = []
    for batch in batches:
        if batch in in_work or _is_held(zones, batch):
            continue
        if batch not in had:
            found.append(NextRun(batch, 0, 0.0))
            continue
        record = _last_run(instance, batch)
        if record is not None and record.dagster_run.status != dg.DagsterRunStatus.CANCELED:
            times = times_of(record.dagster_run) + 1
            if times <= MOST_TIMES:
                found.append(NextRun(batch, times, ended_at(record) + pause_before(times, batch)))
    return found


def given_up(instance: dg.DagsterInstance, batches: Collection[str]) -> Iterator[str]:
    """Of batches that have not come to their end: those whose last run failed or was cancelled, and that will not run
    again by themselves."""
    had, in_work = _with_runs(instance), _in_work(instance)
    for batch in batches:
        record = _last_run(instance, batch) if batch in had and batch not in in_work else None
        if record is not None and not _runs_again(record.dagster_run, batch):
            yield batch


def _runs_again(run: dg.DagsterRun, batch: str) -> bool:
    if run.status == dg.DagsterRunStatus.CANCELED or times_of(run) >= MOST_TIMES:
        return False
    if is_arrival(batch):
        return True
    return STARTED_BY_SENSOR in run.tags and run.tags.get(AGAIN_LATER) in REASONS_FOR_LATER


def times_of(run: dg.DagsterRun) -> int:
    """Which further run of its batch it is; 0: the first."""
    return int(run.tags.get(TIMES, "0"))


def ended_at(record: dg.RunRecord) -> float:
    """Seconds since 1970."""
    return record.end_time or record.update_timestamp.timestamp()


def _with_runs(instance: dg.DagsterInstance) -> set[str]:
    """Batches that have had a run, or have one."""
    return {batch for _tag, batches in instance.get_run_tags([PARTITION]) for batch in batches}


def _in_work(instance: dg.DagsterInstance) -> set[str]:
    runs = instance.get_runs(dg.RunsFilter(statuses=_NOT_ENDED))
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags}


def _last_run(instance: dg.DagsterInstance, batch: str) -> dg.RunRecord | None:
    return next(iter(instance.get_run_records(dg.RunsFilter(tags={PARTITION: batch}), limit=1)), None)


def _is_held(zones: Zones, batch: str) -> bool:
    """By a command line that runs it; see commands/batch.py."""
    return is_locked(zones.lock(f"{batch}.run"))
