"""PS3.15 Table E.1-1, edition 2026d: every row under the Basic Profile and under every option, at top level, nested,
and in each Type that its attribute has in any IOD. First what is decided, then what becomes of it in an instance."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicom_assets.deid.actions import _types, attribute_type, resolve
from dicom_assets.deid.dictionary import name_of, tag_of, vm_of, vr_of
from dicom_assets.deid.identity import IDENTIFYING
from dicom_assets.deid.profile import Profile, load_profile
from dicom_assets.deid.tables import rows_of
from tests.deid.instances import CT, KEY, deidentified, minimal

ROWS = [row for row in rows_of("table_e_1_1.csv") if set(row["tag"]) <= set("0123456789ABCDEF")]
OPTIONS = (
    "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "clean_descriptors",
    "clean_structured_content", "clean_graphics",
)  # fmt: skip
#: Setting -> the column of the table that it puts in force
COLUMNS = {"basic": "", **{option: option for option in OPTIONS}, "hipaa-safe-harbor": ""}
CLEANABLE = {"AS", "DA", "DT", "TM", "LO", "LT", "SH", "ST", "SQ", "UC", "UT"}
#: What becomes of an element of no matter which Type, by PS3.15 E.1.1: the least that the Type permits
VERSIONS = ("ContextGroupVersion", "ContextGroupLocalVersion", "TemplateVersion", "TemplateLocalVersion")
BY_TYPE = {
    "X/Z": {"1": "Z", "1C": "Z", "2": "Z", "2C": "Z", "3": "X"},
    "X/D": {"1": "D", "1C": "D", "2": "D", "2C": "D", "3": "X"},
    "Z/D": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "D"},
    "X/Z/D": {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "X"},
    "X/Z/U*": dict.fromkeys(("1", "1C", "2", "2C", "3"), "U"),
}
REMOVED = {row["keyword"] for row in ROWS if row["basic_prof"] not in ("D", "U", "X/Z/U*")}
ENCAPSULATED_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
NESTED = ("ReferencedSeriesSequence",)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    folder: Path = tmp_path_factory.mktemp("profiles")
    made = {name: load_profile(name) for name in ("basic", "hipaa-safe-harbor")}
    for option in OPTIONS:
        (folder / f"{option}.toml").write_text(f'options = ["{option}"]', "utf-8")
        made[option] = load_profile(str(folder / f"{option}.toml"))
    return made


def tag_of_row(row: dict[str, str]) -> int:
    return int(row["tag"], 16)


def expected(row: dict[str, str], setting: str, kind: str) -> str:
    """The action by the table, for an attribute of this Type; with what this program does more strictly."""
    vr = vr_of(tag_of_row(row))
    code = row[COLUMNS[setting]] if COLUMNS[setting] else ""
    if setting == "hipaa-safe-harbor" and vr in ("DA", "DT"):
        code = row["retain_longitudinal_modified_dates"]
    if code == "C" and row["keyword"] == "TimezoneOffsetFromUTC":
        return "K"  # times of the day stay as they are
    if setting == "retain_longitudinal_modified_dates" and row["keyword"] in VERSIONS:
        code = ""  # shifted, a public date would tell the shift
    if code == "K" and vr == "AS":
        return "C"  # ages over 89 are capped
    if code == "C" and vr not in CLEANABLE:
        code = ""  # nobody can clean an AE title, a code or bytes
    code = code or row["basic_prof"]
    return BY_TYPE[code][kind] if code in BY_TYPE else code


class Place(NamedTuple):
    sop_class_uid: str
    path: tuple[str, ...]
    kind: str  #: the attribute's Type there


@cache
def places(keyword: str, walked: bool = False) -> tuple[Place, ...]:
    """One for each Type that the attribute has in any IOD. walked: only below what the Basic Profile keeps."""
    tables = _types()
    found: dict[str, Place] = {}
    for sop_class_uid, iod in tables["sop_class_to_iod"].items():
        at = tables["types"].get(keyword, {}).get(iod)
        if at is None or sop_class_uid.startswith(ENCAPSULATED_DOCUMENTS):  # these are quarantined
            continue
        for joined, kind in tables["maps"][at].items():
            path = tuple(joined.split("/")) if joined else ()
            if not (walked and REMOVED & set(path)):
                found.setdefault(kind, Place(sop_class_uid, path, kind))
    return tuple(found.values())


# what is decided


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 653
    assert len(rows_of("table_e_1_1.csv")) == 657
    assert {row["basic_prof"] for row in ROWS} == {"X", "Z", "D", "U", *BY_TYPE}


@pytest.mark.parametrize("setting", COLUMNS)
def test_every_row_at_top_level_nested_and_in_each_type(profiles: dict[str, Profile], setting: str) -> None:
    for row in ROWS:
        tag = tag_of_row(row)
        name = name_of(tag)
        everywhere = (Place(CT, (), attribute_type(CT, (), name)), Place(CT, NESTED, attribute_type(CT, NESTED, name)))
        for sop_class_uid, path, kind in (*everywhere, *places(name)):
            action = profiles[setting].action_for(tag, vr_of(tag), sop_class_uid, path)
            assert action == expected(row, setting, kind), (name, sop_class_uid, path)


def test_show_basic_is_the_tables_basic_column(profiles: dict[str, Profile]) -> None:
    for row in ROWS:
        assert profiles["basic"].explain(tag_of_row(row)).code == row["basic_prof"]


def test_every_compound_row_is_tried_in_the_types_that_tell_its_actions_apart() -> None:
    kinds = {kind for row in ROWS if row["basic_prof"] in BY_TYPE for _, _, kind in places(name_of(tag_of_row(row)))}
    assert kinds == {"1", "1C", "2", "2C", "3"}


@pytest.mark.parametrize(
    ("code", "kind", "action"), [(code, kind, one) for code, row in BY_TYPE.items() for kind, one in row.items()]
)
def test_a_compound_action_is_the_least_that_the_type_permits(code: str, kind: str, action: str) -> None:
    assert resolve(code, kind) == action


# what becomes of an element

OLD_UID = "1.2.826.0.1.3680043.10.1337.6.77"
TEXT = "CT Quillfeather"
VALUES = {
    "AE": "QUILL_AE", "AS": "093Y", "CS": "QUILLCODE", "DA": "20190411", "DS": "71.25", "DT": "20190411093000",
    "IS": "7125", "TM": "093011", "UI": OLD_UID, "UR": "http://quillfeather.example", "PN": "Quillfeather^O",
    "US": 7125, "UL": 712500, "FL": 71.25, "FD": 71.25, "SS": 7125, "SL": 712500, "AT": 0x00100010, "UV": 7, "SV": 7,
    "OB": b"Quillfeather", "OW": b"Quillfeather", "UN": b"Quillfeather", "OF": b"Quillfeather", "OL": b"Quillfeather",
    "OV": b"Quillfea", "OD": b"Quillfea",
}  # fmt: skip
#: Written by the program whatever the rules say, or not elements of a data set
NOT_PLANTED = {
    tag_of(keyword)
    for keyword in (
        "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "PatientName",
        "ReferencedSeriesSequence",
    )
}  # fmt: skip
PLANTED = [row for row in ROWS if tag_of_row(row) >> 16 > 4 and tag_of_row(row) not in NOT_PLANTED]


def planted(tag: int) -> DataElement:
    vr = vr_of(tag).split(" or ")[0]
    if vr == "SQ":
        item = Dataset()
        item.PatientName, item.ReferencedSOPInstanceUID = "Quillfeather^Ottoline", OLD_UID
        if name_of(tag) == "ContentSequence":
            item.ValueType = "CONTAINER"  # without one, a content item goes
        return DataElement(Tag(tag), "SQ", Sequence([item]))
    value, low = VALUES.get(vr, TEXT), int(vm_of(tag).partition("-")[0])
    if name_of(tag) == "TimezoneOffsetFromUTC":
        value = "+0100"
    if tag in IDENTIFYING and value == TEXT:  # what a descriptor says beside the name is nobody's ID or address
        value = "Quillfeather"
    return DataElement(Tag(tag), vr, value if low == 1 else [value] * low)


def below(dataset: Dataset, path: tuple[str, ...]) -> Dataset:
    """The item at path, made where it is not there."""
    for keyword in path:
        if keyword not in dataset:
            setattr(dataset, keyword, Sequence([Dataset()]))
        dataset = dataset[keyword].value[0]
    return dataset


def became(original: DataElement, output: Dataset, action: str, profile: Profile) -> Iterator[str]:
    """What is wrong with the element in the output; nothing where all is well."""
    if original.tag not in output:
        if action != "X":
            yield f"removed, not {action}"
        return
    left = output[original.tag]
    if action == "X":
        yield f"not removed: {left.value!r}"
    elif action == "Z":
        if not left.is_empty:
            yield f"not emptied: {left.value!r}"
    elif left.VR == "SQ":
        names = [item.get("PatientName") for item in left.value]
        uids = {item.ReferencedSOPInstanceUID for item in left.value if "ReferencedSOPInstanceUID" in item}
        if "Quillfeather^Ottoline" in names or (OLD_UID in uids and profile.groups["regenerate_uids"]):
            yield "items not cleaned"
    elif action == "U" or (action == "D" and left.VR == "UI"):
        new = KEY.uid(OLD_UID) if profile.groups["regenerate_uids"] else OLD_UID
        if set([left.value] if isinstance(left.value, str) else left.value) != {new}:
            yield f"not the new UID: {left.value!r}"
    elif action == "D":
        if left.is_empty or left.value == original.value or "uill" in str(left.value):
            yield f"no dummy: {left.value!r}"
    elif action == "K":
        if left.value != original.value:
            yield f"not kept: {left.value!r}"
    elif action == "C":
        yield from _cleaned(original, left, profile)


def _cleaned(original: DataElement, left: DataElement, profile: Profile) -> Iterator[str]:
    if original.VR in ("DA", "DT") and profile.dates == "year":
        if str(left.value) not in ("20190101", "2019"):
            yield f"more than the year: {left.value!r}"
    elif original.VR in ("DA", "DT"):
        if str(left.value)[8:] != str(original.value)[8:] or left.value == original.value:
            yield f"not shifted: {left.value!r}"
    else:
        wanted = {"TM": "093011", "AS": "090Y"}.get(original.VR, "CT")
        if set([left.value] if isinstance(left.value, str) else left.value) != {wanted}:
            yield f"not cleaned: {left.value!r}"


@pytest.mark.parametrize("path", [(), NESTED], ids=["top level", "nested"])
@pytest.mark.parametrize("setting", COLUMNS)
def test_in_an_instance(profiles: dict[str, Profile], setting: str, path: tuple[str, ...]) -> None:
    dataset, profile = minimal(), profiles[setting]
    elements = [planted(tag_of_row(row)) for row in PLANTED]
    for element in elements:
        below(dataset, path).add(element)
    output = below(deidentified(dataset, profile), path)
    wrong = {}
    for row, element in zip(PLANTED, elements, strict=True):
        action = expected(row, setting, attribute_type(CT, path, name_of(element.tag)))
        if problems := list(became(element, output, action, profile)):
            wrong[name_of(element.tag)] = action, problems
    assert wrong == {}


def test_in_each_type(profiles: dict[str, Profile]) -> None:
    """Compound rows of the Basic Profile: an instance for each SOP class, the attribute where it has the Type."""
    by_class: dict[str, list[tuple[dict[str, str], Place]]] = {}
    for row in PLANTED:
        for place in places(name_of(tag_of_row(row)), walked=True) if row["basic_prof"] in BY_TYPE else ():
            by_class.setdefault(place.sop_class_uid, []).append((row, place))
    wrong = {}
    for sop_class_uid, cases in by_class.items():
        for row, place in cases:
            dataset, element = minimal(sop_class_uid), planted(tag_of_row(row))
            below(dataset, place.path).add(element)
            output = below(deidentified(dataset, profiles["basic"]), place.path)
            action = BY_TYPE[row["basic_prof"]][place.kind]
            if problems := list(became(element, output, action, profiles["basic"])):
                wrong[name_of(element.tag), place] = action, problems
    assert len(by_class) > 5
    assert wrong == {}


def test_all_dates_shift_by_the_same_days(profiles: dict[str, Profile]) -> None:
    profile, dataset = profiles["retain_longitudinal_modified_dates"], minimal()
    dates = [tag_of_row(row) for row in PLANTED if vr_of(tag_of_row(row)) in ("DA", "DT")]
    for tag in dates:
        dataset.add(planted(tag))
        below(dataset, NESTED).add(planted(tag))
    output = deidentified(dataset, profile)
    shifted = {
        str(one.value)[:8]
        for place in (output, below(output, NESTED))
        for one in place
        if one.VR in ("DA", "DT") and one.value and one.keyword not in VERSIONS
    }
    assert len(shifted) == 1
    days = (date.fromisoformat(shifted.pop()) - date(2019, 4, 11)).days
    assert 0 < abs(days) <= profile.shift_days


@pytest.mark.parametrize("setting", COLUMNS)
def test_the_rows_of_curves_overlays_and_private_elements(profiles: dict[str, Profile], setting: str) -> None:
    """50xx, 60xx3000 and 60xx4000 go: no overlay here is a region of interest whose bits are as many as it says."""
    dataset = minimal()
    dataset.add_new(0x50003000, "OW", b"Quillfeather")
    dataset.add_new(0x60023000, "OW", b"Quillfeather")
    dataset.add_new(0x60024000, "LT", TEXT)
    dataset.private_block(0x0009, "QUILL", create=True).add_new(1, "LO", "Quillfeather")
    item = below(dataset, NESTED)
    item.add_new(0x60003000, "OW", b"Quillfeather")
    item.private_block(0x0009, "QUILL", create=True).add_new(1, "LO", "Quillfeather")
    output = deidentified(dataset, profiles[setting])
    tags = {int(element.tag) for element in output.iterall()}
    assert not {tag for tag in tags if tag >> 24 in (0x50, 0x60) or tag >> 16 & 1}
