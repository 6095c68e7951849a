"""C-MOVE from a real Orthanc while `dicom-assets receive` has the port: the run gets its study, all else arrives, and
whatever was acknowledged is somewhere."""

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.requestor import open_association
from dicom_assets.storage.inbox import is_announced, return_unclaimed
from dicom_assets.storage.incoming import instances_in, waiting_studies
from dicom_assets.storage.instance_header import identity_of
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.data_sets import data_set_of, retrieved
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.programs import needs
from tests.support.pushing import job_at
from tests.support.site import Site
from tests.support.waiting import wait_for

pytestmark = needs("Orthanc")

_TIMEOUTS = Timeouts(connect=10, acse=20, first_response=20, stall=20, no_progress=30)
_ROOT = "1.2.826.0.1.3680043.10.1337.92"
_STUDY, _OTHER = f"{_ROOT}.1", f"{_ROOT}.2"
_INSTANCES = 120
_SECONDS = 60


def slices(folder: Path, study: str, count: int, first: int = 0, patient: str = "0012371") -> list[Path]:
    """CT slices of one study, 33 kB each."""
    dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    dataset.StudyInstanceUID, dataset.PatientID, dataset.SeriesInstanceUID = study, patient, f"{study}.1"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if "DataSetTrailingPadding" in dataset:
        del dataset.DataSetTrailingPadding  # Orthanc leaves it out of what it sends
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(first, first + count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.2.{number}"
        paths.append(folder / f"{study}.2.{number}.dcm")
        dataset.save_as(paths[-1])
    return paths


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """SOPInstanceUID -> data set, of the study that Orthanc holds."""
    paths = slices(tmp_path_factory.mktemp("source") / "study", _STUDY, _INSTANCES)
    return {path.stem: data_set_of(path) for path in paths}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("orthanc")
    with running_orthanc(folder) as running:
        running.upload(slices(folder / "study", _STUDY, _INSTANCES))
        yield running


@pytest.fixture
def job(site: Site, orthanc: Orthanc) -> Job:
    site.use(orthanc.dicom_port, orthanc.ae_title, DICOM_RECEIVER_PORT=str(orthanc.receiver_port))
    ports = orthanc.dicom_port, orthanc.ae_title, "DICOM_ASSETS", "move", orthanc.receiver_port
    return replace(job_at(site), archives=(Archive("127.0.0.1", *ports, _TIMEOUTS),))


@contextmanager
def receiver_at(site: Site, port: int) -> Iterator[subprocess.Popen]:
    process = site.start("receive")
    try:
        wait_for(lambda: is_announced(site.zones.incoming, port) or process.poll() is not None, _SECONDS)
        assert process.poll() is None, "it did not start"
        yield process
    finally:
        process.terminate()
        process.wait(_SECONDS)


def new_batch(job: Job) -> str:
    batch = create_request(job.zones, "cohort", "20260131", "", [RequestRow(study_instance_uid=_STUDY)]).batch
    resolve_studies(job, batch)
    return batch


def retrieve(job: Job, batch: str) -> StudyRow:
    (row,) = retrieve_studies(job, batch)
    return row


def push(port: int, paths: Iterable[Path]) -> list[bytes]:
    """By C-STORE; the data sets that were acknowledged."""
    receiver = Archive("127.0.0.1", port, "DICOM_ASSETS", "MODALITY", timeouts=_TIMEOUTS)
    acknowledged = []
    with open_association(receiver, [(CTImageStorage, [ExplicitVRLittleEndian])]) as association:
        context = association.context_for(CTImageStorage)
        for path in paths:
            content = data_set_of(path)
            start = path.stat().st_size - len(content)
            with path.open("rb") as file:
                answer = association.store(context, CTImageStorage, path.stem, file, start, path.stat().st_size)
            if answer.status == 0x0000:
                acknowledged.append(content)
    return acknowledged


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """In a thread; it is over at the end of the block."""
    thread = threading.Thread(target=action)
    thread.start()
    try:
        yield
    finally:
        thread.join(_SECONDS)
        assert not thread.is_alive()


def arrived(job: Job) -> dict[str, list[bytes]]:
    """Study key -> data sets that wait in incoming."""
    return {
        study.study_key: [data_set_of(path) for path in instances_in(study.folder)]
        for study in waiting_studies(job.zones.incoming)
    }


def everywhere(job: Job) -> set[bytes]:
    """All data sets that lie in the restricted zone under a final name."""
    return {data_set_of(path) for path in job.zones.restricted.rglob("*.dcm")}


def left_awaited(job: Job) -> list[Path]:
    return list((job.zones.incoming / ".awaited").iterdir())


def test_the_run_gets_its_study_and_what_others_push_arrives(
    site: Site, job: Job, orthanc: Orthanc, source: dict[str, bytes], tmp_path: Path
) -> None:
    batch = new_batch(job)
    others = slices(tmp_path / "other", _OTHER, 20)
    with receiver_at(site, orthanc.receiver_port), meanwhile(lambda: push(orthanc.receiver_port, others)):
        row = retrieve(job, batch)
    assert (row.state, row.reason, row.expected, row.received) == ("done", "", _INSTANCES, _INSTANCES)
    assert retrieved(job.zones, batch) == source
    assert arrived(job) == {job.key.study_key(_OTHER): [data_set_of(path) for path in _by_name(job, others)]}
    assert left_awaited(job) == []


def _by_name(job: Job, paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: job.key.file_name(path.stem))


def test_what_others_push_of_the_same_study_is_not_lost(
    site: Site, job: Job, orthanc: Orthanc, source: dict[str, bytes], tmp_path: Path
) -> None:
    """Instances that the archive does not have, and other contents of some that it has."""
    batch = new_batch(job)
    pushed = slices(tmp_path / "new", _STUDY, 30, first=_INSTANCES)
    pushed += slices(tmp_path / "changed", _STUDY, 5, first=40, patient="0012372")
    acknowledged: list[bytes] = []

    def push_all() -> None:
        wait_for(lambda: any((job.zones.incoming / ".awaited").glob("*/*.dcm")), _SECONDS)
        for at in range(0, len(pushed), 5):
            acknowledged.extend(push(orthanc.receiver_port, pushed[at : at + 5]))

    with receiver_at(site, orthanc.receiver_port), meanwhile(push_all):
        row = retrieve(job, batch)
    assert len(acknowledged) == len(pushed)
    assert set(acknowledged) | set(source.values()) <= everywhere(job)
    assert row.received + row.missing == row.expected and left_awaited(job) == []
    assert {identity_of(path).study_instance_uid for path in job.zones.restricted.rglob("*.dcm")} == {_STUDY}


def _retrieve_in_group(job: Job, batch: str) -> None:
    os.setpgid(0, 0)
    retrieve(job, batch)


def test_a_run_that_is_killed_leaves_what_came_to_the_next(
    site: Site, job: Job, orthanc: Orthanc, source: dict[str, bytes], tmp_path: Path
) -> None:
    batch = new_batch(job)
    pushed = slices(tmp_path / "new", _STUDY, 5, first=_INSTANCES)
    awaited = job.zones.incoming / ".awaited" / job.key.study_key(_STUDY)
    with receiver_at(site, orthanc.receiver_port):
        run = multiprocessing.get_context("fork").Process(target=_retrieve_in_group, args=(job, batch))
        run.start()
        wait_for(lambda: awaited.is_dir() or not run.is_alive(), _SECONDS)
        acknowledged = push(orthanc.receiver_port, pushed)
        os.kill(run.pid, signal.SIGKILL)
        run.join()
        assert run.exitcode == -signal.SIGKILL, "it was to be killed in the middle"
        assert len(acknowledged) == len(pushed) and set(acknowledged) <= everywhere(job)
        row = retrieve(job, batch)
    return_unclaimed(job.zones.incoming)
    assert (row.state, row.expected, row.received) == ("done", _INSTANCES, _INSTANCES)
    assert retrieved(job.zones, batch) == source
    assert set(acknowledged) <= everywhere(job) and left_awaited(job) == []


def test_a_receiver_that_is_killed_in_the_middle_costs_nothing_but_time(
    site: Site, job: Job, orthanc: Orthanc, source: dict[str, bytes]
) -> None:
    """The run then listens itself, in this round or the next, or when it is run again."""
    batch = new_batch(job)
    raw = job.zones.restricted / "raw" / batch

    def kill() -> None:
        wait_for(lambda: any(raw.glob("*/*")), _SECONDS)
        receiver.kill()

    with receiver_at(site, orthanc.receiver_port) as receiver, meanwhile(kill):
        row = _until_done(job, batch)
    assert (row.state, row.expected, row.received) == ("done", _INSTANCES, _INSTANCES)
    assert retrieved(job.zones, batch) == source
    assert set(source.values()) == everywhere(job) and left_awaited(job) == []


def _until_done(job: Job, batch: str) -> StudyRow:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            row = retrieve(job, batch)
        except DicomAssetsError:
            row = None
        if row is not None and row.state == "done":
            return row
        assert time.monotonic() < deadline
