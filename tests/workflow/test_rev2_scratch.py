from dataclasses import replace
import pytest
from datetime import timedelta
from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.pacs.archive import Archive
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from dicom_assets.workflow.nightly import plan_nightly
from tests.support.faulty_archive import HoldsBack
from tests.support.ports import free_port
from tests.workflow.test_retrieve import *
from tests.workflow.test_retrieve import site, study, folder_of
from tests.workflow.test_resolve import job_with, request, resolved, FIRST, SECOND, down
from tests.support.capped_archive import Study, capped_archive
from datetime import datetime

def test_shrunk_list(site, study, folder_of):
    archive = site.add(HoldsBack(folder_of("one", study.instances), set(), listed=False))
    batch = site.request()
    resolve_studies(site.job, batch)
    archive.held = frozenset(uids(study.instances[:1]))
    row = site.retrieve(batch, resolve=False)
    assert (row.state, row.reason) == ("incomplete", "STUDY_SHRANK")
    row = site.retrieve(batch, resolve=False)
    assert (row.state, row.reason) == ("done", "")

def test_shrunk_list_after_a_run(site, study, folder_of):
    archive = site.add(HoldsBack(folder_of("one", study.instances), uids(study.instances[:1])))
    batch = site.request()
    assert site.retrieve(batch).received == 6
    archive.listed = False
    archive.held = frozenset(uids(study.instances[:2]))
    row = site.retrieve(batch)
    assert (row.state, row.reason, row.received) == ("incomplete", "STUDY_SHRANK", 6), row
    assert site.set_aside(batch) == []
    archive.release()
    row = site.retrieve(batch)
    assert (row.state, row.received) == ("done", 7)

def test_lookback_first_down_second_has_old_state(site, study, folder_of):
    with HoldsBack(folder_of("one", study.instances), uids(study.instances[:1]), listed=False) as first:
        site.add_at(first.port)
        site.add(EmbeddedArchive(folder_of("two", study.instances[1:])))
        day = datetime.strptime(study.study_date, "%Y%m%d").date()
        (one,) = plan_nightly(site.job, day + timedelta(days=1), 3)
        assert site.retrieve(one.batch).state == "done"
        first.release()
        (two,) = plan_nightly(site.job, day + timedelta(days=1), 3)
        resolve_studies(site.job, two.batch)
    with pytest.raises(RetryLater):
        site.retrieve(two.batch, resolve=False)

def test_first_down_at_resolve_second_has_fewer(site, study, folder_of):
    port = free_port()
    site.add_at(port)
    site.add(EmbeddedArchive(folder_of("two", study.instances[1:])))
    batch = site.request()
    row = site.retrieve(batch)
    print(row)
    assert row.state != "done", row
    with EmbeddedArchive(folder_of("one", study.instances), port=port):
        row = site.retrieve(batch)
    assert (row.state, row.received) == ("done", 7)

def test_conflict_mended_by_deleting_what_is_held_elsewhere(site, study, folder_of):
    folder, changed = folder_of("one", study.instances), study.instances[1].sop_instance_uid
    site.add(EmbeddedArchive(folder))
    first, second = site.request("nightly"), site.request("cohort")
    site.retrieve(first)
    change(folder, changed)
    assert site.retrieve(second).reason == "INSTANCE_CONFLICT"
    (site.job.zones.raw(first, site.key) / site.job.key.file_name(changed)).unlink()
    assert site.retrieve(second).state == "done"
    assert site.retrieve(first).state == "done"

def test_conflict_with_what_the_lookback_does_not_want(site, study, folder_of):
    from dicom_assets.storage.set_aside import SetAsideFolder
    folder, changed = folder_of("one", study.instances), study.instances[1].sop_instance_uid
    held = uids(study.instances[:1])
    archive = site.add(HoldsBack(folder, held, listed=False))
    day = datetime.strptime(study.study_date, "%Y%m%d").date()
    (one,) = plan_nightly(site.job, day + timedelta(days=1), 3)
    assert site.retrieve(one.batch).state == "done"
    archive.release()
    change(folder, changed)
    (two,) = plan_nightly(site.job, day + timedelta(days=1), 3)
    # whole studies only
    usual = archive.chosen
    archive.chosen = lambda event: usual(event) if event.identifier.QueryRetrieveLevel == "STUDY" else []
    row = site.retrieve(two.batch)
    assert row.reason == "INSTANCE_CONFLICT", row
    print(row)
    change(folder, changed)
    row = site.retrieve(two.batch)
    print(row)
    assert row.state == "done", row
    assert row.expected == 1

@pytest.mark.parametrize("reverse", [0, 1])
def test_two_rows_one_wrong(tmp_path, reverse):
    with capped_archive(FIRST) as (_, first):
        job = job_with(tmp_path, first)
        rows = [RequestRow(study_instance_uid="1.2.2", patient_id="WRONG"), RequestRow(patient_id="B")]
        batch = request(job, *(rows[::-1] if reverse else rows))
        resolve_studies(job, batch)
    assert resolved(job, batch)["1.2.2"].state == "found"

def test_found_before_stays(tmp_path):
    with capped_archive(FIRST) as (one, first), capped_archive(SECOND) as (_, second):
        job = job_with(tmp_path, first, down("2"))
        batch = request(job, RequestRow(patient_id="A"))
        resolve_studies(job, batch)
        one._by_patient["A"].clear(); one._studies.clear()
        job = replace(job, archives=(first, replace(second, name="2")))
        resolve_studies(job, batch)
    assert {u: s.state for u, s in resolved(job, batch).items()} == {"1.2.1": "found", "1.2.3": "found"}

def test_accession_other_hospital(tmp_path):
    with capped_archive([Study("1.2.9", "Z", AccessionNumber="X1")]) as (_, second):
        job = job_with(tmp_path, down("1"), replace(second, name="2"))
        batch = request(job, RequestRow(accession_number="X1"), RequestRow(study_instance_uid="1.2.9"))
        rows = resolve_studies(job, batch)
    print(resolved(job, batch))
    assert len(rows) == 2
    assert [s.reason for s in resolved(job, batch).values() if s.state == "failed"] != []

def test_replaced(site, study, folder_of):
    archive = site.add(HoldsBack(folder_of("one", study.instances), uids(study.instances[:1]), listed=False))
    day = datetime.strptime(study.study_date, "%Y%m%d").date()
    (one,) = plan_nightly(site.job, day + timedelta(days=1), 3)
    assert site.retrieve(one.batch).state == "done"
    archive.held = frozenset(uids(study.instances[1:2]))
    (two,) = plan_nightly(site.job, day + timedelta(days=1), 3)
    row = site.retrieve(two.batch)
    assert (row.state, row.received) == ("done", 1)

def test_two_at_once(site, study, folder_of):
    import threading
    site.add(EmbeddedArchive(folder_of("one", study.instances)))
    day = datetime.strptime(study.study_date, "%Y%m%d").date()
    made, errors = [], []
    def go():
        try: made.extend(plan_nightly(site.job, day + timedelta(days=1), 3))
        except Exception as e: errors.append(e)
    ts = [threading.Thread(target=go) for _ in range(3)]
    [t.start() for t in ts]; [t.join() for t in ts]
    print(made, errors)
    assert len(made) == 1
