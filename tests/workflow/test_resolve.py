"""pacs_studies over several archives: which one has a study, what is still owed, and nothing asked for twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.storage.manifests import RawInstance, ResolvedStudy, manifest_of
from dicom_assets.storage.tables import read_sealed, write_sealed
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from tests.pacs.conftest import HASTY
from tests.support.capped_archive import Study, capped_archive
from tests.support.ports import free_port

FIRST = [Study("1.2.1", "A", NumberOfStudyRelatedInstances="4"), Study("1.2.2", "B")]
SECOND = [Study("1.2.3", "A", NumberOfStudyRelatedInstances="7"), Study("1.2.2", "B")]


def down(name: str) -> Archive:
    return Archive("127.0.0.1", free_port(), "DOWN", "DICOM_ASSETS", timeouts=HASTY, name=name)


def job_with(tmp_path: Path, *archives: Archive) -> Job:
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=archives,
        profile=load_profile("basic"),
        key=PseudonymKey(bytes(range(32))),
        workers=1,
    )


def request(job: Job, *rows: RequestRow) -> str:
    return create_request(job.zones, "cohort", "20260131", "", rows).batch


def resolved(job: Job, batch: str) -> dict[str, ResolvedStudy]:
    """By UID; the empty one is a row without a study."""
    return {study.study_instance_uid: study for study in read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)}


def test_each_study_is_said_to_be_in_the_archive_that_has_it(tmp_path: Path) -> None:
    with capped_archive(FIRST) as (_, first), capped_archive(SECOND) as (_, second):
        job = job_with(tmp_path, first, replace(second, name="2"))
        uids = [RequestRow(study_instance_uid=f"1.2.{number}") for number in (2, 3, 4)]
        batch = request(job, *uids, RequestRow(patient_id="A"))
        rows = resolve_studies(job, batch)
    of = resolved(job, batch)
    assert {uid: (study.archive, study.state) for uid, study in of.items()} == {
        "1.2.1": ("1", "found"),
        "1.2.2": ("1", "found"),
        "1.2.3": ("2", "found"),
        "1.2.4": ("1", "not_found"),
    }
    assert [of[f"1.2.{number}"].expected_instances for number in (1, 2, 3)] == [4, 1, 7]
    assert sorted(row.found for row in rows) == [0, 1, 1, 1]


def test_an_archive_that_does_not_answer_leaves_its_rows_owed_and_only_they_are_asked_again(tmp_path: Path) -> None:
    with capped_archive(FIRST) as (peer, first), capped_archive(SECOND) as (_, second):
        job = job_with(tmp_path, first, down("2"))
        batch = request(
            job,
            RequestRow(study_instance_uid="1.2.2"),
            RequestRow(study_instance_uid="1.2.3"),
            RequestRow(patient_id="A"),
        )
        resolve_studies(job, batch)
        of = resolved(job, batch)
        assert (of["1.2.1"].state, of["1.2.2"].state) == ("found", "found")
        assert of["1.2.3"].state == of[""].state == "failed"
        assert of["1.2.3"].reason == of[""].reason != "STUDY_NOT_FOUND"
        peer.asked.clear()
        job = replace(job, archives=(first, replace(second, name="2")))
        resolve_studies(job, batch)
        of = resolved(job, batch)
        assert {uid: study.state for uid, study in of.items()} == dict.fromkeys(("1.2.1", "1.2.2", "1.2.3"), "found")
        assert not any("1.2.2" in keys["StudyInstanceUID"] for keys in peer.asked)
        # and what was found stays so where nothing answers any more
        resolve_studies(replace(job, archives=(down("1"),)), batch)
        assert resolved(job, batch) == of


def test_nothing_is_written_where_no_archive_answers(tmp_path: Path) -> None:
    job = job_with(tmp_path, down("1"), down("2"))
    batch = request(job, RequestRow(study_instance_uid="1.2.2"))
    with pytest.raises(RetryLater):
        resolve_studies(job, batch)
    assert not job.zones.resolved_studies(batch).exists()


def test_the_second_archive_is_enough_while_the_first_is_down(tmp_path: Path) -> None:
    with capped_archive(SECOND) as (_, second):
        job = job_with(tmp_path, down("1"), replace(second, name="2"))
        batch = request(job, RequestRow(study_instance_uid="1.2.2"))
        (row,) = resolve_studies(job, batch)
    assert (row.found, row.expected, resolved(job, batch)["1.2.2"].archive) == (1, 1, "2")


def test_only_what_no_earlier_batch_holds_is_expected(tmp_path: Path) -> None:
    with capped_archive(FIRST) as (_, archive):
        job = job_with(tmp_path, archive)
        earlier = job.zones.raw("nightly-20260101-001", job.key.study_key("1.2.1"))
        earlier.mkdir(parents=True)
        held = [RawInstance(f"{number}.dcm", f"1.2.1.{number}", "", "", 1, "") for number in range(3)]
        write_sealed(manifest_of(earlier), held, RawInstance)
        batch = request(job, RequestRow(study_instance_uid="1.2.1", but_not=("nightly-20260101-001",)))
        (row,) = resolve_studies(job, batch)
    assert (row.expected, row.missing) == (1, 1)


@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_study_that_one_row_misses_and_another_means_is_found(tmp_path: Path, wrong_first: bool) -> None:
    rows = [RequestRow(study_instance_uid="1.2.2", patient_id="WRONG"), RequestRow(patient_id="B")]
    with capped_archive(FIRST) as (_, archive):
        job = job_with(tmp_path, archive)
        batch = request(job, *(rows if wrong_first else reversed(rows)))
        resolve_studies(job, batch)
    assert [study.state for study in resolved(job, batch).values()] == ["found"]


def test_what_was_found_stays_a_row_where_the_archive_has_lost_it(tmp_path: Path) -> None:
    with capped_archive(FIRST) as (_, first), capped_archive(SECOND) as (_, second):
        batch = request(job := job_with(tmp_path, first, down("2")), RequestRow(patient_id="A"))
        resolve_studies(job, batch)
        resolve_studies(replace(job, archives=(replace(second, name="2"),)), batch)
    assert {uid: study.state for uid, study in resolved(job, batch).items()} == {"1.2.1": "found", "1.2.3": "found"}


def test_an_accession_number_means_no_study_while_an_archive_before_it_does_not_answer(tmp_path: Path) -> None:
    with capped_archive([Study("1.2.9", "Z", AccessionNumber="X1")]) as (_, other):
        job = job_with(tmp_path, down("1"), replace(other, name="2"))
        batch = request(job, RequestRow(accession_number="X1"), RequestRow(study_instance_uid="1.2.9"))
        resolve_studies(job, batch)
        by_number, by_uid = (resolved(job, batch)[uid] for uid in ("", "1.2.9"))
        assert (by_number.state, by_uid.state) == ("failed", "found")
        assert by_number.reason == by_uid.reason != ""  # the first may have another study, or more of this one
