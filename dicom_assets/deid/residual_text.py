"""Text made comparable, and the dates and UIDs that stand in it, however they are written."""

import csv
import re
import unicodedata
from functools import cache
from pathlib import Path

#: A date as (year, month, day).
Date = tuple[int, int, int]

_FOLDED = bytes(ord(chr(i).lower()) if i < 128 and chr(i).isalnum() else 32 for i in range(256))
_NO_WORD = re.compile(r"[\W_]+")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_COMPACT = re.compile(r"(?<![0-9.])(?=([0-9]{8})(?:[0-9]{4}|[0-9]{6}|[0-9]{2})?(?![0-9]))(?!(?:[0-9]+\.){2})")
_SPACED = re.compile(
    r"(?<![0-9.])(?=([0-9]{1,4})(?:([-/._: ])|\. )([0-9]{1,2})(?:\2|\. )([0-9]{2,4})(?![0-9]|\.[0-9]))"
)
# One line a month: how its name begins in English, German, French, Spanish, Italian.
_MONTH_NAMES = (
    "jan ene gen",
    "feb fév",
    "mar mär maerz",
    "apr avr abr",
    "may mai mag",
    "jun juin giu",
    "jul juil lug",
    "aug aoû ago",
    "sep set",
    "oct okt ott",
    "nov",
    "dec dez déc dic",
)
_MONTH_STEMS = {stem: number for number, stems in enumerate(_MONTH_NAMES, 1) for stem in stems.split()}
_MONTH = "(" + "|".join(sorted(_MONTH_STEMS, key=len, reverse=True)) + r")[a-zà-ÿ]*\.?"
_DAY_MONTH = re.compile(
    rf"(?<![0-9])([0-9]{{1,2}})(?:st|nd|rd|th)?\.?[\s-]*(?:de |of )?{_MONTH}[\s,-]*(?:de )?([0-9]{{2,4}})(?![0-9])"
)
_PROFILES = Path(__file__).parent / "profiles"
_ENDINGS = re.compile(r"(\w+)~"), r"\1 \1e \1em \1en \1er \1es"  # of German adjectives, as the lists mark them
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s*([0-9]{{1,2}})(?:st|nd|rd|th)?[\s,]+([0-9]{{4}})(?![0-9])")


def folded_bytes(text: bytes) -> str:
    """ASCII letters and digits in lower case, every other byte a space; one space before and after each word."""
    return f" {' '.join(text.translate(_FOLDED).decode('ascii').split())} "


def folded(text: str) -> str:
    """As folded_bytes for any script: letters without their accents, in lower case."""
    if text.isascii():
        return folded_bytes(text.encode("ascii"))
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return f" {_NO_WORD.sub(' ', unicodedata.normalize('NFC', bare).casefold()).strip()} "


def uids_in(text: str) -> set[str]:
    """Each run of numbers and dots, and what it begins with down to 20 characters: a UID made of another tells it."""
    found = set()
    for match in _UID.finditer(text):
        uid = match[0]
        while len(uid) >= 20 or uid == match[0]:
            found.add(uid)
            uid = uid.rpartition(".")[0]
    return found


def dates_in(text: str) -> set[Date]:
    """Every date that the text may mean; a year of two digits stays one of two digits."""
    text = text.lower()
    found = set()
    for (run,) in (match.groups() for match in _COMPACT.finditer(text)):
        found |= {(run[:4], run[4:6], run[6:]), (run[4:], run[2:4], run[:2]), (run[4:], run[:2], run[2:4])}
    for first, _, second, third in (match.groups() for match in _SPACED.finditer(text)):
        if len(first) == 4:
            found.add((first, second, third))
        elif len(third) != 3 and len(first) < 3:
            found |= {(third, second, first), (third, first, second)}
    for day, month, year in (match.groups() for match in _DAY_MONTH.finditer(text)):
        found.add((year, str(_MONTH_STEMS[month]), day))
    for month, day, year in (match.groups() for match in _MONTH_DAY.finditer(text)):
        found.add((year, str(_MONTH_STEMS[month]), day))
    return {(int(y), int(m), int(d)) for y, m, d in found if 1 <= int(m) <= 12 and 1 <= int(d) <= 31}


@cache
def vocabulary() -> frozenset[str]:
    """Every word of the profiles' lists: those of the standard, of radiology, and names that are words too."""
    return _words("lexicon_standard.txt") | _words("lexicon_own.txt") | names().keys()


@cache
def ordinary_words() -> frozenset[str]:
    """The vocabulary without what the lists know as somebody's name but for some words beside it."""
    beside_only = {name for name, beside in names().items() if beside and "capitals" not in beside}
    return vocabulary() - (beside_only - _words("lexicon_standard.txt") - _words("lexicon_own.txt"))


@cache
def technical_words() -> frozenset[str]:
    """Ordinary words that are nobody's name: several of them side by side tell nobody either."""
    return _words("lexicon_own.txt") - names().keys()


@cache
def makers() -> frozenset[str]:
    """Names of makers and products, as the list of the profiles has them."""
    return _words("lexicon_makers.txt")


@cache
def safe_creators() -> frozenset[bytes]:
    """Private creators of PS3.15 Table E.3.10-1, as the table writes them."""
    with (_PROFILES / "table_e_3_10_1.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return frozenset(row["creator"].encode("ascii") for row in rows)


@cache
def names() -> dict[str, frozenset[str]]:
    """What is a name too -> the words beside which it is none; empty where it may stand alone."""
    found: dict[str, frozenset[str]] = {}
    for line in _lines("lexicon_names.txt"):
        names, _, beside = line.partition(":")
        for name in folded(names).split():
            found[name] = found.get(name, frozenset()) | frozenset(beside.split())
    return found


@cache
def _words(name: str) -> frozenset[str]:
    """Umlauts as one letter, and as two."""
    pattern, endings = _ENDINGS
    text = pattern.sub(endings, " ".join(_lines(name)))
    return frozenset([*folded(text).split(), *folded(text.translate(_UMLAUTS)).split()])


def _lines(name: str) -> list[str]:
    lines = (_PROFILES / name).read_text("utf-8").lower().splitlines()
    return [line for line in lines if not line.startswith("#")]
