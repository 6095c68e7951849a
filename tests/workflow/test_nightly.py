"""The nightly window: each study once, and later what has come to it, and nothing else."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from dicom_assets.batches.request import StoredRequest, load_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus, DemoStudy
from dicom_assets.errors import Refused, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.ledger import StudyRow, read_stage, sums_that_fail
from dicom_assets.storage.manifests import RawInstance, manifest_of
from dicom_assets.storage.tables import read_sealed, write_sealed
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.nightly import plan_nightly
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.faulty_archive import HoldsBack
from tests.support.ports import free_port

PROVING = (deidentify_studies, map_batch, validate_and_release)


@pytest.fixture(scope="module")
def study(corpus: Corpus) -> DemoStudy:
    return next(study for study in corpus.studies if study.modalities == ("MR",) and len(study.instances) > 3)


@pytest.fixture
def archive(corpus: Corpus, study: DemoStudy, tmp_path: Path) -> Iterator[HoldsBack]:
    """It holds the study, and at first does not tell of its last instance."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for instance in study.instances:
        shutil.copyfile(corpus.folder / instance.path, folder / f"{instance.sop_instance_uid}.dcm")
    with HoldsBack(folder, {study.instances[-1].sop_instance_uid}, listed=False) as running:
        yield running


@pytest.fixture
def job(archive: HoldsBack, tmp_path: Path) -> Job:
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=(Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"),),
        profile=load_profile("basic"),
        key=PseudonymKey(bytes(range(32))),
        workers=1,
    )


@pytest.fixture
def day(study: DemoStudy) -> date:
    return datetime.strptime(study.study_date, "%Y%m%d").date()


def run(job: Job, batch: str, *, to_the_end: bool = False) -> StudyRow:
    stages = (resolve_studies, retrieve_studies, *(PROVING if to_the_end else ()))
    for stage in stages:
        (row,) = stage(job, batch)
    assert sums_that_fail(row, "raw_dicom") == []
    return row


def raw(job: Job, batch: str, study: DemoStudy) -> set[str]:
    folder = job.zones.raw(batch, job.key.study_key(study.study_instance_uid))
    return {row.sop_instance_uid for row in read_sealed(manifest_of(folder), RawInstance)}


def test_the_last_days_are_planned_and_nothing_twice(job: Job, study: DemoStudy, day: date) -> None:
    assert not plan_nightly(job, day, 3)  # its own day is still growing
    (request,) = plan_nightly(job, day + timedelta(days=3), 3)
    assert [row.study_instance_uid for row in request.rows] == [study.study_instance_uid]
    assert request.batch.startswith(f"nightly-{day + timedelta(days=3):%Y%m%d}-")
    assert load_request(job.zones, request.batch) == request
    assert not plan_nightly(job, day + timedelta(days=2), 3)
    run(job, request.batch)
    assert not plan_nightly(job, day + timedelta(days=2), 3)
    assert not plan_nightly(job, date(1900, 1, 5), 3)


def test_a_study_that_grew_brings_its_new_instances_to_the_same_patient(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    assert run(job, first.batch, to_the_end=True).released == len(study.instances) - 1
    before = set(job.zones.released.rglob("*.dcm"))
    archive.release()
    (second,) = plan_nightly(job, day + timedelta(days=2), 3)
    assert [row.but_not for row in second.rows] == [(first.batch,)]
    assert load_request(job.zones, second.batch) == second
    row = run(job, second.batch, to_the_end=True)
    assert (row.state, row.expected, row.received, row.released, row.proved_by) == ("done", 1, 1, 1, "IMAGE")
    assert raw(job, second.batch, study) == {study.instances[-1].sop_instance_uid}
    (new,) = set(job.zones.released.rglob("*.dcm")) - before
    assert {path.parent.parent for path in before} == {new.parent.parent}  # one patient, one study
    assert len({pydicom.dcmread(path).StudyInstanceUID for path in {*before, new}}) == 1
    assert not plan_nightly(job, day + timedelta(days=3), 3)


def test_a_batch_that_has_not_got_its_part_gets_the_rest_itself(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    archive.release()
    assert not plan_nightly(job, day + timedelta(days=2), 3)
    assert run(job, first.batch).received == len(study.instances)


def test_what_vanished_again_before_it_was_asked_for_is_nothing_to_wait_for(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    run(job, first.batch)
    held = archive.held
    archive.release()
    (second,) = plan_nightly(job, day + timedelta(days=2), 3)
    archive.held = held
    row = run(job, second.batch)
    assert (row.state, row.expected, row.received) == ("done", 0, 0)


def test_an_instance_that_took_the_place_of_another_is_new(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    run(job, first.batch)
    archive.held = frozenset({study.instances[0].sop_instance_uid})
    (second,) = plan_nightly(job, day + timedelta(days=2), 3)
    run(job, second.batch)
    assert raw(job, second.batch, study) == {study.instances[-1].sop_instance_uid}


def test_what_is_new_is_not_there_by_an_archive_that_has_the_old(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date, corpus: Corpus, tmp_path: Path
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    run(job, first.batch)
    archive.release()
    (second,) = plan_nightly(job, day + timedelta(days=2), 3)
    resolve_studies(job, second.batch)
    (tmp_path / "old").mkdir()
    for instance in study.instances[:-1]:
        shutil.copyfile(corpus.folder / instance.path, tmp_path / "old" / f"{instance.sop_instance_uid}.dcm")
    with EmbeddedArchive(tmp_path / "old") as old:
        down = replace(job.archive, port=free_port())
        job = replace(job, archives=(down, replace(job.archive, name="2", port=old.port)))
        with pytest.raises(RetryLater):
            retrieve_studies(job, second.batch)
    (row,) = read_stage(job.zones, second.batch, "raw_dicom")
    assert (row.state, row.reason) == ("incomplete", "PACS_PORT_CLOSED")


def test_a_conflict_with_an_earlier_night_ends_where_the_archive_sends_again_what_is_held(
    job: Job, archive: HoldsBack, study: DemoStudy, day: date
) -> None:
    (first,) = plan_nightly(job, day + timedelta(days=1), 3)
    run(job, first.batch)
    archive.release()
    path = archive.folder / f"{study.instances[0].sop_instance_uid}.dcm"
    held = path.read_bytes()
    path.write_bytes(held[:-20] + bytes([held[-20] ^ 1]) + held[-19:])
    usual = archive.chosen  # whole studies are all that it sends
    archive.chosen = lambda event: usual(event) if event.identifier.QueryRetrieveLevel == "STUDY" else []
    (second,) = plan_nightly(job, day + timedelta(days=2), 3)
    row = run(job, second.batch)
    assert (row.reason, row.expected, row.received) == ("INSTANCE_CONFLICT", 2, 1)
    path.write_bytes(held)
    row = run(job, second.batch)
    assert (row.state, row.expected, row.received) == ("done", 1, 1)


def test_two_plannings_at_once_plan_nothing_twice(job: Job, day: date) -> None:
    with exclusive_lock(job.zones.lock("nightly")), pytest.raises(Refused) as refused:
        plan_nightly(job, day + timedelta(days=1), 3)
    assert refused.value.code == "BATCH_BUSY"
    assert len(plan_nightly(job, day + timedelta(days=1), 3)) == 1


def test_a_request_of_an_older_version_is_read(job: Job, day: date) -> None:
    (request,) = plan_nightly(job, day + timedelta(days=1), 3)
    path = job.zones.request(request.batch)
    (stored,) = read_sealed(path, StoredRequest)
    data = json.loads(stored.request)
    for row in data["rows"]:
        assert row.pop("but_not") == []
    assert write_sealed(path, [StoredRequest(json.dumps(data))], StoredRequest)
    assert load_request(job.zones, request.batch) == request


def test_a_study_in_two_archives_is_planned_once(job: Job, day: date) -> None:
    twice = replace(job, archives=(job.archive, replace(job.archive, name="2")))
    (request,) = plan_nightly(twice, day + timedelta(days=1), 3)
    assert len(request.rows) == 1
