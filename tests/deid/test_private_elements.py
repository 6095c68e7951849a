"""Safe private elements: PS3.15 Table E.3.10-1, and creators that a profile keeps."""

import struct
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_assets.deid.private_elements import is_creator, safe_vr, vr_by_form
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.tables import rows_of
from dicom_assets.errors import Refused
from tests.deid.instances import INSTANCE, KEY, deidentified, minimal
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


@pytest.mark.parametrize(
    ("value", "vr"),
    [
        (b"1.2.276.0.7230010.3.1.4", "UI"), (b"1.2.276.0.7230010.3.1.40\0", "UI"), (b"1.25.3", "UN"),
        (b"20180101", "DA"), (b"20181301", "UN"), (b"20180101093011.5+0100", "DT"), (b"094Y", "AS"),
        (b"Quillfeather^Ottoline ", "PN"),
        (b"\1\0^\2", "UN"), (b"", "UN"), (b"SIEMENS", "UN"), (b"\xfe\xff\x00\xe0\0\0\0\0", "SQ"),
    ],
)  # fmt: skip
def test_what_a_value_without_a_vr_looks_like(value: bytes, vr: str) -> None:
    assert vr_by_form(value) == vr


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_dates_ages_uids_and_names_in_kept_private_elements_follow_the_profile_in_any_encoding(
    tmp_path: Path, syntax: str
) -> None:
    dataset, nested = minimal(), Dataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    block = dataset.private_block(0x0099, "ACME 1.1", create=True)
    nested.ReferencedSOPInstanceUID, nested.StudyDate = INSTANCE, "20180101"
    for number, (vr, value) in enumerate(
        [("UI", "1.2.276.0.99.3.4"), ("DA", "20180101"), ("AS", "094Y"), ("PN", "Vance^Ada"), ("LO", "KERNEL 3"),
         ("SQ", Sequence([nested]))],
        start=1,
    ):  # fmt: skip
        block.add_new(number, vr, value)
    output = deidentified(dataset, own(tmp_path, 'private_creators = ["ACME 1.1"]\ndates = "shift"'))
    left = output.private_block(0x0099, "ACME 1.1")
    assert left[1].value == KEY.uid("1.2.276.0.99.3.4")
    assert left[2].value != "20180101"
    assert len(left[2].value) == 8
    assert left[3].value == "090Y"
    assert 4 not in left
    assert left[5].value in ("KERNEL 3", b"KERNEL 3")
    assert left[6].value[0].ReferencedSOPInstanceUID == output.SOPInstanceUID
    assert left[6].value[0].StudyDate == left[2].value


@pytest.mark.parametrize(
    "told", ["Quillfeather", "for OTTOLINE QUILLFEATHER", "0012345", f"see {INSTANCE}", "2.25.7", "for Cho"]
)
def test_a_safe_element_that_tells_who_the_patient_is_goes_and_the_others_stay(told: str) -> None:
    dataset = minimal()
    dataset.OperatorsName = "Cho^Eun-ji"
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x9E, "LO", told)
    block.add_new(0x23, "DS", "12.5")
    left = deidentified(dataset, load_profile("research")).private_block(0x0019, "GEMS_ACQU_01")
    assert 0x9E not in left and left[0x23].value in ("12.5", 12.5)


@pytest.mark.parametrize("told", ["on 12.05.2014", "D4829104", "call 555-201-0188", "a.b@example.org", "20140305"])
def test_a_safe_text_that_tells_of_anybody_goes_under_clean_descriptors(told: str) -> None:
    dataset = minimal()
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x9E, "LO", told)
    assert (0x0019, 0x0010) not in deidentified(dataset, load_profile("research"))


@pytest.mark.parametrize("told", ["EFGRE3D", "0.984:1", "MRHEAD 20CH", "TE 2.98/5.1", "VERSION 12.4", "12.5 MHz"])
def test_a_safe_text_that_is_technical_stays(told: str) -> None:
    dataset = minimal()
    dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9E, "LO", told)
    left = deidentified(dataset, load_profile("research"))
    assert left.private_block(0x0019, "GEMS_ACQU_01")[0x9E].value == told


def test_a_name_in_the_bytes_of_a_safe_number_goes() -> None:
    dataset = minimal()
    dataset.OperatorsName = "Cho^Eun-ji"
    number = struct.unpack("<d", b"b of Cho")[0]
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x27, "FD", number)
    block.add_new(0x0E, "FD", [0.5, 0.25, 0.75])
    left = deidentified(dataset, load_profile("research")).private_block(0x0019, "SIEMENS MR HEADER")
    assert 0x27 not in left and left[0x0E].value == [0.5, 0.25, 0.75]


def test_a_safe_number_that_is_the_patients_goes() -> None:
    dataset = minimal()
    dataset.PatientID = "4471902"
    dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x23, "DS", "4471902")
    assert (0x0019, 0x0010) not in deidentified(dataset, load_profile("research"))


@pytest.mark.parametrize("vr", ["UN", "OB"])
def test_bytes_that_mention_an_original_uid_are_not_released(tmp_path: Path, vr: str) -> None:
    dataset = minimal()
    dataset.private_block(0x0099, "ACME 1.1", create=True).add_new(1, vr, b"\1\0see " + INSTANCE.encode() + b"\0\0")
    with pytest.raises(Refused, match="IDENTIFIER_LEFT"):
        deidentified(dataset, own(tmp_path, 'private_creators = ["ACME 1.1"]'))
