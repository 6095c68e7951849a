"""Who is scored: dicom-assets under the profile `research`, and the peers that install, each by its own front door with
its own defaults."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import OURS, PEERS_PYTHON, REPOSITORY, first_line
from benchmarks.proof.corpus import ULTRASOUND
from benchmarks.proof.key import AnswerKey
from benchmarks.proof.output import Output, read_output

_DONE = (0, 3)  # 3: dicom-assets has kept something back
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tool:
    """command: with {input}, {output}, {scratch} for keys and mappings, and {profile}. maps: it writes uids.csv and
    patients.csv to {scratch}/mapping."""

    name: str
    command: tuple[str, ...]
    maps: bool = False

    def version(self) -> str | None:
        """None: it is not installed."""
        ask = f"from importlib.metadata import version; print(version({self.name!r}))"
        return first_line(sys.executable if self.name == OURS else PEERS_PYTHON, "-c", ask)

    def run(self, corpus: Path, key: AnswerKey, scratch: Path) -> Output:
        """Each folder of the corpus for itself, so that ours can be told that ultrasound is clean; one mapping."""
        output = scratch / "output"
        output.mkdir(parents=True)
        with (scratch / "log").open("wb") as log:
            for folder in sorted(path for path in corpus.iterdir() if path.is_dir()):
                profile = HERE / "unexamined-research.toml" if folder.name == ULTRASOUND else "research"
                places = {"input": folder, "output": output / folder.name, "scratch": scratch, "profile": profile}
                arguments = [part.format(**places) for part in self.command]
                run = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY)
                if run.returncode not in _DONE:
                    print(f"{self.name} on {folder.name}: exit status {run.returncode}", file=sys.stderr)
        mapping = scratch / "mapping" if self.maps else None
        return read_output(output, key, mapping)


def _ours() -> Tool:
    program = str(Path(sys.executable).with_name("dicom-assets"))
    options = "--profile {profile} --mapping {scratch}/mapping --key-file {scratch}/key --json"
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
