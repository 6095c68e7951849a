"""`python -m benchmarks.proof`: how well identities are removed, and how well all else is kept, scored row by row."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.proof import corpus
from benchmarks.proof.score import score
from benchmarks.proof.strict import look
from benchmarks.proof.table import Result, failures, tables
from benchmarks.proof.tools import TOOLS, chosen


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
    parser.add_argument("--failures", action="store_true", help="say which rows failed, with examples")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    versions = {tool: tool.version() for tool in chosen(options.only)}
    for tool in (tool for tool, version in versions.items() if version is None):
        print(f"left out, not installed: {tool.name}", file=sys.stderr)
    results = {tool: Result() for tool, version in versions.items() if version is not None}
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        for seed in range(options.seed, options.seed + options.seeds):
            scratch = Path(folder, str(seed))
            source = options.key_out / f"instances-{seed}" if options.key_out else scratch / "instances"
            key = corpus.generate(source, seed, options.instances)
            if options.key_out:
                key.write(options.key_out / f"key-{seed}")
            for tool, result in results.items():
                output = tool.run(source, key, scratch / tool.name)
                result.add(score(key, output), look(key, output))
    print(tables({f"{tool.name} {versions[tool]}": result for tool, result in results.items()}))
    if options.failures:
        for tool, result in results.items():
            print(f"\n{tool.name}\n{failures(result.score)}")
    return 0 if all(result.is_perfect for tool, result in results.items() if tool.maps) else 1


if __name__ == "__main__":
    sys.exit(main())
