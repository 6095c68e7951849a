"""Parts of a period: together the whole, nothing between two of them."""

from datetime import date, timedelta

import pytest

from dicom_assets.pacs.beginnings import beginnings, begins_with
from dicom_assets.pacs.query import StudyQuery
from dicom_assets.pacs.windows import Window, window_of
from tests.pacs.test_query import match

YEAR = Window(date(2024, 1, 1), date(2024, 12, 31))
DAY = Window(date(2024, 1, 2), date(2024, 1, 2))
TOMORROW = date.today() + timedelta(days=1)


def at(*days: str, time: str = "") -> list:
    return [match(study_date=day, study_time=time) for day in days]


@pytest.mark.parametrize(
    ("window", "studies", "asked"),
    [
        (YEAR, at("20240101", "20240105", "20240110"), ["20240101-20240105", "20240106-20241231"]),
        (YEAR, at("20240301", "20240301"), ["20240101-20240229", "20240301", "20240302-20241231"]),
        (YEAR, at("20240101"), ["20240101", "20240102-20241231"]),
        (YEAR, at("", "20300101", "nonsense"), ["20240101-20240701", "20240702-20241231"]),
        (Window(None, date(1800, 1, 1)), at("17990101"), []),
        (Window(date(2900, 1, 1), None), [], []),
        (Window(None, date(1900, 1, 1)), [], ["-18991231", "19000101"]),
    ],
)
def test_days_are_divided_where_their_studies_are(window: Window, studies: list, asked: list[str]) -> None:
    assert [part.keys["StudyDate"] for part in window.parts(studies)] == asked


def test_a_window_without_ends_keeps_what_lies_far_outside() -> None:
    parts = Window().parts(at("20240101", "20240102"))
    assert [part.keys["StudyDate"] for part in parts] == [
        "-18991231",
        "19000101-20240101",
        f"20240102-{TOMORROW:%Y%m%d}",
        f"{TOMORROW + timedelta(days=1):%Y%m%d}-",
    ]


def test_a_day_is_divided_by_times_that_leave_no_gap() -> None:
    parts = DAY.parts([match(study_time=time) for time in ("080000", "0900", "100000.5", "")])
    assert [part.keys for part in parts] == [
        {"StudyDate": "20240102", "StudyTime": "000000-090000.999999"},
        {"StudyDate": "20240102", "StudyTime": "090000.999999-235959.999999"},
    ]


def test_halving_ends_at_one_second() -> None:
    window, halvings = DAY, 0
    while parts := window.parts([]):
        window, halvings = parts[0], halvings + 1
    assert (window.begin, window.end, halvings) == (0, 0, 17)


@pytest.mark.parametrize(
    ("window", "study", "excluded"),
    [
        (YEAR, match(study_date="20231231"), True),
        (YEAR, match(study_date="20241231"), False),
        (YEAR, match(), False),
        (Window(DAY.first, DAY.last, 3600, 7199), match(study_date="20240102", study_time="03"), True),
        (Window(DAY.first, DAY.last, 3600, 7199), match(study_date="20240102", study_time="0130"), False),
        # the second before it, which archives that drop fractions find as well
        (Window(DAY.first, DAY.last, 3600, 7199), match(study_date="20240102", study_time="005959"), False),
    ],
)
def test_a_window_excludes_what_says_so(window: Window, study: object, excluded: bool) -> None:
    assert window.excludes(study) is excluded


def test_only_a_window_without_dates_is_open() -> None:
    assert window_of(StudyQuery()).is_open
    assert not window_of(StudyQuery(date_from="20240101")).is_open
    assert window_of(StudyQuery(date_from="20240102", date_to="20240102")).is_day


def test_patient_ids_are_divided_by_their_first_and_then_by_differing_characters() -> None:
    digits = [f"{digit}*" for digit in "0123456789"]
    assert beginnings(["0012", "0034", ""]) == digits
    assert beginnings(["0012", "0034", "5"], "0*") == [f"00{each}" for each in digits]
    assert beginnings(["A-1", "A-1"], "A*") == ["A-1"]
    assert not beginnings(["A-1"], "A-1")
    assert not beginnings(["*", "a\\b", ""])
    assert begins_with("abc1", "ABC*")
    assert not begins_with("abc1", "ABC")
