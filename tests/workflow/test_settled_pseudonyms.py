"""One patient has one pseudonym and one pseudonym one patient, before anything is retrieved: whatever said so first."""

from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.pacs.archive import Archive
from dicom_assets.storage.audit import last_lines, verify
from dicom_assets.storage.manifests import ResolvedStudy
from dicom_assets.storage.tables import read_sealed
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.given_pseudonyms import Imported, import_pseudonyms
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from tests.support.capped_archive import Study, capped_archive
from tests.support.pushing import push, run_stages

#: Two studies of A, one of B
STUDIES = [Study("1.2.1", "A"), Study("1.2.2", "B"), Study("1.2.3", "A")]
REFUSED, FOUND = ("refused", "PATIENT_PSEUDONYM_CONFLICT"), ("found", "")


@pytest.fixture
def job(tmp_path: Path):
    with capped_archive(STUDIES) as (_, archive):
        yield job_with(tmp_path, archive)


def job_with(tmp_path: Path, archive: Archive) -> Job:
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=(archive,),
        profile=load_profile("basic"),
        key=PseudonymKey(bytes(range(32))),
        workers=1,
    )


def planned(job: Job, *rows: tuple[str, str]) -> str:
    """rows: StudyInstanceUID, pseudonym."""
    named = [RequestRow(study_instance_uid=uid, pseudonym=pseudonym) for uid, pseudonym in rows]
    return create_request(job.zones, "cohort", "20260131", "", named).batch


def resolved(job: Job, batch: str) -> dict[str, tuple[str, str, str]]:
    resolve_studies(job, batch)
    studies = read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)
    return {study.study_instance_uid: (study.state, study.reason, study.pseudonym) for study in studies}


def give(job: Job, tmp_path: Path, *pairs: tuple[str, str]) -> Imported:
    path = tmp_path / "given.csv"
    path.write_text("\n".join(["PatientID,Pseudonym", *map(",".join, pairs)]) + "\n", encoding="utf-8")
    return import_pseudonyms(job.zones, job.key, path)


@pytest.mark.parametrize(
    "second",
    [("1.2.2", "SITE-7"), ("1.2.3", "SITE-8")],
    ids=["a pseudonym for a second patient", "a second pseudonym for a patient"],
)
def test_of_two_batches_that_contradict_the_second_is_refused_though_neither_is_mapped(
    job: Job, second: tuple[str, str]
) -> None:
    first, later = planned(job, ("1.2.1", "SITE-7")), planned(job, second)
    assert resolved(job, first)["1.2.1"] == (*FOUND, "SITE-7")
    assert resolved(job, later)[second[0]][:2] == REFUSED
    assert resolved(job, first)["1.2.1"] == (*FOUND, "SITE-7")  # and stays so when it is asked again


def test_a_patient_has_the_pseudonym_of_a_batch_that_is_not_mapped_yet(job: Job) -> None:
    first, later = planned(job, ("1.2.1", "SITE-7")), planned(job, ("1.2.3", ""))
    resolve_studies(job, first)
    assert resolved(job, later)["1.2.3"] == (*FOUND, "SITE-7")


def test_within_one_batch_neither_of_two_that_contradict_is_found(job: Job) -> None:
    studies = resolved(job, planned(job, ("1.2.1", "SITE-7"), ("1.2.2", "SITE-7")))
    assert {study[:2] for study in studies.values()} == {REFUSED}


def test_a_pseudonym_that_is_a_patients_id_is_refused(job: Job) -> None:
    studies = resolved(job, planned(job, ("1.2.1", "B"), ("1.2.2", "")))
    assert studies["1.2.1"][:2] == REFUSED
    assert studies["1.2.2"][:2] == FOUND
    assert resolved(job, planned(job, ("1.2.1", "A")))["1.2.1"][:2] == REFUSED  # its own


def test_what_the_site_gave_is_used_for_rows_without_a_pseudonym_and_held_against_others(
    job: Job, tmp_path: Path
) -> None:
    assert give(job, tmp_path, ("A", "SITE-7")) == Imported(1, 0, ())
    assert resolved(job, planned(job, ("1.2.1", ""), ("1.2.2", "")))["1.2.1"] == (*FOUND, "SITE-7")
    assert resolved(job, planned(job, ("1.2.3", "SITE-8")))["1.2.3"][:2] == REFUSED
    assert resolved(job, planned(job, ("1.2.2", "SITE-7")))["1.2.2"][:2] == REFUSED
    assert verify(job.zones) == []


def test_an_import_is_held_against_batches_that_are_not_mapped_yet(job: Job, tmp_path: Path) -> None:
    resolve_studies(job, planned(job, ("1.2.1", "SITE-7"), ("1.2.2", "")))
    done = give(job, tmp_path, ("A", "SITE-8"), ("C", "SITE-7"), ("B", "SITE-9"), ("D", "SITE-10"))
    assert [(note.line, note.code) for note in done.refused] == [
        (line, "ROW_PSEUDONYM_CONFLICT") for line in (2, 3, 4)
    ]  # B has the key's pseudonym by now
    assert not job.zones.given_pseudonyms.exists()


def test_what_is_pushed_gets_the_sites_pseudonym_and_every_act_its_line(
    tmp_path: Path, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    job = job_with(tmp_path, Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"))
    study = next(study for study in corpus.studies if study.modalities == ("MR",))
    files = [corpus.folder / one.path for one in study.instances]
    give(job, tmp_path, (study.patient_id, "SITE-7"))
    push(job, files)
    (request,) = plan_arrivals(job.zones, 0, keep_originals=False)
    (row,) = run_stages(job, request.batch)
    released = {path.relative_to(job.zones.released).parts[0] for path in job.zones.released.rglob("*.dcm")}
    assert released == {"SITE-7"}
    told = [(line.event, line.subject) for line in last_lines(job.zones)]
    assert ("mapping import", "1 pseudonyms that the site gives") in told
    assert ("mapping write", f"{request.batch}: {row.released} instances") in told
    release = told.index(("release", f"{request.batch}: {row.released} instances of 1 studies"))
    assert told[release + 1] == ("delete", f"raw and staging of {request.batch}: {len(files)} files")
    assert verify(job.zones) == []
    assert study.patient_id not in job.zones.audit_log.read_text()
