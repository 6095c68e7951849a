"""The health view counts what is there, by what lies in the folders."""

import os
import time
from pathlib import Path

import pytest

from dicom_assets.demo.corpus import Corpus
from dicom_assets.settings import Settings
from dicom_assets.storage.inbox import announced
from dicom_assets.storage.incoming import waiting_studies
from dicom_assets.storage.set_aside import SetAsideFolder
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.health import Health, health
from dicom_assets.workflow.job import Job
from tests.support.pushing import job_at, last_byte_changed, push, run_stages
from tests.support.site import Site


@pytest.fixture
def site(site: Site) -> Site:
    site.variables |= {"DICOM_ANONYMIZE_ON_UPLOAD": "true", "DICOM_ARRIVAL_SETTLE_SECONDS": "600"}
    return site


@pytest.fixture
def job(site: Site) -> Job:
    return job_at(site)


def health_of(site: Site, **variables: str) -> Health:
    given = {**site.environment, **variables}
    return health(Settings.from_env({name: value for name, value in given.items() if name.startswith("DICOM_")}))


def files_of(corpus: Corpus, study: int) -> list[Path]:
    return [corpus.folder / one.path for one in corpus.studies[study].instances]


def test_a_site_without_data_is_well(site: Site) -> None:
    state = health_of(site)
    assert (state.arriving_studies, state.settled_studies, state.quarantined, state.concerns) == (0, 0, {}, [])
    assert not site.zones.restricted.exists()


def test_what_arrives_and_what_has_settled_are_told_apart(site: Site, job: Job, corpus: Corpus) -> None:
    first, second = files_of(corpus, 0), files_of(corpus, 1)
    push(job, first)
    (study,) = waiting_studies(job.zones.incoming)
    os.utime(study.folder, (time.time() - 700,) * 2)
    push(job, second)
    state = health_of(site)
    assert (state.settled_studies, state.settled_instances) == (1, len(first))
    assert (state.arriving_studies, state.arriving_instances) == (1, len(second))
    assert 700 <= state.oldest_waiting_seconds < 1300
    assert state.concerns == []
    assert health_of(site, DICOM_ANONYMIZE_ON_UPLOAD="false").concerns == ["ARRIVALS_WAIT_FOR_OPERATOR"]


def test_a_batch_is_in_work_until_it_has_come_to_its_end(site: Site, job: Job, corpus: Corpus) -> None:
    kept = push(job, files_of(corpus, 0) + files_of(corpus, 1))
    push(job, files_of(corpus, 0)[:1], last_byte_changed)
    (request,) = plan_arrivals(job.zones, 0, keep_originals=False)
    state = health_of(site)
    assert (state.settled_studies, state.batches_in_work, state.studies_in_work) == (0, 1, 2)
    rows = run_stages(job, request.batch)
    state = health_of(site)
    assert (state.batches_in_work, state.studies_in_work) == (0, 0)
    assert state.released_today == sum(row.released for row in rows) > 0
    assert state.quarantined["INSTANCE_CONFLICT"] == 2
    assert state.released_today + sum(state.quarantined.values()) == len(kept) + 1
    assert state.concerns == ["QUARANTINE_NOT_EMPTY"]


def test_what_was_claimed_and_never_requested_is_not_out_of_sight(site: Site, job: Job, corpus: Corpus) -> None:
    """A process was killed between the two."""
    push(job, files_of(corpus, 0))
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    job.zones.request(request.batch).unlink()
    state = health_of(site, DICOM_ANONYMIZE_ON_UPLOAD="false")
    assert (state.settled_studies, state.settled_instances) == (1, len(files_of(corpus, 0)))
    assert state.concerns == ["ARRIVALS_WAIT_FOR_OPERATOR"]


def test_quarantine_is_counted_by_the_files_that_are_there_now(site: Site, job: Job, tmp_path: Path) -> None:
    folder = job.zones.quarantine("arrival-20261122-001", "a-study")
    folder.mkdir(parents=True)
    aside = SetAsideFolder(folder, job.key.file_name)
    for name, reason in (
        ("1.2.1", "INSTANCE_CONFLICT"),
        ("1.2.2", "INSTANCE_CUT_SHORT"),
        ("1.2.3", "INSTANCE_CUT_SHORT"),
    ):
        (folder / f"{name}.part").write_bytes(name.encode())
        aside.take(folder / f"{name}.part", name, reason, "0" * 64)
    aside.write()
    assert health_of(site).quarantined == {"INSTANCE_CUT_SHORT": 2, "INSTANCE_CONFLICT": 1}
    (folder / "of-nobody.dcm").write_bytes(b"")
    for row in aside.rows:
        if row.reason == "INSTANCE_CUT_SHORT":
            (folder / row.file).unlink()
    assert health_of(site).quarantined == {"INSTANCE_CONFLICT": 1, "ORIGINAL_NOT_RELEASED": 1}


def test_a_disk_that_is_nearly_full_needs_a_person(site: Site) -> None:
    assert health_of(site, DICOM_RECEIVER_FREE_MEGABYTES="99999999").concerns == ["DISK_RESERVE_REACHED"]


def test_a_receiver_is_seen_while_it_lives(site: Site, job: Job) -> None:
    port = int(Settings.from_env({}).receiver.port)
    assert not health_of(site).receiver_running
    with announced(job.zones.incoming, port):
        assert health_of(site).receiver_running
    assert not health_of(site).receiver_running
