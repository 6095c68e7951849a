"""Periods of study dates and times, and their parts: for an archive that lists only so many studies at a time.

StudyDate and StudyTime match each for itself (PS3.4 C.2.2.2.5), so that a range of times is only asked for within one
day. No range finds a study without a date, or without a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from .query import StudyMatch, StudyQuery, date_range, day_of, written

#: Between these days a period without beginning or end is divided; what lies beyond stays one part.
_EARLIEST = date(1900, 1, 1)
_DAY = timedelta(days=1)
_LAST_SECOND = 24 * 60 * 60 - 1


@dataclass(frozen=True)
class Window:
    """Days, both included, None where open; or the seconds begin to end, both included, of one day."""

    first: date | None = None
    last: date | None = None
    begin: int = 0
    end: int = _LAST_SECOND

    @property
    def is_open(self) -> bool:
        """It asks for no date at all."""
        return self.first is None and self.last is None

    @property
    def is_day(self) -> bool:
        return self.first is not None and self.first == self.last and (self.begin, self.end) == (0, _LAST_SECOND)

    @property
    def keys(self) -> dict[str, str]:
        """StudyDate and StudyTime of an identifier. A part of a day begins at the end of the one before it, so that no
        study falls between two: the second itself is in both where the archive drops fractions."""
        times = ""
        if (self.begin, self.end) != (0, _LAST_SECOND):
            begin = f"{_clock(self.begin - 1)}.999999" if self.begin else "000000"
            times = f"{begin}-{_clock(self.end)}.999999"
        days = date_range(*(written(day) if day else "" for day in (self.first, self.last)))
        return {"StudyDate": days, "StudyTime": times}

    def excludes(self, match: StudyMatch) -> bool:
        """The study says a date or time that is not in it."""
        day, second = day_of(match.study_date), _second(match.study_time)
        return bool(
            (day and ((self.first and day < self.first) or (self.last and day > self.last)))
            or (second is not None and not self.begin - 1 <= second <= self.end)
        )

    def parts(self, studies: Iterable[StudyMatch]) -> tuple["Window", ...]:
        """Two or three windows that make up this one, divided in the middle of these studies, so that several of them
        hold some; () where it cannot be divided. A day is divided by time."""
        studies = list(studies)
        if self.first is not None and self.first == self.last:
            seconds = {_second(match.study_time) for match in studies} - {None}
            return tuple(
                replace(self, begin=begin, end=end) for begin, end in _divided(self.begin, self.end, sorted(seconds))
            )
        first, last = self._ends()
        if first is None:
            return ()
        days = {day.toordinal() for match in studies if (day := day_of(match.study_date))}
        parts = [
            Window(date.fromordinal(begin), date.fromordinal(end))
            for begin, end in _divided(first.toordinal(), last.toordinal(), sorted(days))
        ] or [Window(first, last)]
        before = [Window(None, first - _DAY)] if self.first is None else []
        after = [Window(last + _DAY, None)] if self.last is None else []
        return (*before, *parts, *after)

    def _ends(self) -> tuple[date, date] | tuple[None, None]:
        """The days between which it is divided; (None, None) where it lies beyond them."""
        today = date.today() + _DAY
        first = self.first or _EARLIEST
        last = self.last or today
        return (first, last) if first <= last else (None, None)


def window_of(query: StudyQuery) -> Window:
    """query: a checked one."""
    return Window(day_of(query.date_from), day_of(query.date_to))


def _divided(begin: int, end: int, at: Sequence[int]) -> list[tuple[int, int]]:
    """Parts of begin to end, both included: after the middle one of `at`; around it where it is the only one; in the
    middle where there is none."""
    at = [each for each in at if begin <= each <= end]
    if begin >= end:
        return []
    if len(at) == 1:
        around = [(begin, at[0] - 1), (at[0], at[0]), (at[0] + 1, end)]
        return [part for part in around if part[0] <= part[1]]
    middle = at[(len(at) - 1) // 2] if at else (begin + end) // 2
    return [(begin, middle), (middle + 1, end)]


def _clock(second: int) -> str:
    return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"


def _second(time: str) -> int | None:
    """Of a TM value without punctuation, which may lack minutes and seconds; None where it is none."""
    if len(time) < 2 or not time[:6].isdigit() or not time.isascii():
        return None
    hour, minute, second = int(time[:2]), int(time[2:4] or 0), int(time[4:6] or 0)
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second < 60 else None
