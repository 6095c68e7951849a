"""Retention: what goes, what stays, and that a batch whose originals went can be run again and loses nothing by it."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request, list_batches
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus, DemoStudy
from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.settings import RetentionSettings
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.ledger import latest_rows
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.tables import read_sealed
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.closing import is_closed, is_finished
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retire import Retirement, retire_batches
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.faulty_archive import HoldsBack
from tests.support.one_key import zones_at
from tests.support.ports import free_port
from tests.support.pushing import push, run_stages
from tests.support.site import keeping_text_back, snapshot
from tests.support.small_disk import needs_small_disk, small_disk

STAGES = (resolve_studies, retrieve_studies, deidentify_studies, map_batch, validate_and_release)
AFTER_30_DAYS = RetentionSettings(days=30, free=0)
NEVER_ENOUGH_ROOM = RetentionSettings(days=0, free=1 << 60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, archive: EmbeddedArchive, corpus: Corpus) -> Job:
    """A site with one batch that has come to its end: two instances released, five quarantined."""
    folder = tmp_path_factory.mktemp("made")
    job = Job(
        zones=zones_at(folder),
        archives=(Archive("127.0.0.1", archive.port, "DEMO_ARCHIVE", "DICOM_ASSETS", "get"),),
        profile=load_profile(str(keeping_text_back(folder))),
        key=PseudonymKey(bytes(range(32))),
        workers=1,
    )
    rows = run_stages(job, requested(job, corpus, "CR", "US"))
    assert sorted((row.released, row.quarantined) for row in rows) == [(0, 5), (2, 0)]
    return job


@pytest.fixture
def job(made: Job, tmp_path: Path) -> Job:
    """A copy of that site."""
    zones = zones_at(tmp_path)
    shutil.copytree(made.zones.restricted, zones.restricted)
    shutil.copytree(made.zones.released, zones.released)
    return replace(made, zones=zones)


@pytest.fixture
def empty(made: Job, tmp_path: Path) -> Job:
    """A site without a batch."""
    return replace(made, zones=zones_at(tmp_path / "empty"))


@pytest.fixture
def batch(job: Job) -> str:
    (batch,) = list_batches(job.zones)
    return batch


@pytest.fixture
def nobody(job: Job) -> Job:
    """The same site; its archive does not answer."""
    return replace(job, archives=(replace(job.archive, port=free_port()),))


def requested(job: Job, corpus: Corpus, *modalities: str) -> str:
    """A cohort batch of the first study of each modality alone."""
    studies = [study_of(corpus, one) for one in modalities]
    rows = [RequestRow(study_instance_uid=study.study_instance_uid) for study in studies]
    return create_request(job.zones, "cohort", "20260131", "", rows).batch


def study_of(corpus: Corpus, modality: str) -> DemoStudy:
    return next(study for study in corpus.studies if study.modalities == (modality,))


def arrived(job: Job, corpus: Corpus, *modalities: str) -> str:
    """An arrival batch of such studies that has come to its end, originals kept."""
    push(job, [corpus.folder / one.path for modality in modalities for one in study_of(corpus, modality).instances])
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    run_stages(job, request.batch)
    return request.batch


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


def audited(job: Job) -> list[str]:
    """Subjects of the deletions that retention has told of."""
    lines = job.zones.audit_log.read_text().splitlines() if job.zones.audit_log.exists() else []
    return [line["subject"] for line in map(json.loads, lines) if line["why"] == "retention"]


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
    assert audited(job) == [f"{one.area} of {one}" for one in outcome.retired]
    assert audited(job)[1] == f"raw of {batch}: 7 files, {told['raw'][1]} bytes"
    assert retired(job) == Retirement((), 0, False)


def test_a_dry_run_says_what_would_go_and_changes_nothing(job: Job, batch: str) -> None:
    before = snapshot(job.zones.restricted, with_times=True)
    would = retired(job, dry_run=True)
    assert snapshot(job.zones.restricted, with_times=True) == before
    assert would == retired(job)
    assert would.retired


def test_what_has_not_come_to_its_end_is_not_touched(empty: Job, corpus: Corpus) -> None:
    not_released = requested(empty, corpus, "CR")
    for stage in STAGES[:-1]:
        stage(empty, not_released)
    incomplete = requested(empty, corpus, "MR")
    held = study_of(corpus, "MR").instances[0].sop_instance_uid
    with HoldsBack(corpus.folder, {held}) as archive:
        (row,) = run_stages(replace(empty, archives=(replace(empty.archive, port=archive.port),)), incomplete)
    assert row.state == "incomplete"
    waiting = empty.zones.incoming / "study" / "instance.dcm"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"arrived")
    before = snapshot(empty.zones.restricted)
    assert retired(empty).retired == retired(empty, NEVER_ENOUGH_ROOM).retired == ()
    assert snapshot(empty.zones.restricted) == before


def test_a_study_that_no_archive_has_keeps_nothing_back(empty: Job, corpus: Corpus) -> None:
    found = study_of(corpus, "CR").study_instance_uid
    rows = [RequestRow(study_instance_uid=uid) for uid in (found, "1.2.3.4")]
    run_stages(empty, create_request(empty.zones, "cohort", "20260131", "", rows).batch)
    assert retired(empty).retired
    assert contents(empty) == []


@pytest.mark.parametrize("suffix", ["", ".run"], ids=["in a stage", "in a command"])
def test_a_batch_that_is_worked_on_is_left_for_the_next_time(job: Job, batch: str, suffix: str) -> None:
    before = contents(job)
    with exclusive_lock(job.zones.lock(f"{batch}{suffix}")):
        assert retired(job) == Retirement((), 1, False)
    assert retired(job, in_work=lambda key: key == batch) == Retirement((), 1, False)
    assert contents(job) == before
    assert audited(job) == []
    assert retired(job).retired


def test_stopped_in_the_middle_it_goes_on_the_next_time(job: Job, batch: str) -> None:
    with stopped_after(3, "raw"):
        retired(job)
    assert [subject.split()[0] for subject in audited(job)] == ["raw"]
    assert [(one.area, one.files) for one in retired(job).retired] == [("raw", 4), ("quarantine", 5)]
    assert contents(job) == []


@contextmanager
def stopped_after(count: int, area: str) -> Iterator[None]:
    """The program ends when it is about to delete one file more of the area than count."""
    unlink, deleted = Path.unlink, []

    def stop(path: Path, missing_ok: bool = False) -> None:
        if f"/restricted/{area}/" in str(path):
            if len(deleted) == count:
                raise KeyboardInterrupt
            deleted.append(path)
        unlink(path, missing_ok)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", stop)
        yield


def test_nothing_goes_without_its_line_in_the_audit_log(job: Job, batch: str) -> None:
    before = contents(job)
    job.zones.audit_log.unlink(missing_ok=True)
    job.zones.audit_log.mkdir()
    with pytest.raises(DicomAssetsError):
        retired(job)
    assert contents(job) == before


def test_where_room_is_short_originals_go_early_the_oldest_first_and_quarantine_stays(
    job: Job, batch: str, corpus: Corpus
) -> None:
    later = requested(job, corpus, "MR")
    run_stages(job, later)
    assert retired(job, RetentionSettings(days=0, free=1), days=0) == Retirement((), 0, False)
    would = retired(job, NEVER_ENOUGH_ROOM, days=0, dry_run=True)
    outcome = retired(job, NEVER_ENOUGH_ROOM, days=0)
    assert would == outcome
    assert [(one.area, one.of) for one in outcome.retired] == [("raw", batch), ("raw", later)]
    assert outcome.is_short
    assert len(contents(job, "quarantine")) == 5
    assert contents(job, "raw") == contents(job, "staging") == []


def test_what_a_watched_folder_brought_goes_by_the_time_at_which_it_was_put_aside(empty: Job) -> None:
    watched = empty.zones.restricted / "quarantine" / "watched"
    watched.mkdir(parents=True)
    (watched / "ab12.zip").write_bytes(b"of 1999")
    (watched / "set_aside.parquet").write_bytes(b"its reason")
    os.utime(watched / "ab12.zip", (0, 0))
    assert retired(empty, days=1).retired == ()
    (one,) = retired(empty).retired
    assert (one.area, one.of, one.files, one.bytes) == ("quarantine", "watched", 1, 7)
    assert [path.name for path in watched.iterdir()] == ["set_aside.parquet"]


def test_run_again_a_batch_gets_its_originals_again_and_ends_as_it_was(job: Job, batch: str) -> None:
    rows, before = run_stages(job, batch), records(job)
    retired(job)
    assert run_stages(job, batch) == rows
    assert records(job) == before
    assert len(contents(job, "raw")) == 7
    assert [(one.area, one.files) for one in retired(job).retired] == [("raw", 7)]


def test_by_other_rules_a_batch_is_made_again_from_what_the_archive_sends_again(
    job: Job, batch: str, tmp_path: Path
) -> None:
    before = snapshot(job.zones.released)
    retired(job)
    other = load_profile(str(keeping_text_back(tmp_path, "hipaa-safe-harbor")))
    rows = run_stages(replace(job, profile=other), batch)
    assert sum(row.released for row in rows) == 2, rows
    after = snapshot(job.zones.released)
    assert not {digest for name, digest in before.items() if name.endswith(".dcm")} & set(after.values())


def test_an_archive_that_does_not_answer_takes_nothing_back(job: Job, nobody: Job, batch: str) -> None:
    retired(job)
    before = records(job)
    with pytest.raises(RetryLater):
        run_stages(nobody, batch)
    assert records(job) == before
    assert latest_rows(job.zones, batch)[0] == "validation_report"


def test_an_archive_that_has_less_of_it_by_now_takes_nothing_back(job: Job, batch: str, corpus: Corpus) -> None:
    retired(job)
    before = snapshot(job.zones.released)
    held = study_of(corpus, "CR").instances[0].sop_instance_uid
    for listed in (True, False):
        with HoldsBack(corpus.folder, {held}, listed=listed) as archive:
            poorer = replace(job, archives=(replace(job.archive, port=archive.port),))
            for _ in range(2):  # told twice, too
                with pytest.raises(DicomAssetsError):
                    run_stages(poorer, batch)
        assert snapshot(job.zones.released) == before
    run_stages(job, batch)
    assert snapshot(job.zones.released) == before


@pytest.mark.parametrize("stages", [STAGES[2:], STAGES[4:]], ids=["anonymized_dicom", "validation_report"])
def test_a_stage_that_misses_the_originals_takes_nothing_back(
    job: Job, batch: str, stages: tuple[Callable, ...]
) -> None:
    retired(job)
    before = snapshot(job.zones.released)
    with pytest.raises(DicomAssetsError) as missed:
        for stage in stages:
            stage(replace(job, profile=load_profile("hipaa-safe-harbor")), batch)
    assert missed.value.code == "ORIGINALS_DELETED"
    assert snapshot(job.zones.released) == before


def test_an_arrivals_originals_go_and_its_batch_is_closed(job: Job, nobody: Job, corpus: Corpus) -> None:
    batch = arrived(nobody, corpus, "MR", "US")
    released, rows = snapshot(job.zones.released), latest_rows(job.zones, batch)
    assert len(contents(job, f"raw/{batch}")) == 12
    (job.zones.raw(batch, rows[1][0].study_key) / "0123456789abcdef.part").write_bytes(b"left by a killed process")
    retired(job, NEVER_ENOUGH_ROOM)
    assert contents(job, f"raw/{batch}") == []
    assert len(contents(job, f"quarantine/{batch}")) == 5  # the only ones there are
    assert is_finished(job.zones, batch)
    run_stages(nobody, batch)
    assert (snapshot(job.zones.released), latest_rows(job.zones, batch)) == (released, rows)
    retired(job)
    assert contents(job, f"quarantine/{batch}") == []
    run_stages(nobody, batch)
    assert (snapshot(job.zones.released), latest_rows(job.zones, batch)) == (released, rows)


def test_a_closing_that_was_cut_off_is_finished_the_next_time(job: Job, corpus: Corpus) -> None:
    batch = arrived(job, corpus, "MR", "US")
    with stopped_after(2, f"raw/{batch}"):
        retired(job, NEVER_ENOUGH_ROOM)
    assert is_closed(job.zones, batch) and not is_finished(job.zones, batch)
    retired(job, NEVER_ENOUGH_ROOM)
    assert is_finished(job.zones, batch)
    assert contents(job, f"raw/{batch}") == []
    kept = contents(job, f"quarantine/{batch}")
    rows = read_sealed(manifest_of(kept[0].parent), StagedInstance)
    assert len(kept) == 5
    assert {row.raw_file: row.reason for row in rows} == {path.name: "TEXT_IN_PIXELS_LIKELY" for path in kept}
    job.zones.closed(batch).write_bytes(b"closing")  # all deleted, and killed before that was written down
    retired(job, NEVER_ENOUGH_ROOM)
    assert is_finished(job.zones, batch)


@needs_small_disk()
def test_no_more_goes_than_is_needed_to_make_room(job: Job, batch: str, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk:
        shutil.copytree(job.zones.restricted, disk.folder / "restricted")
        job = replace(job, zones=replace(zones_at(disk.folder), released=job.zones.released))
        run_stages(job, requested(job, corpus, "MR"))
        outcome = retired(job, RetentionSettings(days=0, free=disk.free.bytes + 1))
        assert [one.of for one in outcome.retired] == [batch]
        assert not outcome.is_short
