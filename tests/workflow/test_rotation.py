"""A new mapping key: whatever happens on the way, every table says what it said, and ends under the new one."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request, load_request
from dicom_assets.errors import DicomAssetsError
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.audit import verify
from dicom_assets.storage.key_sources import KeyCommand, KeyFile, KeySource
from dicom_assets.storage.keyring import Keyring
from dicom_assets.storage.keys import MappingKey
from dicom_assets.storage.ledger import StudyRow, write_stage
from dicom_assets.storage.manifests import RawInstance, manifest_of
from dicom_assets.storage.mapping import MappedStudy, key_ids_in_use, write_part
from dicom_assets.storage.quarantine import not_staged
from dicom_assets.storage.sealing import read_header
from dicom_assets.storage.set_aside import RECORD, SetAside
from dicom_assets.storage.tables import write_sealed
from dicom_assets.storage.vault import content_digest, open_vault
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.rotation import rotate, sealed_tables

#: Of all moments at which it can be killed so many are tried, evenly
KILLS = int(os.environ.get("ROTATION_KILLS", "10"))


@dataclass
class Site:
    folder: Path
    source: KeySource | None = None

    @property
    def zones(self) -> Zones:
        return Zones(self.folder / "restricted", self.folder / "released")

    @property
    def key_file(self) -> KeyFile:
        return KeyFile(self.folder / "keys" / "mapping.key")

    def open(self) -> Keyring:
        """As a new process does."""
        keyring = open_vault(self.zones.restricted, Keyring(self.zones, self.source or self.key_file))
        keyring.forget()
        return keyring

    def says(self) -> dict[str, str]:
        """What each sealed table says, read by a new process."""
        self.open()
        tables = sealed_tables(self.zones)
        return {str(path.relative_to(self.folder)): content_digest(path) for path in tables}


def make(folder: Path, source: KeySource | None = None) -> Site:
    """Two batches with tables of every zone, and one that is no batch's."""
    site = Site(folder, source)
    site.open()
    zones = site.zones
    for number in (1, 2):
        batch = create_request(zones, "cohort", "20260131", "", [RequestRow(patient_id=f"PLANTED-{number}")]).batch
        raw = RawInstance("1.dcm", "1.2.3", "1.2", "1.2.840.10008.1.2.1", 1, "0" * 64)
        write_sealed(manifest_of(zones.raw(batch, "s1")), [raw], RawInstance)
        staged = replace(not_staged("1.dcm", "1.2.3", key_id="0123456789ab"), released_path="P1/2.1/2.2/2.3.dcm")
        write_part(zones, batch, [MappedStudy("s1", (staged,))])
        write_stage(zones, batch, "pacs_studies", [StudyRow("s1", "found", "", 1, 1)])
    aside = zones.quarantine("watched", "") / RECORD
    write_sealed(aside, [SetAside("1.dcm", "", "UNREADABLE", "0" * 64)], SetAside)
    return site


def key_ids_of_tables(zones: Zones) -> Counter[str]:
    """Id of a mapping key -> tables that are sealed under it."""
    return Counter(read_header(path).key_id for path in sealed_tables(zones))


def test_every_table_says_the_same_under_the_new_key_and_the_old_one_is_gone(tmp_path: Path) -> None:
    site = make(tmp_path)
    before, old = site.says(), site.key_file.path.read_bytes()
    assert len(before) == 7
    done = rotate(site.open())
    assert (done.sealed, done.busy) == (7, 0)
    assert key_ids_of_tables(site.zones) == {done.key_id: 7}
    assert site.says() == before
    assert key_ids_in_use(site.zones) == {"0123456789ab"}
    assert not site.key_file.previous.exists()
    assert old not in [path.read_bytes() for path in site.key_file.path.parent.iterdir()]
    assert verify(site.zones) == []


def test_a_process_from_before_goes_on_with_the_new_key(tmp_path: Path) -> None:
    site = make(tmp_path)
    open_before = site.open()
    load_request(site.zones, "cohort-20260131-001")
    rotate(Keyring(site.zones, site.key_file))
    assert open_vault(site.zones.restricted, open_before) is open_before
    create_request(site.zones, "cohort", "20260201", "", [])
    assert len(key_ids_of_tables(site.zones)) == 1
    assert load_request(site.zones, "cohort-20260131-002").rows


def test_tables_of_a_batch_in_work_wait_and_so_does_the_end_of_the_old_key(tmp_path: Path) -> None:
    site = make(tmp_path)
    before = site.says()
    with exclusive_lock(site.zones.lock("cohort-20260131-002")):
        first = rotate(site.open())
        assert (first.sealed, first.busy) == (4, 1)
        assert site.key_file.previous.exists()
        assert site.says() == before
    second = rotate(site.open())
    assert (second.key_id, second.sealed, second.busy) == (first.key_id, 3, 0)
    assert not site.key_file.previous.exists()
    assert site.says() == before


def test_a_key_command_gives_the_new_key_and_the_old_one(tmp_path: Path) -> None:
    old, new = MappingKey(b"1" * 32), MappingKey(b"2" * 32)
    program = tmp_path / "kms"

    def prints(current: MappingKey) -> None:
        cases = "".join(f"{key.key_id}) echo {key.secret.hex()};; " for key in (old, new))
        program.write_text(f'#!/bin/sh\ncase "$1" in current) echo {current.secret.hex()};; {cases}*) exit 1;; esac\n')
        program.chmod(0o700)

    prints(old)
    site = make(tmp_path / "site", KeyCommand((str(program),)))
    before = site.says()
    prints(new)
    assert site.says() == before
    create_request(site.zones, "cohort", "20260201", "", [])
    assert key_ids_of_tables(site.zones) == {old.key_id: 8}, "until it is rotated"
    before = site.says()
    assert rotate(site.open()).key_id == new.key_id
    assert key_ids_of_tables(site.zones) == {new.key_id: 8}
    assert site.says() == before


def test_where_nothing_was_sealed_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    with pytest.raises(DicomAssetsError, match="MAPPING_KEY_NOTHING_SEALED"):
        rotate(Site(tmp_path).open())
    assert not (tmp_path / "keys").exists()


def test_a_missing_key_is_no_occasion_for_a_new_one(tmp_path: Path) -> None:
    site = make(tmp_path)
    site.key_file.path.unlink()
    with pytest.raises(DicomAssetsError, match="MAPPING_KEY_MISSING"):
        rotate(site.open())
    assert not site.key_file.path.exists()


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9 before the n-th change of a file, for every n, or for as many as are asked for."""
    made = make(tmp_path / "made")
    before = made.says()
    points = _killed_at(Site(shutil.copytree(tmp_path / "made", tmp_path / "counting")), lambda _: False)
    assert points > 40
    for point in range(0, points, max(1, points // KILLS)):
        site = Site(shutil.copytree(tmp_path / "made", tmp_path / "killed"))
        assert _killed_at(site, point.__eq__) == -signal.SIGKILL
        assert site.says() == before
        assert _killed_at(site, (2 * point // 3).__eq__) in (-signal.SIGKILL, *range(points + 9)), "and once more"
        assert site.says() == before
        done = rotate(site.open())
        assert site.says() == before
        assert key_ids_of_tables(site.zones) == {done.key_id: 7}
        assert sorted(path.name for path in site.key_file.path.parent.glob("*.key*")) == ["mapping.key"]
        assert verify(site.zones) == []
        shutil.rmtree(site.folder)


def _killed_at(site: Site, is_here: Callable[[int], bool]) -> int:
    """Rotate in a process of its own, which kills itself before the change of a file that is_here chooses: minus the
    signal, or how many changes there were."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        changes = 0

        def look(event: str, arguments: tuple) -> None:
            nonlocal changes
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in ("os.rename", "os.link", "os.remove", "os.mkdir"):
                if is_here(changes):
                    os.kill(os.getpid(), signal.SIGKILL)
                changes += 1

        try:
            keyring = site.open()
            sys.addaudithook(look)
            rotate(keyring)
            os.write(writing, str(changes).encode())
        finally:
            os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(told.read())
