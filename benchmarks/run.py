"""Runs tools in turn over a corpus and measures each run as a whole process, from outside.

Only the standard library: a child's peak memory counts from that of the process that starts it, so this one is small.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import REPOSITORY, Tool


@dataclass(frozen=True)
class Sample:
    """One run of a process and all that it started.

    wall, cpu: seconds; cpu is user and system time, children included.
    peak: megabytes, of the process or of the child that needed most.
    """

    wall: float
    cpu: float
    peak: float


@dataclass
class Series:
    """The runs of one tool on one corpus, and its runs on an empty folder, which are its start-up."""

    on_corpus: list[Sample] = field(default_factory=list)
    on_nothing: list[Sample] = field(default_factory=list)
    outputs: int = 0
    failure: str = ""
    findings: dict = field(default_factory=dict)

    @property
    def wall(self) -> float:
        return statistics.median(sample.wall for sample in self.on_corpus)

    @property
    def start_up(self) -> float:
        """Seconds of a run on nothing."""
        return statistics.median(sample.wall for sample in self.on_nothing)

    @property
    def cpu(self) -> float:
        """Seconds without those of the start-up; not positive where the corpus is too small to tell."""
        start_up = statistics.median(sample.cpu for sample in self.on_nothing)
        return statistics.median(sample.cpu for sample in self.on_corpus) - start_up

    @property
    def cores(self) -> float:
        """Cores that it kept busy."""
        return statistics.median(sample.cpu / sample.wall for sample in self.on_corpus)

    @property
    def peak(self) -> float:
        return max(sample.peak for sample in self.on_corpus)


def clear(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def timed(arguments: list[str], log: Path, environment: Mapping[str, str] | None = None) -> tuple[Sample, int]:
    """Run it to its end, its words into log; what it took, and its exit status."""
    return together([arguments], log, environment)


def together(
    commands: Sequence[list[str]], log: Path, environment: Mapping[str, str] | None = None
) -> tuple[Sample, int]:
    """Run them at the same time, in the folder of the log, until the last has ended; what they took, the peak of the
    one that needed most, and the exit status of one that failed, if any did."""
    environment = dict(os.environ if environment is None else environment)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are kept, as where programs are used twice
    with log.open("wb") as words:
        begun = time.perf_counter()
        processes = [
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment, cwd=log.parent
            )
            for command in commands
        ]
        ended = [ended_process(process) for process in processes]
        wall = time.perf_counter() - begun
    usages = [usage for _, usage in ended]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    peak = max(usage.ru_maxrss for usage in usages) / 1000
    return Sample(wall, cpu, peak), next((status for status, _ in ended if status), 0)


def ended_process(process: subprocess.Popen) -> tuple[int, resource.struct_rusage]:
    """Wait for it: its exit status, and what it and its children used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def warm(folder: Path) -> None:
    """Read every file once, so that it is in the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


class Bench:
    """A scratch folder with the tools' output, logs and keys; nothing in it outlives the benchmark."""

    def __init__(self, scratch: Path):
        self.scratch = scratch
        self.output = scratch / "output"
        self.nothing = scratch / "empty folder"
        self.nothing.mkdir()

    def once(self, tool: Tool, source: Path) -> tuple[Sample, int]:
        """One run of a tool from a clean start; its output stays until the next. -> what it took, its exit status."""
        clear(self.output, self.scratch / "mapping")
        return timed(tool.arguments(source, self.output, self.scratch), self.scratch / "log")

    def round(self, series: dict[Tool, Series], source: Path) -> None:
        """Each tool once on the empty folder, once on the corpus; the first time, what it leaves behind is looked for.

        A tool that fails or does not write an instance for each of the corpus is not asked again.
        """
        expected = count_files(source)
        for tool, runs in series.items():
            if runs.failure:
                continue
            if not runs.on_nothing:
                self.once(tool, self.nothing)  # its libraries come into the page cache, their .pyc files into being
            runs.on_nothing.append(self.once(tool, self.nothing)[0])
            sample, status = self.once(tool, source)
            runs.on_corpus.append(sample)
            runs.outputs = count_files(self.output)
            if status or runs.outputs != expected:
                runs.failure = f"exit status {status}, {runs.outputs} of {expected} files"
            if not runs.findings:
                runs.findings = json.loads(module("leftovers", source, self.output))


def count_files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))


def module(name: str, *arguments: object) -> bytes:
    """What a module of this package prints, run as a process of its own: those import pydicom and numpy."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY).stdout
