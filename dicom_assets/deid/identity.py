"""Who this patient is, in searchable form, and whether an encoded value tells it: the last gate of every output.

What counts: names of all persons in the header, IDs, addresses and telephone numbers, dates. Names as whole words where
they are no ordinary words, long ones inside other words too, short or ordinary ones only as the whole name; IDs as
words, short ones only as a whole value; dates in their usual forms. The independent check after release searches by
the same rules with code of its own (residual.py).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from .identity_terms import CONTACTS, IDS, LONG, PATIENT_IDS, Terms
from .lexicon import folded
from .written_dates import Date, dates_in, signs_of_short_date

#: Elements whose values identify, beside those of IDENTIFYING_VRS.
IDENTIFYING: frozenset[int] = IDS | CONTACTS
IDENTIFYING_VRS = frozenset({"PN", "DA", "DT"})

_TEXT = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TYPED = _TEXT - {"AE", "CS"}  # where a short ID may be the whole value
_LONG_NUMBER = 8  # digits: shorter ones may be measurements in a value that is no text
_FOLDED = bytes(ord(chr(i).lower()) if i < 128 and chr(i).isalnum() else i if i > 127 else 32 for i in range(256))
_CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")
_NUMBER = re.compile(rb"(?<![0-9.])[0-9]{5,}(?![0-9]|\.[0-9])")
_NEVER = re.compile(rb"(?!)")


@dataclass(frozen=True)
class Identity:
    """All terms folded: ASCII in lower case, what is no letter or digit a space.

    words: parts of names and IDs, found as whole words. phrases: several words in this order. inner: found anywhere.
    numbers: IDs of digits only. whole_values: IDs that count only as a whole value. encoded: names beyond ASCII, as
    bytes. dates: (year, month, day). parts: each part of a name, folded text: what descriptors.clean takes out.
    contacts: those of words and phrases that are addresses. codecs: Python's names of the character sets."""

    words: frozenset[bytes] = frozenset()
    phrases: frozenset[bytes] = frozenset()
    inner: frozenset[bytes] = frozenset()
    numbers: frozenset[bytes] = frozenset()
    whole_values: frozenset[bytes] = frozenset()
    encoded: frozenset[bytes] = frozenset()
    dates: frozenset[Date] = frozenset()
    parts: frozenset[str] = frozenset()
    contacts: frozenset[bytes] = frozenset()
    codecs: tuple[str, ...] = ()

    def found_in(self, value: bytes, vr: str) -> bool:
        """value: of one element, as encoded. Quick where nothing is found: it is asked of every new element."""
        text = _fold(value)
        if vr not in _TEXT:
            return self._long_signs.search(text) is not None and self._holds(value, text, vr)
        if self._signs.search(text) or not value.isascii() or b"\x1b" in value:
            return self._holds(value, text, vr)
        return vr in _TYPED and text.strip() in self.whole_values

    @cached_property
    def _signs(self) -> re.Pattern[bytes]:
        """Without one of these in it, no text of ASCII letters holds a term."""
        literal = {*self.words, *self.inner, *self.numbers, *map(_longest, self.phrases)}
        literal |= {b"%d" % year for year, _, _ in self.dates}
        short = {sign.encode() for year, month, day in self.dates for sign in signs_of_short_date(year, month, day)}
        return _any_of(literal, short)

    @cached_property
    def _long_signs(self) -> re.Pattern[bytes]:
        """As _signs, for values that are no text: what is short stands there by chance."""
        terms = {*map(_longest, self.phrases), *self.words, *self.inner, *map(_fold, self.encoded)}
        numbers = {number for number in self.numbers if len(number) >= _LONG_NUMBER}
        return _any_of({term for term in terms if len(term) >= LONG} | numbers)

    @cached_property
    def _short_years(self) -> frozenset[Date]:
        return frozenset((year % 100, month, day) for year, month, day in self.dates)

    def _holds(self, value: bytes, text: bytes, vr: str) -> bool:
        """The whole question, taken slowly."""
        is_text = vr in _TEXT
        decoded = self._decoded(value) if is_text and (not value.isascii() or b"\x1b" in value) else []
        readings = [text, *(_fold(folded(one).encode("ascii", "ignore")) for one in decoded)]
        if any(term in value for term in self.encoded):
            return True
        if not is_text or any(self._signs.search(reading) for reading in readings):
            readings += [_fold(_CAMEL.sub(b" ", value))] if is_text else []
            if any(self._terms_in(reading, is_text) for reading in readings) or self._numbers_in(value, is_text):
                return True
            if is_text and any(self._dates_in(one) for one in (value.decode("latin-1"), *decoded)):
                return True
        return vr in _TYPED and text.strip() in self.whole_values

    def _numbers_in(self, value: bytes, is_text: bool) -> bool:
        shortest = 0 if is_text else _LONG_NUMBER
        found = self.numbers.intersection(_NUMBER.findall(value.replace(b"\0", b"")))
        return any(len(number) >= shortest for number in found)

    def _dates_in(self, text: str) -> bool:
        found = dates_in(text) if self.dates else set()
        return bool(found & self.dates or found & self._short_years)

    def _terms_in(self, text: bytes, is_text: bool) -> bool:
        shortest = 0 if is_text else LONG
        if any(term in text for term in self.inner):
            return True
        if any(len(word) >= shortest and _is_word_in(word, text) for word in self.words):
            return True
        spaced = b" %b " % b" ".join(text.split())
        return any(
            b" %b " % phrase in spaced
            for phrase in self.phrases
            if is_text or (len(phrase) >= shortest and not phrase.replace(b" ", b"").isdigit())
        )

    def _decoded(self, value: bytes) -> list[str]:
        texts = [value.decode(codec, "replace") for codec in dict.fromkeys((*self.codecs, "utf-8", "latin-1"))]
        return list(dict.fromkeys(texts))


def identity_of(
    values: Iterable[tuple[int, str, str]], extra: Iterable[str] = (), codecs: Iterable[str] = ()
) -> Identity:
    """values: (tag, VR, decoded text with `\\` between values) of all elements of one instance, at any depth, that
    may identify: those of IDENTIFYING and IDENTIFYING_VRS; others are passed over. extra: more values of this patient,
    as from the cohort: IDs, or names written with `^`. codecs: Python's names of the instance's character sets."""
    codecs = tuple(dict.fromkeys(codecs))
    terms = Terms(codecs)
    for tag, vr, text in dict.fromkeys(values):
        if vr == "PN":
            for name in text.split("\\"):
                terms.add_name(name)
        elif vr in ("DA", "DT"):
            for date in re.split(r"[\\-]", text):
                terms.add_date(date)
        elif tag in IDS:
            for value in text.split("\\"):
                terms.add_id(value, alone=tag in PATIENT_IDS)
        elif tag in CONTACTS:
            terms.add_contact(text)
    for value in extra:
        if "^" in value:
            terms.add_name(value)
        else:
            terms.add_id(value, alone=True)
    return Identity(
        words=frozenset(terms.words),
        phrases=frozenset(terms.phrases),
        inner=frozenset(_fewest(terms.inner)),
        numbers=frozenset(terms.numbers),
        whole_values=frozenset(terms.whole_values),
        encoded=frozenset(terms.encoded),
        dates=frozenset(terms.dates),
        parts=frozenset(terms.parts),
        contacts=frozenset(terms.contacts),
        codecs=codecs,
    )


def _fold(value: bytes) -> bytes:
    """ASCII in lower case, other marks as spaces, without the zeros of UTF-16 and of padding."""
    return value.translate(_FOLDED, b"\0")


def _longest(phrase: bytes) -> bytes:
    return max(phrase.split(), key=len)


def _fewest(terms: set[bytes]) -> tuple[bytes, ...]:
    """Those that hold no other one."""
    kept: list[bytes] = []
    for term in sorted(terms, key=len):
        if not any(other in term for other in kept):
            kept.append(term)
    return tuple(kept)


def _any_of(terms: set[bytes], patterns: Iterable[bytes] = ()) -> re.Pattern[bytes]:
    """One search for all: a loop over bytes takes ten times as long."""
    parts = [*map(re.escape, _fewest(terms)), *sorted(patterns)]
    return re.compile(b"|".join(parts)) if parts else _NEVER


def _is_word_in(word: bytes, text: bytes) -> bool:
    """Digits may stand beside a word of letters, letters and digits beside nothing else."""
    beside = _LETTERS if word.isalpha() else _LETTERS_AND_DIGITS
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if text[start - 1 : start] not in beside and text[end : end + 1] not in beside:
            return True
        start = text.find(word, start + 1)
    return False


_LETTERS = frozenset(bytes([i]) for i in range(256) if i > 127 or chr(i).isalpha())
_LETTERS_AND_DIGITS = _LETTERS | frozenset(bytes([i]) for i in range(48, 58))
