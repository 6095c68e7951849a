"""A hundred thousand studies, or 1,000 where nobody asks for more, from an archive that lists 200 at a time:

STUDIES=100000 python -m pytest -q -s tests/torture/test_hundred_thousand_studies.py
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dicom_assets.batches.request import list_batches, load_request
from tests.pacs.test_find import CANCELLED, studies
from tests.support.capped_archive import capped_archive
from tests.support.one_key import zones_at

STUDIES = int(os.environ.get("STUDIES", "1000"))
#: 500 studies a day: more than the limit
DAYS = max(STUDIES // 500, 1)

_PLAN = """
import sys
from pathlib import Path
from dicom_assets.batches.planning import plan_window, write_batches
from dicom_assets.pacs.archive import Archive
from dicom_assets.settings import Settings
from dicom_assets.workflow.job import zones_of
root, port = Path(sys.argv[1]), int(sys.argv[2])
roots = {"DICOM_RESTRICTED_ROOT": str(root / "restricted"), "DICOM_RELEASED_ROOT": str(root / "released")}

def peak():
    "Kilobytes"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
plan = plan_window((Archive("127.0.0.1", port, "CAPPED", "DICOM_ASSETS"),), "20140101", "20260101")
write_batches(zones_of(Settings.from_env(roots)), "cohort", "20260131", "", plan)
print(peak() - before)
"""


@pytest.mark.parametrize("said", [None, CANCELLED])
def test_a_window_is_planned_completely_in_little_memory(tmp_path: Path, said: int | None) -> None:
    held = studies(STUDIES, DAYS)
    with capped_archive(held, cap=200, said=said, order="shuffled") as (peer, archive):
        started = time.monotonic()
        planned = subprocess.run(
            [sys.executable, "-c", _PLAN, str(tmp_path), str(archive.port)], capture_output=True, text=True, check=True
        )
        seconds = time.monotonic() - started
    zones = zones_at(tmp_path)
    batches = [load_request(zones, key) for key in list_batches(zones)]
    uids = [row.study_instance_uid for batch in batches for row in batch.rows]
    assert len(uids) == len(set(uids)) == STUDIES
    assert set(uids) == {study.StudyInstanceUID for study in held}
    assert all(len(batch.rows) == 250 for batch in batches[:-1])
    kilobytes = int(planned.stdout)
    # A few hundred bytes a study; the first table that is sealed takes 25 MB, however small it is.
    assert kilobytes < 60_000 + STUDIES
    print(f"{STUDIES} studies, {len(peer.asked)} queries, {seconds:.0f} s, {kilobytes // 1000} MB")
