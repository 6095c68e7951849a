"""The sensor that tells failed runs to DICOM_FAILURE_WEBHOOK: run, job, batch and reason code, and nothing else.

It keeps its own place among Dagster's events, and goes on only after the webhook has taken one: Dagster's run failure
sensors (1.13) pass over a run whose telling failed, and runs of the command line. So every failure is told at least
once; twice where the daemon was killed between the answer and its note of it.
"""

import json
import time
from dataclasses import asdict, dataclass
from typing import Self

import dagster as dg

from ..errors import REASONS, DicomAssetsError
from ..workflow.job import coded_file_errors
from ..workflow.webhook import FailedRun, tell
from .failures import coded_failures
from .instance import first_failure
from .partitions import PARTITION
from .resources import StorageResource, settings_from

#: Failures told in a tick, and seconds after which it begins none: a tick may last 60.
_A_TICK, _SECONDS = 20, 25.0
#: Seconds until a webhook that did not take it is tried again: as many, then twice as many, and so on to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 900.0


@dataclass(frozen=True)
class Told:
    """The cursor. event: number of the last failure that was told. attempts: at the next one, in vain. due: seconds
    since 1970, when to try again."""

    event: int
    attempts: int = 0
    due: float = 0.0

    @classmethod
    def read(cls, cursor: str | None) -> Self | None:
        """None where nothing was told yet."""
        try:
            return cls(**json.loads(cursor or ""))
        except (ValueError, TypeError):
            return None

    def written(self) -> str:
        return json.dumps(asdict(self))

    def in_vain(self) -> Self:
        pause = min(_FIRST_PAUSE * 2**self.attempts, _LONGEST_PAUSE)
        return type(self)(self.event, self.attempts + 1, time.time() + pause)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs are told to DICOM_FAILURE_WEBHOOK, where one is set: run, job, batch and reason code, "
    "nothing else. While it does not answer they wait.",
)
def tell_failures(context: dg.SensorEvaluationContext, storage: StorageResource) -> dg.SensorResult | dg.SkipReason:
    with coded_failures(), coded_file_errors():
        webhook = settings_from(storage).webhook
        told = Told.read(context.cursor)
        if not webhook.url:
            # Who sets one later is told of what fails from then on.
            return dg.SensorResult(skip_reason="DICOM_FAILURE_WEBHOOK is not set.", cursor="")
        if told is None:
            return dg.SensorResult(skip_reason="From now on.", cursor=Told(_latest(context.instance)).written())
        if time.time() < told.due:
            return dg.SkipReason("The webhook did not take it; it is tried again later.")
        count, begun = 0, time.monotonic()
        for record in _failures(context.instance, told.event):
            if time.monotonic() - begun > _SECONDS:
                break
            try:
                if failed := _failed_run(context, record.run_id):
                    tell(webhook, failed)
                    count += 1
            except DicomAssetsError as error:
                context.log.error(str(error))
                return dg.SensorResult(skip_reason=f"{count} told; {error}", cursor=told.in_vain().written())
            told = Told(record.storage_id)
    return dg.SensorResult(skip_reason=f"{count} told.", cursor=told.written())


def _latest(instance: dg.DagsterInstance) -> int:
    """Number of the last failure that there is; -1 where none is."""
    records = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return records[0].storage_id if records else -1


def _failures(instance: dg.DagsterInstance, after: int) -> list[dg.EventLogRecord]:
    """The oldest first."""
    later = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=after)
    return list(instance.fetch_run_status_changes(later, limit=_A_TICK, ascending=True).records)


def _failed_run(context: dg.SensorEvaluationContext, run_id: str) -> FailedRun | None:
    """None where the run was deleted meanwhile, or is of another code location on the same Dagster instance."""
    run, here = context.instance.get_run_by_id(run_id), context.code_location_origin
    if run is None:
        return None
    origin = run.remote_job_origin  # none for runs of the command line
    if origin and here and origin.repository_origin.code_location_origin.location_name != here.location_name:
        return None
    return FailedRun(run_id, run.job_name, run.tags.get(PARTITION, ""), _code(context.instance, run_id))


def _code(instance: dg.DagsterInstance, run_id: str) -> str:
    """Of the step that failed; without such a step its process died, or never began."""
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    if not failures:
        return "WORKER_CRASHED"
    code = first_failure([entry.dagster_event for entry in failures]).partition(":")[0]
    return code if code in REASONS else "INTERNAL_ERROR"
