"""What was pushed to us: when it becomes a batch, what becomes of each instance, and where no original is left."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from dicom_assets.batches.request import load_request
from dicom_assets.demo.corpus import Corpus
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.incoming import waiting_studies
from dicom_assets.storage.ledger import sums_that_fail
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.mapping import MappedStudy, mapped_batches, read_part, read_parts, write_part
from dicom_assets.storage.set_aside import RECORD, SetAside
from dicom_assets.storage.tables import read_sealed
from dicom_assets.workflow import arrivals, deidentify, release
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.closing import is_closed, is_finished
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.parallel import Call
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.pushing import cut_short, job_at, last_byte_changed, push, run_stages
from tests.support.site import Site, snapshot


@pytest.fixture
def job(site: Site) -> Job:
    return job_at(site)


@pytest.fixture
def studies(corpus: Corpus) -> list[list[Path]]:
    """Files of each study whose instances can all be released, the largest first."""
    usable = [
        [corpus.folder / one.path for one in study.instances if one.modality in ("CT", "MR") and not one.shows_text]
        for study in corpus.studies
    ]
    return sorted((files for files in usable if len(files) > 2), key=lambda files: (-len(files), files))


def planned(job: Job, *, keep: bool = False, settle_seconds: float = 0) -> list[str]:
    requests = plan_arrivals(job.zones, settle_seconds, keep_originals=keep)
    return [request.batch for request in requests]


def originals(job: Job) -> Counter[str]:
    """Zone -> instances that lie there."""
    restricted = job.zones.restricted
    return Counter(path.relative_to(restricted).parts[0] for path in restricted.rglob("*.dcm"))


def released(job: Job) -> list[Path]:
    return sorted(job.zones.released.rglob("*.dcm"))


def give(job: Job, patient: str, pseudonym: str) -> None:
    """As a cohort batch has mapped this patient."""
    one = StagedInstance(
        raw_file="a.dcm", raw_sha256="0" * 64, reason="", file="b.dcm", released_path=f"{pseudonym}/s/e/b.dcm",
        sha256="1" * 64, modality="CT", sop_instance_uid="1.2", original_patient_id=patient,
        patient_pseudonym=pseudonym, tags=(), uids=(), uid_tags=(), profile_digest="", key_id=job.key.key_id,
    )  # fmt: skip
    write_part(job.zones, "cohort-20260131-001", [MappedStudy("s", (one,))])


def patients(job: Job) -> set[tuple[str, str]]:
    """Original and new ID of all that is mapped."""
    parts = read_parts(job.zones, mapped_batches(job.zones), ("Original Patient ID", "Anonymized ID"), why="a test")
    return {pair for _, part in parts for pair in zip(*part.values(), strict=True)}


def patient_of(path: Path) -> str:
    return pydicom.dcmread(path, stop_before_pixels=True).PatientID


def test_only_a_study_that_has_settled_becomes_a_batch(job: Job, studies: list[list[Path]]) -> None:
    first, second = studies[:2]
    push(job, first)
    long_ago = time.time() - 600
    (study,) = waiting_studies(job.zones.incoming)
    os.utime(study.folder, (long_ago, long_ago))
    push(job, second)

    (batch,) = planned(job, settle_seconds=300)

    assert batch.startswith("arrival-")
    assert len(load_request(job.zones, batch).rows) == 1
    assert [one.study_key for one in waiting_studies(job.zones.incoming)] != [study.study_key]
    assert planned(job, settle_seconds=300) == []


def test_what_arrived_is_released_and_its_originals_are_gone(job: Job, studies: list[list[Path]]) -> None:
    files = [path for study in studies[:2] for path in study]
    push(job, files)
    (batch,) = planned(job)
    rows = run_stages(job, batch)

    assert {row.state for row in rows} == {"done"}
    assert sum(row.released for row in rows) == len(files) == len(released(job))
    assert not any(sums_that_fail(row, "validation_report") for row in rows)
    assert originals(job) == Counter()
    assert is_closed(job.zones, batch) and is_finished(job.zones, batch)
    mapping = read_part(job.zones, batch, why="a test")
    assert sorted(mapping["Anonymized Filename"]) == sorted(
        str(path.relative_to(job.zones.released)) for path in released(job)
    )


def test_a_closed_batch_that_runs_again_changes_nothing(job: Job, studies: list[list[Path]], site: Site) -> None:
    push(job, studies[0])
    (batch,) = planned(job)
    rows = run_stages(job, batch)
    before = snapshot(site.folder, with_times=True)
    other_rules = job_at(site, DICOM_PROFILE="research")

    assert run_stages(job, batch) == rows == run_stages(other_rules, batch)
    assert snapshot(site.folder, with_times=True) == before


def test_kept_originals_stay_and_can_be_done_by_other_rules(job: Job, studies: list[list[Path]], site: Site) -> None:
    push(job, studies[0])
    (batch,) = planned(job, keep=True)
    run_stages(job, batch)
    assert originals(job)["raw"] == len(studies[0])
    assert is_finished(job.zones, batch) and not is_closed(job.zones, batch)

    before = snapshot(job.zones.released)
    (row,) = run_stages(job_at(site, DICOM_PROFILE="research"), batch)
    assert (row.reason, len(released(job))) == ("", len(studies[0]))
    assert snapshot(job.zones.released) != before


def test_a_late_instance_is_a_new_batch_under_the_same_pseudonyms(job: Job, studies: list[list[Path]]) -> None:
    *files, late = studies[0]
    push(job, files)
    (first,) = planned(job)
    push(job, [late])
    assert planned(job) == [], "the study's first batch is still in work"
    run_stages(job, first)
    (second,) = planned(job)
    run_stages(job, second)

    assert len(released(job)) == len(studies[0])
    assert len({path.relative_to(job.zones.released).parts[:2] for path in released(job)}) == 1


def test_instances_that_come_again_are_dropped(job: Job, studies: list[list[Path]]) -> None:
    push(job, [*studies[0], *studies[0]])
    (first,) = planned(job)
    run_stages(job, first)
    push(job, studies[0])
    (second,) = planned(job)
    (row,) = run_stages(job, second)

    assert (row.state, row.expected, row.received, row.released) == ("done", 0, 0, 0)
    assert originals(job) == Counter()
    parts = read_parts(job.zones, mapped_batches(job.zones), ["batch"], why="a test")
    mapped = [row for _, part in parts for row in part["batch"]]
    assert len(mapped) == len(released(job)) == len(studies[0])


def test_two_contents_of_one_instance_are_both_quarantined(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    push(job, studies[0][:1], last_byte_changed)
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)

    assert (row.state, row.reason) == ("quarantined", "INSTANCE_CONFLICT")
    assert (row.received, row.quarantined, row.released) == (len(studies[0]) + 1, 2, len(studies[0]) - 1)
    assert not sums_that_fail(row, "validation_report")
    assert originals(job) == Counter(quarantine=2)
    assert "INSTANCE_CONFLICT" in job.zones.report(batch, "json").read_text("utf-8")

    push(job, studies[0][:1])
    push(job, studies[0][:1], last_byte_changed)
    (again,) = planned(job)
    (row,) = run_stages(job, again)
    assert (row.state, row.received) == ("done", 0), "both lie before a reviewer already"
    assert originals(job) == Counter(quarantine=2)


def test_late_other_content_is_quarantined_and_what_is_released_stays(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    (first,) = planned(job)
    run_stages(job, first)
    before = snapshot(job.zones.released / "reports"), released(job)
    push(job, studies[0][:1], last_byte_changed)
    (second,) = planned(job)
    (row,) = run_stages(job, second)

    assert (row.state, row.reason, row.quarantined) == ("quarantined", "INSTANCE_CONFLICT", 1)
    assert released(job) == before[1]
    assert originals(job) == Counter(quarantine=1)


def test_a_late_instance_of_another_patient_is_quarantined(job: Job, studies: list[list[Path]]) -> None:
    *files, late = studies[0]
    push(job, files)
    (first,) = planned(job)
    run_stages(job, first)
    patient = pydicom.dcmread(late).PatientID.encode()
    push(job, [late], lambda data: data.replace(patient, patient[:-1] + b"x"))
    (second,) = planned(job)
    (row,) = run_stages(job, second)

    assert (row.state, row.reason, row.quarantined) == ("quarantined", "TWO_PATIENTS_IN_STUDY", 1)
    assert len(released(job)) == len(files)


def test_a_report_claims_no_more_than_its_senders_said(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    (batch,) = planned(job)
    run_stages(job, batch)
    page = job.zones.report(batch, "html").read_text("utf-8")
    assert "no sender has said" in page and "Complete and clean" not in page and "From arrival to release" in page

    push(job, studies[0])
    (batch,) = planned(job)
    run_stages(job, batch)
    assert "Nothing new" in job.zones.report(batch, "html").read_text("utf-8")


def test_a_worker_that_dies_is_tried_again_before_its_study_goes_into_quarantine(
    job: Job, studies: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    push(job, studies[0])
    (batch,) = planned(job)
    with monkeypatch.context() as patch:
        patch.setattr(deidentify, "deidentify_study", _die)
        (row,) = run_stages(job, batch)
        assert (row.state, row.reason) == ("failed", "WORKER_CRASHED")
        assert not is_finished(job.zones, batch) and originals(job) == Counter(raw=len(studies[0]))
        run_stages(job, batch)
    assert is_finished(job.zones, batch) and originals(job) == Counter(quarantine=len(studies[0]))

    push(job, studies[1])
    (batch,) = planned(job)
    with monkeypatch.context() as patch:
        patch.setattr(deidentify, "deidentify_study", _die)
        run_stages(job, batch)
    (row,) = run_stages(job, batch)
    assert (row.state, row.released) == ("done", len(studies[1]))


def _die(task: object) -> Iterator[list[Call]]:
    yield [Call(os._exit, 1)]


def test_a_file_that_ends_too_early_is_quarantined(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0][:2])
    push(job, studies[0][2:3], cut_short)
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)

    assert (row.state, row.reason, row.received, row.released) == ("quarantined", "INSTANCE_CUT_SHORT", 3, 2)
    (record,) = read_sealed(job.zones.quarantine(batch, row.study_key) / RECORD, SetAside)
    assert record.reason == "INSTANCE_CUT_SHORT"


def test_what_is_withheld_goes_into_quarantine_with_its_reason(job: Job, studies: list[list[Path]], site: Site) -> None:
    push(job, studies[0])
    (batch,) = planned(job, keep=True)
    run_stages(job, batch)
    victim = released(job)[0]
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    push(job, studies[0])
    elsewhere = Site(site.folder / "elsewhere", {"DICOM_RELEASED_ROOT": str(job.zones.released)})
    elsewhere.folder.mkdir()
    key = elsewhere.folder / "keys" / "pseudonym.key"
    key.parent.mkdir(mode=0o700)
    key.write_bytes((site.folder / "keys" / "pseudonym.key").read_bytes())
    key.chmod(0o600)
    other = job_at(elsewhere)
    push(other, studies[0])
    (batch,) = planned(other)
    (row,) = run_stages(other, batch)

    assert (row.withheld, row.reason) == (1, "RELEASED_COPY_DIFFERS")
    (kept,) = other.zones.quarantine(batch, row.study_key).glob("*.dcm")
    (record,) = read_sealed(manifest_of(kept.parent), StagedInstance)
    assert (record.raw_file, record.reason) == (kept.name, "RELEASED_COPY_DIFFERS")
    assert originals(other) == Counter(quarantine=1)


def test_a_batch_whose_request_was_not_written_gets_it_at_the_next_look(
    job: Job, studies: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    push(job, studies[0])
    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "write_request", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            planned(job)
    assert originals(job) == Counter(raw=len(studies[0]))

    (batch,) = planned(job)
    (row,) = run_stages(job, batch)
    assert row.released == len(studies[0])


def test_what_a_killed_worker_left_unfinished_is_cleared_away(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    (batch,) = planned(job)
    (study,) = job.zones.raw_batch(batch).iterdir()
    left = [study / "0123.part", job.zones.ledger(batch, "x").with_name("4567.part")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half a table")
    run_stages(job, batch)
    assert not any(path.exists() for path in left)


def test_a_batch_has_so_many_studies_at_most(
    job: Job, studies: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "STUDIES_A_BATCH", 2)
    for files in studies[:3]:
        push(job, files[:1])
    assert [len(load_request(job.zones, batch).rows) for batch in planned(job)] == [2, 1]


def test_a_study_whose_sender_has_counted_need_not_settle(job: Job, studies: list[list[Path]], site: Site) -> None:
    from dicom_assets.storage.incoming import Incoming

    (one, *_) = push(job, studies[0])
    incoming = Incoming(job.zones.incoming, job.key.study_key, job.key.file_name, reserve=0)
    incoming.declare_complete(one.study_key, len(studies[0]) + 1)
    assert planned(job, settle_seconds=300) == []
    incoming.declare_complete(one.study_key, len(studies[0]))
    (batch,) = planned(job, settle_seconds=300)
    (row,) = run_stages(job, batch)
    assert (row.state, row.proved_by) == ("done", "SENDER")
    assert "Complete and clean" in job.zones.report(batch, "html").read_text("utf-8")


def test_an_operator_plans_what_waits_and_runs_it(site: Site, job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    waiting = site.run("plan", "--arrivals")
    assert (waiting.returncode, waiting.stdout) == (0, "") and "not settled" in waiting.stderr
    site.variables["DICOM_ARRIVAL_SETTLE_SECONDS"] = "0"
    batch = site.run("plan", "--arrivals").stdout.strip()
    done = site.run("run", batch)
    assert done.returncode == 0, done.stderr
    assert len(released(job)) == len(studies[0]) == originals(job)["raw"]


def test_a_time_that_is_long_to_come_does_not_keep_a_study_waiting(job: Job, studies: list[list[Path]]) -> None:
    push(job, studies[0])
    (study,) = waiting_studies(job.zones.incoming)
    to_come = time.time() + 86400
    os.utime(study.folder, (to_come, to_come))
    assert len(planned(job, settle_seconds=300)) == 1


def test_what_is_released_and_comes_again_after_other_content_is_dropped(job: Job, studies: list[list[Path]]) -> None:
    for change in (lambda data: data, last_byte_changed, lambda data: data):
        push(job, studies[0][:1], change)
        (batch,) = planned(job)
        run_stages(job, batch)
    assert (len(released(job)), originals(job)) == (1, Counter(quarantine=1))


def test_a_damaged_file_that_comes_again_lies_in_quarantine_once(job: Job, studies: list[list[Path]]) -> None:
    for _ in range(2):
        push(job, studies[0][:1], cut_short)
        (batch,) = planned(job)
        (row,) = run_stages(job, batch)
        assert not sums_that_fail(row, "validation_report")
    assert originals(job) == Counter(quarantine=1)


@pytest.mark.parametrize(("pixels", "state"), [(b"", "done"), (b"\1", "quarantined")])
def test_other_pixels_in_another_transfer_syntax_are_a_conflict(
    job: Job, studies: list[list[Path]], tmp_path: Path, pixels: bytes, state: str
) -> None:
    paths = []
    for syntax, change in (("1.2.840.10008.1.2.1", b""), ("1.2.840.10008.1.2", pixels)):
        data = pydicom.dcmread(studies[0][0])
        data.remove_private_tags()  # implicit VR does not tell their VRs
        data.PixelData = change + data.PixelData[len(change) :]
        data.file_meta.TransferSyntaxUID = syntax
        paths.append(tmp_path / f"{syntax}.dcm")
        data.save_as(paths[-1], enforce_file_format=True)
    push(job, paths)
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)
    assert (row.state, row.quarantined, len(released(job))) == (state, 2 * bool(pixels), 1 - bool(pixels))


def test_a_file_with_a_second_study_does_not_take_the_others_with_it(job: Job, studies: list[list[Path]]) -> None:
    def strange(data: bytes) -> bytes:
        rows = data.index(b"\x28\0\x10\0US")
        return data[:rows] + b"\x20\0\x0d\0UI\x04\0" + b"1.2\0" + data[rows:]

    for path in studies[0]:  # whichever is the first by name
        push(job, [path], strange)
        push(job, [path])
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)
    assert row.received == row.quarantined + row.released == 2 * len(studies[0])
    assert (row.released, originals(job)) == (len(studies[0]), Counter(quarantine=len(studies[0])))


def test_the_pseudonym_of_another_patient_whom_a_disputed_file_names_is_not_given(
    job: Job, studies: list[list[Path]]
) -> None:
    files = sorted(studies[0], key=lambda path: job.key.file_name(pydicom.dcmread(path).SOPInstanceUID))
    patient = patient_of(files[0])
    other = patient[:-1] + "x"
    give(job, other, "SITE-001")
    push(job, files)
    push(job, files[:1], lambda data: data.replace(patient.encode(), other.encode()))
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)

    assert (row.reason, row.released) == ("PATIENT_PSEUDONYM_CONFLICT", 0)
    assert patients(job) == {(other, "SITE-001")}
    assert originals(job) == Counter(quarantine=len(files) + 1)
    assert not sums_that_fail(row, "validation_report")


def test_a_pseudonym_that_a_cohort_gives_meanwhile_keeps_the_study_from_its_release(
    job: Job, studies: list[list[Path]]
) -> None:
    push(job, studies[0])
    (batch,) = planned(job)
    for stage in (resolve_studies, retrieve_studies, deidentify_studies):
        stage(job, batch)
    give(job, patient_of(studies[0][0]), "SITE-001")
    map_batch(job, batch)
    (row,) = validate_and_release(job, batch)

    assert (row.reason, row.withheld) == ("PATIENT_PSEUDONYM_CONFLICT", len(studies[0]))
    assert patients(job) == {(patient_of(studies[0][0]), "SITE-001")}
    assert originals(job) == Counter(quarantine=len(studies[0]))


def test_a_refused_study_is_counted_as_what_came_and_lies_in_quarantine(job: Job, studies: list[list[Path]]) -> None:
    give(job, "another", job.key.patient(patient_of(studies[0][0]).encode()))
    push(job, studies[0])
    (batch,) = planned(job)
    (row,) = run_stages(job, batch)

    count = len(studies[0])
    assert row.reason == "PATIENT_PSEUDONYM_CONFLICT" and not sums_that_fail(row, "validation_report")
    assert (row.expected, row.received, row.missing, row.quarantined) == (count, count, 0, count)
    assert originals(job) == Counter(quarantine=count)
    page = job.zones.report(batch, "html").read_text("utf-8")
    assert "PATIENT_PSEUDONYM_CONFLICT" in page


def test_what_another_batch_releases_after_the_proof_is_not_overwritten(
    job: Job, studies: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    push(job, studies[0][:1])
    (batch,) = planned(job)
    for stage in (resolve_studies, retrieve_studies, deidentify_studies, map_batch):
        stage(job, batch)
    (staged,) = (job.zones.restricted / "staging" / batch).glob("*/*.dcm")
    (row,) = read_sealed(manifest_of(staged.parent), StagedInstance)
    target, content = job.zones.released / row.released_path, last_byte_changed(staged.read_bytes())
    proved, validate, rows = threading.Event(), release._validate, []

    def validated(*arguments: object) -> tuple:
        verdicts = validate(*arguments)
        proved.set()
        return verdicts

    monkeypatch.setattr(release, "_validate", validated)
    with exclusive_lock(job.zones.lock("release")):  # as the other batch holds it
        running = threading.Thread(target=lambda: rows.extend(validate_and_release(job, batch)))
        running.start()
        assert proved.wait(120)
        target.parent.mkdir(parents=True)
        target.write_bytes(content)
    running.join(120)

    assert [(row.withheld, row.reason) for row in rows] == [(1, "RELEASED_COPY_DIFFERS")]
    assert target.read_bytes() == content
    assert originals(job) == Counter(quarantine=1)
