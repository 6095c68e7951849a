"""The job and its schedule; what the job does is in tests/workflow/test_retire.py."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.definitions import build_defs
from dicom_assets.defs.instance import open_instance, run_batch
from dicom_assets.defs.resources import StorageResource
from dicom_assets.defs.retention import Retention, retention, retire_batches
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from dicom_assets.storage.ledger import latest_rows
from tests.support.pushing import job_at, run_stages
from tests.support.search import pattern_of
from tests.support.site import Site, snapshot


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def site(tmp_path: Path, corpus: Corpus) -> Iterator[Site]:
    """Its disk has never room enough."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", {"DICOM_RETENTION_FREE_GIGABYTES": "999999999"})
    with EmbeddedArchive(corpus.folder) as archive:
        site.use(archive.port, archive.ae_title)
        yield site


@pytest.fixture
def batch(site: Site, corpus: Corpus) -> str:
    """A batch of two instances that has come to its end."""
    study = next(study for study in corpus.studies if study.modalities == ("CR",))
    job = job_at(site)
    rows = [RequestRow(study_instance_uid=study.study_instance_uid)]
    batch = create_request(job.zones, "cohort", "20260131", "", rows).batch
    run_stages(job, batch)
    return batch


@pytest.fixture
def instance(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name, value in site.variables.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run_job(instance: dg.DagsterInstance, site: Site, *, dry_run: bool = False) -> str:
    """What the job logs."""
    zones = site.zones
    storage = StorageResource(restricted_root=str(zones.restricted), released_root=str(zones.released))
    config = dg.RunConfig(ops={"retire_originals": Retention(dry_run=dry_run)})
    result = retire_batches.execute_in_process(run_config=config, instance=instance, resources={"storage": storage})
    assert result.success
    return "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))


def test_the_job_says_counts_and_batch_keys_and_nothing_else(
    site: Site, batch: str, corpus: Corpus, instance: dg.DagsterInstance
) -> None:
    before = snapshot(site.zones.restricted)
    size = sum(path.stat().st_size for path in site.zones.raw_batch(batch).rglob("*.dcm"))
    said = run_job(instance, site, dry_run=True)
    assert f"would delete raw of {batch}: 2 files, {size} bytes" in said
    assert snapshot(site.zones.restricted) == before
    said += run_job(instance, site)
    assert f"\ndeleted raw of {batch}: 2 files, {size} bytes" in said
    assert "no original left to delete" in said
    assert not list(site.zones.raw_batch(batch).rglob("*.dcm"))
    assert not pattern_of(corpus.planted).search(said.encode())


def test_a_batch_whose_run_is_under_way_is_left_alone(site: Site, batch: str, instance: dg.DagsterInstance) -> None:
    tags, run_id = {"dagster/partition": batch}, str(uuid.uuid4())
    instance.add_run(dg.DagsterRun("extract_batch", run_id, tags=tags, status=dg.DagsterRunStatus.STARTED))
    assert "1 batches are worked on" in run_job(instance, site)
    assert len(list(site.zones.raw_batch(batch).rglob("*.dcm"))) == 2


def test_a_run_after_it_retrieves_again_and_ends_as_it_was(
    site: Site, batch: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(site.zones.released), latest_rows(site.zones, batch)
    run_job(instance, site)
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    with open_instance(site.dagster_home) as of_site:
        outcome = run_batch(of_site, build_defs(), batch)
    assert outcome.success, outcome.message
    assert (snapshot(site.zones.released), latest_rows(site.zones, batch)) == before
    assert len(list(site.zones.raw_batch(batch).rglob("*.dcm"))) == 2


def test_the_schedule_is_off_until_somebody_turns_it_on() -> None:
    assert (retention.name, retention.job_name) == ("retention", "retire_batches")
    assert retention.cron_schedule == "30 4 * * *"
    assert retention.default_status == dg.DefaultScheduleStatus.STOPPED
    assert retention.execution_timezone == "UTC"
