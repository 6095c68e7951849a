"""What a reviewer decides of quarantine: by whichever way an original came there, and killed anywhere on the way."""

import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus, DemoStudy
from dicom_assets.errors import BadInput, Refused
from dicom_assets.storage import decisions
from dicom_assets.storage.atomic import exclusive_lock, sha256
from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.ledger import StudyRow, sums_that_fail
from dicom_assets.storage.set_aside import CONFLICT, CUT_SHORT
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.review import Decided, check, decide
from dicom_assets.workflow.review_items import WATCHED, Item, items, refusal_to_release
from tests.support.faulty import FaultyArchive, sending
from tests.support.pushing import cut_short, job_at, last_byte_changed, push, run_stages
from tests.support.site import Site, snapshot

WHY = "no text to be seen"


@pytest.fixture
def site(site: Site) -> Site:
    site.keep_back_text()
    return site


@pytest.fixture
def job(site: Site) -> Job:
    return job_at(site)


def study_of(corpus: Corpus, modality: str) -> DemoStudy:
    return next(study for study in corpus.studies if study.modalities == (modality,) and len(study.instances) > 1)


def files_of(corpus: Corpus, modality: str) -> list[Path]:
    return [corpus.folder / one.path for one in study_of(corpus, modality).instances]


def arrive(job: Job, files: list[Path], *, keep: bool = False, change: Callable[[bytes], bytes] = bytes) -> str:
    push(job, files, change)
    return plan(job, keep=keep)


def plan(job: Job, *, keep: bool = False) -> str:
    (request,) = plan_arrivals(job.zones, 0, keep_originals=keep)
    return request.batch


def from_archive(site: Site, archive: EmbeddedArchive, study: DemoStudy) -> tuple[Job, str]:
    """A job at a site that has this archive, and the batch of the study, run."""
    site.use(archive.port, archive.ae_title, DICOM_PACS_RETRIEVE="get")
    job = job_at(site)
    row = RequestRow(study_instance_uid=study.study_instance_uid)
    batch = create_request(job.zones, "cohort", "20260131", "", [row]).batch
    run_stages(job, batch)
    return job, batch


def again(job: Job, batch: str) -> list[StudyRow]:
    """`run BATCH --from anonymized_dicom`."""
    deidentify_studies(job, batch)
    map_batch(job, batch)
    return validate_and_release(job, batch)


def waiting(job: Job) -> list[Item]:
    return list(items(job.zones))


def released(job: Job) -> list[Path]:
    return sorted(job.zones.released.rglob("*.dcm"))


def originals(job: Job) -> Counter[str]:
    restricted = job.zones.restricted
    return Counter(path.relative_to(restricted).parts[0] for path in restricted.rglob("*.dcm"))


def audited(job: Job) -> list[tuple[str, str, str]]:
    return [(line.event, line.subject, line.why) for line in last_lines(job.zones) if line.event.startswith("review")]


def adds_up(rows: list[StudyRow]) -> bool:
    return not any(sums_that_fail(row, "validation_report") for row in rows)


def test_an_image_that_was_looked_at_passes_triage_and_all_checks(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    study = study_of(corpus, "US")
    job, batch = from_archive(site, archive, study)
    first, *others = waiting(job)
    assert {one.reason for one in (first, *others)} == {"TEXT_IN_PIXELS_LIKELY"}
    done = decide(job.zones, "release", first.name, WHY)
    assert done == Decided(first.name, run=(batch, "--from", "anonymized_dicom"))
    assert not released(job), "the decision alone releases nothing"

    (row,) = again(job, batch)
    assert (row.released, row.quarantined) == (1, len(others))
    assert adds_up([row])
    assert waiting(job) == others
    (file,) = released(job)
    header = pydicom.dcmread(file)
    assert header.PatientIdentityRemoved == "YES" and header.SOPInstanceUID != first.sop_instance_uid
    report = json.loads(job.zones.report(batch, "json").read_bytes())
    assert "RELEASED_AFTER_REVIEW" in json.dumps(report)
    assert audited(job) == [("review release", f"{first.name} TEXT_IN_PIXELS_LIKELY", WHY)]

    before = snapshot(site.folder, with_times=True)
    again(job, batch)
    assert snapshot(site.folder, with_times=True) == before, "nothing is left to do"
    assert decide(job.zones, "release", first.name, WHY).before == "release"


def test_a_decision_is_taken_back_as_long_as_the_original_is_there(job: Job, corpus: Corpus) -> None:
    batch = arrive(job, files_of(corpus, "US"), keep=True)
    run_stages(job, batch)
    first = waiting(job)[0]
    for verdict, count in (("release", 1), ("discard", 0), ("release", 1)):
        done = decide(job.zones, verdict, first.name, f"{verdict}, on second thoughts")
        assert done == Decided(first.name, run=(batch, "--from", "anonymized_dicom"))
        (row,) = again(job, batch)
        assert row.released == len(released(job)) == count
        assert adds_up([row])
        assert first not in waiting(job)
    assert [(event, why) for event, _, why in audited(job)] == [
        (f"review {verdict}", f"{verdict}, on second thoughts") for verdict in ("release", "discard", "release")
    ]
    for file in job.zones.raw(batch, first.study_key).glob("*.dcm"):
        file.unlink()
    with pytest.raises(Refused, match="REVIEW_DECIDED_OTHERWISE"):
        decide(job.zones, "discard", first.name, WHY)
    assert len(audited(job)) == 3


def test_a_waiver_for_another_reason_waives_nothing(job: Job, corpus: Corpus) -> None:
    batch = arrive(job, files_of(corpus, "US"), keep=True)
    run_stages(job, batch)
    first = waiting(job)[0]
    other = decisions.decision(first.name, sha256(first.file), "PIXELS_NEED_REVIEW", "release", WHY)
    decisions.add_decisions(job.zones, first.study_key, [other])
    (row,) = again(job, batch)
    assert (row.released, row.reason) == (0, "TEXT_IN_PIXELS_LIKELY")
    assert first in waiting(job)


def test_an_arrival_whose_original_lies_in_quarantine_alone_comes_in_again(job: Job, corpus: Corpus) -> None:
    files = files_of(corpus, "US")
    run_stages(job, arrive(job, files))
    assert originals(job) == Counter(quarantine=len(files))
    first = waiting(job)[0]
    assert decide(job.zones, "release", first.name, WHY) == Decided(first.name, to_incoming=True)
    assert originals(job) == Counter(quarantine=len(files) - 1, incoming=1)

    (row,) = run_stages(job, plan(job))
    assert (row.state, row.received, row.released) == ("done", 1, 1)
    assert originals(job) == Counter(quarantine=len(files) - 1)
    assert len(released(job)) == 1

    push(job, files)  # all of them are known by now
    (row,) = run_stages(job, plan(job))
    assert (row.received, row.released) == (0, 0)
    assert len(released(job)) == 1 and len(waiting(job)) == len(files) - 1


def test_as_long_as_it_waits_in_incoming_a_release_is_taken_back(job: Job, corpus: Corpus) -> None:
    run_stages(job, arrive(job, files_of(corpus, "US")))
    first = waiting(job)[0]
    decide(job.zones, "release", first.name, WHY)
    assert decide(job.zones, "discard", first.name, "a name after all") == Decided(first.name, to_incoming=True)
    (row,) = run_stages(job, plan(job))
    assert (row.received, row.released) == (0, 0), "it counts in the batch that kept it back"
    assert not released(job)
    assert originals(job) == Counter(quarantine=len(files_of(corpus, "US")) - 1)
    with pytest.raises(Refused, match="REVIEW_DECIDED_OTHERWISE"):
        check(job.zones, "release", first.name)


def test_of_two_contents_that_were_pushed_one_is_chosen_and_the_other_gone(job: Job, corpus: Corpus) -> None:
    files = files_of(corpus, "MR")
    push(job, files)
    run_stages(job, arrive(job, files[:1], change=last_byte_changed))
    item, other = waiting(job)
    done = decide(job.zones, "release", item.name, WHY)
    assert done == Decided(item.name, to_incoming=True, also=(other.name,))
    assert originals(job) == Counter(incoming=1)
    (row,) = run_stages(job, plan(job))
    assert (row.state, row.released) == ("done", 1)
    assert len(released(job)) == len(files)
    assert [event for event, *_ in audited(job)] == ["review release", "review discard"]

    push(job, files[:1])
    push(job, files[:1], last_byte_changed)
    (row,) = run_stages(job, plan(job))
    assert (row.received, row.quarantined) == (0, 0), "the one is released, the other was said to be wrong"
    assert not waiting(job)


def test_what_is_released_gives_way_to_no_other_content(job: Job, corpus: Corpus) -> None:
    files = files_of(corpus, "MR")
    run_stages(job, arrive(job, files))
    run_stages(job, arrive(job, files[:1], change=last_byte_changed))
    (item,) = waiting(job)
    with pytest.raises(Refused, match="REVIEW_OTHER_HELD"):
        decide(job.zones, "release", item.name, WHY)
    assert waiting(job) == [item] and not audited(job)


@pytest.mark.parametrize("chosen", ["the first", "the other"])
def test_of_two_contents_that_an_archive_sent_one_is_chosen(site: Site, corpus: Corpus, chosen: str) -> None:
    study = study_of(corpus, "MR")
    with FaultyArchive(corpus.folder, sending.SendsOtherContentToo) as archive:
        job, batch = from_archive(site, archive, study)
        (item,) = waiting(job)
        assert not released(job)
        verdict = "discard" if chosen == "the first" else "release"
        held = (job.zones.raw(batch, item.study_key) / f"{item.file.stem.partition('-')[0]}.dcm", item.file)
        right = sha256(held[chosen == "the other"])
        done = decide(job.zones, verdict, item.name, WHY)
        assert done.run == (batch, "--from", "raw_dicom")
        assert sha256(held[0]) == right and not waiting(job)
        (row,) = run_stages(job, batch)
    assert (row.state, row.released) == ("done", len(study.instances))
    assert sha256(held[0]) == right


def test_no_person_can_vouch_for_what_is_damaged_or_fails_a_check(job: Job, corpus: Corpus) -> None:
    run_stages(job, arrive(job, files_of(corpus, "MR")[:2], change=cut_short))
    item, *_ = waiting(job)
    assert item.reason in (CUT_SHORT, "PIXEL_DATA_TRUNCATED")
    with pytest.raises(Refused, match="REVIEW_CANNOT_RELEASE"):
        check(job.zones, "release", item.name)
    for reason in ("RESIDUAL_IDENTIFIER", "IDENTIFIER_LEFT", "UNREADABLE", "PIXELS_CHANGED", "NO_SUCH_REASON"):
        assert refusal_to_release(job.zones, replace(item, reason=reason)) == "REVIEW_CANNOT_RELEASE"


def two_patients(job: Job, corpus: Corpus, *, keep: bool) -> tuple[str, list[Item], list[Item]]:
    """The batch of a study with one instance of another patient; that one's item, and the others'."""
    *files, odd = files_of(corpus, "MR")
    patient = pydicom.dcmread(odd).PatientID.encode()
    push(job, files)
    push(job, [odd], lambda data: data.replace(patient, patient[:-1] + b"x"))
    batch = plan(job, keep=keep)
    run_stages(job, batch)
    found = waiting(job)
    uid = pydicom.dcmread(odd).SOPInstanceUID
    return (
        batch,
        [one for one in found if one.sop_instance_uid == uid],
        [one for one in found if one.sop_instance_uid != uid],
    )


def test_without_the_other_patients_instance_the_study_goes_on(job: Job, corpus: Corpus) -> None:
    batch, (odd,), others = two_patients(job, corpus, keep=True)
    with pytest.raises(Refused, match="REVIEW_RUN_AGAIN"):
        check(job.zones, "release", others[0].name)
    assert decide(job.zones, "discard", odd.name, "of another patient").run == (batch, "--from", "anonymized_dicom")
    (row,) = again(job, batch)
    assert (row.released, row.quarantined, row.reason) == (len(others), 1, "TWO_PATIENTS_IN_STUDY")
    assert adds_up([row]) and not waiting(job)


def test_so_it_does_where_quarantine_has_the_only_copies(job: Job, corpus: Corpus) -> None:
    _batch, (odd,), others = two_patients(job, corpus, keep=False)
    decide(job.zones, "discard", odd.name, "of another patient")
    for one in others:
        assert decide(job.zones, "release", one.name, "of one patient").to_incoming
    (row,) = run_stages(job, plan(job))
    assert (row.state, row.released) == ("done", len(others))
    assert originals(job) == Counter()


def test_what_is_discarded_stays_counted_and_is_not_offered_again(job: Job, corpus: Corpus) -> None:
    files = files_of(corpus, "US")
    batch = arrive(job, files, keep=True)
    before = run_stages(job, batch)
    first, *others = waiting(job)
    assert decide(job.zones, "discard", first.name, "nobody needs it").run == ()
    rows = again(job, batch)
    assert rows == before and adds_up(rows)
    assert waiting(job) == others
    assert originals(job) == Counter(raw=len(files), quarantine=len(others))
    report = json.loads(job.zones.report(batch, "json").read_bytes())
    assert "TEXT_IN_PIXELS_LIKELY" in json.dumps(report)
    with pytest.raises(BadInput, match="REVIEW_ITEM_UNKNOWN"):
        decide(job.zones, "discard", "arrival-20260131-001/sabc/000000000000", WHY)


def test_a_file_of_the_watched_folder_can_be_discarded_alone(job: Job) -> None:
    folder = job.zones.quarantine(WATCHED, "")
    folder.mkdir(parents=True)
    (folder / "0a1b.zip").write_bytes(b"no ZIP")
    (item,) = waiting(job)
    assert item.name.startswith("watched/") and item.reason == "ORIGINAL_NOT_RELEASED"
    with pytest.raises(Refused, match="REVIEW_CANNOT_RELEASE"):
        decide(job.zones, "release", item.name, WHY)
    decide(job.zones, "discard", item.name, WHY)
    assert not waiting(job)


def test_nothing_is_decided_while_a_run_works_on_the_batch_or_before_its_end(job: Job, corpus: Corpus) -> None:
    batch = arrive(job, files_of(corpus, "US"), keep=True)
    run_stages(job, batch)
    item = waiting(job)[0]
    with exclusive_lock(job.zones.lock(batch)), pytest.raises(Refused, match="BATCH_BUSY"):
        decide(job.zones, "discard", item.name, WHY)
    job.zones.ledger(batch, "validation_report").unlink()
    with pytest.raises(Refused, match="REVIEW_BATCH_NOT_OVER"):
        decide(job.zones, "discard", item.name, WHY)
    assert item in waiting(job) and not audited(job)


class _Killed(BaseException):
    """At a system call: nothing behind it happens."""


def _kill_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number-th call that changes the disk, from 1, does not happen any more."""
    calls = itertools.count(1)

    def counted(call: Callable) -> Callable:
        def run(*arguments: object, **options: object) -> object:
            if next(calls) >= number:
                raise _Killed
            return call(*arguments, **options)

        return run

    for name in ("rename", "replace", "unlink", "link", "fsync"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


def _quarantined_ultrasound(job: Job, corpus: Corpus) -> None:
    run_stages(job, arrive(job, files_of(corpus, "US")[:2]))


def _two_contents(job: Job, corpus: Corpus) -> None:
    files = files_of(corpus, "MR")[:2]
    push(job, files)
    run_stages(job, arrive(job, files[:1], change=last_byte_changed))


@pytest.mark.parametrize(
    ("prepare", "verdict"),
    [(_quarantined_ultrasound, "release"), (_quarantined_ultrasound, "discard"), (_two_contents, "release")],
)
def test_killed_at_any_step_and_called_again_it_completes(
    site: Site, corpus: Corpus, tmp_path: Path, prepare: Callable[[Job, Corpus], None], verdict: str
) -> None:
    """At no moment is a content that was not discarded in no place, or one that was chosen used before the decision."""
    prepare(job_at(site), corpus)
    undisturbed, expected = Site(tmp_path / "undisturbed"), None
    for number in itertools.count(0):
        copy = Site(tmp_path / f"killed at {number}") if number else undisturbed
        shutil.copytree(site.folder, copy.folder)
        job = job_at(copy)
        chosen, *others = waiting(job)
        digest = sha256(chosen.file)
        if number == 0:
            decide(job.zones, verdict, chosen.name, WHY)
            expected = _contents(job)
            continue
        with pytest.MonkeyPatch.context() as patched:
            _kill_at(number, patched)
            try:
                decide(job.zones, verdict, chosen.name, WHY)
                break  # it has no more steps
            except _Killed:
                pass
        decided = bool(decisions.read_decisions(job.zones, chosen.study_key))
        there = [zone for zone, sha in _contents(job) if sha == digest]
        assert there == ["quarantine"] or (decided and there == ([] if verdict == "discard" else ["incoming"]))
        assert decided or len(waiting(job)) == 1 + len(others)
        if there == ["incoming"]:
            assert CONFLICT not in {one.reason for one in waiting(job)}, "else its batch would find it disputed"
        assert decide(job.zones, verdict, chosen.name, WHY)
        assert _contents(job) == expected
        assert len(decisions.read_decisions(job.zones, chosen.study_key)) == (2 if prepare is _two_contents else 1)
        shutil.rmtree(copy.folder)
    assert number > 5, "it was to be killed now and then"


def _contents(job: Job) -> list[tuple[str, str]]:
    restricted = job.zones.restricted
    return sorted((path.relative_to(restricted).parts[0], sha256(path)) for path in restricted.rglob("*.dcm"))
