"""What becomes of one file of a folder: an output, or a reason; never the end of the run for the sake of one."""

import errno
import os
from pathlib import Path

import pytest

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import DicomAssetsError
from dicom_assets.workflow import folder_worker
from dicom_assets.workflow.folder_worker import FolderWorker, is_place
from tests.support.hand_deidentified import as_bytes, planted


@pytest.fixture
def worker(tmp_path: Path) -> FolderWorker:
    (tmp_path / "unfinished").mkdir()
    root = os.open(tmp_path, os.O_RDONLY)
    yield FolderWorker(root, str(tmp_path / "unfinished"), load_profile("basic"), PseudonymKey(bytes(32)))
    os.close(root)


def test_what_became_a_link_or_a_pipe_is_not_read(tmp_path: Path, worker: FolderWorker) -> None:
    (tmp_path / "real.dcm").write_bytes(as_bytes(planted(1)))
    (tmp_path / "link.dcm").symlink_to("real.dcm")
    os.mkfifo(tmp_path / "pipe.dcm")
    assert worker.file(b"real.dcm").reason == ""
    assert worker.file(b"link.dcm").reason == "UNREADABLE_FILE"
    assert worker.file(b"pipe.dcm").reason == "NOT_A_FILE"
    assert worker.file(b"absent.dcm").reason == "UNREADABLE_FILE"


def test_a_bug_is_one_files_matter_and_tells_no_value(
    tmp_path: Path, worker: FolderWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real.dcm").write_bytes(as_bytes(planted(1)))

    def fail(*_arguments: object) -> str:
        raise KeyError("0012345")

    monkeypatch.setattr(folder_worker, "plan_of", fail)
    row = worker.file(b"real.dcm")
    assert row.reason == "INTERNAL_ERROR"
    assert row.detail.startswith("KeyError at ")
    assert "0012345" not in row.detail


def test_a_full_disk_is_every_files_matter_and_leaves_no_part(
    tmp_path: Path, worker: FolderWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real.dcm").write_bytes(as_bytes(planted(1)))

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DicomAssetsError, match="DISK_FULL"):
        worker.file(b"real.dcm")
    assert not list((tmp_path / "unfinished").iterdir())


@pytest.mark.parametrize(
    "path",
    ["../a/b/c.dcm", "a/../b/c.dcm", "a/b/c", "/a/b/c/d.dcm", "a/b/c/d/e.dcm", "a//b/c.dcm", "a/b/c/.dcm",
     "a\n/b/c/d.dcm"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_no_places(path: str) -> None:
    assert not is_place(path)
    assert is_place("P7Q/2.25.1/2.25.2/2.25.3.dcm")
