"""ZIP files that somebody hands us: damage, encryption, bombs and lies are refused entry by entry."""

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput
from dicom_assets.storage import zip_files
from dicom_assets.storage.loose_files import Kind
from dicom_assets.storage.zip_files import Room, kind_of, opened_zip, unpacked
from tests.support.handed import make_zip, part10


def contents(path: Path, room: Room | None = None) -> dict[str, bytes | str]:
    """Name -> content, or code."""
    found: dict[str, bytes | str] = {}
    with path.open("rb") as file, opened_zip(file.fileno()) as archive:
        room = room or Room(path.stat().st_size)
        for entry in archive.infolist():
            try:
                kind_of(archive, entry)
                with unpacked(archive, entry, room, path.parent, lambda: None) as handle:
                    found[entry.filename] = os.pread(handle, 64 << 20, 0)
            except BadInput as error:
                found[entry.filename] = error.code
    return found


def patched(path: Path, change: Callable[[bytearray], object]) -> Path:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return path


def test_entries_come_out_whole_and_leave_nothing_behind(tmp_path: Path) -> None:
    given = {"a/1": part10("1.2.1"), "../../2": part10("1.2.2"), "/etc/3": b"text"}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = make_zip(tmp_path / "some.zip", given, method)
        assert contents(path) == given
        assert list(tmp_path.iterdir()) == [path]


def test_an_entry_with_a_wrong_checksum_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    first, second = part10("1.2.1"), part10("1.2.2")
    path = make_zip(tmp_path / "some.zip", {"1": first, "2": second}, zipfile.ZIP_STORED)
    patched(path, lambda content: content.__setitem__(content.index(first) + len(first) - 1, 0xFF))
    assert contents(path) == {"1": "ZIP_ENTRY_DAMAGED", "2": second}


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "some.zip", {"1": part10("1.2.1")})

    def encrypt(content: bytearray) -> None:
        content[content.index(b"PK\1\2") + 8] |= 1

    assert contents(patched(path, encrypt)) == {"1": "ZIP_ENTRY_ENCRYPTED"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, method: int) -> None:
    assert contents(make_zip(tmp_path / "some.zip", {"1": b"x" * 99}, method)) == {"1": "ZIP_ENTRY_COMPRESSION"}


def test_what_grows_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_files, "_ALWAYS_ALLOWED", 4 << 20)
    zeros = bytes(3 << 20)
    path = make_zip(tmp_path / "bomb.zip", {"1": zeros, "2": zeros, "3": zeros})
    assert contents(path) == {"1": zeros, "2": "ZIP_GROWS_TOO_FAR", "3": "ZIP_GROWS_TOO_FAR"}


def test_a_list_that_is_said_to_be_endless_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    size = 17 << 20
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0))
    with pytest.raises(BadInput, match="ZIP_LIST_TOO_LONG"):
        contents(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"PK\3\4" + bytes(999)])
def test_what_has_no_list_of_entries_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="ZIP_DAMAGED"):
        contents(path)


def test_every_cut_of_a_zip_is_damaged(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "some.zip", {str(number): part10(f"1.2.{number}") for number in range(5)})
    whole = path.read_bytes()
    for end in range(4, len(whole), 61):
        path.write_bytes(whole[:end])
        with pytest.raises(BadInput, match="ZIP_DAMAGED"):
            contents(path)


def test_an_entry_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    entries = {"dicom": part10("1.2.1"), "text": b"words" * 9999, "zip": b"PK\3\4" + bytes(99)}
    path = make_zip(tmp_path / "some.zip", entries)
    with path.open("rb") as file, opened_zip(file.fileno()) as archive:
        kinds = [kind_of(archive, entry) for entry in archive.infolist()]
    assert kinds == [Kind.INSTANCE, Kind.OTHER, Kind.ZIP]
