"""The job that sends what a batch has released. No asset: materializing everything never sends anything."""

import dagster as dg

from ..errors import BadInput, Refused
from ..workflow.archives import destination_from
from ..workflow.deliver import deliver
from ..workflow.job import Progress, archive_of, coded_file_errors, zones_of
from .failures import ARCHIVE_DOWN, coded_failures
from .resources import PacsResource, StorageResource, settings_from


class Delivery(dg.Config):
    """batch: a key that plan printed."""

    batch: str


@dg.op(retry_policy=ARCHIVE_DOWN, description="Sends what the batch has released and DICOM_DELIVERY_TO has not yet.")
def send_released(
    context: dg.OpExecutionContext,
    config: Delivery,
    storage: StorageResource,
    pacs: PacsResource,
    progress: dg.ResourceParam[Progress],
) -> None:
    with coded_failures(context):
        settings = settings_from(storage, pacs)
        if not settings.delivery.to:
            raise BadInput("DELIVERY_NOT_CONFIGURED")
        with coded_file_errors():
            destination = destination_from(settings.delivery, settings.delivery.to, archive_of(settings))
        report = deliver(zones_of(settings), destination, config.batch, progress)
        context.log.info(
            f"{report.released} released: {report.already_there} already there, {report.sent} sent, "
            f"{len(report.refused)} refused, {report.not_sent} not sent; {report.committed} committed"
        )
        if report.failure is not None:
            for note in getattr(report.failure, "__notes__", ()):
                context.log.info(note)
            raise report.failure
        if report.refused:
            raise Refused("DELIVERY_INCOMPLETE")


@dg.job(description="Sends the released instances of one batch to DICOM_DELIVERY_TO; only what is not there yet.")
def deliver_released() -> None:
    send_released()
