"""The retrieval stage against embedded archives: a second archive, content that changed, studies that are not done."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom import evt

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.archive import EmbeddedArchive, Step
from dicom_assets.demo.corpus import Corpus, DemoInstance, DemoStudy
from dicom_assets.errors import RetryLater
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.storage.ledger import StudyRow, sums_that_fail
from dicom_assets.storage.manifests import RawInstance, manifest_of
from dicom_assets.storage.set_aside import RECORD, SetAside
from dicom_assets.storage.tables import read_sealed
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.faulty_archive import Hangs, HoldsBack
from tests.support.ports import free_port

_PATIENT = Timeouts(connect=20, acse=20, first_response=20, stall=20, no_progress=30)


@pytest.fixture(scope="module")
def study(corpus: Corpus) -> DemoStudy:
    return next(study for study in corpus.studies if study.modalities == ("MR",) and len(study.instances) > 3)


@pytest.fixture
def folder_of(corpus: Corpus, tmp_path: Path) -> Callable[[str, Iterable[DemoInstance]], Path]:
    """A folder of an archive's own, with copies of these instances."""

    def make(name: str, instances: Iterable[DemoInstance]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for instance in instances:
            shutil.copyfile(corpus.folder / instance.path, folder / f"{instance.sop_instance_uid}.dcm")
        return folder

    return make


class Site:
    """Archives that run, and a job that knows them."""

    def __init__(self, tmp_path: Path, study: DemoStudy, stack: ExitStack) -> None:
        self.study, self._stack = study, stack
        self.job = Job(
            zones=Zones(tmp_path / "restricted", tmp_path / "released"),
            archives=(),
            profile=load_profile("basic"),
            key=PseudonymKey(bytes(range(32))),
            workers=1,
        )
        self.key = self.job.key.study_key(study.study_instance_uid)

    def add(self, archive: EmbeddedArchive) -> EmbeddedArchive:
        self._stack.enter_context(archive)
        self.add_at(archive.port)
        return archive

    def add_at(self, port: int) -> None:
        name = str(len(self.job.archives) + 1)
        one = Archive("127.0.0.1", port, "DEMO_ARCHIVE", "US", "get", timeouts=_PATIENT, name=name)
        self.job = replace(self.job, archives=(*self.job.archives, one))

    def request(self, source: str = "cohort") -> str:
        rows = [RequestRow(study_instance_uid=self.study.study_instance_uid)]
        return create_request(self.job.zones, source, "20260131", "", rows).batch

    def retrieve(self, batch: str, *, resolve: bool = True) -> StudyRow:
        if resolve:
            resolve_studies(self.job, batch)
        (row,) = retrieve_studies(self.job, batch)
        assert sums_that_fail(row, "raw_dicom") == []
        return row

    def raw(self, batch: str) -> dict[str, bytes]:
        folder = self.job.zones.raw(batch, self.key)
        rows = read_sealed(manifest_of(folder), RawInstance)
        return {row.sop_instance_uid: (folder / row.file).read_bytes() for row in rows}

    def set_aside(self, batch: str) -> list[SetAside]:
        return read_sealed(self.job.zones.quarantine(batch, self.key) / RECORD, SetAside)


@pytest.fixture
def site(tmp_path: Path, study: DemoStudy) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, study, stack)


def uids(instances: Iterable[DemoInstance]) -> set[str]:
    return {instance.sop_instance_uid for instance in instances}


def test_what_one_archive_lists_and_does_not_send_comes_from_the_next(site: Site, study: DemoStudy, folder_of) -> None:
    held = uids(study.instances[1:3])
    site.add(HoldsBack(folder_of("one", study.instances), held))
    second = site.add(Asked(folder_of("two", study.instances)))
    row = site.retrieve(site.request())
    assert (row.state, row.received, row.proved_by) == ("done", len(study.instances), "IMAGE")
    assert second.asked == [held]


def test_an_archive_that_lacks_the_instances_too_is_not_asked_for_them(site: Site, study: DemoStudy, folder_of) -> None:
    site.add(HoldsBack(folder_of("one", study.instances), uids(study.instances[:1])))
    second = site.add(Asked(folder_of("two", study.instances[1:])))
    row = site.retrieve(site.request())
    assert (row.state, row.reason, row.missing) == ("incomplete", "INSTANCES_MISSING", 1)
    assert second.asked == []


@pytest.mark.parametrize(("there", "state", "reason"), [(4, "done", ""), (2, "incomplete", "PACS_PORT_CLOSED")])
def test_an_archive_that_is_down_is_stood_in_for_by_one_that_has_all(
    site: Site, study: DemoStudy, folder_of, there: int, state: str, reason: str
) -> None:
    with EmbeddedArchive(folder_of("one", study.instances)) as first:
        site.add_at(first.port)
        site.add(EmbeddedArchive(folder_of("two", study.instances[: there if there < 4 else None])))
        batch = site.request()
        resolve_studies(site.job, batch)
    row = site.retrieve(batch, resolve=False)
    assert (row.state, row.reason) == (state, reason)
    assert row.received == (len(study.instances) if there == 4 else 2)


def test_no_archive_at_all_is_tried_again_later(site: Site, study: DemoStudy, folder_of) -> None:
    with EmbeddedArchive(folder_of("one", study.instances)) as first:
        site.add_at(first.port)
        batch = site.request()
        resolve_studies(site.job, batch)
    site.add_at(free_port())
    with pytest.raises(RetryLater):
        retrieve_studies(site.job, batch)


class Asked(EmbeddedArchive):
    """Remembers of each retrieval at IMAGE level what it asked for; of others, an empty set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[set[str]] = []

    def suboperations(self, event: evt.Event) -> Iterator[Step]:
        named = event.identifier.get("SOPInstanceUID") or ()
        self.asked.append({named} if isinstance(named, str) else set(named))
        yield from super().suboperations(event)


def change(folder: Path, uid: str) -> None:
    """One bit of the pixels; changed twice it is as it was."""
    path = folder / f"{uid}.dcm"
    content = bytearray(path.read_bytes())
    content[-20] ^= 0x01
    path.write_bytes(content)


def test_content_that_changed_under_its_uid_is_a_conflict_also_for_another_batch(
    site: Site, study: DemoStudy, folder_of
) -> None:
    folder, changed = folder_of("one", study.instances), study.instances[1].sop_instance_uid
    site.add(EmbeddedArchive(folder))
    first, second = site.request("nightly"), site.request("cohort")
    assert site.retrieve(first).state == "done"
    before = site.raw(first)
    change(folder, changed)
    row = site.retrieve(second)
    count = len(study.instances)
    assert (row.state, row.reason, row.expected, row.received, row.missing) == (
        "incomplete", "INSTANCE_CONFLICT", count, count - 1, 1,
    )  # fmt: skip
    assert row.proved_by == ""
    assert site.raw(first) == before
    assert changed not in site.raw(second)
    (aside,) = site.set_aside(second)
    assert (aside.sop_instance_uid, aside.reason) == (changed, "INSTANCE_CONFLICT")
    assert site.retrieve(first).state == "done"  # proved, and not asked for again
    change(folder, changed)
    row = site.retrieve(second)
    assert (row.state, row.received) == ("done", count)
    assert site.raw(second) == before
    assert site.set_aside(second)[0].settled


def test_one_dead_archive_costs_two_time_outs_and_not_one_a_study(corpus: Corpus, site: Site) -> None:
    archive = site.add(Hangs(corpus.folder))
    hasty = Timeouts(connect=5, acse=5, first_response=1, stall=1, no_progress=2)
    site.job = replace(site.job, archives=(replace(site.job.archive, timeouts=hasty),))
    rows = [RequestRow(study_instance_uid=study.study_instance_uid) for study in corpus.studies]
    batch = create_request(site.job.zones, "cohort", "20260131", "", rows).batch
    resolve_studies(replace(site.job, archives=(replace(site.job.archive, timeouts=_PATIENT),)), batch)
    asked = []
    handle = archive.suboperations
    archive.suboperations = lambda event: asked.append(event) or handle(event)
    result = [row for row in retrieve_studies(site.job, batch) if row.found]
    assert len(result) > 3
    assert {row.reason for row in result} == {"PACS_STALLED"}
    assert len(asked) <= 2
    assert all(sums_that_fail(row, "raw_dicom") == [] for row in result)


def test_a_study_that_vanished_keeps_what_an_earlier_run_brought(site: Site, study: DemoStudy, folder_of) -> None:
    folder = folder_of("one", study.instances)
    archive = site.add(HoldsBack(folder, uids(study.instances[:1])))
    batch = site.request()
    assert site.retrieve(batch).received == len(study.instances) - 1
    before = site.raw(batch)
    archive.instances = list
    row = site.retrieve(batch, resolve=False)
    assert (row.state, row.reason, row.received) == ("failed", "STUDY_EMPTY", len(before))
    assert site.raw(batch) == before


def test_what_an_archive_no_longer_lists_is_believed_gone_where_it_says_so_twice(
    site: Site, study: DemoStudy, folder_of
) -> None:
    count = len(study.instances)
    archive = site.add(HoldsBack(folder_of("one", study.instances), set(), listed=False))
    found = site.request()
    resolve_studies(site.job, found)
    archive.held = frozenset(uids(study.instances[:1]))
    row = site.retrieve(found, resolve=False)
    assert (row.state, row.reason) == ("incomplete", "STUDY_SHRANK")
    row = site.retrieve(found, resolve=False)
    assert (row.state, row.received) == ("done", count - 1)


def test_what_was_brought_is_not_set_aside_by_the_first_shorter_list(site: Site, study: DemoStudy, folder_of) -> None:
    count = len(study.instances)
    archive = site.add(HoldsBack(folder_of("one", study.instances), uids(study.instances[:1])))
    batch = site.request()
    assert site.retrieve(batch).received == count - 1
    archive.held, archive.listed = frozenset(uids(study.instances[:2])), False
    row = site.retrieve(batch)
    assert (row.state, row.reason, row.received) == ("incomplete", "STUDY_SHRANK", count - 1)
    assert site.set_aside(batch) == []
    archive.release()
    assert (site.retrieve(batch).state, len(site.raw(batch))) == ("done", count)


def test_nothing_is_complete_by_the_next_archive_alone_where_the_first_may_have_more(
    site: Site, study: DemoStudy, folder_of
) -> None:
    port = free_port()
    site.add_at(port)
    site.add(EmbeddedArchive(folder_of("two", study.instances[1:])))
    batch = site.request()
    row = site.retrieve(batch)
    assert (row.state, row.reason, row.missing) == ("incomplete", "PACS_PORT_CLOSED", 0)
    assert row.received == len(study.instances) - 1
    with EmbeddedArchive(folder_of("one", study.instances), port=port):
        row = site.retrieve(batch)
    assert (row.state, row.received) == ("done", len(study.instances))


def test_a_conflict_with_another_batch_ends_where_somebody_deletes_what_that_one_holds(
    site: Site, study: DemoStudy, folder_of
) -> None:
    folder, changed = folder_of("one", study.instances), study.instances[1].sop_instance_uid
    site.add(EmbeddedArchive(folder))
    first, second = site.request("nightly"), site.request("cohort")
    site.retrieve(first)
    change(folder, changed)
    assert site.retrieve(second).reason == "INSTANCE_CONFLICT"
    (site.job.zones.raw(first, site.key) / site.job.key.file_name(changed)).unlink()
    assert site.retrieve(second).state == "done"
    assert site.retrieve(first).state == "done"
    assert site.raw(first) == site.raw(second)
