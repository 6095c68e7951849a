"""Peak memory: does it grow with an instance, or with the corpus?"""

from pathlib import Path

from benchmarks.peers import Tool
from benchmarks.report import table
from benchmarks.run import Bench, module

GIGABYTE = 1 << 30


def measure(bench: Bench, tools: list[Tool], corpora: Path, rounds: int) -> str:
    """A table: the most that each tool needed on an instance of 1 GB, on `small` and on ten times `small`."""
    inputs = {
        "one instance of 1 GB": one_large(corpora),
        "small": small(corpora),
        "10 x small": ten_times(corpora / "small", corpora / "small, ten times"),
    }
    rows = []
    for tool in tools:
        row = [tool.name]
        for source in inputs.values():
            runs = [bench.once(tool, source) for _ in range(rounds)]
            failed = any(status for _, status in runs)
            row.append("failed" if failed else f"{max(sample.peak for sample, _ in runs):.0f}")
        rows.append(row)
    return table(("tool: peak MB of a process", *inputs), rows)


def small(corpora: Path) -> Path:
    if not (corpora / "small").is_dir():
        module("gen_corpus", corpora, "small")
    return corpora / "small"


def one_large(corpora: Path, size: int = GIGABYTE) -> Path:
    """A multi-frame instance with so many bytes of black pixels, which take no room on the disk."""
    folder = corpora / f"large, {size} bytes"
    if not folder.is_dir():
        module("large_instance", folder / "large.dcm", size)
    return folder


def ten_times(source: Path, target: Path) -> Path:
    """The corpus under ten UID roots of the same length, and so ten times as many studies of the same patients."""
    if not target.is_dir():
        for digit in range(10):
            for path in source.rglob("*.dcm"):
                copy = target / str(digit) / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes().replace(b".10.999.", b".10.99%d." % digit))
    return target
