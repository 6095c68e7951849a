"""The mapping key from a program that asks a KMS."""

import os
import stat
from pathlib import Path

import pytest

from dicom_assets.errors import Refused
from dicom_assets.storage import key_sources
from dicom_assets.storage.key_sources import KeyCommand
from dicom_assets.storage.keys import MappingKey

KEYS = [MappingKey(os.urandom(32)) for _ in range(2)]


def program(folder: Path, text: str) -> KeyCommand:
    path = folder / "key command"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return KeyCommand((str(path), "an argument"))


def kms(folder: Path) -> KeyCommand:
    """Knows two keys."""
    new, old = KEYS
    return program(
        folder,
        f'case "$2" in current|{new.key_id}) echo {new.secret.hex()};; {old.key_id}) echo {old.secret.hex()};; '
        "*) echo SECRET >&2; exit 1;; esac",
    )


def test_it_is_asked_for_the_current_key_and_for_one_by_its_id(tmp_path: Path) -> None:
    command = kms(tmp_path)
    assert command.current(make=False) == KEYS[0]
    assert [command.find(key.key_id) for key in KEYS] == KEYS
    assert command.find("0" * 12) is None


def test_it_may_print_the_key_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEYS[0].secret)
    assert program(tmp_path, f"cat {tmp_path / 'key'}").current(make=False) == KEYS[0]


@pytest.mark.parametrize(
    "text", ["exit 3", "echo", "echo abc", f"echo {'g' * 64}", f"echo {'a' * 66}", "exec sleep 60"]
)
def test_what_prints_no_key_is_refused_and_what_it_says_is_not_shown(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(key_sources, "_COMMAND_SECONDS", 0.5)
    with pytest.raises(Refused, match="MAPPING_KEY_COMMAND_FAILED") as refused:
        program(tmp_path, f"echo SECRET >&2; {text}").current(make=False)
    assert "SECRET" not in str(refused.value) and "SECRET" not in "".join(capfd.readouterr())
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_command_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="MAPPING_KEY_COMMAND_FAILED"):
        KeyCommand((str(tmp_path / "none"),)).current(make=False)
