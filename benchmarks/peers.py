"""What is measured: our own lines, each peer by its own front door, and a plain copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
PEERS_PYTHON = str(REPOSITORY / ".venv-bench/bin/python")
OURS = "dicom-assets"
COPY = "cp -r"


@dataclass(frozen=True)
class Tool:
    """A program that turns a folder of instances into another.

    command: its arguments, with {input}, {output} and {scratch}, a folder for keys and the like.
    distribution: the Python package that its version is asked of; "" for programs.
    """

    name: str
    language: str
    command: tuple[str, ...]
    distribution: str = ""

    def arguments(self, source: Path, target: Path, scratch: Path) -> list[str]:
        return [part.format(input=source, output=target, scratch=scratch) for part in self.command]

    @property
    def is_ours(self) -> bool:
        return self.name.startswith(OURS)

    @property
    def is_peer(self) -> bool:
        return not self.is_ours and self.name != COPY

    def version(self) -> str | None:
        """Its version, "" if it has none to tell, None if it is not installed."""
        if self.distribution:
            ask = f"from importlib.metadata import version; print(version({self.distribution!r}))"
            return first_line(sys.executable if self.is_ours else PEERS_PYTHON, "-c", ask)
        return first_line(self.command[0], "--version") if shutil.which(self.command[0]) else None


def first_line(*command: str) -> str | None:
    """The first line that a command prints; None if it fails or is not there."""
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return (asked.stdout.splitlines() or [""])[0].strip()


def driven(name: str, language: str, distribution: str) -> Tool:
    """A library, called on each file by drive.py."""
    return Tool(name, language, (PEERS_PYTHON, str(HERE / "drive.py"), name, "{input}", "{output}"), distribution)


def ours(workers: int) -> Tool:
    program = Path(sys.executable).with_name("dicom-assets")
    command = (str(program), "deidentify", "{input}", "{output}", "--profile", str(HERE / "unexamined-basic.toml"))
    command += ("--mapping", "{scratch}/mapping", "--key-file", "{scratch}/key", "--workers", str(workers))
    return Tool(f"{OURS} ({workers} {'process' if workers == 1 else 'processes'})", "Python", command, OURS)


GDCMANON = ("gdcmanon", "-e", "-c", "{scratch}/certificate.pem", "-r", "-i", "{input}", "-o", "{output}")

TOOLS = (
    Tool(COPY, "C", ("cp", "-r", "{input}", "{output}")),
    *(ours(workers) for workers in sorted({1, 2, os.cpu_count() or 1})),
    driven("pydcm", "C++", "pydcm"),
    driven("dcmanon", "Rust", "dcmanon"),
    Tool("gdcmanon", "C++", GDCMANON),
    Tool("dicognito", "Python", (PEERS_PYTHON, "-m", "dicognito", "-o", "{output}", "{input}"), "dicognito"),
    driven("dicom-anonymizer", "Python", "dicom-anonymizer"),
)


def chosen(only: Iterable[str]) -> list[Tool]:
    """The tools whose names begin with one of those given; all if none is given."""
    return [tool for tool in TOOLS if tool.name.startswith(tuple(only) or "")]


def make_certificate(scratch: Path) -> None:
    """The certificate that gdcmanon encrypts the original attributes for; its private key is thrown away."""
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 2 -subj /CN=benchmark -out certificate.pem",
        shell=True,
        cwd=scratch,
        check=True,
        capture_output=True,
    )
