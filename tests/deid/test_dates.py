"""Dates and ages as text."""

import pytest

from dicom_assets.deid.dates import capped_age, shifted, year_only


@pytest.mark.parametrize(
    ("value", "vr", "moved"),
    [
        ("20190228", "DA", "20190303"),
        ("2019.02.28", "DA", "20190303"),
        ("20190228-20190301", "DA", "20190303-20190304"),
        (r"20190228\20190301", "DA", r"20190303\20190304"),
        ("20190228101112.5+0100", "DT", "20190303101112.5+0100"),
        ("201902", "DT", "201902"),
        ("", "DA", ""),
        ("28.2.2019", "DA", None),
        ("20190229", "DA", None),
    ],
)
def test_a_shift_moves_by_whole_days(value: str, vr: str, moved: str | None) -> None:
    assert shifted(value, vr, 3) == moved


@pytest.mark.parametrize("value", ["00010101", "18991230", "19000101", "99991231", "99991229"])
def test_what_stands_for_no_date_is_not_moved(value: str) -> None:
    """It would tell by how much all others were."""
    assert shifted(value, "DA", 3) is None
    assert shifted(f"{value}000000", "DT", 3) is None
    assert shifted(f"20190228-{value}", "DA", 3) is None


def test_the_year_and_ages_to_89_stay() -> None:
    assert year_only("20190228", "DA") == "20190101"
    assert year_only("19000101", "DA") == "19000101"
    assert year_only("20190228101112+0100", "DT") == "2019"
    assert [capped_age(age) for age in ("089Y", "090Y", "101Y", "1080", "999M", "012D")] == [
        "089Y", "090Y", "090Y", None, "999M", "012D",
    ]  # fmt: skip
