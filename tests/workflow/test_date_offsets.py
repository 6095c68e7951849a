"""What the proof says of dates, case by case; the shift of the cases is 30 days."""

import pytest

from dicom_assets.deid.residual import Piece
from dicom_assets.workflow.date_offsets import (
    InstanceOffsets,
    Offset,
    compare_dates,
    compare_offsets,
    settle_offsets,
)
from dicom_assets.workflow.promises import Promises
from dicom_assets.workflow.verdict import StudyVerdict

STUDY_DATE, ACQUISITION, STUDY_TIME, CONTEXT_GROUP = 0x00080020, 0x0008002A, 0x00080030, 0x00080106
PRIVATE, CALIBRATION = 0x00091001, 0x00181200
MOVED = frozenset({STUDY_DATE, ACQUISITION, STUDY_TIME, CALIBRATION})
CONTENT_DATE = (0x0040A121, ((0x0040A730, 0),))


def piece(tag, vr, value, path=()):
    return Piece(tag, vr, value.encode(), ("iso8859",), path, "")


def compared(tag, vr, old, new, dates="shift", path=(), **promises):
    given = Promises(**{"dates": dates, "moved_dates": MOVED if dates in ("shift", "year") else frozenset()} | promises)
    problems, offsets = compare_dates([piece(tag, vr, old, path)], [piece(tag, vr, new, path)], given)
    return [reason for reason, _ in problems], [(one.least, one.most, one.dates) for one in offsets]


SHIFTED = {
    "a date": (STUDY_DATE, "DA", "20240117", "20240216", [(30, 30, 1)]),
    "a date with dots": (STUDY_DATE, "DA", "2024.01.17", "20240216", [(30, 30, 1)]),
    "over the end of February of a leap year": (STUDY_DATE, "DA", "20240201", "20240302", [(30, 30, 1)]),
    "several": (CALIBRATION, "DA", "20240117\\20240118", "20240216\\20240217", [(30, 30, 2)]),
    "a date and time": (ACQUISITION, "DT", "20240117101533.5+0100", "20240216101533.5+0100", [(30, 30, 1)]),
    "a month, of which the day is not told": (ACQUISITION, "DT", "202401", "202401", [(0, 30, 1)]),
    "a year": (ACQUISITION, "DT", "2024", "2024", [(0, 365, 1)]),
    "a private date": (PRIVATE, "DA", "20240117 ", "20240216", [(30, 30, 1)]),
    "a time stays": (STUDY_TIME, "TM", "101533.25", "101533.25 ", []),
    "nothing": (STUDY_DATE, "DA", "", "", []),
    "a placeholder for what is no date": (STUDY_DATE, "DA", "yesterday", "19000101", []),
    "a placeholder for what stands for no date": (STUDY_DATE, "DA", "00010101", "19000101", []),
    "two values where one may stand": (STUDY_DATE, "DA", "20240117\\20240118", "19000101", []),
    "what the profile replaces": (CONTEXT_GROUP, "DT", "20020904", "19000101000000", []),
}


@pytest.mark.parametrize("tag, vr, old, new, offsets", SHIFTED.values(), ids=SHIFTED.keys())
def test_what_a_shift_leaves_is_right(tag, vr, old, new, offsets):
    assert compared(tag, vr, old, new) == ([], offsets)


WRONG = {
    "the original's date": (STUDY_DATE, "DA", "20240117", "20240117", "DATE_NOT_SHIFTED"),
    "a placeholder hides a real date": (STUDY_DATE, "DA", "20240117", "19000101", "DATE_OFF"),
    "an emptied date": (STUDY_DATE, "DA", "20240117", "", "DATE_OFF"),
    "a date that is none": (STUDY_DATE, "DA", "20240117", "20240230", "DATE_OFF"),
    "a time that is moved as well": (ACQUISITION, "DT", "20240117101533", "20240216101534", "DATE_OFF"),
    "an offset from UTC that changed": (ACQUISITION, "DT", "20240117+0100", "20240216+0200", "DATE_OFF"),
    "another time of the day": (STUDY_TIME, "TM", "101533", "101534", "DATE_OFF"),
    "a moved date that stands for none": (STUDY_DATE, "DA", "18991230", "19000129", "DATE_OFF"),
    "a day for a month": (ACQUISITION, "DT", "202401", "20240216", "DATE_OFF"),
    "another number of dates": (STUDY_DATE, "DA", "20240117", "20240216\\20240217", "DATE_INVENTED"),
    "a date where none was": (STUDY_DATE, "DA", "", "20240216", "DATE_INVENTED"),
    "what the profile replaces": (CONTEXT_GROUP, "DT", "20020904", "20021004", "DATE_LEFT"),
}


@pytest.mark.parametrize("tag, vr, old, new, reason", WRONG.values(), ids=WRONG.keys())
def test_what_no_shift_leaves_is_found(tag, vr, old, new, reason):
    assert compared(tag, vr, old, new) == ([reason], [])


POLICIES = {
    "year: the first of January": ("year", STUDY_DATE, "DA", "20240117", "20240101", []),
    "year: four digits": ("year", ACQUISITION, "DT", "20240117101533", "2024", []),
    "year: no time of the day": ("year", 0x00080032, "TM", "101533", "101533", ["DATE_LEFT"]),
    "year: the month is left": ("year", STUDY_DATE, "DA", "20240217", "20240201", ["DATE_LEFT"]),
    "year: another year": ("year", STUDY_DATE, "DA", "20240117", "20230101", ["DATE_LEFT"]),
    "remove: a placeholder": ("remove", STUDY_DATE, "DA", "20240117", "19000101", []),
    "remove: the year": ("remove", STUDY_DATE, "DA", "20240117", "20240101", ["DATE_LEFT"]),
    "remove: a shifted date": ("remove", PRIVATE, "DA", "20240117", "20240216", ["DATE_LEFT"]),
}


@pytest.mark.parametrize("dates, tag, vr, old, new, reasons", POLICIES.values(), ids=POLICIES.keys())
def test_other_policies_are_held_to_their_word(dates, tag, vr, old, new, reasons):
    assert compared(tag, vr, old, new, dates) == (reasons, [])


def test_a_date_that_the_profile_keeps_stays_as_it_is():
    kept = {"kept_dates": frozenset({STUDY_DATE})}
    assert compared(STUDY_DATE, "DA", "20240117", "20240117", **kept) == ([], [])
    assert compared(STUDY_DATE, "DA", "20240117", "20240118", **kept) == (["DATE_OFF"], [])


def test_the_value_of_a_content_item_may_be_a_placeholder_for_its_concept():
    tag, path = CONTENT_DATE
    moved = {"moved_dates": frozenset({tag})}
    assert compared(tag, "DA", "20240117", "19000101", path=path, **moved) == ([], [])
    assert compared(tag, "DA", "20240117", "20240216", path=path, **moved) == ([], [(30, 30, 1)])


def test_a_date_that_is_gone_is_named_where_it_should_have_been_shifted():
    original = [
        piece(STUDY_DATE, "DA", "20240117"),
        piece(ACQUISITION, "DT", "unknown"),
        piece(STUDY_TIME, "TM", "1015"),
    ]
    output = [piece(0x00080060, "CS", "CT")]
    assert compare_dates(original, output, Promises(dates="shift", moved_dates=MOVED))[0] == [
        ("DATE_LOST", "(0008,0020)")
    ]
    assert compare_dates(original, output, Promises(dates="year", moved_dates=MOVED))[0] == []


def instance(number, *days, patient="P-1"):
    return InstanceOffsets(f"2.25.{number}", patient, tuple(Offset(*one, "(0008,0020)") for one in days))


def test_an_instance_that_is_off_its_patient_s_offset_is_named():
    found, offsets = settle_offsets("s", [instance(1, (30, 30, 4)), instance(2, (30, 30, 3), (31, 31, 1))])
    assert [(one.instance, one.reason) for one in found] == [("2.25.2", "DATE_OFF")]
    assert offsets == (("P-1", 30),)


def test_a_month_must_agree_with_the_offset_that_days_tell():
    assert settle_offsets("s", [instance(1, (30, 30, 1), (0, 30, 1))])[0] == []
    assert len(settle_offsets("s", [instance(1, (30, 30, 1), (31, 59, 1))])[0]) == 1


def test_as_many_dates_for_one_offset_as_for_another_hold_back_the_study():
    found, offsets = settle_offsets("s", [instance(1, (30, 30, 2)), instance(2, (31, 31, 2))])
    assert [(one.instance, one.reason) for one in found] == [("", "DATE_OFFSETS_DIFFER")]
    assert offsets == ()


def verdict(study, *offsets):
    return StudyVerdict(study, (), (), (), (), (), 0, (), date_offsets=offsets)


ACROSS = {
    "one offset": ([("P-1", 30), ("P-1", 30)], {}, ""),
    "two patients": ([("P-1", 30), ("P-2", 31)], {}, ""),
    "the rarer one": ([("P-1", 30), ("P-1", 31), ("P-1", 30)], {}, "1"),
    "nobody can tell": ([("P-1", 30), ("P-1", 31)], {}, "01"),
    "an earlier batch tells": ([("P-1", 30), ("P-1", 31)], {"P-1": {31}}, "0"),
    "all differ from an earlier batch": ([("P-1", 30), ("P-1", 30)], {"P-1": {31}}, "01"),
    "earlier batches differ": ([("P-1", 30)], {"P-1": {30, 31}}, "0"),
}


@pytest.mark.parametrize("offsets, known, withheld", ACROSS.values(), ids=ACROSS.keys())
def test_a_patient_has_one_offset_everywhere(offsets, known, withheld):
    found = compare_offsets([verdict(str(number), one) for number, one in enumerate(offsets)], known)
    assert "".join(one.study_key for one in found) == withheld
    assert {one.reason for one in found} <= {"DATE_OFFSETS_DIFFER"}
