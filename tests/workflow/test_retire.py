"""Retention: what goes, what stays, and that a batch whose originals went can be run again and loses nothing by it."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.settings import RetentionSettings
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.ledger import StudyRow, latest_rows
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retire import Retirement, retire_batches
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.faulty_archive import HoldsBack
from tests.support.ports import free_port
from tests.support.site import snapshot

STAGES = (resolve_studies, retrieve_studies, deidentify_studies, map_batch, validate_and_release)
AFTER_30_DAYS = RetentionSettings(days=30, free=0)
NEVER_ENOUGH_ROOM = RetentionSettings(days=0, free=1 << 60)


@pytest.fixture
def job(tmp_path: Path, archive: EmbeddedArchive) -> Job:
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=(Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"),),
        profile=load_profile("basic"),
        key=PseudonymKey(bytes(range(32))),
        workers=1,
    )


def run(job: Job, batch: str) -> list[StudyRow]:
    for stage in STAGES:
        rows = stage(job, batch)
    return rows


def requested(job: Job, corpus: Corpus, *modalities: str) -> str:
    """A cohort batch of the first study of each modality alone."""
    studies = [next(study for study in corpus.studies if study.modalities == (one,)) for one in modalities]
    rows = [RequestRow(study_instance_uid=study.study_instance_uid) for study in studies]
    return create_request(job.zones, "cohort", "20260131", "", rows).batch


@pytest.fixture
def batch(job: Job, corpus: Corpus) -> str:
    """Two instances released, five quarantined."""
    batch = requested(job, corpus, "CR", "US")
    assert sorted((row.released, row.quarantined) for row in run(job, batch)) == [(0, 5), (2, 0)]
    return batch


def retired(job: Job, retention: RetentionSettings = AFTER_30_DAYS, *, days: float = 31, **more: object) -> Retirement:
    """days: how long after now it is called."""
    return retire_batches(job.zones, retention, time.time() + days * 86400, **more)


def contents(job: Job, area: str = "*") -> list[Path]:
    return [*job.zones.restricted.glob(f"{area}/**/*.dcm"), *job.zones.restricted.glob(f"{area}/**/*.part")]


def records(job: Job) -> dict[str, tuple]:
    """Everything but instances and the audit log."""
    kept = snapshot(job.zones.restricted) | {
        f"released/{name}": at for name, at in snapshot(job.zones.released).items()
    }
    return {
        name: at for name, at in kept.items()
        if name.startswith("released/") or not name.endswith((".dcm", ".part", "audit.jsonl"))
    }  # fmt: skip


def audited(job: Job) -> list[tuple[str, str]]:
    lines = job.zones.audit_log.read_text().splitlines() if job.zones.audit_log.exists() else []
    return [(line["event"], line["subject"]) for line in map(json.loads, lines)]


def test_when_its_time_is_up_the_originals_go_and_what_was_made_of_them_stays(job: Job, batch: str) -> None:
    study = next((job.zones.restricted / "staging" / batch).iterdir())
    (study / "0123456789abcdef.part").write_bytes(b"left by a killed process")
    before, sizes = records(job), {path: path.stat().st_size for path in contents(job)}
    assert len(sizes) == 7 + 5 + 1
    assert retired(job, days=29) == retired(job, replace(AFTER_30_DAYS, days=0)) == Retirement((), 0, False)
    assert audited(job) == []
    outcome = retired(job)
    assert contents(job) == []
    assert records(job) == before
    told = {one.area: (one.files, one.bytes) for one in outcome.retired}
    assert told == {
        area: (count, sum(size for path, size in sizes.items() if path.parts[-4] == area))
        for area, count in (("staging", 1), ("raw", 7), ("quarantine", 5))
    }
    assert audited(job) == [(f"retire {one.area}", str(one)) for one in outcome.retired]
    assert audited(job)[1][1] == f"{batch}: 7 files, {told['raw'][1]} bytes"
    assert retired(job) == Retirement((), 0, False)


def test_a_dry_run_says_what_would_go_and_changes_nothing(job: Job, batch: str) -> None:
    before = snapshot(job.zones.restricted, with_times=True)
    would = retired(job, dry_run=True)
    assert snapshot(job.zones.restricted, with_times=True) == before
    assert would == retired(job)
    assert would.retired


def test_what_has_not_come_to_its_end_is_not_touched(job: Job, corpus: Corpus) -> None:
    not_released = requested(job, corpus, "CR")
    for stage in STAGES[:-1]:
        stage(job, not_released)
    incomplete = requested(job, corpus, "MR")
    held = next(study for study in corpus.studies if study.modalities == ("MR",)).instances[0].sop_instance_uid
    with HoldsBack(corpus.folder, {held}) as archive:
        (row,) = run(replace(job, archives=(replace(job.archive, port=archive.port),)), incomplete)
    assert row.state == "incomplete"
    waiting = job.zones.incoming / "study" / "instance.dcm"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"arrived")
    before = snapshot(job.zones.restricted)
    assert retired(job).retired == retired(job, NEVER_ENOUGH_ROOM).retired == ()
    assert snapshot(job.zones.restricted) == before


def test_a_study_that_no_archive_has_keeps_nothing_back(job: Job, corpus: Corpus) -> None:
    found = next(study for study in corpus.studies if study.modalities == ("CR",)).study_instance_uid
    rows = [RequestRow(study_instance_uid=uid) for uid in (found, "1.2.3.4")]
    run(job, create_request(job.zones, "cohort", "20260131", "", rows).batch)
    assert retired(job).retired
    assert contents(job) == []


@pytest.mark.parametrize("suffix", ["", ".run"], ids=["in a stage", "in a command"])
def test_a_batch_that_is_worked_on_is_left_for_the_next_time(job: Job, batch: str, suffix: str) -> None:
    before = contents(job)
    with exclusive_lock(job.zones.lock(f"{batch}{suffix}")):
        assert retired(job) == Retirement((), 1, False)
    assert retired(job, in_work=lambda key: key == batch) == Retirement((), 1, False)
    assert contents(job) == before
    assert audited(job) == []
    assert retired(job).retired


def test_stopped_in_the_middle_it_goes_on_the_next_time(job: Job, batch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink, deleted = Path.unlink, []

    def stop_after_three(path: Path, missing_ok: bool = False) -> None:
        if len(deleted) == 3:
            raise KeyboardInterrupt
        unlink(path, missing_ok)
        deleted.append(path)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", stop_after_three)
        retired(job)
    assert [event for event, _ in audited(job)] == ["retire raw"]
    assert [(one.area, one.files) for one in retired(job).retired] == [("raw", 4), ("quarantine", 5)]
    assert contents(job) == []


def test_nothing_goes_without_its_line_in_the_audit_log(job: Job, batch: str) -> None:
    before = contents(job)
    job.zones.audit_log.mkdir()
    with pytest.raises(DicomAssetsError):
        retired(job)
    assert contents(job) == before


def test_where_room_is_short_originals_go_early_the_oldest_first_and_quarantine_stays(
    job: Job, batch: str, corpus: Corpus
) -> None:
    later = requested(job, corpus, "MR")
    run(job, later)
    assert retired(job, RetentionSettings(days=0, free=1), days=0) == Retirement((), 0, False)
    would = retired(job, NEVER_ENOUGH_ROOM, days=0, dry_run=True)
    outcome = retired(job, NEVER_ENOUGH_ROOM, days=0)
    assert would == outcome
    assert [(one.area, one.of) for one in outcome.retired] == [("raw", batch), ("raw", later)]
    assert outcome.is_short
    assert len(contents(job, "quarantine")) == 5
    assert contents(job, "raw") == contents(job, "staging") == []


def test_what_a_watched_folder_brought_goes_by_the_time_at_which_it_was_put_aside(job: Job) -> None:
    watched = job.zones.restricted / "quarantine" / "watched"
    watched.mkdir(parents=True)
    (watched / "ab12.zip").write_bytes(b"of 1999")
    (watched / "set_aside.parquet").write_bytes(b"its reason")
    os.utime(watched / "ab12.zip", (0, 0))
    assert retired(job, days=1).retired == ()
    (one,) = retired(job).retired
    assert (one.area, one.of, one.files, one.bytes) == ("quarantine", "watched", 1, 7)
    assert [path.name for path in watched.iterdir()] == ["set_aside.parquet"]


def test_run_again_a_batch_gets_its_originals_again_and_ends_as_it_was(job: Job, batch: str) -> None:
    rows, before = run(job, batch), records(job)
    retired(job)
    assert run(job, batch) == rows
    assert records(job) == before
    assert len(contents(job, "raw")) == 7
    assert [(one.area, one.files) for one in retired(job).retired] == [("raw", 7)]


def test_by_other_rules_a_batch_is_made_again_from_what_the_archive_sends_again(job: Job, batch: str) -> None:
    before = snapshot(job.zones.released)
    retired(job)
    rows = run(replace(job, profile=load_profile("research")), batch)
    assert sum(row.released for row in rows) == 2, rows
    after = snapshot(job.zones.released)
    assert not {digest for name, digest in before.items() if name.endswith(".dcm")} & set(after.values())


@pytest.fixture
def nobody(job: Job) -> Job:
    """The same site; its archive does not answer."""
    return replace(job, archives=(replace(job.archive, port=free_port()),))


def test_an_archive_that_does_not_answer_takes_nothing_back(job: Job, nobody: Job, batch: str) -> None:
    retired(job)
    before = records(job)
    with pytest.raises(RetryLater):
        run(nobody, batch)
    assert records(job) == before
    assert latest_rows(job.zones, batch)[0] == "validation_report"


def test_an_archive_that_has_less_of_it_by_now_takes_nothing_back(job: Job, batch: str, corpus: Corpus) -> None:
    retired(job)
    before = snapshot(job.zones.released)
    held = next(study for study in corpus.studies if study.modalities == ("CR",)).instances[0].sop_instance_uid
    for listed in (True, False):
        with HoldsBack(corpus.folder, {held}, listed=listed) as archive:
            poorer = replace(job, archives=(replace(job.archive, port=archive.port),))
            for _ in range(2):  # told twice, too
                with pytest.raises(DicomAssetsError):
                    run(poorer, batch)
        assert snapshot(job.zones.released) == before
    run(job, batch)
    assert snapshot(job.zones.released) == before


@pytest.mark.parametrize("stages", [STAGES[2:], STAGES[4:]], ids=["anonymized_dicom", "validation_report"])
def test_a_stage_that_misses_the_originals_takes_nothing_back(
    job: Job, batch: str, stages: tuple[Callable, ...]
) -> None:
    retired(job)
    before = snapshot(job.zones.released)
    with pytest.raises(DicomAssetsError) as missed:
        for stage in stages:
            stage(replace(job, profile=load_profile("research")), batch)
    assert missed.value.code == "ORIGINALS_DELETED"
    assert snapshot(job.zones.released) == before
