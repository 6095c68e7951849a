"""For all tests: libraries are kept quiet as in the program's own processes, and the environment is the test's own."""

import os

import pytest

from dicom_assets.quiet import protect_process
from dicom_assets.settings import DEFAULTS

protect_process()


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """No variable or .env of the machine reaches a test."""
    for name in (*DEFAULTS, "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", ""))
