"""`python -m benchmarks.proof`: how well identities are removed, and how well all else is kept, scored row by row."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.proof import corpus
from benchmarks.proof.output import read_output
from benchmarks.proof.score import score
from benchmarks.proof.strict import look
from benchmarks.proof.table import Result, failures, tables
from benchmarks.proof.tools import TOOLS, Tool, chosen

_MOST_FOUND = 20  # files that are named


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proof", description=__doc__)
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="may be repeated")
    parser.add_argument("--seed", type=int, default=corpus.SEED, help="default: %(default)s")
    parser.add_argument(
        "--seeds", type=int, default=1, help="so many, from --seed on; the rows of all of them together"
    )
    parser.add_argument("--instances", type=int, default=corpus.INSTANCES, help="default: %(default)s")
    parser.add_argument("--key-out", type=Path, metavar="DIR", help="write the instances and their answer key there")
    parser.add_argument(
        "--score", type=Path, metavar="DIR", help="what another tool made of the instances of this seed"
    )
    parser.add_argument("--mapping", type=Path, metavar="DIR", help="its uids.csv and patients.csv: id_old, id_new")
    parser.add_argument("--failures", action="store_true", help="say which rows failed, with examples")
    return parser.parse_args()


def installed(only: list[str]) -> dict[Tool, str]:
    """tool -> version; says which are left out because they are not installed."""
    versions = {tool: tool.version() for tool in chosen(only)}
    for tool in (tool for tool, version in versions.items() if version is None):
        print(f"left out, not installed: {tool.name}", file=sys.stderr)
    return {tool: version for tool, version in versions.items() if version is not None}


def scored(options: argparse.Namespace, tools: dict[Tool, str], scratch: Path) -> dict[str, Result]:
    """Column of the table -> its result over all seeds."""
    results: dict[str, Result] = {}
    for seed in range(options.seed, options.seed + options.seeds):
        folder = options.key_out or scratch
        source = folder / f"instances-{seed}"
        key = corpus.generate(source, seed, options.instances)
        if options.key_out:
            key.write(folder / f"key-{seed}")
        for tool, version in tools.items():
            output = tool.run(source, key, scratch / f"{tool.name}-{seed}")
            results.setdefault(f"{tool.name} {version}", Result()).add(score(key, output), look(key, output))
        if options.score:
            output = read_output(options.score, key, options.mapping)
            results.setdefault(options.score.name, Result()).add(score(key, output), look(key, output))
    return results


def main() -> int:
    options = arguments()
    tools = {} if options.score else installed(options.only)
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        results = scored(options, tools, Path(folder))
    print(tables(results))
    if options.failures:
        for column, result in results.items():
            print(f"\n{column}\n{failures(result.score)}")
            print(*(f"{name}: {sorted(told)}" for name, told in result.findings.found[:_MOST_FOUND]), sep="\n")
    ours = [result for column, result in results.items() if column.startswith(TOOLS[0].name)]
    return 0 if all(result.is_perfect for result in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
