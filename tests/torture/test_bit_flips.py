"""A single bit that changes in the mapping or in the audit log is noticed, wherever it lies.

BIT_FLIPS=1000 python -m pytest -q -s tests/torture/test_bit_flips.py
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.storage.audit import verify
from dicom_assets.storage.manifests import StagedInstance
from dicom_assets.storage.mapping import MappedStudy, key_ids_in_use, read_part, verify_part, write_part
from dicom_assets.storage.quarantine import not_staged
from dicom_assets.storage.zones import Zones

#: In all; half of them in parts of the mapping, half in the files of the audit log
FLIPS = int(os.environ.get("BIT_FLIPS", "100"))
_BATCHES = ("cohort-20260131-001", "arrival-20260131-001")


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    """With a mapping, and an audit log that tells of its making and of reads."""
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    for batch in _BATCHES:
        write_part(zones, batch, [MappedStudy("s1", tuple(map(instance, range(20))))])
        read_part(zones, batch, why="a test")
    return zones


def instance(number: int) -> StagedInstance:
    return replace(
        not_staged(f"{number}.dcm", f"1.2.{number}", "0" * 64, "d" * 64, "0123456789ab"),
        released_path=f"P1/2.25.1/2.25.2/2.25.{number}.dcm",
        original_patient_id="PLANTED",
        uids=((f"1.2.{number}", f"2.25.{number}"),),
    )


def test_every_flipped_bit_of_the_mapping_is_noticed(zones: Zones) -> None:
    codes = Counter()
    chance = random.Random(1)
    for _ in range(FLIPS // 2):
        batch = chance.choice(_BATCHES)
        look = partial(_refusals, zones, batch)
        assert look() == ["", ""]
        found = _with_a_flipped_bit(zones.mapping(batch), chance, look)
        assert all(found), "both looks notice it"
        codes.update(found)
    assert key_ids_in_use(zones) == {"0123456789ab"}
    print(f"{FLIPS // 2} bits flipped in parts of the mapping: {dict(codes)}")


def test_every_flipped_bit_of_the_audit_log_is_noticed(zones: Zones) -> None:
    chance = random.Random(2)
    assert verify(zones) == []
    problems = Counter()
    for _ in range(FLIPS - FLIPS // 2):
        path = chance.choice((zones.audit_log, zones.audit_head))
        found = _with_a_flipped_bit(path, chance, lambda: verify(zones))
        assert found
        problems[found[0].code] += 1
    assert verify(zones) == []
    print(f"{FLIPS - FLIPS // 2} bits flipped in the audit log and its head: {dict(problems)}")


def _refusals(zones: Zones, batch: str) -> list[str]:
    return [_refusal(partial(verify_part, zones, batch)), _refusal(partial(read_part, zones, batch, why="a test"))]


def _refusal(read: Callable[[], object]) -> str:
    """The code of why it cannot be read; empty where it can."""
    try:
        read()
    except DicomAssetsError as error:
        return error.code
    return ""


def _with_a_flipped_bit(path: Path, chance: random.Random, look: Callable[[], list]) -> list:
    """What look() gives meanwhile."""
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    path.write_bytes(changed)
    try:
        return look()
    finally:
        path.write_bytes(whole)
