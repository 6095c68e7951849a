"""What a sealed table is: readable with its key alone, by any program that reads Parquet; and not a bit of it changes
unseen."""

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet.encryption import create_decryption_properties

from dicom_assets.errors import DicomAssetsError
from dicom_assets.storage.key_sources import KeyFile
from dicom_assets.storage.keyring import Keyring
from dicom_assets.storage.keys import MappingKey
from dicom_assets.storage.sealing import is_sealed, read_header, seal, unseal
from dicom_assets.storage.tables import create_sealed, read_sealed, to_table, write_sealed
from dicom_assets.storage.vault import content_digest, open_vault, opened_vaults, read_table, seal_again, write_table
from dicom_assets.storage.zones import Zones
from tests.support.one_key import OneKey


@dataclass(frozen=True)
class Named:
    name: str
    number: int | None = None


ROWS = [Named("PLANTED^PERSON"), Named("PLANTED^OTHER", 7)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    open_vault(tmp_path, OneKey(MappingKey(os.urandom(32))))
    return tmp_path


def key_of(root: Path) -> MappingKey:
    return opened_vaults()[root].key


def test_rows_come_back_and_cannot_be_read_without_the_key(root: Path) -> None:
    path = root / "a" / "t.parquet"
    assert write_sealed(path, ROWS, Named)
    assert read_sealed(path, Named) == ROWS
    assert read_sealed(root / "none.parquet", Named) == []
    assert is_sealed(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"PLANTED" not in path.read_bytes() and b"number" not in path.read_bytes()
    with pytest.raises((OSError, pa.ArrowException)):
        pq.read_table(path)


def test_plain_pyarrow_reads_it_with_the_derived_key(root: Path) -> None:
    path = root / "t.parquet"
    write_sealed(path, ROWS, Named)
    secret = key_of(root).derived("table", read_header(path).salt)
    table = pq.ParquetFile(path, decryption_properties=create_decryption_properties(secret)).read(use_threads=False)
    assert table.to_pydict()["name"] == [row.name for row in ROWS]


def test_every_file_has_a_key_of_its_own(root: Path) -> None:
    for name in ("1.parquet", "2.parquet"):
        write_sealed(root / name, ROWS, Named)
    one, other = (read_header(root / name) for name in ("1.parquet", "2.parquet"))
    assert one.key_id == other.key_id == key_of(root).key_id
    assert one.salt != other.salt


def test_the_same_rows_are_not_written_again(root: Path) -> None:
    path = root / "t.parquet"
    assert write_sealed(path, ROWS, Named)
    before = path.read_bytes()
    assert not write_sealed(path, ROWS, Named)
    assert path.read_bytes() == before
    assert write_sealed(path, ROWS[:1], Named)
    assert read_sealed(path, Named) == ROWS[:1]
    assert not create_sealed(path, ROWS, Named)
    assert read_sealed(path, Named) == ROWS[:1]


def test_sealed_again_it_says_the_same(root: Path) -> None:
    path, new = root / "t.parquet", MappingKey(os.urandom(32))
    write_table(path, to_table(ROWS, Named), "0123456789ab")
    digest = content_digest(path)
    seal_again(path, new)
    assert (read_header(path).key_id, read_header(path).pseudonym_key_id) == (new.key_id, "0123456789ab")
    with pytest.raises(DicomAssetsError, match="MAPPING_KEY_NOT_THE_SAME"):
        read_table(path)
    open_vault(root, OneKey(new))
    assert content_digest(path) == digest
    assert read_sealed(path, Named) == ROWS


def test_one_table_does_not_pass_for_another(root: Path) -> None:
    for name, rows in (("1.parquet", ROWS), ("2.parquet", ROWS[:1])):
        write_sealed(root / name, rows, Named)
    (root / "1.parquet").replace(root / "2.parquet")
    with pytest.raises(DicomAssetsError, match="SEALED_TABLE_DAMAGED"):
        read_sealed(root / "2.parquet", Named)


def test_a_plain_table_does_not_pass_for_a_sealed_one(root: Path) -> None:
    pq.write_table(to_table(ROWS, Named), root / "t.parquet")
    with pytest.raises(DicomAssetsError, match="SEALED_TABLE_DAMAGED"):
        read_sealed(root / "t.parquet", Named)


def test_no_bit_changes_unseen(root: Path) -> None:
    keys = opened_vaults()[root]
    whole = seal(pa.table({"a": ["x"]}), "t.parquet", keys.key)
    assert unseal(whole, "t.parquet", keys.find).to_pydict() == {"a": ["x"]}
    for at in range(len(whole)):
        for bit in range(8):
            with pytest.raises(DicomAssetsError, match=r"SEALED_TABLE_DAMAGED|MAPPING_KEY_NOT_THE_SAME"):
                unseal(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :], "t.parquet", keys.find)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 150, -1, -8])
def test_what_is_cut_short_or_has_more_is_refused(root: Path, cut: int) -> None:
    path = root / "t.parquet"
    whole = seal(pa.table({"a": ["x"]}), path.name, key_of(root))
    for content in (whole[:cut], whole[cut:] if cut else b"\0" + whole, whole + b"\0" * abs(cut) + b"\0"):
        path.write_bytes(content)
        with pytest.raises(DicomAssetsError, match="SEALED_TABLE_DAMAGED"):
            read_table(path)


def test_the_key_of_the_innermost_root_counts_and_where_none_is_open_nothing_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = root / "inner"
    open_vault(inner, OneKey(MappingKey(os.urandom(32))))
    write_sealed(inner / "t.parquet", ROWS, Named)
    assert read_header(inner / "t.parquet").key_id == key_of(inner).key_id != key_of(root).key_id
    monkeypatch.setattr("dicom_assets.storage.vault._OPEN", {})
    with pytest.raises(DicomAssetsError, match="VAULT_NOT_OPEN"):
        read_sealed(inner / "t.parquet", Named)


class Site:
    """A restricted root whose keys are those of a file."""

    def __init__(self, folder: Path) -> None:
        self.zones = Zones(folder / "restricted", folder / "released")
        self.source = KeyFile(folder / "keys" / "mapping.key")
        self.table = self.zones.requests / "t.parquet"

    def open(self) -> None:
        """As a new process does."""
        open_vault(self.zones.restricted, Keyring(self.zones, self.source)).forget()

    def refusals(self) -> list[str]:
        lines = self.zones.audit_log.read_text().splitlines() if self.zones.audit_log.exists() else []
        return [line for line in lines if '"refused"' in line]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_key_is_made_on_first_use_and_told_of(site: Site, capsys: pytest.CaptureFixture) -> None:
    site.open()
    assert not site.source.path.exists()
    write_sealed(site.table, ROWS, Named)
    assert str(site.source.path) in capsys.readouterr().err
    assert site.source.path.stat().st_mode & 0o777 == 0o600
    assert site.zones.mapping_key_id.read_text().strip() == read_header(site.table).key_id
    site.open()
    assert read_sealed(site.table, Named) == ROWS
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("note_of_the_key", ["kept", "lost"])
def test_a_missing_key_is_not_replaced(site: Site, note_of_the_key: str) -> None:
    site.open()
    write_sealed(site.table, ROWS, Named)
    site.source.path.unlink()
    if note_of_the_key == "lost":
        site.zones.mapping_key_id.unlink()
    site.open()
    for attempt in (lambda: read_sealed(site.table, Named), lambda: write_sealed(site.table, ROWS[:1], Named)):
        with pytest.raises(DicomAssetsError, match="MAPPING_KEY_MISSING"):
            attempt()
    assert not site.source.path.exists()
    assert len(site.refusals()) == 1 and "MAPPING_KEY_MISSING" in site.refusals()[0]


@pytest.mark.parametrize("note_of_the_key", ["kept", "lost"])
def test_a_wrong_key_opens_nothing_and_seals_nothing(site: Site, note_of_the_key: str) -> None:
    site.open()
    write_sealed(site.table, ROWS, Named)
    before = site.table.read_bytes()
    site.source.path.write_bytes(bytes(32))
    if note_of_the_key == "lost":
        site.zones.mapping_key_id.unlink()
    site.open()
    for path in (site.table, site.table.with_name("other.parquet")):
        with pytest.raises(DicomAssetsError, match="MAPPING_KEY_NOT_THE_SAME"):
            write_sealed(path, ROWS[:1], Named)
    with pytest.raises(DicomAssetsError, match="MAPPING_KEY_NOT_THE_SAME"):
        read_sealed(site.table, Named)
    assert site.table.read_bytes() == before
    assert len(site.refusals()) == 1


def test_an_open_key_file_is_refused_with_the_command_that_mends_it(site: Site) -> None:
    site.open()
    write_sealed(site.table, ROWS, Named)
    site.source.path.chmod(0o640)
    site.open()
    with pytest.raises(DicomAssetsError, match="KEY_FILE_OPEN_TO_OTHERS") as refused:
        read_sealed(site.table, Named)
    assert refused.value.__notes__ == [f"chmod 600 {site.source.path}"]
