"""For each number that it is given on stdin a child that reads the mapping in every way until it is killed, and says of
each result, by its reason, that it has it. `python -m tests.torture.support_reader OUT`."""

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

from dicom_assets.settings import Settings
from dicom_assets.storage.mapping import export_csv, mapped_batches, read_part
from dicom_assets.workflow.job import zones_of
from dicom_assets.workflow.reidentify import look_up, reidentify


def main(out: Path) -> None:
    zones = zones_of(Settings.from_env())
    (batch,) = mapped_batches(zones)
    ways: dict[str, Callable[[str], object]] = {
        "part": lambda why: read_part(zones, batch, why=why),
        "back": lambda why: reidentify(zones, "P1", why),
        "forth": lambda why: look_up(zones, "PLANTED", why),
        "export": lambda why: export_csv(zones, [batch], out / f"{why}.csv", why=why),
    }
    for life in map(str.strip, sys.stdin):
        child = os.fork()
        if not child:
            _say(f"begins {os.getpid()}")
            for turn, way in enumerate(itertools.cycle(ways)):
                why = f"{way}-{life}-{turn}"
                if ways[way](why):
                    _say(why)
        os.waitpid(child, 0)
        _say("ended")


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
