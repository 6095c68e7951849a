"""`dicom-assets status`: counts for people and for programs, and exit code 3 where a person is needed."""

import json
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.definitions import build_defs
from dicom_assets.defs.instance import open_instance
from dicom_assets.defs.partitions import PARTITION
from dicom_assets.defs.runs import given_up
from dicom_assets.demo.studies import small_corpus
from dicom_assets.storage.incoming import waiting_studies
from tests.support.pushing import job_at, push
from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site", {"DICOM_ARRIVAL_SETTLE_SECONDS": "600"})
    site.folder.mkdir()
    return site


def test_arrivals_that_wait_for_an_operator_are_counted_and_said(site: Site, tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "corpus")
    files = [corpus.folder / one.path for one in corpus.studies[0].instances]
    job = job_at(site)
    push(job, files)
    done = site.run("status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    state = json.loads(done.stdout)
    assert (state["arriving_studies"], state["arriving_instances"]) == (1, len(files))
    (study,) = waiting_studies(job.zones.incoming)
    os.utime(study.folder, (time.time() - 700,) * 2)
    done = site.run("status")
    assert done.returncode == 3
    assert f"1 studies, {len(files)} instances, for an operator" in done.stdout
    assert done.stderr.startswith("ARRIVALS_WAIT_FOR_OPERATOR: ")
    assert study.study_key not in done.stdout + done.stderr


def test_a_batch_that_nothing_will_run_again_needs_a_person(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(site.dagster_home))
    row = RequestRow(study_instance_uid="1.2.3")
    cohort, arrival = (
        create_request(site.zones, source, "20261122", "", [row]).batch for source in ("cohort", "arrival")
    )
    with open_instance(site.dagster_home) as instance:
        assert list(given_up(instance, [cohort, arrival])) == []
        for batch in (cohort, arrival):
            end_a_run(instance, batch, dg.DagsterRunStatus.FAILURE)
        assert list(given_up(instance, [cohort, arrival])) == [cohort]  # the other one runs again by itself
        end_a_run(instance, arrival, dg.DagsterRunStatus.CANCELED)
    done = site.run("status", "--json")
    state = json.loads(done.stdout)
    assert done.returncode == 3
    assert (state["batches_given_up"], state["needs_a_person"]) == ([arrival, cohort], ["BATCH_GIVEN_UP"])


def end_a_run(instance: dg.DagsterInstance, batch: str, status: dg.DagsterRunStatus) -> None:
    job = build_defs().resolve_job_def("extract_batch")
    run = instance.create_run_for_job(job, tags={PARTITION: batch}, status=dg.DagsterRunStatus.STARTED)
    (instance.report_run_failed if status is dg.DagsterRunStatus.FAILURE else instance.report_run_canceled)(run)
