"""A worker that is killed at random moments of its batches loses nothing, doubles nothing, and ends in the same bytes.

WORKER_KILLS=300 python -m pytest -q -s tests/torture/test_worker_kills.py
"""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dicom_assets.storage.mapping import mapped_batches, read_part
from dicom_assets.workflow.arrivals import arrival_batches, plan_arrivals
from dicom_assets.workflow.closing import is_finished
from tests.support.site import Site
from tests.torture.support_judge import judge
from tests.torture.support_progress import SIGNS, Progress, is_all_done
from tests.torture.support_sites import kill, new_site, put, start, start_worker
from tests.torture.support_studies import Pushed, make_conflict, make_study

KILLS = int(os.environ.get("WORKER_KILLS", "6"))
#: Sites that are killed side by side
_LANES = 2 if KILLS > 20 else 1
#: Of so many batches one is worked on by `dicom-assets run`
_BY_COMMAND = 15
#: A guard against hanging
_SECONDS = 240
#: Exit codes: done, and done with instances in quarantine
_GOOD = (0, 3)


def test_a_worker_killed_at_any_moment_goes_on_where_it_was(tmp_path: Path) -> None:
    lanes = [_Lane(tmp_path / str(number), random.Random(number)) for number in range(_LANES)]
    started = time.monotonic()
    with ThreadPoolExecutor(_LANES) as threads:
        for done in [threads.submit(lane.run, KILLS // _LANES) for lane in lanes]:
            done.result()
    outcomes = [judge(lane.killed.zones, lane.arrived) for lane in lanes]
    assert outcomes == [judge(lane.undisturbed.zones, lane.arrived) for lane in lanes]
    kills = sum((lane.kills for lane in lanes), Counter())
    after = ", ".join(f"{kills[sign]} {sign}" for sign in ("begun", *SIGNS))
    print(
        f"{kills.total()} kills of workers (after: {after}): {'; '.join(map(str, outcomes))}, "
        f"{time.monotonic() - started:.0f} s"
    )


@dataclass
class _Lane:
    """Two sites that get the same arrivals, one of which is killed. kills: by how far the batch was."""

    folder: Path
    chance: random.Random
    arrived: list[Pushed] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.undisturbed, self.killed = new_site(self.folder / "undisturbed"), new_site(self.folder / "killed")
        (self.folder / "files").mkdir()

    def run(self, kills: int) -> None:
        for number, arriving in enumerate(_rounds(self.folder / "files"), 1):
            self.arrived += arriving
            begin = _by_command if number % _BY_COMMAND == 0 else start_worker
            undisturbed, killed = (Progress(site) for site in (self.undisturbed, self.killed))
            for site in (self.undisturbed, self.killed):
                put(site, arriving)
            process, started = begin(self.undisturbed), time.monotonic()
            assert process.wait(_SECONDS) in _GOOD
            seconds, pauses = time.monotonic() - started, undisturbed.pauses()
            while not is_all_done(self.killed):
                self._interrupt(begin(self.killed), killed, pauses, seconds)
            if self.kills.total() >= kills:
                return

    def _interrupt(
        self, process: subprocess.Popen, progress: Progress, pauses: dict[str, float], seconds: float
    ) -> None:
        """At a random moment after one of the next signs that are to come, or at any moment; or never, where the
        process ends before that. pauses: seconds after each sign. seconds: of all."""
        signs = [sign for sign in pauses if not progress.has(sign)]
        sign = self.chance.choice([*signs[:3], ""])
        while sign and process.poll() is None and not progress.has(sign):
            time.sleep(0.001)
        try:
            assert process.wait(self.chance.uniform(0, pauses.get(sign, seconds))) in _GOOD
        except subprocess.TimeoutExpired:
            kill(process)
            self.kills[progress.furthest()] += 1
            _nothing_is_released_without_its_row(progress.site)


def _rounds(folder: Path) -> Iterator[list[Pushed]]:
    """What arrives, batch after batch: three new studies, with a conflict and an instance that is blocked; and of a
    study that was released before a new instance, a duplicate, and other bytes of one that it has."""
    before: list[Pushed] = []
    for study in range(0, 100_000, 3):
        plain, disputed = make_study(folder, study, 3), make_study(folder, study + 1, 3)
        blocked = make_study(folder, study + 2, 1, is_blocked=True) + make_study(folder, study + 2, 2, first=1)
        late = [*make_study(folder, study - 3, 1, first=3), before[0], make_conflict(before[1])] if before else []
        yield [*plain, *disputed, make_conflict(disputed[0]), *blocked, *late]
        before = plain


def _by_command(site: Site) -> subprocess.Popen:
    """`dicom-assets run` of a batch that is not finished."""
    plan_arrivals(site.zones, 0, keep_originals=False)
    batch = next(batch for batch in arrival_batches(site.zones) if not is_finished(site.zones, batch))
    return start(site, *site.command("run", batch))


def _nothing_is_released_without_its_row(site: Site) -> None:
    parts = [read_part(site.zones, batch, why="a test") for batch in mapped_batches(site.zones)]
    mapped = {file for part in parts for file in part["Anonymized Filename"]}
    assert {str(path.relative_to(site.zones.released)) for path in site.released_files()} <= mapped
