from datetime import date, datetime, timedelta

import pytest

from dicom_assets.batches.request import load_request
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.settings import Settings
from dicom_assets.workflow.job import job_of
from dicom_assets.workflow.nightly import plan_nightly
from tests.support.site import Site


def test_the_last_days_are_planned_and_nothing_twice(
    site: Site, corpus: Corpus, archive: EmbeddedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    job = job_of(Settings.from_env())
    study = corpus.studies[0]
    day = datetime.strptime(study.study_date, "%Y%m%d").date()
    assert not plan_nightly(job, day, 3)  # its own day is still growing
    requests = plan_nightly(job, day + timedelta(days=3), 3)
    planned = {row.study_instance_uid for request in requests for row in request.rows}
    assert study.study_instance_uid in planned
    assert all(request.batch.startswith(f"nightly-{day + timedelta(days=3):%Y%m%d}-") for request in requests)
    again = plan_nightly(job, day + timedelta(days=2), 3)
    assert study.study_instance_uid not in {row.study_instance_uid for request in again for row in request.rows}
    assert load_request(job.zones, requests[0].batch) == requests[0]
    assert not plan_nightly(job, date(1900, 1, 5), 3)
