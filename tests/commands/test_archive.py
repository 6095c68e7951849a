"""What find and plan say; what they find is in tests/pacs and tests/batches."""

import pytest

from dicom_assets.cli import main
from tests.support.ports import free_port


def test_find_says_which_of_several_archives_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("DICOM_PACS", "DICOM_PACS_2"):
        monkeypatch.setenv(f"{name}_HOST", "127.0.0.1")
        monkeypatch.setenv(f"{name}_PORT", str(free_port()))
        monkeypatch.setenv(f"{name}_AE_TITLE", "GONE")
    assert main(["find", "--patient-id", "0012345"]) == 1
    code, which = capsys.readouterr().err.splitlines()
    assert code.startswith("PACS_PORT_CLOSED: ")
    assert which.startswith("This is archive 1;")
