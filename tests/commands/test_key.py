"""`dicom-assets key`, as a user calls it."""

from pathlib import Path

import pytest

from dicom_assets.cli import main
from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.zones import Zones


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its keys are keys/pseudonym.key and keys/mapping.key."""
    monkeypatch.setenv("DICOM_RESTRICTED_ROOT", str(tmp_path / "restricted"))
    monkeypatch.setenv("DICOM_RELEASED_ROOT", str(tmp_path / "released"))
    for name in ("pseudonym", "mapping"):
        monkeypatch.setenv(f"DICOM_{name.upper()}_KEY_FILE", str(tmp_path / "keys" / f"{name}.key"))
    return tmp_path


def plan(site: Path) -> None:
    (site / "cohort.csv").write_text("PatientID\nPLANTED\n")
    assert main(["plan", str(site / "cohort.csv")]) == 0


def test_new_makes_both_keys_says_first_what_losing_them_means_and_never_replaces_one(
    site: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["key", "new"]) == 0
    said = capsys.readouterr().err
    keys = {path.name: path.read_bytes() for path in (site / "keys").iterdir()}
    assert {name: len(key) for name, key in keys.items()} == {"pseudonym.key": 32, "mapping.key": 32}
    assert said.index("without it") < said.index(str(site / "keys")), "before it happens"
    assert [line.event for line in last_lines(zones(site))] == ["key new"]
    (site / "keys" / "mapping.key").unlink()
    assert main(["key", "new"]) == 1
    assert "KEY_FILE_THERE_ALREADY" in capsys.readouterr().err
    assert [path.name for path in (site / "keys").iterdir()] == ["pseudonym.key"]


def test_new_makes_no_key_for_tables_of_another(site: Path, capsys: pytest.CaptureFixture) -> None:
    plan(site)
    (site / "keys" / "mapping.key").unlink()
    assert main(["key", "new"]) == 1
    assert "MAPPING_KEY_MISSING" in capsys.readouterr().err
    assert list((site / "keys").iterdir()) == []


def test_check_says_of_each_key_whether_it_is_there_and_fits(site: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["key", "check"]) == 0
    assert "not made yet" in capsys.readouterr().out
    assert not (site / "keys").exists() and not (site / "restricted").exists()
    plan(site)
    assert main(["key", "check"]) == 0
    assert "1 open and are as they were written" in capsys.readouterr().out
    key = site / "keys" / "mapping.key"
    secret = key.read_bytes()
    for spoil, code in (
        (lambda: key.write_bytes(bytes(32)), "MAPPING_KEY_NOT_THE_SAME"),
        (lambda: key.write_bytes(secret) and key.chmod(0o644), "KEY_FILE_OPEN_TO_OTHERS"),
        (lambda: key.write_bytes(secret[:31]), "KEY_FILE_UNUSABLE"),
        (key.unlink, "MAPPING_KEY_MISSING"),
    ):
        spoil()
        assert main(["key", "check"]) == 1
        said = capsys.readouterr()
        assert code in said.err
        assert "0 open" in said.out
        if key.exists():
            key.chmod(0o600)


def test_rotate_says_what_it_did_and_check_tells_of_one_that_is_unfinished(
    site: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["key", "rotate"]) == 1
    assert "MAPPING_KEY_NOTHING_SEALED" in capsys.readouterr().err
    plan(site)
    assert main(["key", "rotate"]) == 0
    assert "1 tables sealed again" in capsys.readouterr().err
    assert main(["key", "check"]) == 0
    (site / "keys" / "mapping.key.previous").write_bytes(bytes(32))
    (site / "keys" / "mapping.key.previous").chmod(0o600)
    assert main(["key", "check"]) == 3
    assert "KEY_ROTATION_UNFINISHED" in capsys.readouterr().err
    assert main(["key", "rotate"]) == 0
    assert [path.name for path in (site / "keys").iterdir()] == ["mapping.key"]


def zones(site: Path) -> Zones:
    return Zones(site / "restricted", site / "released")
