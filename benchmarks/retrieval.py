"""Whole studies from a real archive on loopback: by ours, by dcmtk's clients and as a plain download, in turn; then all
the way to released instances; then our peak memory."""

import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import end_to_end
from benchmarks.memory import GIGABYTE, one_large
from benchmarks.orthanc import program, running_orthanc
from benchmarks.peers import first_line
from benchmarks.report import rate, spread, table
from benchmarks.run import Sample, Series, count_files, module, timed
from benchmarks.ways import METHODS, MOVESCU, OURS_BY_GET, PROVED, WAYS, Place, Way

CORPORA = ("ct", "mr-enh")
#: 1 GB; with --quick an eighth of it
LARGE = "one large instance"
QUICK = {"ct": "ct=200", "mr-enh": "mr-enh=2"}
#: What the archive and dcmtk's programs have in their environment; the corpora; whether for one round only; the title
PASSES = (
    ({"TCP_NODELAY": "1"}, CORPORA, False, "without Nagle's algorithm (TCP_NODELAY=1 for the archive and dcmtk)"),
    ({}, ("ct",), True, "the archive and dcmtk as they come, one round"),
)
COLUMNS = ("way", "files/s", "MB/s", "seconds (min to max)", "start-up s", "x peer", "x peer, once started", "peak MB")


@dataclass(frozen=True)
class Stored:
    """What of the archive is asked for. size: bytes."""

    studies: tuple[str, ...] = ()
    instances: int = 0
    size: int = 0


def chosen(only: Iterable[str]) -> list[Way]:
    """The ways whose names begin with one of those given; all if none is given. What is not installed is named."""
    wanted = [way for way in WAYS if way.name.startswith(tuple(only) or "")]
    for way in wanted:
        if not way.is_installed():
            print(f"left out, not installed: {way.name}")
    return [way for way in wanted if way.is_installed()]


def measure(options: Namespace, scratch: Path, corpora: Path) -> dict:
    """Print the tables. -> pass -> corpus or `end to end` -> row -> its runs; `peak MB` -> corpus -> way"""
    ways = chosen(options.only) if program("Orthanc") else []
    if not ways:
        print("left out: retrieval" + ("" if program("Orthanc") else "; Orthanc is not installed"))
        return {}
    programs = dict.fromkeys(["Orthanc", *(way.program for way in ways if way.program)])
    print("", *(f"- {first_line(program(name), '--version')}" for name in programs), sep="\n")
    names = [name for name in CORPORA if name in options.corpora]
    measured = {}
    for environment, corpora_of_pass, is_once, title in PASSES:
        print(f"\n# Retrieval, {title}")
        rounds = 1 if options.quick or is_once else options.rounds or 3
        measured[title] = {}
        for name in (name for name in names if name in corpora_of_pass):
            with archive_of(name, options.quick, scratch, corpora, environment) as (place, held):
                measured[title] |= _tables(place, ways, name, held, rounds)
    if ours := [way for way in ways if way.is_ours]:
        measured["peak MB"] = {}
        for name in (*names, LARGE):
            with archive_of(name, options.quick, scratch, corpora, {}) as (place, held):
                measured["peak MB"] |= _peaks(place, ours, name, held)
        print("\n# Memory: our peak while retrieving\n", _memory_table(measured["peak MB"]), sep="\n")
    return measured


@contextmanager
def archive_of(
    name: str, is_quick: bool, scratch: Path, corpora: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Place, Stored]]:
    """An archive that holds one corpus: each has its own, since they share patients and studies."""
    if name == LARGE:
        corpus = one_large(corpora, GIGABYTE >> 3 if is_quick else GIGABYTE)
    else:
        corpus = corpora / name
        if not corpus.is_dir():
            module("gen_corpus", corpora, QUICK[name] if is_quick else name)
    paths = list(corpus.rglob("*.dcm"))
    with running_orthanc(scratch / f"orthanc {name}", {**os.environ, **environment}) as orthanc:
        if not orthanc.studies():
            module("upload", orthanc.url, corpus)
        held = Stored(tuple(orthanc.studies()), len(paths), sum(path.stat().st_size for path in paths))
        yield Place(orthanc, scratch, dict(environment)), held


def _tables(place: Place, ways: Sequence[Way], name: str, held: Stored, rounds: int) -> dict:
    series = {way: Series() for way in ways}
    for _ in range(rounds):
        for way, runs in series.items():
            _round(place, way, held, runs)
    print(f"\n## {name}: {len(held.studies)} studies, {held.instances} files, {held.size / 1e6:.0f} MB\n")
    print(_table(held, series), flush=True)
    measured = {name: {way.name: asdict(runs) for way, runs in series.items()}}
    if name == "ct" and OURS_BY_GET in series:
        alone = {f"{way.name}, alone": series.get(way, Series()) for way in (MOVESCU, OURS_BY_GET)}
        rows = {**alone, **end_to_end.measure(place, held.studies, held.instances, rounds)}
        print(f"\n## {name}, from the archive to released\n")
        print(end_to_end.end_to_end_table(rows, held.instances), flush=True)
        measured["end to end"] = {row: asdict(runs) for row, runs in rows.items()}
    return measured


def _round(place: Place, way: Way, held: Stored, runs: Series) -> None:
    """Once without any study, which is its start-up, and once with all. A way that failed is not asked again."""
    if runs.failure:
        return
    if not runs.on_nothing:
        _once(place, way, Stored())  # its libraries come into the page cache, their .pyc files into being
    runs.on_nothing.append(_once(place, way, Stored())[0])
    sample, runs.failure = _once(place, way, held)
    runs.on_corpus.append(sample)


def _once(place: Place, way: Way, held: Stored) -> tuple[Sample, str]:
    """What it took, and why it failed."""
    place.emptied()
    log, what = place.scratch / "log", held.studies
    if way is PROVED and what:
        what = [end_to_end.planned(place, what)[0]]
    if way.receiver and what:
        with place.receiver() as peaks:
            sample, status = timed(way.arguments(what), log, place.environment(way.method))
        sample = replace(sample, peak=max(sample.peak, *peaks))
    else:
        sample, status = timed(way.arguments(what), log, place.environment(way.method))
    if status or not way.has_all(place.output, held.instances, len(held.studies)):
        return sample, f"exit status {status}, {count_files(place.output)} files: {end_to_end.said(log)}"
    return sample, ""


def _table(held: Stored, series: dict[Way, Series]) -> str:
    rows = []
    for way, runs in series.items():
        name = way.name if way.is_ours else f"{way.name} ({METHODS[way.method]})"
        if runs.failure:
            rows.append([name, f"failed: {runs.failure}", *[""] * (len(COLUMNS) - 2)])
            continue
        peer = _peer(way, series)
        rows.append(
            [
                name,
                rate(held.instances / runs.wall),
                rate(held.size / 1e6 / runs.wall),
                spread(runs),
                f"{runs.start_up:.2f}",
                f"{peer.wall / runs.wall:.2f}" if peer else "",
                f"{_started(peer) / _started(runs):.2f}" if peer else "",
                f"{runs.peak:.0f}",
            ]
        )
    return table(COLUMNS, rows)


def _peer(way: Way, series: dict[Way, Series]) -> Series | None:
    """The other program's runs with the same method."""
    others = (runs for other, runs in series.items() if other.method == way.method and not other.is_ours)
    return next((runs for runs in others if not runs.failure), None)


def _started(runs: Series) -> float:
    """Seconds without those of the start-up."""
    return max(runs.wall - runs.start_up, 0.01)


def _peaks(place: Place, ways: Sequence[Way], name: str, held: Stored) -> dict[str, dict[str, str]]:
    """With one study, and with all -> way -> megabytes"""
    count = len(held.studies)
    asked = {f"{name}, 1 study": Stored(held.studies[:1], held.instances // count), f"{name}, {count} studies": held}
    if count == 1:
        asked = {name: held}
    peaks = {}
    for column, part in asked.items():
        runs = {way: _once(place, way, part) for way in ways}
        peaks[column] = {way.name: failure or f"{sample.peak:.0f}" for way, (sample, failure) in runs.items()}
    return peaks


def _memory_table(peaks: dict[str, dict[str, str]]) -> str:
    ways = next(iter(peaks.values()))
    return table(("way: peak MB", *peaks), [[way, *(column[way] for column in peaks.values())] for way in ways])
