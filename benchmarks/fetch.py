"""Our side of the retrieval benchmark: whole studies into raw folders, durable, with the settings of the environment.

`fetch.py instances STUDY ...` lists and retrieves each study, as often as the workflow does when nothing is missing;
`fetch.py proved BATCH` runs the stages pacs_studies and raw_dicom of a planned batch, which list again afterwards, read
back and prove.
"""

import sys

from dicom_assets.pacs.find import find_expected
from dicom_assets.pacs.retrieve import retrieve_instances
from dicom_assets.settings import Settings
from dicom_assets.storage.raw import RawFolder
from dicom_assets.workflow.job import Job, job_of


def fetch_instances(job: Job, studies: list[str]) -> int:
    """0 where all came, as far as the archive lists them."""
    for number, study in enumerate(studies):
        wanted = find_expected(job.archive, study).instances
        folder = RawFolder(job.zones.raw("benchmark", f"study-{number}"), job.key.file_name)
        folder.open()
        retrieve_instances(job.archive, study, wanted, folder.begin, level="STUDY")
        if folder.keep() != len(wanted):
            return 1
    return 0


def fetch_proved(job: Job, batches: list[str]) -> int:
    """0 where every study was proved complete."""
    from dicom_assets.workflow.resolve import resolve_studies
    from dicom_assets.workflow.retrieve import retrieve_studies

    for batch in batches:
        resolve_studies(job, batch)
        if any(row.state != "done" for row in retrieve_studies(job, batch)):
            return 1
    return 0


if __name__ == "__main__":
    run = {"instances": fetch_instances, "proved": fetch_proved}[sys.argv[1]]
    sys.exit(run(job_of(Settings.from_env()), sys.argv[2:]))
