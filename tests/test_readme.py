"""The README's tables of profiles are the rules'."""

from pathlib import Path

from dicom_assets.deid.profile_file import OPTIONS, SHIPPED
from dicom_assets.workflow.profile_summary import BEGIN, END, with_tables

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_tables_of_profiles_are_generated_from_the_rules() -> None:
    assert README.count(BEGIN) == README.count(END) == 1
    assert with_tables(README) == README, "run: python -m dicom_assets.workflow.profile_summary README.md"


def test_every_profile_and_option_is_named() -> None:
    assert all(f"`{name}`" in README for name in (*SHIPPED, *OPTIONS))
