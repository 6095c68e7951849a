"""Dagster's daemon with its code server, as a service runs them, and what its database says of its work."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import dagster as dg

from tests.support.site import REPOSITORY, Site
from tests.torture.support_progress import is_all_done
from tests.torture.support_sites import kill, new_site, start

#: Dagster looks for runs whose start was interrupted every two minutes and gives them three: here sooner
_SOONER = "  start_timeout_seconds: 20\n  poll_interval_seconds: 5\n"
_NOT_ENDED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def site_with_daemon(folder: Path) -> Site:
    """What arrives is de-identified at once, and settles soon."""
    site = new_site(folder, DICOM_ANONYMIZE_ON_UPLOAD="true", DICOM_ARRIVAL_SETTLE_SECONDS="1")
    site.dagster_home.mkdir()
    ours = files("dicom_assets.defs").joinpath("dagster.yaml").read_text("utf-8")
    assert "\nrun_monitoring:\n" in ours
    sooner = ours.replace("\nrun_monitoring:\n", f"\nrun_monitoring:\n{_SOONER}")
    (site.dagster_home / "dagster.yaml").write_text(sooner, "utf-8")
    runs(site)  # which makes Dagster's databases, before several processes want to
    return site


@contextmanager
def running_daemon(site: Site) -> Iterator[subprocess.Popen]:
    """Its group is killed at the end, where nobody has done it before."""
    program = str(Path(sys.executable).parent / "dagster-daemon")
    process = start(site, program, "run", "-w", str(REPOSITORY / "workspace.yaml"), cwd=REPOSITORY)
    try:
        yield process
    finally:
        if process.returncode is None:
            kill(process)


def wait_until_done(site: Site, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
    """seconds: a guard against hanging. meanwhile: called every second."""
    deadline = time.monotonic() + seconds
    while not is_all_done(site):
        meanwhile()
        assert time.monotonic() < deadline, f"not done; runs: {runs(site)}"
        time.sleep(1)


def runs(site: Site) -> dict[str, int]:
    """Runs that there are, by their status."""
    with dg.DagsterInstance.from_config(str(site.dagster_home)) as instance:
        found: dict[str, int] = {}
        for run in instance.get_runs():
            found[run.status.value] = found.get(run.status.value, 0) + 1
        return found


def ticks(site: Site, sensor: str) -> list[float]:
    """Seconds that each of the sensor's ticks took, sorted; those that found nothing to do, too."""
    with dg.DagsterInstance.from_config(str(site.dagster_home)) as instance:
        state = next(state for state in instance.all_instigator_state() if state.instigator_name == sensor)
        found = instance.get_ticks(state.instigator_origin_id, state.selector_id)
        return sorted(tick.end_timestamp - tick.timestamp for tick in found if tick.end_timestamp)
