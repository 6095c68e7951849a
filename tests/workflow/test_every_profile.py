"""Each shipped profile, through the whole graph: what its rules leave is never taken for what they should remove."""

from collections import Counter

import pytest

from dicom_assets.demo.corpus import Corpus
from dicom_assets.workflow.arrivals import plan_arrivals
from tests.support.pushing import job_at, push, run_stages
from tests.support.site import Site


@pytest.mark.parametrize("profile", ["hipaa-safe-harbor", "research", "halo"])
def test_nothing_that_was_deidentified_is_withheld(profile: str, site: Site, corpus: Corpus) -> None:
    job = job_at(site, DICOM_PROFILE=profile)
    push(job, [corpus.folder / one.path for one in corpus.instances])
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    rows = run_stages(job, request.batch)

    assert Counter(row.reason for row in rows if row.withheld) == Counter()
    assert sum(row.released for row in rows) > len(corpus.instances) / 2
