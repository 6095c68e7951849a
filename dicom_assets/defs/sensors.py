"""The one sensor: batch requests become partitions and runs."""

import dagster as dg

from ..batches.request import list_batches
from ..workflow.job import zones_of
from .failures import coded_failures
from .jobs import extract_batch
from .partitions import STUDY_BATCH, study_batches
from .resources import StorageResource, settings_from

#: Requests turned into runs a tick; the rest waits for the next.
_A_TICK = 20


@dg.sensor(
    job=extract_batch,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every request file that is no partition yet becomes one, and a run of all five assets.",
)
def batch_requests(context: dg.SensorEvaluationContext, storage: StorageResource) -> dg.SensorResult:
    with coded_failures():
        requested = list_batches(zones_of(settings_from(storage)))
    known = set(context.instance.get_dynamic_partitions(STUDY_BATCH))
    new = [key for key in requested if key not in known][:_A_TICK]
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=key, partition_key=key) for key in new],
        dynamic_partitions_requests=[study_batches.build_add_request(new)] if new else [],
    )
