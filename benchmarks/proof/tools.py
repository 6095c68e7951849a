"""Who is scored: dicom-assets under the profile `research`, and the peers that install, each by its own front door with
its own defaults."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import OURS, PEERS_PYTHON, REPOSITORY, first_line
from benchmarks.proof.key import AnswerKey
from benchmarks.proof.output import Output, read_output

_DONE = (0, 3)  # 3: dicom-assets has kept something back
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tool:
    """command: with {input}, {output}, and {scratch} for keys and mappings. maps: it writes uids.csv and
    patients.csv to {scratch}/mapping."""

    name: str
    command: tuple[str, ...]
    maps: bool = False

    def version(self) -> str | None:
        """None: it is not installed."""
        ask = f"from importlib.metadata import version; print(version({self.name!r}))"
        return first_line(sys.executable if self.name == OURS else PEERS_PYTHON, "-c", ask)

    def run(self, corpus: Path, key: AnswerKey, scratch: Path) -> Output:
        scratch.mkdir(parents=True)
        output = scratch / "output"
        arguments = [part.format(input=corpus, output=output, scratch=scratch) for part in self.command]
        with (scratch / "log").open("wb") as log:
            run = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY)
        if run.returncode not in _DONE:
            print(f"{self.name}: exit status {run.returncode}", file=sys.stderr)
        mapping = scratch / "mapping" if self.maps else None
        return read_output(output, key, mapping)


def _ours() -> Tool:
    program = str(Path(sys.executable).with_name("dicom-assets"))
    options = "--profile research --mapping {scratch}/mapping --key-file {scratch}/key --json"
    return Tool(OURS, (program, "deidentify", "{input}", "{output}", *options.split()), maps=True)


def _driven(name: str) -> Tool:
    return Tool(name, (PEERS_PYTHON, str(HERE / "drive.py"), name, "{input}", "{output}"))


TOOLS = (
    _ours(),
    Tool("dicognito", (PEERS_PYTHON, *"-m dicognito --quiet --seed proof -o {output} {input}".split())),
    _driven("dicom-anonymizer"),
    _driven("deid"),
)


def chosen(only: Iterable[str]) -> list[Tool]:
    """Those named; all if none is."""
    wanted = set(only) or {tool.name for tool in TOOLS}
    return [tool for tool in TOOLS if tool.name in wanted]
