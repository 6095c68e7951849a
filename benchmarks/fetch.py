"""Our side of the retrieval benchmark: whole studies into raw folders, with the settings of the environment.

`fetch.py bytes STUDY ...` asks for each study and writes what comes into files, as dcmtk's clients do, and no more.
`fetch.py instances STUDY ...` lists each study, retrieves it, reads it back and makes it durable. `fetch.py proved
BATCH ...` runs the stages pacs_studies and raw_dicom of a planned batch, which also list again, compare, and write
manifest and ledger.
"""

import os
import sys
from pathlib import Path

from dicom_assets.pacs.find import find_expected
from dicom_assets.pacs.retrieve import retrieve_instances
from dicom_assets.settings import Settings
from dicom_assets.storage.arrivals import Arrivals
from dicom_assets.storage.raw import RawFolder
from dicom_assets.storage.set_aside import SetAsideFolder
from dicom_assets.workflow.job import Job, job_of
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies


def fetch_instances(job: Job, studies: list[str]) -> bool:
    """Whether all came that the archive lists."""
    return all(_fetch_study(job, study) for study in studies)


def _fetch_study(job: Job, study: str) -> bool:
    key, name_of = job.key.study_key(study), job.key.file_name
    aside = SetAsideFolder(job.zones.quarantine("benchmark", key), name_of)
    folder = RawFolder(job.zones.raw("benchmark", key), aside, study, name_of)
    folder.open()
    arrivals = Arrivals(folder)
    with arrivals.opened():
        wanted = find_expected(job.archive, study).instances
        retrieve_instances(job.archive, study, wanted, arrivals.begin, level="STUDY")
        return arrivals.settle() == len(wanted)


class _File:
    """An instance that becomes a file: its data set alone, since nobody reads it."""

    def __init__(self, folder: Path, sop_instance_uid: str) -> None:
        self._path = folder / f"{sop_instance_uid}.dcm"
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)

    def write(self, piece: bytes | memoryview) -> None:
        os.write(self._handle, piece)

    def keep(self) -> None:
        os.close(self._handle)

    def discard(self) -> None:
        os.close(self._handle)
        self._path.unlink()


def fetch_bytes(job: Job, studies: list[str]) -> bool:
    """Whether the archive reported success."""
    folder = job.zones.restricted
    folder.mkdir(parents=True)
    return not any(
        retrieve_instances(job.archive, study, None, lambda _c, uid, _t: _File(folder, uid), level="STUDY").reason
        for study in studies
    )


def fetch_proved(job: Job, batches: list[str]) -> bool:
    """Whether every study was proved complete."""
    for batch in batches:
        resolve_studies(job, batch)
    return all(row.state == "done" for batch in batches for row in retrieve_studies(job, batch))


if __name__ == "__main__":
    fetch = {"bytes": fetch_bytes, "instances": fetch_instances, "proved": fetch_proved}[sys.argv[1]]
    sys.exit(not fetch(job_of(Settings.from_env()), sys.argv[2:]))
