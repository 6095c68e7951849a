"""A real Orthanc, killed and started again in the middle of retrievals, and one that caps its answers.

ORTHANC_RESTARTS: how often it is killed for each way of retrieving.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import RetryLater
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.find import find_studies
from dicom_assets.pacs.query import StudyQuery
from dicom_assets.storage.ledger import StudyRow, sums_that_fail
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.data_sets import data_set_of, retrieved
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.programs import needs

pytestmark = needs("Orthanc")

_RESTARTS = int(os.environ.get("ORTHANC_RESTARTS", "2"))
_TIMEOUTS = Timeouts(connect=5, acse=10, first_response=20, stall=20, no_progress=30)
_ROOT = "1.2.826.0.1.3680043.10.1337.79"
_STUDY, _LARGE = f"{_ROOT}.1", f"{_ROOT}.30"
_INSTANCES = 150


def slices(folder: Path, study: str, count: int, date: str = "20240131") -> list[Path]:
    """CT slices of one study in three series, 33 kB each."""
    dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    dataset.StudyInstanceUID, dataset.StudyDate, dataset.PatientID = study, date, "0012370"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if "DataSetTrailingPadding" in dataset:
        del dataset.DataSetTrailingPadding  # Orthanc leaves it out of what it sends
    paths = []
    for number in range(count):
        dataset.SeriesInstanceUID = f"{study}.1.{number % 3}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.2.{number}"
        dataset.InstanceNumber = number
        paths.append(folder / f"{study}.2.{number}.dcm")
        dataset.save_as(paths[-1])
    return paths


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SOPInstanceUID -> file, of one study."""
    return {path.stem: path for path in slices(tmp_path_factory.mktemp("source"), _STUDY, _INSTANCES)}


@pytest.fixture(scope="module")
def orthanc(source: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        running.upload(source.values())
        yield running


def archive_of(orthanc: Orthanc, way: str = "get") -> Archive:
    ports = orthanc.dicom_port, orthanc.ae_title, "DICOM_ASSETS", way, orthanc.receiver_port
    return Archive("127.0.0.1", *ports, _TIMEOUTS)


@dataclass
class Killer:
    """Kills the archive once so many files lie in the folder."""

    orthanc: Orthanc
    folder: Path
    files: int

    def __enter__(self) -> None:
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.over.is_set():
            if sum(1 for path in self.folder.glob("*/*") if path.is_file()) >= self.files:
                self.orthanc.kill()
                return
            time.sleep(0.001)


@pytest.mark.parametrize("way", ["get", "move"])
def test_killed_in_the_middle_and_run_again_it_ends_with_what_the_archive_holds(
    orthanc: Orthanc, source: dict[str, Path], tmp_path: Path, way: str
) -> None:
    moments = random.Random(7)
    interrupted = 0
    for number in range(_RESTARTS):
        job = _job(tmp_path / str(number), archive_of(orthanc, way))
        batch = _batch(job, _STUDY)
        resolve_studies(job, batch)
        with Killer(orthanc, job.zones.restricted / "raw" / batch, moments.randrange(1, _INSTANCES // 2)):
            row = _retrieve(job, batch)
        before = retrieved(job.zones, batch)
        if orthanc.process.poll() is not None:
            orthanc.start()
            interrupted += row.state != "done"
        assert sums_that_fail(row, "raw_dicom") == []
        assert row.state == "done" or len(before) < _INSTANCES
        resolve_studies(job, batch)
        row = _retrieve(job, batch)
        assert (row.state, row.reason, row.expected, row.received) == ("done", "", _INSTANCES, _INSTANCES)
        after = retrieved(job.zones, batch)
        assert after == {uid: data_set_of(path) for uid, path in source.items()}
    assert interrupted > _RESTARTS // 2, "it was to be killed in the middle"


def _job(folder: Path, archive: Archive) -> Job:
    key, profile = PseudonymKey(bytes(range(32))), load_profile("basic")
    return Job(Zones(folder / "restricted", folder / "released"), (archive,), profile, key, workers=2)


def _batch(job: Job, study: str) -> str:
    return create_request(job.zones, "cohort", "20260131", "", [RequestRow(study_instance_uid=study)]).batch


def _retrieve(job: Job, batch: str) -> StudyRow:
    try:
        (row,) = retrieve_studies(job, batch)
    except RetryLater as error:
        row = StudyRow("", "failed", error.code, 1, None)
    return row


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """It holds ten studies, of as many days, and one with six instances in each series; a query has at most four
    answers, after which it ends with 0xFE00."""
    folder = tmp_path_factory.mktemp("capped")
    with running_orthanc(folder, {"LimitFindResults": 4, "LimitFindInstances": 4}) as running:
        for number in range(10, 20):
            running.upload(slices(folder, f"{_ROOT}.{number}", 1, f"202401{number}"))
        running.upload(slices(folder, _LARGE, 18))
        yield running


@pytest.mark.parametrize(
    "query",
    [
        StudyQuery(patient_id="0012370"),
        StudyQuery(date_from="20240101", date_to="20240131"),
        StudyQuery(date_from="20240101"),
        StudyQuery(),
    ],
)
def test_no_study_is_lost_to_the_limit_of_an_orthanc(capped: Orthanc, query: StudyQuery) -> None:
    found = [match.study_instance_uid for match in find_studies(archive_of(capped), query)]
    assert sorted(found) == sorted([*(f"{_ROOT}.{number}" for number in range(10, 20)), _LARGE])


def test_a_study_whose_list_is_cut_is_proved_by_the_counts_of_its_series(capped: Orthanc, tmp_path: Path) -> None:
    job = _job(tmp_path, archive_of(capped))
    batch = _batch(job, _LARGE)
    resolve_studies(job, batch)
    row = _retrieve(job, batch)
    assert (row.state, row.proved_by, row.expected, row.received) == ("done", "SERIES", 18, 18)
