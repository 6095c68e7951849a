"""From the archive to released instances, through the product's own command line: plan, then run."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.report import spread, table
from benchmarks.run import Sample, Series, timed, together
from benchmarks.ways import Place

_PROGRAM = str(Path(sys.executable).with_name("dicom-assets"))
_BATCH = re.compile(r"^cohort-\d{8}-\d+$", re.MULTILINE)
_REASON = re.compile(r"^[A-Z]+(_[A-Z]+)+: .*", re.MULTILINE)
_AT_A_TIME = 4
PLAN = "dicom-assets plan"
ONE = "dicom-assets run: one batch"
AGAIN = "the same batch again: nothing is left to do"
FOUR = f"dicom-assets run: {_AT_A_TIME} batches, started together"
COLUMNS = (
    "what",
    "seconds (min to max)",
    "files/s",
    "seconds / movescu's",
    "seconds / our C-GET's",
    "peak MB",
)


def planned(place: Place, studies: Sequence[str]) -> tuple[str, Sample]:
    """A batch of these studies, and what `dicom-assets plan` took."""
    cohort, log = place.scratch / "cohort.csv", place.scratch / "log"
    cohort.write_text("\n".join(["StudyInstanceUID", *studies, ""]))
    sample, status = timed([_PROGRAM, "plan", str(cohort)], log, place.environment())
    batch = _BATCH.search(log.read_text())
    if status or batch is None:
        raise SystemExit(f"dicom-assets plan: exit status {status}: {said(log)}")
    return batch[0], sample


def said(log: Path) -> str:
    """Why it failed: the coded reason in what was said, or else the last line."""
    words = log.read_text(errors="replace").strip()
    reason = _REASON.search(words)
    return reason[0] if reason else words.rpartition("\n")[2]


def measure(place: Place, studies: Sequence[str], instances: int, rounds: int) -> dict[str, Series]:
    """Row -> its runs. instances: of all studies together; every one has to end released."""
    series = {row: Series() for row in (PLAN, ONE, AGAIN, FOUR)}
    for _ in range(rounds):
        place.emptied()
        batch, sample = planned(place, studies)
        series[PLAN].on_corpus.append(sample)
        _run(place, [batch], series[ONE], instances)
        _run(place, [batch], series[AGAIN], instances)
        place.emptied()
        batches = [planned(place, studies[number::_AT_A_TIME])[0] for number in range(_AT_A_TIME)]
        _run(place, batches, series[FOUR], instances)
    return series


def _run(place: Place, batches: Sequence[str], series: Series, instances: int) -> None:
    log = place.scratch / "log"
    sample, status = together([[_PROGRAM, "run", batch] for batch in batches], log, place.environment())
    series.on_corpus.append(sample)
    released = len(list((place.output / "released").rglob("*.dcm")))
    if status or released != instances:
        series.failure = f"exit status {status}, {released} of {instances} released: {said(log)}"


def end_to_end_table(series: Mapping[str, Series], files: int) -> str:
    """series: with retrieval alone, by others and by us, as its first two rows."""
    theirs, ours = list(series.values())[:2]
    rows = []
    for name, runs in series.items():
        if runs.failure:
            rows.append([name, f"failed: {runs.failure}", *[""] * (len(COLUMNS) - 2)])
            continue
        ratios = [
            f"{runs.wall / other.wall:.2f}" if other.on_corpus and not other.failure else "" for other in (theirs, ours)
        ]
        rows.append([name, spread(runs), f"{files / runs.wall:.0f}", *ratios, f"{runs.peak:.0f}"])
    return table(COLUMNS, rows)
