"""Content items under Clean Structured Content: PS3.15 Table E.3.4-1, and items that it does not name."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.structured_reports import AGE_OR_BIRTH, CONTENT_SEQUENCES, VALUE_OF, content_item_action
from dicom_assets.deid.tables import rows_of
from tests.deid.instances import KEY, deidentified, minimal

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
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
        kept = "" if row["meaning"] == "Subject Age" else row[option]  # over 89 it identifies
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
    assert research.content_item_action("121032", "DCM", "CODE") == "K"  # Subject Sex
    assert research.content_item_action("121033", "DCM", "NUM") == "X"  # Subject Age
    assert research.content_item_action("126201", "DCM", "DATE") == "C"


def test_elements_of_content_items_are_known() -> None:
    assert None not in CONTENT_SEQUENCES | set(VALUE_OF.values())


@pytest.mark.parametrize(("code", "scheme"), sorted(AGE_OR_BIRTH))
def test_age_and_day_of_birth_go_whatever_the_options(code: str, scheme: str) -> None:
    for name in ("basic", "hipaa-safe-harbor", "research", "halo"):
        profile = load_profile(name)
        assert {profile.content_item_action(code, scheme, kind) for kind in ("NUM", "DATE", "TEXT")} == {"X"}
    assert load_profile("basic").content_item_action("121032", "DCM", "CODE") is None  # Subject Sex


# what becomes of a report


def item(
    value_type: str, meaning: str = "Finding", code: str = "Q1", scheme: str = "99QUILL", **values: object
) -> Dataset:
    made, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, scheme, meaning
    made.ValueType, made.RelationshipType, made.ConceptNameCodeSequence = value_type, "CONTAINS", Sequence([name])
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def report(*items: Dataset) -> Dataset:
    dataset = minimal(BASIC_TEXT_SR)
    dataset.StudyDate, dataset.Modality, dataset.ValueType = "20190411", "SR", "CONTAINER"
    dataset.ContentSequence = Sequence(items)
    return dataset


def test_a_report_keeps_what_is_clinical_and_loses_who() -> None:
    quantity = Dataset()
    quantity.NumericValue = "42"
    output = deidentified(
        report(
            item("TEXT", TextValue="CT chest of Ottoline Quillfeather"),
            item("TEXT", "Accession Number", "121022", "DCM", TextValue="A-77120"),
            item("PNAME", PersonName="Quillfeather^Ottoline"),
            item("DATE", Date="20190411"),
            item("UIDREF", UID="1.2.826.0.1.3680043.10.1337.6.77"),
            item("NUM", MeasuredValueSequence=Sequence([quantity])),
            item("CONTAINER", ContentSequence=Sequence([item("TEXT", TextValue="chest, Quillfeather")])),
        ),
        load_profile("research"),
    )
    text, name, day, reference, number, container = output.ContentSequence
    assert text.TextValue.startswith("CT chest")
    assert name.PersonName == "ANONYMIZED"
    assert output.StudyDate == day.Date
    assert output.StudyDate != "20190411"
    new_uid = KEY.uid("1.2.826.0.1.3680043.10.1337.6.77")
    assert new_uid == reference.UID
    assert number.MeasuredValueSequence[0].NumericValue == 42
    assert container.ContentSequence[0].TextValue.startswith("chest")
    assert "uillfeather" not in str(output)
    assert "A-77120" not in str(output)


@pytest.mark.parametrize("value_type", ["CODE", "NUM", "CONTAINER", "IMAGE", "DATE", "UIDREF"])
def test_an_item_cannot_smuggle_a_value_of_another_type(value_type: str) -> None:
    smuggled = item(
        value_type, TextValue="Tom Marlowe 4711-0815", PersonName="Marlowe^Tom", Date="20190412", Time="101112"
    )
    output = deidentified(report(smuggled), load_profile("basic"))
    assert "Marlowe" not in str(output)
    output = deidentified(report(smuggled), load_profile("research"))
    assert "Marlowe" not in str(output)
    assert "20190412" not in str(output)


@pytest.mark.parametrize("name", ["basic", "hipaa-safe-harbor", "research", "halo"])
def test_no_report_tells_an_age_or_a_day_of_birth(name: str) -> None:
    quantity = Dataset()
    quantity.NumericValue = "94"
    output = deidentified(
        report(
            item("DATE", "Subject Birth Date", "121031", "DCM", Date="19250203"),
            item("NUM", "Subject Age", "121033", "DCM", MeasuredValueSequence=Sequence([quantity])),
            item("NUM", "Age", "30525-0", "LN", MeasuredValueSequence=Sequence([quantity])),
            item("NUM", "Length", "410668003", "SCT", MeasuredValueSequence=Sequence([quantity])),
        ),
        load_profile(name),
    )
    assert [one.ConceptNameCodeSequence[0].CodeMeaning for one in output.ContentSequence] == ["Length"]
    assert "1925" not in str(output)
