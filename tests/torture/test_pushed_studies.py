"""Studies that dcmtk pushes while the daemon runs, some instances twice and some with other bytes under the same UID.

PUSHED_STUDIES=1000 python -m pytest -q -s tests/torture/test_pushed_studies.py
"""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dicom_assets.storage.incoming import waiting_studies
from dicom_assets.workflow.arrivals import arrival_batches
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.site import Site
from tests.support.waiting import wait_for
from tests.torture.support_daemon import running_daemon, runs, site_with_daemon, ticks, wait_until_done
from tests.torture.support_judge import files_below, judge
from tests.torture.support_pushing import push
from tests.torture.support_sites import receiving, release_undisturbed
from tests.torture.support_studies import Pushed, make_conflict, make_study

STUDIES = int(os.environ.get("PUSHED_STUDIES", "12"))
_INSTANCES = 2
#: Of a hundred instances, and of a hundred studies
_DUPLICATES, _CONFLICTS = 10, 1
_STUDIES_A_PUSH = 25
_ENOUGH_TO_WAIT = 100
#: A guard against hanging
_SECONDS = 180 + STUDIES


@needs("storescu")
def test_all_that_is_pushed_is_released_or_quarantined_for_the_right_reason(tmp_path: Path) -> None:
    site, port = site_with_daemon(tmp_path / "site"), free_port()
    (tmp_path / "files").mkdir()
    pushes = list(_pushes(tmp_path / "files", random.Random(11)))
    waiting: list[tuple[int, int]] = []

    def look() -> None:
        waiting.append((len(waiting_studies(site.zones.incoming)), runs(site).get("QUEUED", 0)))

    started = time.monotonic()
    with receiving(site, port), running_daemon(site), ThreadPoolExecutor(1) as sender:
        sending = sender.submit(_push_all, site, port, pushes)
        while not sending.done():
            look()
            time.sleep(1)
        acknowledged, pushed_after = sending.result(), time.monotonic() - started
        wait_until_done(site, _SECONDS, look)
    assert acknowledged == [one for part in pushes for one in part]
    outcome, seconds = judge(site.zones, set(acknowledged)), time.monotonic() - started
    assert outcome.released.items() <= files_below(release_undisturbed(tmp_path / "undisturbed", acknowledged)).items()
    took = ticks(site, "arrival_sensor")
    print(
        f"{STUDIES} studies, {len(acknowledged)} instances pushed in {pushed_after:.0f} s, done after {seconds:.0f} s: "
        f"{outcome}; ticks of the sensor: {len(took)}, median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s; "
        f"at most {max(studies for studies, _ in waiting)} studies waited and {max(queued for _, queued in waiting)} "
        f"runs, second by second: {_said(waiting)}"
    )


def _pushes(folder: Path, chance: random.Random) -> Iterator[list[Pushed]]:
    """Associations of some studies each, and one with what comes late. Of all instances 10 % come once more, at once or
    late; of 1 % of the studies, at least two, an instance comes with other bytes, too, at once or late."""
    disputed = sorted(chance.sample(range(STUDIES), max(STUDIES * _CONFLICTS // 100, 2)))
    late: list[Pushed] = []
    for first in range(0, STUDIES, _STUDIES_A_PUSH):
        part, again = [], []
        for study in range(first, min(first + _STUDIES_A_PUSH, STUDIES)):
            instances = make_study(folder, study, _INSTANCES)
            part += instances
            again += [one for one in instances if chance.random() * 100 < _DUPLICATES]
            again += [make_conflict(instances[0])] if study in disputed else []
        yield part + again[::2]
        late += again[1::2]
    yield late


def _push_all(site: Site, port: int, pushes: list[list[Pushed]]) -> list[Pushed]:
    """The last ones when a batch has taken their studies, unless nobody has the time."""
    *first, late = pushes
    acknowledged = [one for part in first for one in push(port, part)]
    if STUDIES >= _ENOUGH_TO_WAIT:
        wait_for(lambda: bool(arrival_batches(site.zones)), _SECONDS)
    return acknowledged + push(port, late)


def _said(waiting: list[tuple[int, int]]) -> str:
    """A dozen moments, as studies/runs."""
    return " ".join(f"{studies}/{queued}" for studies, queued in waiting[:: max(len(waiting) // 12, 1)])
