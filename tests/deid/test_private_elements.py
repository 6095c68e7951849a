"""Safe private elements: PS3.15 Table E.3.10-1, and creators that a profile keeps."""

from pathlib import Path

import pytest

from dicom_assets.deid.private_elements import is_creator, safe_vr
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.tables import rows_of
from tests.deid.test_profile import own

ROWS = rows_of("table_e_3_10_1.csv")


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 479
    assert len({(row["creator"], row["group"], row["element"]) for row in ROWS}) == 479
    assert all(int(row["group"], 16) & 1 and len(row["element"]) == 2 for row in ROWS)


def test_each_row_is_safe_by_creator_group_and_element_together() -> None:
    basic, research = load_profile("basic"), load_profile("research")
    for row in ROWS:
        place = row["creator"], int(row["group"], 16), int(row["element"], 16)
        assert research.private_vr(*place) == (row["vr"] or None)  # without a VR nobody can check the value
        assert basic.private_vr(*place) is None
        assert research.private_vr("QUILL", *place[1:]) is None
        assert research.private_vr(place[0] + "X", *place[1:]) is None


@pytest.mark.parametrize(
    ("creator", "group", "element", "vr"),
    [
        ("GEMS_ACQU_01", 0x0019, 0x23, "DS"), ("GEMS_ACQU_01", 0x0021, 0x23, None),
        ("GEMS_ACQU_01", 0x0019, 0x22, None),
        ("gems_acqu_01", 0x0019, 0x23, None), ("Philips Imaging DD 001", 0x2001, 0x7D, "OB or OW"),
        ("SIEMENS Ultrasound SC2000", 0x0129, 0x03, None), ("", 0x0019, 0x23, None),
    ],
)  # fmt: skip
def test_single_elements(creator: str, group: int, element: int, vr: str | None) -> None:
    assert safe_vr(creator, group, element) == vr


def test_creators_of_the_users_are_kept_whole_and_no_others(tmp_path: Path) -> None:
    profile = own(tmp_path, 'private_creators = ["ACME 1.1 "]')
    assert profile.private_vr("ACME 1.1", 0x0009, 0x01) == ""
    assert profile.private_vr("ACME 1.2", 0x0009, 0x01) is None
    assert profile.keeps_private
    everything = own(tmp_path, "[groups]\nremove_private_tags = false")
    assert everything.private_vr("ACME 1.2", 0x0009, 0x01) == ""
    assert not load_profile("basic").keeps_private


@pytest.mark.parametrize(
    ("tag", "expected"),
    [(0x00190010, True), (0x001900FF, True), (0x0019000F, False), (0x00191001, False), (0x00180010, False)],
)
def test_creators_own_blocks(tag: int, expected: bool) -> None:
    assert is_creator(tag) is expected
