"""When the archive may be talked to: windows of the week in the site's time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from ..errors import BadInput

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: `Mon-Fri 20:00-06:00`; without days, every day
_WINDOW = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? +)?(\d\d):(\d\d) *- *(\d\d):(\d\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Window:
    """weekday: on which it begins, 0 is Monday. minutes: begin and end since that day's midnight by the clock on the
    wall; the end may lie on the day after."""

    weekday: int
    begin: int
    end: int


@dataclass(frozen=True)
class Hours:
    """windows: none means always. zone: None is the machine's own."""

    windows: tuple[_Window, ...] = ()
    zone: tzinfo | None = None

    def is_open(self, now: datetime) -> bool:
        """now: with a time zone, whichever."""
        return not self.windows or any(begin <= now < end for begin, end in self._around(now))

    def next_opening(self, now: datetime) -> datetime:
        """The first moment from now on at which they are open, in the site's zone."""
        if self.is_open(now):
            return now.astimezone(self.zone)
        return min(begin for begin, _ in self._around(now) if begin > now).astimezone(self.zone)

    def describe(self, moment: datetime) -> str:
        """`Mon 2026-11-23 20:00 CET`"""
        return f"{moment.astimezone(self.zone):%a %Y-%m-%d %H:%M %Z}"

    def _around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """Begin and end, in UTC, of the windows from yesterday to this day in a week. Comparing in UTC: within one zone
        Python compares the clocks on the wall, also where they are set back."""
        midnight = datetime.combine(now.astimezone(self.zone).date(), time())
        days = [midnight + n * _DAY for n in range(-1, 8)]
        return [
            (self._utc(day, window.begin), self._utc(day, window.end))
            for day in days
            for window in self.windows
            if window.weekday == day.weekday()
        ]

    def _utc(self, day: datetime, minutes: int) -> datetime:
        """By the clock on the wall: 06:00 is 06:00, also in a night that has an hour more or less."""
        wall = day + timedelta(minutes=minutes)
        return (wall.astimezone() if self.zone is None else wall.replace(tzinfo=self.zone)).astimezone(UTC)


def read_hours(windows: str, zone: str) -> Hours:
    """windows: like `Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00`. zone: an IANA name, or empty.
    Raises BadInput: SETTING_HOURS, SETTING_TIME_ZONE."""
    parts = [part.strip().lower() for part in windows.split(",")] if windows.strip() else []
    return Hours(tuple(window for part in parts for window in _windows(part)), _zone(zone.strip()))


def _windows(text: str) -> list[_Window]:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise BadInput("SETTING_HOURS")
    first, last, *numbers = match.groups()
    hour, minute, end_hour, end_minute = map(int, numbers)
    begin, end = 60 * hour + minute, 60 * end_hour + end_minute
    if minute > 59 or end_minute > 59 or begin >= 1440 or end > 1440 or begin == end:
        raise BadInput("SETTING_HOURS")
    return [_Window(day, begin, end if end > begin else end + 1440) for day in _weekdays(first, last)]


def _weekdays(first: str | None, last: str | None) -> list[int]:
    """From the first to the last, over the end of the week where need be."""
    if first is None:
        return list(range(7))
    if first not in _DAYS or (last or first) not in _DAYS:
        raise BadInput("SETTING_HOURS")
    begin = _DAYS.index(first)
    return [(begin + n) % 7 for n in range((_DAYS.index(last or first) - begin) % 7 + 1)]


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        raise BadInput("SETTING_TIME_ZONE") from None
