"""Everything that Dagster knows of this project, by name, on one page."""

from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg

from .defs.arrival_sensor import arrival_sensor
from .defs.assets import assets_under, incoming_dicom
from .defs.checks import CHECKS
from .defs.delivery import deliver_released
from .defs.jobs import extract_batch, plan_nightly
from .defs.resources import DeidResource, PacsResource, StorageResource
from .defs.retention import retention, retire_batches
from .defs.schedules import nightly
from .defs.sensors import batch_requests, retry_batches
from .defs.webhook import tell_failures
from .quiet import protect_process
from .workflow.job import Progress, no_progress

protect_process()


def build_defs(
    storage: Mapping[str, str] = MappingProxyType({}),
    pacs: Mapping[str, str] = MappingProxyType({}),
    deid: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = no_progress,
) -> dg.Definitions:
    """The arguments fill the resources' fields; what they leave out comes from the environment."""
    deid_resource = DeidResource(**deid)
    return dg.Definitions(
        assets=[incoming_dicom, *assets_under(deid_resource)],
        asset_checks=CHECKS,
        jobs=[extract_batch, plan_nightly, deliver_released, retire_batches],
        schedules=[nightly, retention],
        sensors=[batch_requests, retry_batches, arrival_sensor, tell_failures],
        resources={
            "storage": StorageResource(**storage),
            "pacs": PacsResource(**pacs),
            "deid": deid_resource,
            "progress": dg.ResourceDefinition.hardcoded_resource(progress),
        },
        executor=dg.in_process_executor,
    )


defs = build_defs()
