"""The measurements as Markdown tables."""

from benchmarks.peers import COPY, Tool
from benchmarks.run import Series

COLUMNS = (
    "tool",
    "files/s",
    "MB/s",
    "% of cp -r",
    "seconds (min to max)",
    "files/CPU-s",
    "cores",
    "peak MB",
    "left behind",
)


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rate(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}"


def spread(runs: Series) -> str:
    """Seconds: the median, the fastest and the slowest run."""
    walls = [sample.wall for sample in runs.on_corpus]
    return f"{runs.wall:.2f} ({min(walls):.2f} to {max(walls):.2f})"


def corpus_table(files: int, size: int, series: dict[Tool, Series]) -> str:
    """A row for each tool. files: instances of the corpus; size: its bytes."""
    copy = next((runs.wall for tool, runs in series.items() if tool.name == COPY), None)
    rows = []
    for tool, runs in series.items():
        name = f"{tool.name} ({tool.language})"
        if runs.failure:
            rows.append([name, *[""] * (len(COLUMNS) - 2), f"failed: {runs.failure}"])
            continue
        rows.append(
            [
                name,
                rate(files / runs.wall),
                rate(size / 1e6 / runs.wall),
                f"{100 * copy / runs.wall:.0f}" if copy else "",
                spread(runs),
                rate(files / runs.cpu) if runs.cpu > 0 else "?",
                f"{runs.cores:.1f}",
                f"{runs.peak:.0f}",
                left_behind(runs.findings),
            ]
        )
    return table(COLUMNS, rows)


def left_behind(findings: dict) -> str:
    """The findings, as leftovers.Findings has them, in the words of the table."""
    count = findings["instances"]
    if not count:
        return "no output"
    private = findings["private_elements"]
    words = [kind if held == count else f"{kind} ({held} of {count})" for kind, held in findings["kinds"].items()]
    words += [f"private elements ({private / count:.0f} a file)"] if private else []
    words += [f"changed pixel data ({findings['other_pixels']})"] if findings["other_pixels"] else []
    words += [f"unreadable files ({findings['unreadable']})"] if findings["unreadable"] else []
    return ", ".join(words) or "nothing"


def ratios(series: dict[Tool, Series]) -> str:
    """Ours over the fastest peer, the fastest in Rust, and pydcm: as whole processes, and a core without start-up."""
    whole = [tool for tool, runs in series.items() if not runs.failure and runs.cpu > 0]
    peers = [tool for tool in whole if tool.is_peer]
    rivals = {"the fastest peer": peers}
    rivals["the fastest in Rust"] = [tool for tool in peers if tool.language == "Rust"]
    rivals["pydcm"] = [tool for tool in peers if tool.name == "pydcm"]
    lines = []
    for ours in (tool for tool in whole if tool.is_ours):
        parts = []
        for label, among in rivals.items():
            if among:
                by_wall = min(among, key=lambda tool: series[tool].wall)
                by_cpu = min(among, key=lambda tool: series[tool].cpu)
                wall, cpu = series[by_wall].wall / series[ours].wall, series[by_cpu].cpu / series[ours].cpu
                parts.append(f"{wall:.2f}x {label} ({by_wall.name}), a core {cpu:.2f}x ({by_cpu.name})")
        if parts:
            lines.append(f"- {ours.name}: {'; '.join(parts)}")
    return "\n".join(lines)
