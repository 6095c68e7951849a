"""`python -m benchmarks`: speed of every tool on every corpus, then retrieval and receiving; `... speed`,
`... retrieval` or `... receiving`: one of them; `... memory`: peak memory of the tools; `... stages`: what each stage
of a batch takes; `... pixels`: what text in pixels costs."""

import argparse
import contextlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import hiding_places, memory, peers, pixel_speed, receiving, report, retrieval, stages, ways
from benchmarks.run import Bench, Series, count_files, module, warm

PARTS = ("all", "speed", "retrieval", "receiving", "memory", "stages", "pixels")
CORPORA = ("ct", "mr-enh", "us", "small")
QUICK = {"ct": "ct=100", "mr-enh": "mr-enh=2", "us": "us=6", "small": "small=500"}


def absolute(path: str) -> Path:
    return Path(path).absolute()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=PARTS, default=PARTS[0])
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="begins with; may be repeated")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--rounds", type=int, help="default: 5, of retrieval 3")
    parser.add_argument("--quick", action="store_true", help="one round on a part of each corpus: does it work?")
    parser.add_argument("--keep", type=absolute, metavar="FOLDER", help="keep the corpora here, or use those here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run's figures")
    return parser.parse_args()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """In memory if the system has a folder there, so that no disk is measured; gone at the end."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


def installed(only: list[str]) -> dict[peers.Tool, str]:
    """tool -> version; says which are left out because they are not installed."""
    versions = {tool: tool.version() for tool in peers.chosen(only)}
    for tool in (tool for tool, version in versions.items() if version is None):
        print(f"left out, not installed: {tool.name}")
    return {tool: version for tool, version in versions.items() if version is not None}


def speed(options: argparse.Namespace, bench: Bench, tools: dict[peers.Tool, str], corpora: Path) -> dict:
    """Print a table for each corpus, then what the tools overlook. -> corpus -> tool -> its runs"""
    measured = {}
    for name in options.corpora:
        source = corpora / name
        if not source.is_dir():
            module("gen_corpus", corpora, QUICK[name] if options.quick else name)
        series = {tool: Series() for tool in tools}
        for _ in range(1 if options.quick else options.rounds or 5):
            warm(source)
            bench.round(series, source)
        files, size = count_files(source), sum(path.stat().st_size for path in source.rglob("*.dcm"))
        print(f"\n## {name}: {files} files, {size / 1e6:.0f} MB\n")
        print(report.corpus_table(files, size, series), report.ratios(series), sep="\n\n", flush=True)
        measured[name] = {tool.name: asdict(runs) for tool, runs in series.items()}
    return measured


def overlooked(bench: Bench, tools: dict[peers.Tool, str]) -> str:
    """A table: in which of the places where a name is easily overlooked it still stands."""
    source = bench.scratch / "hiding places"
    module("hiding_places", source)
    rows = []
    for tool in tools:
        bench.once(tool, source)
        found = hiding_places.found_in(bench.output)
        rows.append([tool.name, f"{count_files(bench.output)} of {count_files(source)}", ", ".join(found) or "none"])
    return report.table(("tool", "files written", "places where the name still stands"), rows)


def refuse_unknown(only: list[str]) -> None:
    rows = [row.name for row in (*peers.TOOLS, *ways.WAYS)]
    for name in only:
        if not any(row.startswith(name) for row in rows):
            raise SystemExit(f"no such row: {name}; there are {'; '.join(rows)}")


def measured(options: argparse.Namespace, scratch: Path, corpora: Path) -> dict:
    """Print what was asked for. -> what goes into the JSON file"""
    figures = {}
    if options.what == "stages":
        return {"stages": stages.measure(options, scratch, corpora)}
    if options.what == "pixels":
        return {"pixels": pixel_speed.measure(options, scratch)}
    if options.what not in ("retrieval", "receiving") and (tools := installed(options.only)):
        print(*(f"- {tool.name} {version}" for tool, version in tools.items()), sep="\n")
        bench = Bench(scratch)
        peers.make_certificate(scratch)
        if options.what == "memory":
            print("", memory.measure(bench, list(tools), corpora, options.rounds or 5), sep="\n")
            return figures
        figures["versions"] = {tool.name: version for tool, version in tools.items()}
        figures["corpora"] = speed(options, bench, tools, corpora)
        print("\n## What is easily overlooked\n", overlooked(bench, tools), sep="\n")
    if options.what in ("all", "retrieval"):
        figures["retrieval"] = retrieval.measure(options, scratch, corpora)
    if options.what in ("all", "receiving"):
        figures["receiving"] = receiving.measure(options, scratch, corpora)
    return figures


def main() -> None:
    options = arguments()
    refuse_unknown(options.only)
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    with scratch_folder() as scratch:
        print(f"{machine}; files in {scratch.parent}", flush=True)
        figures = measured(options, scratch, options.keep or scratch / "corpora")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **figures}, indent=1))


if __name__ == "__main__":
    main()
