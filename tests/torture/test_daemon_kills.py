"""Dagster's daemon, its code server and its runs are killed between arrival and the end of the run: nothing is lost.

DAEMON_KILLS=20 python -m pytest -q -s tests/torture/test_daemon_kills.py
"""

import os
import random
import time
from collections import Counter
from pathlib import Path

from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.waiting import wait_for
from tests.torture.support_daemon import running_daemon, runs, site_with_daemon, wait_until_done
from tests.torture.support_judge import files_below, judge
from tests.torture.support_progress import SIGNS, Progress
from tests.torture.support_pushing import push
from tests.torture.support_sites import kill, receiving, release_undisturbed
from tests.torture.support_studies import Pushed, make_conflict, make_study

KILLS = int(os.environ.get("DAEMON_KILLS", "1"))
#: Seconds after the planning of a batch in which its run is queued, launched and begins; and after a later sign
_LAUNCH, _PAUSE = 8.0, 0.5
#: A guard against hanging: a batch that is hit twice waits for its next run, five minutes and more
_SECONDS = 1500


@needs("storescu")
def test_arrivals_come_to_their_end_however_often_the_daemon_is_killed(tmp_path: Path) -> None:
    site, port, moments = site_with_daemon(tmp_path / "site"), free_port(), random.Random(3)
    (tmp_path / "files").mkdir()
    acknowledged: list[Pushed] = []
    kills: Counter[str] = Counter()
    started = time.monotonic()
    with receiving(site, port):
        for number in range(KILLS):
            progress = Progress(site)
            acknowledged += push(port, _arrivals(tmp_path / "files", number))
            with running_daemon(site) as daemon:
                sign = moments.choice(["planned"] * len(SIGNS) + [*SIGNS])
                wait_for(lambda progress=progress, sign=sign: progress.has(sign), _SECONDS)
                time.sleep(moments.uniform(0, _LAUNCH if sign == "planned" else _PAUSE))
                kill(daemon)
            kills[progress.furthest()] += 1
        with running_daemon(site):
            wait_until_done(site, _SECONDS)
    assert len(acknowledged) == KILLS * len(_arrivals(tmp_path / "files", 0))
    outcome = judge(site.zones, acknowledged)
    assert outcome.released.items() <= files_below(release_undisturbed(tmp_path / "undisturbed", acknowledged)).items()
    after = ", ".join(f"{kills[sign]} {sign}" for sign in ("begun", *SIGNS))
    print(
        f"{KILLS} kills of the daemon (after: {after}): {outcome}, runs: {runs(site)}, "
        f"{time.monotonic() - started:.0f} s"
    )


def _arrivals(folder: Path, number: int) -> list[Pushed]:
    """Two studies: one with a conflict, one with an instance that is blocked."""
    disputed = make_study(folder, 2 * number, 2)
    blocked = make_study(folder, 2 * number + 1, 1, is_blocked=True) + make_study(folder, 2 * number + 1, 1, first=1)
    return [*disputed, make_conflict(disputed[0]), *blocked]
