"""Dates and ages as text: shifted by whole days, cut to their year, capped. Forms by PS3.5 6.2: DA, DT, AS.

A shift leaves times of the day as they are, so that intervals within a day and between days are kept.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_DATETIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?((?:\d{2}){0,3})(\.\d{1,6})?([+-]\d{4})?")
_LONGEST = 64  #: characters; a range of two DT has 53
#: Years of dates that are somebody's. Others (0001-01-01, 1899-12-30, 1900-01-01, 9999-12-31) stand where nobody knew
#: the date: moved, they would tell by how much all others were.
_YEARS = range(1901, 2100)
_AGE = re.compile(r"(\d{3})([DWMY])")
#: Units of AS in years: PS3.5 6.2
_UNITS_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}
OLDEST_TOLD = 89  #: years; 45 CFR 164.514(b)(2)(i)(C): all ages over 89 are one category
_OVER_89 = "090Y"


def shifted(value: str, vr: str, days: int) -> str | None:
    """value: DA or DT, `\\`-separated where there are several; ranges (`a-b`) shift at both ends. None where a part is
    no date, or a placeholder for one."""
    return _each(value, lambda one: _shift(one, vr, days))


def year_only(value: str, vr: str) -> str | None:
    """The first of January for DA, the four digits of the year for DT (offset from UTC dropped)."""
    return _each(value, lambda one: _year(one, vr))


def capped_age(value: str) -> str | None:
    """value: AS. Ages over 89 years become 090Y; None where it is no age."""
    return _each(value, _cap)


def _each(value: str, change: Callable[[str], str | None]) -> str | None:
    if max(map(len, value.split("\\"))) > _LONGEST:
        return None
    changed = [change(part.strip(" \0")) if part.strip(" \0") else "" for part in value.split("\\")]
    return None if None in changed else "\\".join(changed)


def _shift(value: str, vr: str, days: int) -> str | None:
    if vr == "DA":
        ends = value.split("-")
        if len(ends) == 2:
            moved = [_shift(end.strip(), vr, days) if end.strip() else "" for end in ends]
            return None if None in moved else "-".join(moved)
        match = _DATE.fullmatch(value)
        return match and _moved(*match.groups(), days)
    match = _DATETIME.fullmatch(value)
    if match is None:
        return _shift_range(value, days)
    year, month, day, time, fraction, offset = match.groups()
    moved = _moved(year, month or "01", day or "01", days)
    if moved is None or (fraction and len(time) < 6):
        return None
    precision = 4 + 2 * bool(month) + 2 * bool(day)
    return moved[:precision] + time + (fraction or "") + (offset or "")


def _shift_range(value: str, days: int) -> str | None:
    """Two date-times with a hyphen between; a hyphen before four digits that end the value is an offset from UTC."""
    for position in (at for at, character in enumerate(value) if character == "-"):
        first, second = value[:position].strip(), value[position + 1 :].strip()
        if all(end and _DATETIME.fullmatch(end) and len(end) >= 8 for end in (first, second)):
            moved = [_shift(end, "DT", days) for end in (first, second)]
            return None if None in moved else "-".join(moved)
    return None


def _moved(year: str, month: str, day: str, days: int) -> str | None:
    try:
        given = date(int(year), int(month), int(day))
        moved = given + timedelta(days)
    except (ValueError, OverflowError):
        return None
    if days and given.year not in _YEARS:
        return None
    return f"{moved.year:04}{moved.month:02}{moved.day:02}"


def _year(value: str, vr: str) -> str | None:
    if vr == "DA":
        match = _DATE.fullmatch(value)
        return match and _moved(*match.groups(), 0) and f"{match[1]}0101"
    match = _DATETIME.fullmatch(value)
    return match and (match[1] if match[1] != "0000" else None)


def _cap(value: str) -> str | None:
    match = _AGE.fullmatch(value)
    if match is None:
        return None
    return _OVER_89 if int(match[1]) / _UNITS_A_YEAR[match[2]] >= OLDEST_TOLD + 1 else value
