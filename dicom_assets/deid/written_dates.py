"""Dates as people write them into text: found, or taken out. For values of DA and DT see dates.py."""

import re
from collections.abc import Collection, Iterator
from functools import cache, lru_cache

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

_ROMAN_MONTHS = "i ii iii iv v vi vii viii ix x xi xii".split()
#: Japanese eras -> the year before their first one: S16.2.3 is in 1941.
_ERAS = {"m": 1867, "t": 1911, "s": 1925, "h": 1988, "r": 2018}
_ERAS |= dict(zip("明治 大正 昭和 平成 令和".split(), _ERAS.values(), strict=True))
_LAST_OF_ERA = 64  # years

_DIGIT = re.compile("[0-9]")
_GAP = r"[-/._,:|~\\()\[\]\s年月년월]{1,3}"  # where a year of four digits says that it is a date
_NO_VERSION = r"(?![0-9])(?:(?<!\.[0-9])(?<!\.[0-9]{2})(?<!\.[0-9]{4})|(?!\.[0-9]))"  # it has dots around it, as a UID
_ROMAN = r"(?-i:[ivx]{1,4}|[IVX]{1,4})"
_NUMERIC = (
    r"(?<![0-9])(?<![0-9]\.)(?:"
    r"(?P<compact>[0-9]{8})(?:[0-9]{2}|[0-9]{4}|[0-9]{6})?(?![0-9]|\.[0-9])"
    rf"|(?P<year_first>[0-9]{{4}}){_GAP}(?P<second1>[0-9]{{1,2}}){_GAP}(?P<third1>[0-9]{{1,2}}){_NO_VERSION}"
    r"(?:T[0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]+)?)?Z?)?"
    rf"|(?P<first2>[0-9]{{1,2}})(?P<gap>{_GAP})(?P<second2>[0-9]{{1,2}})(?P<gap2>{_GAP})(?P<year_last>[0-9]{{4}})"
    rf"{_NO_VERSION}(?!\s?(?:ms|mm|hz|hu)\b)"
    r"|(?P<first>[0-9]{1,2})(?:\s?(?P<mark>[-/._,:|~\\]|\)\s?\(|\]\s?\[)\s?|(?P<space>\s))(?P<second>[0-9]{1,2})"
    rf"(?:\s?(?P=mark)\s?|(?P=space)|\.\s)(?P<third>[0-9]{{1,2}}){_NO_VERSION}"
    rf"|(?P<day4>[0-9]{{1,2}}){_GAP}(?P<month4>{_ROMAN}){_GAP}(?P<year4>[0-9]{{4}}|[0-9]{{2}})(?![0-9])"
    rf"|(?P<year5>[0-9]{{4}}){_GAP}(?P<month5>{_ROMAN}){_GAP}(?P<day5>[0-9]{{1,2}})(?![0-9]))"
    rf"|(?<![^\W_])(?P<era>[{''.join(_ERAS)[:5]}](?=[0-9])|{'|'.join(list(_ERAS)[5:])})\s?(?P<year_of_era>[0-9]{{1,2}}|元)"
    rf"(?P<mark_of_era>{_GAP})(?P<month_of_era>[0-9]{{1,2}}){_GAP}(?P<day_of_era>[0-9]{{1,2}}){_NO_VERSION}"
)
#: Before numbers that are a list of settings: `TE 10/20/30`, `TR 2000/12/5`.
_SETTING = (
    r"(?<![^\W_])(?:t[eird]|tsl|b|b-?val(?:ue)?s?|fa|fov|hu|ww|w[lc]|kvp?|mas?|echo(?:es)?|delays?|matrix)[\s:=]*$"
)
_LEVEL = r"(?<![^\W_])(?:th?|d|bwk|ribs?|rippen)\s?$"  # T8/9/10
_YEAR_BEHIND = r"\s?[-/._,|~\\\s]\s?(?:19|20)[0-9]{2}(?![0-9])"
_MARKS_OF_LISTS = frozenset(",:|~")
_DAY_BEHIND = r"[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![-/.]?[0-9])"
_LONGEST_LABEL, _LONGEST_YEAR = 12, 8  # characters


def dates_in(text: str) -> set[Date]:
    """Every date that the text may mean, day or month first. A `\\` stands between values here."""
    return {date for match in _full_in(text.replace("\\", ";")) for date in _readings(match)}


def signs_of_short_dates(dates: Collection[Date]) -> list[str]:
    """A few patterns, of which a folded text (lower case, spaces between words) has one where one of the dates stands
    in it with two digits for its year, or with the year of an era."""
    if not dates:
        return []
    years, months, days = (sorted(set(part)) for part in zip(*dates, strict=True))
    short = {f"{one % 100:02}" for one in years}
    year = f"(?:{'|'.join(sorted(short))})"
    month, day = (f"(?:{'|'.join(map(str, part))})" for part in (months, days))
    roman = "|".join(_ROMAN_MONTHS[month - 1] for month in months)
    eras = {str(one - before) for one in years for before in _ERAS.values() if 0 < one - before <= _LAST_OF_ERA}
    stems = {name[:3] for one in months for name in _MONTHS[one - 1].split() if name.isascii()}
    return [
        f"{day} +(?:0?{month}|{roman}) +{year}",
        f"{month} +0?{day} +{year}",
        f"(?<![0-9])(?:{'|'.join(sorted({*short, *eras}))})[^0-9]{{1,9}}0?{month}[^0-9]{{1,9}}0?{day}(?![0-9])",
        f"(?:{'|'.join(sorted(stems))})[a-z\x80-\xff]* *(?:0?{day}[a-z]* +)?{year}",
    ]


def without_dates(text: str, hole: str, own: frozenset[Date] = frozenset()) -> str:
    """text: one line. Each date, time of day, month with a year or a day, and year with an apostrophe is replaced by
    hole; lists of settings that may also be dates stay, unless they are one of own: (year, month, day)."""
    if not _DIGIT.search(text):
        return text
    pieces, end = [], 0
    for match in _full_in(text):
        if match.end() > end and (dates := _readings(match)) and (not _is_setting(match) or _are_own(dates, own)):
            pieces += text[end : match.start()], hole
            end = match.end()
    text = _partial().sub(hole, "".join(pieces) + text[end:])
    return _partial_of(own).sub(hole, text) if own else text


def follows_a_setting(text: str, at: int) -> bool:
    """Whether the number there has the label of a setting before it, as in `TE 10/20/30`."""
    return re.search(_SETTING, text[max(0, at - _LONGEST_LABEL) : at], re.IGNORECASE) is not None


def _are_own(dates: set[Date], own: Collection[Date]) -> bool:
    return any((year, month, day) in dates or (year % 100, month, day) in dates for year, month, day in own)


def _full_in(text: str) -> Iterator[re.Match[str]]:
    """Overlapping ones too: in `3/12/06/2019` the date is not the first."""
    at = 0
    while match := _full().search(text, at):
        yield match
        at = match.start() + 1


def _is_setting(match: re.Match[str]) -> bool:
    """Whether numbers that may be a date are rather a list, a level of the spine, or the beginning of another date."""
    before = match.string[max(0, match.start() - _LONGEST_LABEL) : match.start()]
    after = match.string[match.end() : match.end() + _LONGEST_YEAR]
    label = re.search(_SETTING, before, re.IGNORECASE)
    if match["era"]:  # S5/6/7 are segments of the liver
        return len(match["era"]) == 1 and match["mark_of_era"].strip() != "."
    if "x" in (match["month4"], match["month5"]):  # 2000 x 12 is a matrix
        roman = "month4" if match["month4"] else "month5"
        return match.string[match.start(roman) - 1] not in "./"
    if match["year_first"]:
        return label is not None and label[0][0] in "tT"
    if match["year_last"]:  # `L4/5 2019`, `1.1 2014-04-14`
        if match["gap"].strip() != match["gap2"].strip() and re.match(_DAY_BEHIND, after):
            return True
        is_level = before[-1:].isalpha() and int(match["second2"]) == int(match["first2"]) + 1
        return is_level and match["gap"].strip() != match["gap2"].strip()
    if match["year4"]:  # 18G IV 20 ml
        return len(match["year4"]) == 2 and match.string[match.start("year4") - 1] not in "-/._"
    if not match["first"]:
        return False
    mark, *numbers = match.group("mark", "first", "second", "third")
    is_loose = mark in (",", None) and min(map(len, numbers)) < 2
    if len(numbers[2]) < 2 or is_loose or re.match(_YEAR_BEHIND, after) or _are_levels(before, numbers):
        return True
    return label is not None and (label[0][0] not in "bB" or all(number.endswith("0") for number in numbers))


def _are_levels(before: str, numbers: list[str]) -> bool:
    """`T8/9/10`: thoracic vertebrae, or ribs, one after the other."""
    first = int(numbers[0])
    follow = numbers == [str(first), str(first + 1), str(first + 2)]
    return follow and re.search(_LEVEL, before, re.IGNORECASE) is not None


def _is_in_list(match: re.Match[str], mark: str) -> bool:
    """`5, 12, 6, 19, 40`: no date within it."""
    before, after = match.string[max(0, match.start() - 4) : match.start()], match.string[match.end() : match.end() + 4]
    return bool(re.search(rf"[0-9]\s?\{mark}\s?$", before) or re.match(rf"\s?\{mark}\s?[0-9]", after))


@cache
def _full() -> re.Pattern[str]:
    month = f"(?:{'|'.join(name for names in _MONTHS for name in names.split())})"
    day = r"[0-9]{1,2}(?:st|nd|rd|th|er|º)?"
    gap = r"(?:[-\s.,/_:|~\\()\[\]]|\bde\b|\bof\b){0,6}"
    return re.compile(
        rf"{_NUMERIC}"
        rf"|(?<![0-9.])(?P<day>{day}){gap}(?P<month>{month}){gap}['’]?"
        rf"(?P<year>[0-9]{{4}}|[0-9]{{2}}(?!,?\s{{0,2}}(?:19|20)[0-9]{{2}}(?![0-9])))(?![0-9])"  # `3+4 June 15, 2012`
        rf"|(?<![^\W\d_])(?P<month2>{month}){gap}(?P<day2>{day})(?:\s*[,.]\s*|[-\s/_:|~\\()\[\]]+)['’]?"
        rf"(?P<year2>[0-9]{{4}}|[0-9]{{2}}(?=\s|$|[],;.)_]))(?![0-9])"
        rf"|(?<![0-9])(?P<year3>[0-9]{{4}}){gap}(?P<month3>{month}){gap}(?P<day3>{day})(?![0-9])",
        re.IGNORECASE,
    )


@cache
def _partial() -> re.Pattern[str]:
    names = [name for names in _MONTHS for name in names.split()]
    telling = "|".join(name for name in names if not _TELLING.fullmatch(name))
    century, noon = "(?:19|20)[0-9]{2}", r"(?:\s?[ap]\.?m\b\.?)?"
    return re.compile(
        rf"\b(?:{'|'.join(names)})(?:[\s.,/_-]|\bde\b|\bof\b){{0,4}}(?:{century}|['’][0-9]{{2}})(?![0-9])"
        rf"|\b[0-9]{{1,2}}(?:st|nd|rd|th|\.)?[\s_-]*(?:de |of )?(?:{telling})\b"
        rf"|\b(?:{telling})\.?[\s_-]*[0-9]{{1,2}}(?:st|nd|rd|th)?\b(?!\s?(?:mm|cm|ms|mg|ml))"
        rf"|(?<![\w.,/])(?:0?[1-9]|1[0-2])[-/._|~\\]{century}(?![\w]|[.,][0-9])"
        rf"|(?<![\w.,/])(?<!\bt[eir][\s:=]){century}[-/._|~\\](?:0[1-9]|1[0-2])(?![\w]|[.,][0-9])"
        r"|(?<![\w.,])(?:0[1-9]|[12][0-9]|3[01])\.(?:0[1-9]|1[0-2])\.(?![0-9])"
        r"|(?<![\w.,])['’][0-9]{2}(?![\w.,])"
        rf"|(?<![\w.,:])[0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?{noon}(?![\w:])"
        r"|(?<![\w.,:])(?<!delay\s)(?!1:[0-9]{2}(?!\s?[ap]\.?m\b))"  # 1:10 is rather a ratio
        rf"[0-9]{{1,2}}:[0-9]{{2}}{noon}(?![\w:]|\s?(?:min|sec))"
        r"|(?<![\w.,])(?:1[0-2]|0?[1-9])\s?[ap]m\b",
        re.IGNORECASE,
    )


@lru_cache(maxsize=256)
def _partial_of(dates: frozenset[Date]) -> re.Pattern[str]:
    """Of the dates the month with a day or with two digits of the year, though it may mean something else: `MAR 61`."""
    patterns = []
    for month in sorted({month for _, month, _ in dates}):
        names = f"(?:{'|'.join(_MONTHS[month - 1].split())})"
        years = "|".join(sorted({f"{date[0] % 100:02}" for date in dates if date[1] == month}))
        days = "|".join(sorted({str(date[2]) for date in dates if date[1] == month}))
        day = f"0?(?:{days})(?:st|nd|rd|th)?"
        behind = r"(?![^\W_]|[.,][0-9]|\s?(?:mm|cm|ms|mg|ml)\b)"
        patterns += [
            rf"(?<![^\W\d_]){names}[\s._/,'’-]{{0,3}}(?:{years}|{day}){behind}",
            rf"(?<![0-9])(?<![0-9][.,]){day}[\s._/-]{{0,3}}{names}(?![^\W\d_])",
        ]
    return re.compile("|".join(patterns), re.IGNORECASE)


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
    elif year := part["year_first"]:
        yield from ((year, part["second1"], part["third1"]), (year, part["third1"], part["second1"]))
    elif year := part["year_last"]:
        yield from ((year, part["second2"], part["first2"]), (year, part["first2"], part["second2"]))
    elif first := part["first"]:
        second, third = part["second"], part["third"]
        if part["mark"] in _MARKS_OF_LISTS and _is_in_list(match, part["mark"]):
            return
        yield from ((third, second, first), (third, first, second)) if len(third) == 2 else ()
        yield from ((first, second, third),) if len(first) == 2 or len(third) == 2 else ()
    elif era := part["era"]:
        year_of_era = 1 if part["year_of_era"] == "元" else int(part["year_of_era"])
        if year_of_era <= _LAST_OF_ERA:
            yield str(_ERAS[era.casefold()] + year_of_era), part["month_of_era"], part["day_of_era"]
    else:
        for suffix in ("", "2", "3", "4", "5"):
            if month := part[f"month{suffix}"]:
                day = re.match("[0-9]+", part[f"day{suffix}"])[0]
                yield part[f"year{suffix}"], str(_number_of(month.lower())), day


def _number_of(month: str) -> int:
    """As the search sees letters: to it a long s is an s. 0 if there is no such Roman number."""
    if not month.strip("ivx"):
        return _ROMAN_MONTHS.index(month) + 1 if month in _ROMAN_MONTHS else 0
    months = enumerate((names.replace(" ", "|") for names in _MONTHS), 1)
    return next(number for number, names in months if re.fullmatch(names, month, re.IGNORECASE))
