"""Text made comparable, and the dates and UIDs that stand in it, however they are written."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from pydicom.datadict import DicomDictionary

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
def ordinary_text() -> str:
    """The standard's own vocabulary, folded: code meanings of PS3.16, element names; and words of placeholders."""
    from pydicom.sr._concepts_dict import concepts  # takes a tenth of a second, so only where it is needed

    texts = [entry[0] for terms in concepts.values() for codes in terms.values() for entry in codes.values()]
    texts += [entry[2] for entry in DicomDictionary.values()]
    texts += ["anonymous anonymized unknown none null nobody noname test demo doctor operator patient staff removed"]
    return "".join(map(folded, texts))


@cache
def ordinary_words() -> frozenset[str]:
    return frozenset(ordinary_text().split())


@cache
def makers() -> frozenset[str]:
    """Names of makers and products, as the list of the profiles has them."""
    lines = (Path(__file__).parent / "profiles" / "lexicon_makers.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in folded(line).split())
