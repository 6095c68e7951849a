"""Jobs: the whole graph for one batch, and the nightly planning."""

from datetime import date

import dagster as dg

from ..workflow.job import Progress
from ..workflow.nightly import plan_nightly as plan_last_days
from .failures import coded_failures
from .lanes import USUAL
from .resources import DeidResource, PacsResource, StorageResource, job_from
from .turn import PoolTurn

extract_batch = dg.define_asset_job(
    "extract_batch",
    selection=dg.AssetSelection.all(),
    description="All five assets for one batch: retrieve, de-identify, map, prove, release.",
    tags=USUAL,
)


class NightlyWindow(dg.Config):
    """days_back: days before today whose studies are asked for; today's own are still growing and are left out."""

    days_back: int = 3


@dg.op(description="Studies of the last days that no nightly batch has yet become batch requests.")
def plan_last_nights(
    context: dg.OpExecutionContext,
    config: NightlyWindow,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> None:
    with coded_failures(), PoolTurn(context.instance, context.run, context.op.name, context.log.info) as turn:
        job = job_from(storage, pacs, deid, progress, turn=turn, say=context.log.info)
        requests = plan_last_days(job, date.today(), config.days_back)
    studies = sum(len(request.rows) for request in requests)
    context.log.info(f"{len(requests)} batches with {studies} studies")


@dg.job(description="Plans the studies of the last days; the sensor then runs the batches.")
def plan_nightly() -> None:
    plan_last_nights()
