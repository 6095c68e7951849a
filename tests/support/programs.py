"""Programs of the system that tests run: dcmtk, Orthanc. A test whose program is absent is skipped; in CI it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def find_program(name: str) -> str | None:
    """Path of the system's program; the virtual environment's are left out, since pynetdicom's have dcmtk's names."""
    own = {Path(sys.prefix) / "bin", Path(sys.executable).parent}
    folders = [
        "/usr/bin",
        "/usr/sbin",
        *(f for f in os.environ.get("PATH", "").split(os.pathsep) if f and Path(f) not in own),
    ]
    return shutil.which(name, path=os.pathsep.join(folders))


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips the test where a program is missing; with CI=true that fails instead."""
    missing = [name for name in names if find_program(name) is None]
    if missing and os.environ.get("CI") == "true":
        raise RuntimeError(f"CI must have these programs: {', '.join(missing)}")
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def run(name: str, *arguments: object, seconds: float = 60) -> subprocess.CompletedProcess:
    """The finished program, its two outputs as text in .stdout."""
    command = [find_program(name), *map(str, arguments)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds
    )
