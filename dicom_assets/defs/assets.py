"""The five assets, and what lies before them. Each of the five calls its stage and reports counts; what a stage does
stands in workflow/."""

from collections.abc import Callable

import dagster as dg

from ..batches.key import is_arrival
from ..deid.profile import load_profile
from ..errors import BadInput, DicomAssetsError, RetryLater
from ..storage.ledger import StudyRow
from ..workflow.again import is_left_to_ask, reason_for_later
from ..workflow.deidentify import deidentify_studies
from ..workflow.job import Job, Progress
from ..workflow.map import map_batch
from ..workflow.politeness import say_on_stderr
from ..workflow.release import validate_and_release
from ..workflow.resolve import resolve_studies
from ..workflow.retrieve import retrieve_studies
from .failures import ARCHIVE_DOWN, coded_failures
from .lanes import AGAIN_LATER, STARTED_BY_HAND, is_urgent
from .metadata import study_metadata
from .partitions import study_batches
from .processes import note_process
from .resources import DeidResource, PacsResource, StorageResource, job_from, settings_from
from .turn import PoolTurn

_Resources = tuple[StorageResource, PacsResource, DeidResource, Progress]


def _stage(
    run: Callable[[Job, str], list[StudyRow]], context: dg.AssetExecutionContext, resources: _Resources
) -> dg.MaterializeResult:
    note_process(context.instance, context.run)
    with coded_failures(context):
        return dg.MaterializeResult(metadata=study_metadata(run(job_from(*resources), context.partition_key)))


def _archive_stage(
    run: Callable[[Job, str], list[StudyRow]], context: dg.AssetExecutionContext, resources: _Resources
) -> dg.MaterializeResult:
    """A stage that talks to archives, when it is its turn; arrivals are here already."""
    if is_arrival(context.partition_key):
        return _stage(run, context, resources)
    note_process(context.instance, context.run)
    step, tags = context.asset_key.to_user_string(), context.run.tags
    started_here = tags.get(STARTED_BY_HAND) == step

    def say(why: str) -> None:
        context.log.info(why)
        if STARTED_BY_HAND in tags:
            say_on_stderr(why)

    with coded_failures(context), PoolTurn(context.instance, context.run, step, say) as turn:
        job = job_from(*resources, turn=turn, urgent=is_urgent(context.run), say=say)
        if started_here and not context.retry_number and is_left_to_ask(job.zones, context.partition_key):
            _greet(job)
        try:
            rows = run(job, context.partition_key)
        except RetryLater as error:
            _remember(context, error.code)
            raise
        _remember(context, reason_for_later(rows))
        return dg.MaterializeResult(metadata=study_metadata(rows))


def _greet(job: Job) -> None:
    """Somebody waits at the command line: what is wrong with the archive is said at once."""
    try:
        job.politeness.greet(job.archives)
    except RetryLater as error:
        raise BadInput(error.code) from None


def _remember(context: dg.AssetExecutionContext, reason: str) -> None:
    """For the sensor that runs batches again: the reason that the archive gave last, or that there is none any more."""
    tags = context.instance.get_run_by_id(context.run.run_id).tags
    if tags.get(AGAIN_LATER, "") != reason:
        context.instance.add_run_tags(context.run.run_id, {AGAIN_LATER: reason or "no"})


#: Not made by Dagster: what is pushed to us, until a batch takes it. arrival_sensor says how it stands.
incoming_dicom = dg.AssetSpec(
    "incoming_dicom",
    group_name="studies",
    kinds={"dicom"},
    description="Instances that were pushed to us (Storage SCP, watched folder, upload) and are in no batch yet.",
)


@dg.asset(
    partitions_def=study_batches,
    deps=[incoming_dicom],
    retry_policy=ARCHIVE_DOWN,
    group_name="studies",
    kinds={"dicom"},
)
def pacs_studies(
    context: dg.AssetExecutionContext,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """What the archive holds of the batch: one row a requested study, with the instances that it lists. Studies that
    were not found are rows too."""
    return _archive_stage(resolve_studies, context, (storage, pacs, deid, progress))


@dg.asset(
    partitions_def=study_batches,
    deps=[pacs_studies],
    retry_policy=ARCHIVE_DOWN,
    group_name="studies",
    kinds={"dicom"},
)
def raw_dicom(
    context: dg.AssetExecutionContext,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """Instances as they came, restricted. A study is complete if what the archive lists, asked again after the
    transfer, is what was read back from disk. Materialize again to ask for what is missing, and only for that."""
    return _archive_stage(retrieve_studies, context, (storage, pacs, deid, progress))


@dg.asset(partitions_def=study_batches, deps=[raw_dicom], group_name="studies", kinds={"dicom"})
def anonymized_dicom(
    context: dg.AssetExecutionContext,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """De-identified instances, staged until validation_report releases them; what could not be made sure is
    quarantined with its reason."""
    return _stage(deidentify_studies, context, (storage, pacs, deid, progress))


@dg.asset(partitions_def=study_batches, deps=[anonymized_dicom], group_name="studies", kinds={"parquet"})
def mapping_table(
    context: dg.AssetExecutionContext,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """Originals and their pseudonyms, for mapping keepers only; durable before anything is released."""
    return _stage(map_batch, context, (storage, pacs, deid, progress))


@dg.asset(partitions_def=study_batches, deps=[mapping_table], group_name="studies", kinds={"html"})
def validation_report(
    context: dg.AssetExecutionContext,
    storage: StorageResource,
    pacs: PacsResource,
    deid: DeidResource,
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """The proof, by code that shares nothing with the de-identifier: what passes is released, what does not is
    withheld with its reason. One page a batch under released/reports."""
    return _stage(validate_and_release, context, (storage, pacs, deid, progress))


ASSETS = [pacs_studies, raw_dicom, anonymized_dicom, mapping_table, validation_report]


def assets_under(deid: DeidResource) -> list[dg.AssetsDefinition]:
    """The assets, with the digest of the profile's rules as the code version of anonymized_dicom: after a change of the
    profile Dagster shows the batches that were made by other rules as out of date. A profile that cannot be used has no
    version; its run says why."""
    try:
        version = load_profile(settings_from(deid).profile).digest
    except DicomAssetsError:
        return ASSETS

    def with_version(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(code_version=version) if spec.key == anonymized_dicom.key else spec

    return list(dg.map_asset_specs(with_version, ASSETS))
