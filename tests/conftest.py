"""For all tests: libraries are kept quiet as in the program's own processes, and the environment is the test's own."""

import os
from pathlib import Path

import pytest

from dicom_assets.quiet import protect_process
from dicom_assets.settings import DEFAULTS
from dicom_assets.storage.vault import open_vault

from .support.one_key import ONE_KEY

protect_process()
open_vault(Path("/"), ONE_KEY)  # for zones that a test makes by hand; those of a site have keys of their own


@pytest.fixture(scope="session")
def _mapping_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ONE_KEY.written_to(tmp_path_factory.mktemp("keys") / "mapping.key")


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path, _mapping_key_file: Path) -> None:
    """No variable or .env of the machine reaches a test."""
    for name in (*DEFAULTS, "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DICOM_MAPPING_KEY_FILE", str(_mapping_key_file))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", ""))
