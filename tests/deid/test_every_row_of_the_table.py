"""PS3.15 Table E.1-1, edition 2026d: every row under the Basic Profile, at top level and nested."""

import csv
from importlib.resources import files

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicom_assets.deid.actions import resolve
from dicom_assets.deid.profile import load_profile
from tests.deid.instances import KEY, deidentified, minimal

BASIC = load_profile("basic")
OLD_UID = "1.2.826.0.1.3680043.10.1337.6.77"
VALUES = {
    "AE": "QUILL_AE", "AS": "071Y", "CS": "QUILLCODE", "DA": "19530411", "DS": "71.25", "DT": "19530411093000",
    "IS": "7125", "LO": "Quillfeather", "LT": "Quillfeather", "PN": "Quillfeather^O", "SH": "Quillfeather",
    "ST": "Quillfeather", "TM": "093011", "UC": "Quillfeather", "UI": OLD_UID, "UR": "http://quillfeather.example",
    "UT": "Quillfeather", "US": 7125, "UL": 712500, "FL": 71.25, "FD": 71.25, "SS": 7125, "SL": 712500,
    "OB": b"Quillfeather", "OW": b"Quillfeather", "UN": b"Quillfeather", "OF": b"Quillfeather",
}  # fmt: skip


def rows() -> list[dict[str, str]]:
    text = files("dicom_assets.deid").joinpath("profiles/table_e_1_1.csv").read_text("utf-8")
    return [row for row in csv.DictReader(text.splitlines()) if set(row["tag"]) <= set("0123456789ABCDEF")]


def vr_of(row: dict[str, str]) -> str:
    try:
        return dictionary_VR(int(row["tag"], 16)).split(" or ")[0]
    except KeyError:
        return row["vr"] or "LO"


def planted(row: dict[str, str]) -> DataElement:
    tag, vr = Tag(int(row["tag"], 16)), vr_of(row)
    if vr == "SQ":
        item = Dataset()
        item.PatientName = "Quillfeather^Ottoline"
        item.ReferencedSOPInstanceUID = OLD_UID
        return DataElement(tag, "SQ", Sequence([item]))
    return DataElement(tag, vr, VALUES[vr])


TABLE = [row for row in rows() if int(row["tag"][:4], 16) > 2]


def test_the_table_is_whole() -> None:
    assert len(rows()) == 653
    assert {row["basic_prof"] for row in rows()} == {
        "X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"
    }  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["keyword"] or row["tag"])
@pytest.mark.parametrize("nested", [False, True], ids=["top level", "nested"])
def test_nothing_of_the_value_is_left(row: dict[str, str], nested: bool) -> None:
    element, dataset = planted(row), minimal()
    if nested:
        item = Dataset()
        item.add(element)
        dataset.add(DataElement(0x00081115, "SQ", Sequence([item])))  # Referenced Series Sequence: kept, cleaned within
    else:
        dataset.add(element)
    output = deidentified(dataset, BASIC)
    within = output[0x00081115].value[0] if nested else output
    expected = set(row["basic_prof"].replace("*", "").split("/"))
    if element.tag not in within:
        assert "X" in expected or expected == {"D"} or not _in_dictionary(row)
        return
    left = within[element.tag]
    if left.VR == "SQ":
        assert all("PatientName" not in item or item.PatientName != "Quillfeather^Ottoline" for item in left.value)
        assert all(item.get("ReferencedSOPInstanceUID") != OLD_UID for item in left.value)
        if "U" in expected:
            assert left.value[0].ReferencedSOPInstanceUID == KEY.uid(OLD_UID)
    elif "U" in expected:
        assert left.value == KEY.uid(str(element.value))
    else:
        assert left.is_empty or left.value != element.value
        assert not left.is_empty or "Z" in expected


def _in_dictionary(row: dict[str, str]) -> bool:
    try:
        dictionary_VR(int(row["tag"], 16))
    except KeyError:
        return False
    return True


@pytest.mark.parametrize(
    ("code", "attribute_type", "action"),
    [
        ("X/Z", "3", "X"), ("X/Z", "2", "Z"), ("X/Z", "1", "Z"),
        ("X/D", "3", "X"), ("X/D", "1", "D"), ("X/D", "2", "D"),
        ("Z/D", "2", "Z"), ("Z/D", "1C", "D"), ("Z/D", "3", "D"),
        ("X/Z/D", "3", "X"), ("X/Z/D", "2C", "Z"), ("X/Z/D", "1", "D"),
        ("X/Z/U*", "3", "U"), ("X", "1", "X"), ("Z", "3", "Z"),
    ],
)  # fmt: skip
def test_a_compound_action_is_the_least_that_the_type_permits(code: str, attribute_type: str, action: str) -> None:
    assert resolve(code, attribute_type) == action
