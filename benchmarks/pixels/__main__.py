"""`python -m benchmarks.pixels`: how much of the text in images is found, and what is taken for text that is none."""

import argparse
import sys
from pathlib import Path

from benchmarks.pixels.campaign import run
from benchmarks.pixels.frames import ROWS, SEED
from benchmarks.pixels.table import contact_sheet, false_share, recall, tables

#: What is promised: recall of text that a person reads without effort, and the share of clean frames with a box
RECALL, FALSE = 0.99, 0.02


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels", description=__doc__)
    parser.add_argument("--frames", type=int, default=600, help="with text, and as many without; default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="number of the first one; default: %(default)s")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, help="processes; default: one a core")
    parser.add_argument("--row", default="", choices=dict.fromkeys(ROWS), help="frames with text of this kind alone")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw there what was missed and what was false")
    options = parser.parse_args()
    looked = list(run(options.first, options.frames, seed=options.seed, jobs=options.jobs, row=options.row))
    print(tables(looked))
    if options.sheet:
        contact_sheet(looked, options.sheet, options.seed)
    return 0 if recall(looked) >= RECALL and false_share(looked) < FALSE else 1


if __name__ == "__main__":
    sys.exit(main())
