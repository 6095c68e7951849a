"""Content items under Clean Structured Content: PS3.15 Table E.3.4-1, and items that it does not name."""

import pytest

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.structured_reports import CONTENT_SEQUENCES, VALUE_OF, content_item_action
from dicom_assets.deid.tables import rows_of

ROWS = rows_of("table_e_3_4_1.csv")
OPTIONS = (
    "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates", "clean_descriptors",
)  # fmt: skip
REFERENCES = ("UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM")


def of(row: dict[str, str], *options: str, dates: str = "remove") -> str:
    return content_item_action(row["code"], row["scheme"], row["value_type"], options, dates)


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 214
    assert {row["basic"] for row in ROWS} == {"X", "D", "X/D"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['meaning']} {row['value_type']}")
def test_a_row_has_its_basic_action_and_that_of_each_option(row: dict[str, str]) -> None:
    replaced = "U" if row["value_type"] in REFERENCES else "D"
    basic = "X" if row["basic"] == "X" else replaced
    assert of(row) == basic
    for option in OPTIONS:
        dates = {"retain_longitudinal_full_dates": "keep", "retain_longitudinal_modified_dates": "shift"}.get(
            option, "remove"
        )
        kept = "C" if row["meaning"] == "Subject Age" and row[option] else row[option]  # over 89 is capped
        assert of(row, option, dates=dates) == (kept or basic)


@pytest.mark.parametrize("row", [row for row in ROWS if row["value_type"] in ("DATE", "DATETIME", "TIME")][:12])
def test_the_year_stays_of_dates_and_nothing_of_times(row: dict[str, str]) -> None:
    expected = "C" if row["retain_longitudinal_modified_dates"] and row["value_type"] != "TIME" else of(row)
    assert of(row, dates="year") == expected


@pytest.mark.parametrize(
    ("value_type", "remove", "year", "shift", "keep"),
    [
        ("TEXT", "C", "C", "C", "C"), ("PNAME", "D", "D", "D", "D"), ("DATE", "D", "C", "C", "K"),
        ("DATETIME", "D", "C", "C", "K"), ("TIME", "D", "D", "C", "K"), ("UIDREF", "U", "U", "U", "U"),
        ("IMAGE", "U", "U", "U", "U"), ("NUM", "K", "K", "K", "K"), ("CODE", "K", "K", "K", "K"),
        ("CONTAINER", "K", "K", "K", "K"), ("SCOORD", "K", "K", "K", "K"), ("", "X", "X", "X", "X"),
        ("QUILL", "X", "X", "X", "X"),
    ],
)  # fmt: skip
def test_an_item_of_unknown_concept_is_judged_by_its_value_type(
    value_type: str, remove: str, year: str, shift: str, keep: str
) -> None:
    for dates, expected in {"remove": remove, "year": year, "shift": shift, "keep": keep}.items():
        assert content_item_action("Q1", "99QUILL", value_type, (), dates) == expected


def test_a_known_concept_of_another_value_type_is_not_that_concept() -> None:
    assert content_item_action("121022", "DCM", "TEXT", (), "remove") == "X"  # Accession Number
    assert content_item_action("121022", "DCM", "PNAME", (), "remove") == "D"


def test_a_profile_asks_with_its_own_options() -> None:
    research = load_profile("research")
    assert research.cleans_content
    assert not load_profile("basic").cleans_content
    assert research.content_item_action("121033", "DCM", "NUM") == "C"  # Subject Age, a patient characteristic
    assert research.content_item_action("126201", "DCM", "DATE") == "C"


def test_elements_of_content_items_are_known() -> None:
    assert None not in CONTENT_SEQUENCES | set(VALUE_OF.values())
