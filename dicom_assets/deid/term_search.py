"""How terms are searched in encoded values, quickly where none is found: what identity.py is built of."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby

LONG_NUMBER = 8  #: digits: shorter ones may be measurements in a value that is no text
SHORTEST_NUMBER = 6  #: digits: shorter ones are counts and times more often than IDs where a number is expected
_SHORTEST_TEXT = 7  # printable bytes in a row: fewer are found anywhere among coded numbers
_LONGEST_SIGN = 8  # bytes

_FOLDED = bytes(ord(chr(i).lower()) if i < 128 and chr(i).isalnum() else i if i > 127 else 32 for i in range(256))
_PRINTABLE = bytes([*b"\t\n\f\r", *range(32, 127)])
_CLASSES = bytes(ord("p") if i in _PRINTABLE else ord(".") for i in range(256))
_LETTERS = frozenset(bytes([i]) for i in range(256) if i > 127 or chr(i).isalpha())
_LETTERS_AND_DIGITS = _LETTERS | frozenset(bytes([i]) for i in range(48, 58))


def fold(value: bytes) -> bytes:
    """ASCII in lower case, other marks as spaces, without the zeros of UTF-16 and of padding."""
    return value.translate(_FOLDED, b"\0")


def any_of(terms: Iterable[bytes], patterns: Iterable[bytes] = ()) -> re.Pattern[bytes]:
    """What finds the beginning of every term: one search for all, common beginnings written once, as a loop over terms
    takes ten times as long, and so does a pattern of some hundred alternatives. patterns: searched as well."""
    signs = sorted({term[:_LONGEST_SIGN] for term in terms} - {b""})
    parts = [*([_together(signs)] if signs else []), *sorted(patterns)]
    return re.compile(b"|".join(parts) if parts else rb"(?!)")


def _together(terms: list[bytes]) -> bytes:
    """A pattern of all; terms: sorted."""
    if not terms[0]:
        return b""  # the others begin with this one
    if len(terms) == 1:
        return re.escape(terms[0])
    groups = groupby(terms, key=lambda term: term[:1])
    written = [re.escape(first) + _together([term[1:] for term in group]) for first, group in groups]
    return written[0] if len(written) == 1 else b"(?:%b)" % b"|".join(written)


def is_word_in(word: bytes, text: bytes) -> bool:
    """Digits may stand beside a word of letters, letters and digits beside nothing else."""
    beside = _LETTERS if word.isalpha() else _LETTERS_AND_DIGITS
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if text[start - 1 : start] not in beside and text[end : end + 1] not in beside:
            return True
        start = text.find(word, start + 1)
    return False


def is_printable(value: bytes) -> bool:
    """Text by nine in ten of its bytes, whatever its VR."""
    return len(value.translate(None, _PRINTABLE)) * 10 <= len(value)


def printable_runs(value: bytes) -> list[bytes]:
    """Of at least 7 bytes, in order."""
    classes = value.translate(_CLASSES) + b"."  # a pattern of classes takes ten times as long
    runs, start = [], classes.find(b"p" * _SHORTEST_TEXT)
    while start >= 0:
        stop = classes.index(b".", start)
        runs.append(value[start:stop])
        start = classes.find(b"p" * _SHORTEST_TEXT, stop)
    return runs


def is_number_in(numbers: Collection[bytes], long_numbers: Mapping[bytes, int], value: bytes) -> bool:
    """value: of IS or DS. numbers: digits without zeros before them; each counts where it is the whole value
    (`4711823`, `4711823.00`). long_numbers: of those of LONG_NUMBER, without the zeros behind them too, and how long
    they are with these; each counts also as the part before or behind the point, and as all digits: among thousands of
    coordinates a shorter one would be found by chance."""
    for one in value.split(b"\\"):
        whole, _, fraction = re.split(rb"[eE]", one.strip(b" \0+-"))[0].partition(b".")
        if not fraction.strip(b"0") and whole.lstrip(b"0") in numbers:
            return True
        for digits in (whole, fraction, whole + fraction):  # zeros behind may be padding, but all of them must be there
            if len(digits.lstrip(b"0")) >= long_numbers.get(digits.strip(b"0"), len(digits) + 1):
                return True
    return False
