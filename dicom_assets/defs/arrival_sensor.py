"""The sensor of what was pushed to us: studies that have settled become batches, and arrival batches get their runs,
until each has come to its end. It asks no network, and while nothing changes it looks at two folders' times only."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Self

import dagster as dg

from ..errors import DicomAssetsError
from ..settings import Settings
from ..storage.incoming import WaitingStudy, waiting_studies
from ..storage.zones import Zones
from ..workflow.arrivals import arrival_batches, plan_arrivals
from ..workflow.closing import is_finished
from ..workflow.health import health
from ..workflow.job import coded_file_errors, zones_of
from .assets import incoming_dicom
from .failures import coded_failures
from .jobs import extract_batch
from .metadata import health_metadata
from .partitions import study_batches
from .resources import DeidResource, PacsResource, StorageResource, settings_from
from .runs import A_TICK, NextRun, next_runs

#: Seconds between two looks: while a batch is in work, and while nothing is known to come
_WHILE_IN_WORK, _AT_LEAST = 60.0, 3600.0
#: Seconds between two observations of incoming_dicom
_BETWEEN_OBSERVATIONS = 60.0
#: A look is followed by so many times its own time without one, so that a hundred thousand studies that wait do not
#: keep a processor busy while others come.
_REST = 5.0
#: Seconds in which a folder may change twice and keep one time of change
_CLOCK_STEP = 2.0


@dataclass(frozen=True)
class Seen:
    """The cursor: moments and counts. at: when the last look was. changed: of the folders `incoming` and `requests`,
    nanoseconds since 1970. due: when the next look is worth it although they have not changed. rest: until when none
    is, whatever has changed. observed: the counts of the last observation, and observed_at its time. All other times
    are seconds since 1970."""

    at: float = 0.0
    changed: tuple[int, ...] = ()
    due: float = 0.0
    rest: float = 0.0
    observed_at: float = 0.0
    observed: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """Nothing was seen, where there is no cursor, or it is another version's."""
        try:
            values = json.loads(cursor or "")
            return cls(**values | {"changed": tuple(values["changed"])})
        except (ValueError, KeyError, TypeError):
            return cls()

    def is_enough(self, changed: tuple[int, ...], now: float) -> bool:
        """No look is worth it. One is where the clock was set back."""
        return self.at <= now and (now < self.rest or (self.changed == changed and now < self.due))

    def written(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class _Look:
    """waiting: studies that are in no batch. runs: those that may start now. due: when to look again, seconds since
    1970. summary: what waits, in words."""

    waiting: Sequence[WaitingStudy]
    runs: Sequence[NextRun]
    due: float
    summary: str


@dg.sensor(
    job=extract_batch,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Studies that were pushed to us and have settled become batches, where DICOM_ANONYMIZE_ON_UPLOAD says "
    "so. Every arrival batch runs, and runs again after growing pauses, until it has come to its end.",
)
def arrival_sensor(
    context: dg.SensorEvaluationContext, storage: StorageResource, pacs: PacsResource, deid: DeidResource
) -> dg.SensorResult | dg.SkipReason:
    with coded_failures(), coded_file_errors():
        settings = settings_from(storage, pacs, deid)
        seen, now = Seen.read(context.cursor), time.time()
        changed = _changed(zones_of(settings))
        if seen.is_enough(changed, now):
            return dg.SkipReason("Nothing has come, and nothing is due.")
        look = _look(context, settings, now)
        observation, observed, observe_again = _observe(settings, look, seen, now)
    return dg.SensorResult(
        run_requests=[run.request() for run in look.runs],
        skip_reason=None if look.runs else look.summary,
        dynamic_partitions_requests=[study_batches.build_add_request([run.batch for run in look.runs])]
        if look.runs
        else [],
        asset_events=observation,
        cursor=replace(
            observed,
            at=now,
            changed=_certain(changed, now),
            due=min(look.due, observe_again),
            rest=now + _REST * (time.time() - now),
        ).written(),
    )


def _changed(zones: Zones) -> tuple[int, ...]:
    """Times of change of the folders; 0 for one that is not there."""
    folders = (zones.incoming, zones.requests)
    return tuple(folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders)


def _certain(changed: Sequence[int], now: float) -> tuple[int, ...]:
    """-1, which is no time of a folder, in the place of one so recent that it may be that of another change, too."""
    return tuple(time_of if time_of / 1e9 < now - _CLOCK_STEP else -1 for time_of in changed)


def _look(context: dg.SensorEvaluationContext, settings: Settings, now: float) -> _Look:
    """Plans what has settled, where that is not left to an operator, and finds out what is to run."""
    zones, arrivals = zones_of(settings), settings.arrivals
    planned, why_not = _plan(settings) if arrivals.deidentify_at_once else (0, "")
    waiting = waiting_studies(zones.incoming)
    arriving = [study for study in waiting if not study.is_settled(now, arrivals.settle_seconds)]
    settled = len(waiting) - len(arriving)
    in_work = [batch for batch in arrival_batches(zones) if not is_finished(zones, batch)]
    runs = next_runs(context.instance, zones, in_work)
    ready = [run for run in runs if run.due <= now]
    moments = [now + _AT_LEAST, *(study.changed_at + arrivals.settle_seconds for study in arriving)]
    if in_work or why_not or (settled and arrivals.deidentify_at_once):
        moments += [now + _WHILE_IN_WORK, *(run.due for run in runs if run.due > now)]
    if len(ready) > A_TICK or (planned and settled):
        moments.append(now)
    where = "" if arrivals.deidentify_at_once or not settled else " for an operator: dicom-assets plan --arrivals"
    summary = f"studies: {len(arriving)} arriving, {settled} waiting{where}; batches in work: {len(in_work)}"
    if why_not:
        context.log.error(why_not)
    return _Look(waiting, ready[:A_TICK], min(moments), f"{why_not} {summary}" if why_not else summary)


def _plan(settings: Settings) -> tuple[int, str]:
    """Batches that were made; and why none could be, empty where nothing stood against it. Those that are there run all
    the same: a full disk gets its room back by them."""
    zones, seconds = zones_of(settings), settings.arrivals.settle_seconds
    try:
        return len(plan_arrivals(zones, seconds, keep_originals=False)), ""
    except DicomAssetsError as error:
        return 0, str(error)


def _observe(settings: Settings, look: _Look, seen: Seen, now: float) -> tuple[list[dg.AssetObservation], Seen, float]:
    """incoming_dicom, observed where its counts have changed, and not more often than its time; what was seen then; and
    when to look at it again. No materialization: all batches that there are would then count as out of date."""
    again = seen.observed_at + _BETWEEN_OBSERVATIONS
    if now < again:
        return [], seen, again
    state = health(settings, look.waiting)
    seen, before = replace(seen, observed_at=now, observed=state.counts), seen.observed
    if seen.observed == before:
        return [], seen, math.inf
    return [dg.AssetObservation(incoming_dicom.key, metadata=health_metadata(state))], seen, math.inf
