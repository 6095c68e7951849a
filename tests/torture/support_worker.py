"""A worker without Dagster: every settled study becomes part of a batch, and every batch goes through the five stages.
Says when it begins, after its imports."""

from dicom_assets.quiet import protect_process
from dicom_assets.settings import Settings
from dicom_assets.workflow.arrivals import arrival_batches, plan_arrivals
from dicom_assets.workflow.closing import is_finished
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job, job_of
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies

_STAGES = (resolve_studies, retrieve_studies, deidentify_studies, map_batch, validate_and_release)


def work(job: Job) -> None:
    plan_arrivals(job.zones, 0, keep_originals=False)
    for batch in arrival_batches(job.zones):
        if not is_finished(job.zones, batch):
            for stage in _STAGES:
                stage(job, batch)


if __name__ == "__main__":
    protect_process()
    print("begins", flush=True)
    work(job_of(Settings.from_env()))
