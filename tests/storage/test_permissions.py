"""Folders and files that others may look into are refused, with the command that mends it."""

import subprocess
from pathlib import Path

import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.settings import Settings
from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.permissions import refuse_open_folders
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.job import job_of


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    for folder in (zones.requests, zones.incoming, zones.mapping_folder, zones.raw("b", "s")):
        folder.mkdir(0o700, parents=True)
    (zones.restricted / "raw").chmod(0o700)
    zones.mapping("b").touch(0o600)
    zones.restricted.chmod(0o755)  # the site's affair
    refuse_open_folders(zones)
    return zones


@pytest.mark.parametrize(
    ("place", "mode", "named"),
    [
        ("requests", 0o750, "requests"),
        ("raw", 0o701, "raw"),
        ("incoming", 0o720, "incoming"),
        ("mapping", 0o755, "mapping"),
        ("mapping/b.parquet", 0o644, "mapping"),
    ],
)
def test_what_is_open_to_others_is_refused_and_the_note_mends_it(
    zones: Zones, place: str, mode: int, named: str
) -> None:
    (zones.restricted / place).chmod(mode)
    with pytest.raises(DicomAssetsError, match="FOLDER_OPEN_TO_OTHERS") as refused:
        refuse_open_folders(zones)
    (command,) = refused.value.__notes__
    assert command.endswith(f"/{named}")
    subprocess.run(["sh", "-c", command], env={"DICOM_RESTRICTED_ROOT": str(zones.restricted)}, check=True)
    refuse_open_folders(zones)


def test_no_job_begins_and_the_refusal_is_in_the_audit_log(zones: Zones) -> None:
    roots = {"DICOM_RESTRICTED_ROOT": str(zones.restricted), "DICOM_RELEASED_ROOT": str(zones.released)}
    settings = Settings.from_env(roots)
    zones.mapping("b").unlink()
    job_of(settings)
    zones.requests.chmod(0o755)
    with pytest.raises(DicomAssetsError, match="FOLDER_OPEN_TO_OTHERS"):
        job_of(settings)
    assert [line.subject for line in last_lines(zones)] == ["keys and permissions: FOLDER_OPEN_TO_OTHERS"]
    zones.requests.chmod(0o700)
    settings.pseudonym_key_file.chmod(0o644)
    with pytest.raises(DicomAssetsError, match="KEY_FILE_OPEN_TO_OTHERS"):
        job_of(settings)
    assert len(last_lines(zones)) == 2
