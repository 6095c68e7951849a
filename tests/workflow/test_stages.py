"""Stages run one by one, with something changed or damaged between them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.errors import BadInput
from dicom_assets.pacs.archive import Archive
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.storage.mapping import read_part
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.site import keeping_text_back

DAY = "20260131"
PROVING = (deidentify_studies, map_batch, validate_and_release)


@pytest.fixture
def job(tmp_path: Path, archive: EmbeddedArchive) -> Job:
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=(Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"),),
        profile=load_profile(str(keeping_text_back(tmp_path))),
        key=PseudonymKey(bytes(range(32))),
        workers=2,
    )


@pytest.fixture
def batch(job: Job, corpus: Corpus) -> str:
    """An MR study and an ultrasound study, retrieved."""
    wanted = [next(s for s in corpus.studies if s.modalities == (modality,)) for modality in ("MR", "US")]
    rows = [RequestRow(study_instance_uid=study.study_instance_uid) for study in wanted]
    key = create_request(job.zones, "cohort", DAY, "", rows).batch
    resolve_studies(job, key)
    retrieve_studies(job, key)
    return key


def prove(job: Job, batch: str) -> list[StudyRow]:
    for stage in PROVING:
        rows = stage(job, batch)
    return rows


def released(job: Job) -> set[str]:
    return {str(path.relative_to(job.zones.released)) for path in job.zones.released.rglob("*.dcm")}


def test_a_staged_file_that_was_swapped_for_an_original_is_never_released(job: Job, batch: str) -> None:
    deidentify_studies(job, batch)
    map_batch(job, batch)
    staged = sorted((job.zones.restricted / "staging" / batch).glob("*/*.dcm"))
    originals = (job.zones.restricted / "raw" / batch / staged[0].parent.name).glob("*.dcm")
    shutil.copyfile(next(originals), staged[0])
    rows = validate_and_release(job, batch)
    assert staged[0].stem not in {Path(name).stem for name in released(job)}
    assert sum(row.withheld for row in rows) >= 1
    assert sum(row.released for row in rows) == len(released(job))
    names = pydicom.dcmread(staged[0]).PatientName.family_name
    for suffix in ("html", "json", "parquet", "sha256"):
        assert names.encode() not in job.zones.report(batch, suffix).read_bytes()


def test_another_key_takes_back_what_the_old_one_released(job: Job, batch: str) -> None:
    prove(job, batch)
    before = released(job)
    other = replace(job, key=PseudonymKey(bytes(32)))
    resolve_studies(other, batch)
    retrieve_studies(other, batch)
    rows = prove(other, batch)
    assert before
    assert not released(other) & before
    assert released(other) == set(read_part(job.zones, batch, why="a test")["Anonymized Filename"])
    assert len(released(other)) == sum(row.released for row in rows)


def test_a_stricter_profile_takes_back_what_it_would_not_release(job: Job, batch: str, tmp_path: Path) -> None:
    lax = tmp_path / "lax.toml"
    lax.write_text('base = "basic"\npixels = "unexamined"\n')
    everything = prove(replace(job, profile=load_profile(str(lax))), batch)
    assert all(not row.quarantined for row in everything)
    assert len(released(job)) == sum(row.released for row in everything)
    strict = prove(job, batch)
    assert sum(row.quarantined for row in strict) > 0
    assert len(released(job)) == sum(row.released for row in strict) < sum(row.released for row in everything)
    assert released(job) == set(read_part(job.zones, batch, why="a test")["Anonymized Filename"])


def test_a_released_file_that_was_lost_is_made_again(job: Job, batch: str) -> None:
    prove(job, batch)
    before = {name: (job.zones.released / name).read_bytes() for name in released(job)}
    (job.zones.released / min(before)).unlink()
    rows = prove(job, batch)
    assert {name: (job.zones.released / name).read_bytes() for name in released(job)} == before
    assert sum(row.released for row in rows) == len(before)


@pytest.mark.parametrize("rubbish", [b"", b"half of it"])
def test_rubbish_under_a_released_name_is_replaced(job: Job, batch: str, rubbish: bytes) -> None:
    prove(job, batch)
    target = job.zones.released / min(released(job))
    content = target.read_bytes()
    target.write_bytes(rubbish)
    assert not [row for row in prove(job, batch) if row.withheld]
    assert target.read_bytes() == content


def test_unfinished_copies_of_a_killed_run_are_cleared_away(job: Job, batch: str) -> None:
    prove(job, batch)
    before = released(job)
    (job.zones.released / min(before)).unlink()
    folder = job.zones.released / f".{batch}"  # where a kill in the middle of the release leaves them
    folder.mkdir()
    (folder / "0123.part").write_bytes(b"half")
    prove(job, batch)
    assert not list(job.zones.released.rglob("*.part"))
    assert not folder.exists()
    assert released(job) == before


def test_a_stage_without_the_one_before_it_is_refused(job: Job, corpus: Corpus) -> None:
    rows = [RequestRow(study_instance_uid=corpus.studies[0].study_instance_uid)]
    key = create_request(job.zones, "cohort", DAY, "", rows).batch
    for stage in (retrieve_studies, *PROVING):
        with pytest.raises(BadInput, match="STAGE_NOT_RUN"):
            stage(job, key)
    assert not job.zones.mapping(key).exists()
    assert not job.zones.released.exists()


def test_an_original_that_vanished_fails_its_study_and_no_other(job: Job, batch: str, corpus: Corpus) -> None:
    folder = next(path for path in (job.zones.restricted / "raw" / batch).iterdir() if len(list(path.iterdir())) > 1)
    next(folder.glob("*.dcm")).unlink()
    rows = {row.study_key: row for row in prove(job, batch)}
    assert (rows[folder.name].state, rows[folder.name].reason) == ("failed", "ORIGINAL_UNREADABLE")
    assert rows[folder.name].released == 0
    assert all(row.reason != "ORIGINAL_UNREADABLE" for key, row in rows.items() if key != folder.name)


def test_a_patient_keeps_the_pseudonym_that_the_site_gave_in_an_earlier_batch(job: Job, corpus: Corpus) -> None:
    study = next(study for study in corpus.studies if study.modalities == ("MR",))
    first = RequestRow(study_instance_uid=study.study_instance_uid, pseudonym="SITE-7")
    for number, (row, state) in enumerate([(first, "done"), (replace(first, pseudonym=""), "done")]):
        key = create_request(job.zones, "cohort", DAY, "", [row]).batch
        resolve_studies(job, key)
        retrieve_studies(job, key)
        (ledger,) = prove(job, key)
        assert ledger.state == state, number
    assert {Path(name).parts[0] for name in released(job)} == {"SITE-7"}


def test_what_was_proved_stays_though_the_archive_has_lost_it(
    job: Job, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = next(study for study in corpus.studies if study.modalities == ("MR",))
    rows = [RequestRow(study_instance_uid=study.study_instance_uid), RequestRow(study_instance_uid="1.2.3.4")]
    key = create_request(job.zones, "cohort", DAY, "", rows).batch
    resolve_studies(job, key)
    retrieve_studies(job, key)
    prove(job, key)
    before = released(job)
    job.zones.ledger(key, "raw_dicom").unlink()  # as after any change of the stage before
    with EmbeddedArchive(tmp_path_factory.mktemp("empty")) as empty:
        bare = replace(job, archives=(Archive("127.0.0.1", empty.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"),))
        resolve_studies(bare, key)
        retrieve_studies(bare, key)
        rows = prove(bare, key)
    assert before
    assert released(job) == before
    assert sorted(row.state for row in rows) == ["done", "failed"]
