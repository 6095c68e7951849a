"""Dates as people write them into text: found, or taken out. For values of DA and DT see dates.py."""

import re
from collections.abc import Collection, Iterator
from functools import cache

#: (year, month, day); a year of two digits stays one of two digits
Date = tuple[int, int, int]

# One line a month, as English, German, French, Spanish, Italian, Dutch and Portuguese name it, longest first.
_MONTHS = (
    "january januari januar janvier janeiro enero gennaio jan ene gen",
    "february februari februar fevrier février febrero febbraio fevereiro feb fév fev",
    "march märz maerz marz maart mars marzo março marco mar mär mrz mrt",
    "april avril abril aprile apr avr abr",
    "may mai mayo maggio mei maio mag",
    "june juni juin junio giugno junho jun giu",
    "july juli juillet julio luglio julho jul juil lug",
    "august augustus août aout agosto aug aoû ago",
    "september septembre septiembre settembre setembro sept sep set",
    "october oktober octobre octubre ottobre outubro oct okt ott out",
    "november novembre noviembre novembro nov",
    "december dezember décembre decembre diciembre dicembre dezembro dec dez déc dic",
)
#: Names of months that mean nothing else in a text: these need no day or year beside them to make it a date.
_TELLING = re.compile(r"mar|may|mai|mag|mars|march|marz|gen|set|sept|sep|out|ago|ott|dic|mei|august")

_DIGIT = re.compile("[0-9]")
_NUMERIC = (  # written together, or with the same mark or a space between; a version or a UID has dots around it
    r"(?<![0-9.])(?P<compact>[0-9]{8})(?:[0-9]{2}|[0-9]{4}|[0-9]{6})?(?![0-9]|\.[0-9])"
    r"|(?<![0-9.])(?P<first>[0-9]{1,4})(?P<mark>\s?[-/._]\s?|\s)(?P<second>[0-9]{1,2})(?P=mark)"
    r"(?P<third>[0-9]{2}|[0-9]{4})(?:T[0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]+)?)?Z?)?(?![0-9]|\.[0-9])"
)


def dates_in(text: str) -> set[Date]:
    """Every date that the text may mean, day or month first."""
    return {date for match in _full().finditer(text.lower()) for date in _readings(match)}


def signs_of_short_dates(dates: Collection[Date]) -> list[str]:
    """A few patterns, of which a folded text (lower case, spaces between words) has one where one of the dates stands
    in it with two digits for its year."""
    if not dates:
        return []
    years, months, days = (sorted(set(part)) for part in zip(*dates, strict=True))
    year = f"(?:{'|'.join(sorted({f'{one % 100:02}' for one in years}))})"
    month, day = (f"(?:{'|'.join(map(str, part))})" for part in (months, days))
    stems = {name[:3] for one in months for name in _MONTHS[one - 1].split() if name.isascii()}
    return [
        f"{day} +0?{month} +{year}",
        f"{month} +0?{day} +{year}",
        f"{year} +0?{month} +0?{day}",
        f"(?:{'|'.join(sorted(stems))})[a-z\x80-\xff]* *(?:0?{day}[a-z]* +)?{year}",
    ]


def without_dates(text: str, hole: str) -> str:
    """Each date, time of day, month with a year or a day, and year with an apostrophe is replaced by hole."""
    if not _DIGIT.search(text):
        return text
    text = _full().sub(lambda match: hole if _readings(match) else match[0], text)
    return _partial().sub(hole, text)


@cache
def _full() -> re.Pattern[str]:
    month = f"(?:{'|'.join(name for names in _MONTHS for name in names.split())})"
    day = r"[0-9]{1,2}(?:st|nd|rd|th|er|º)?"
    gap = r"(?:[\s.,/_-]|\bde\b|\bof\b){0,6}"
    return re.compile(
        rf"{_NUMERIC}"
        rf"|(?<![0-9.])(?P<day>{day}){gap}(?P<month>{month}){gap}['’]?(?P<year>[0-9]{{4}}|[0-9]{{2}})(?![0-9])"
        rf"|(?<![^\W\d_])(?P<month2>{month}){gap}(?P<day2>{day})(?:\s*[,.]\s*|[\s/_-]+)['’]?"
        rf"(?P<year2>[0-9]{{4}}|[0-9]{{2}}(?=\s|$|[,;.)]))(?![0-9])"
        rf"|(?<![0-9])(?P<year3>[0-9]{{4}}){gap}(?P<month3>{month}){gap}(?P<day3>{day})(?![0-9])",
        re.IGNORECASE,
    )


@cache
def _partial() -> re.Pattern[str]:
    names = [name for names in _MONTHS for name in names.split()]
    telling = "|".join(name for name in names if not _TELLING.fullmatch(name))
    century = "(?:19|20)[0-9]{2}"
    return re.compile(
        rf"\b(?:{'|'.join(names)})(?:[\s.,/_-]|\bde\b|\bof\b){{0,4}}(?:{century}|['’][0-9]{{2}})(?![0-9])"
        rf"|\b[0-9]{{1,2}}(?:st|nd|rd|th|\.)?[\s_-]*(?:de |of )?(?:{telling})\b"
        rf"|\b(?:{telling})\.?[\s_-]*[0-9]{{1,2}}(?:st|nd|rd|th)?\b(?!\s?(?:mm|cm|ms|mg|ml))"
        rf"|(?<![\w.,/])(?:0?[1-9]|1[0-2])[-/._]{century}(?![\w]|[.,][0-9])"
        rf"|(?<![\w.,/]){century}[-/._](?:0[1-9]|1[0-2])(?![\w]|[.,][0-9])"
        r"|(?<![\w.,])(?:0[1-9]|[12][0-9]|3[01])\.(?:0[1-9]|1[0-2])\.(?![0-9])"
        r"|(?<![\w.,])['’][0-9]{2}(?![\w.,])"
        r"|(?<![\w.,:])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:\s?[ap]\.?m\b\.?)?(?![\w:])"
        r"|(?<![\w.,])(?:1[0-2]|0?[1-9])\s?[ap]m\b",
        re.IGNORECASE,
    )


def _readings(match: re.Match[str]) -> set[Date]:
    return {
        (int(year), int(month), int(day))
        for year, month, day in _triples(match)
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 and (len(year) == 2 or 1850 <= int(year) <= 2150)
    }


def _triples(match: re.Match[str]) -> Iterator[tuple[str, str, str]]:
    part = match.groupdict()
    if run := part["compact"]:
        yield from ((run[:4], run[4:6], run[6:]), (run[4:], run[2:4], run[:2]), (run[4:], run[:2], run[2:4]))
    elif first := part["first"]:
        second, third = part["second"], part["third"]
        if len(first) == 4 and len(third) == 2:
            yield first, second, third
        elif len(first) <= 2:
            yield from ((third, second, first), (third, first, second), (first, second, third[:2]))
    else:
        for suffix in ("", "2", "3"):
            if month := part[f"month{suffix}"]:
                day = re.match("[0-9]+", part[f"day{suffix}"])[0]
                yield part[f"year{suffix}"], str(_number_of(month.lower())), day


def _number_of(month: str) -> int:
    """As the search sees letters: to it a long s is an s."""
    months = enumerate((names.replace(" ", "|") for names in _MONTHS), 1)
    return next(number for number, names in months if re.fullmatch(names, month, re.IGNORECASE))
