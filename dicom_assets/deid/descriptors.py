"""Free text: what is clinical stays, what identifies goes (PS3.15 E.3.6 Clean Descriptors).

In this order: this patient's own IDs; dates and what else identifies by its form, whoever it belongs to; then word by
word an allow-list (descriptor_words): a word stays if the lexicon knows it and no title or name beside it speaks
against it, a number if it has the form of a measurement, a count or the name of a technique. Numbers of up to four
digits stay unless they may be a year: sequences, series, b-values and kernels need them, and identify nobody alone.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from .descriptor_words import HOLE, Words, own_names, words_in, words_of
from .identifying_forms import (
    GROUPS_OVER_DATES,
    without_addresses_of_the_net,
    without_identifying_forms,
    without_long_numbers,
)
from .identity import Identity
from .identity_terms import SHORT_WORD, has_case
from .lexicon import folded
from .written_dates import without_dates

_LONGEST = 1 << 16  # characters: some ten pages, and a second's work
_LINES = re.compile(r"\r\n|[\r\n\f]")
_NUMBER_OF_ID = re.compile("[0-9]{5,}")
_FEWEST_DIGITS = 3  # of an ID with letters that is looked for inside words
_MORE = r"(?![^\W_])[-./][0-9]++"  # of a longer number that an ID is part of
_SPACES = re.compile(r"\s+")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"})  # Unicode categories: nothing that could hide a name
_UNITS = "²³¹µº"  # compatible characters that are usual as they are
_CLOSING = {")": "(", "]": "[", "}": "{"}
_BRACKETS = frozenset("()[]{}")
_TIGHT = frozenset("_-/^+.*:")  # marks that join words without a space
_EDGES = " ,;:/&=|^_*#@-"
_LOOSE = ",;:."  # marks that a gap leaves standing behind the word before it


def clean(text: str, identity: Identity) -> str:
    """What may stay of a descriptor; empty where nothing harmless is left, and of a text that is too long to be one.
    Lines stay lines. Never longer than text; as it was where nothing had to go."""
    if len(text) > _LONGEST:
        return ""
    parts = _LINES.split(_plain(text))
    lines = [_clean_line(line, identity) for line in parts]
    if lines == parts and parts == _LINES.split(text):
        cleaned = text
    else:
        cleaned = ("\r\n" if "\r\n" in text else "\n").join(lines).strip()
    return "" if _tells(cleaned, identity) else cleaned


def _tells(text: str, identity: Identity) -> bool:
    """What the last gate would refuse is given up, rather than the instance."""
    return identity.found_in(text.encode("utf-8", "replace"), "LO")


def names_somebody(text: str, identity: Identity) -> bool:
    """Whether a part of a name of the header stands in it, however short: `for Cho`."""
    return bool(own_names(words_of(_plain(text)), identity))


def tells_of_somebody(text: str, identity: Identity) -> bool:
    """As names_somebody; or a date, an ID, or what else identifies by its form, whoever's it is. Of a technical text,
    whose words no lexicon need know; a version of four numbers (`2.1.3.0`) is taken for an address of the net."""
    lines = _LINES.split(_plain(text))
    return names_somebody(text, identity) or any(
        HOLE in _without_what_identifies(line, identity) or _NUMBER_OF_ID.search(line) for line in lines
    )


def _plain(text: str) -> str:
    """Full-width and other compatible forms as plain characters, and none that is not seen."""
    if text.isascii() and text.isprintable():
        return text
    characters = []
    for character in unicodedata.normalize("NFC", text):
        plain = unicodedata.normalize("NFKC", character)
        if character in "\r\n\f":
            characters.append(character)
        elif character in "\t\v":
            characters.append(" ")
        elif unicodedata.category(character) not in _UNSEEN:
            characters.append(plain if len(plain) == 1 and character not in _UNITS else character)
    return "".join(characters)


def _clean_line(line: str, identity: Identity) -> str:
    marked = _without_what_identifies(line, identity)
    words = words_in(marked, identity)
    if not any(words.kept):
        return ""
    cleaned = line if HOLE not in marked and all(words.kept) else _joined(words)
    return "" if _tells(cleaned, identity) else cleaned


def _without_what_identifies(line: str, identity: Identity) -> str:
    """Wherever something was taken out, HOLE."""
    marked = without_addresses_of_the_net(line, HOLE)
    marked = _without_own_ids(_without_addresses(marked, identity), identity)
    marked = without_long_numbers(marked, HOLE, GROUPS_OVER_DATES)
    marked = without_dates(marked, HOLE, identity.dates)
    return without_identifying_forms(marked, HOLE)


def _without_addresses(line: str, identity: Identity) -> str:
    """Without those of the header, with or without their accents."""
    pattern = _addresses(identity)
    if pattern is None:
        return line
    letters = [(letter, at) for at, written in enumerate(line) for letter in folded(written)]
    pieces, end = [], 0
    for match in pattern.finditer("".join(letter for letter, _ in letters)):
        pieces += line[end : letters[match.start()][1]], HOLE
        end = letters[match.end() - 1][1] + 1
    return "".join(pieces) + line[end:]


@lru_cache(maxsize=256)
def _addresses(identity: Identity) -> re.Pattern[str] | None:
    """Whatever marks stand between their words; where letters know no capitals, between any two letters or digits."""
    cased = [r"[\W_]+".join(map(re.escape, one.split())) for one in identity.addresses if has_case(one)]
    caseless = [r"[\W_]*+".join(one.replace(" ", "")) for one in identity.addresses if not has_case(one)]
    written = [_any_of(cased, r"(?<![^\W_])", r"(?![^\W_])"), _any_of(caseless, r"(?<![0-9])", r"(?![0-9])")]
    return re.compile("|".join(filter(None, written))) if any(written) else None


def _without_own_ids(line: str, identity: Identity) -> str:
    if line.strip().lower().encode("utf-8", "replace") in identity.whole_values:
        return HOLE
    pattern = _own_ids(identity)
    return pattern.sub(HOLE, line) if pattern else line


@lru_cache(maxsize=256)
def _own_ids(identity: Identity) -> re.Pattern[str] | None:
    """The patient's IDs and numbers, whatever marks stand between their letters and digits, and an ID's digits without
    its letters. An ID of digits is found beside letters, of one that holds letters and three digits or more the whole
    word it is in."""
    terms = {*identity.words, *identity.phrases, *identity.numbers, *identity.inner} - identity.contacts
    terms |= {term for term in identity.whole_values if len(term) >= SHORT_WORD}
    ids = {term.decode("ascii").replace(" ", "") for term in terms if any(48 <= code < 58 for code in term)}
    ids |= {number for one in ids for number in _NUMBER_OF_ID.findall(one)}
    if not ids:
        return None
    numbers = {one for one in ids if one.isdigit()}
    telling = {one for one in ids - numbers if sum(map(str.isdigit, one)) >= _FEWEST_DIGITS}
    others = [r"[\W_]*+".join(one) for one in ids - numbers - telling]
    ways = [
        (r"(?<![0-9])", map(r"[\W_]*+".join, numbers), r"(?![0-9])"),
        (r"(?<![^\W_])[^\W_]*?", map(r"[\W_]*+".join, telling), r"[^\W_]*+"),
        (r"(?<![^\W_])", others, r"(?![^\W_])"),
    ]
    written = [_any_of(patterns, before, behind) for before, patterns, behind in ways]
    return re.compile("|".join(filter(None, written)), re.IGNORECASE)


def _any_of(patterns: Iterable[str], before: str, behind: str) -> str:
    """Also as a part of a longer number; empty without patterns."""
    written = "|".join(sorted(patterns, key=len, reverse=True))
    return rf"{before}(?:[0-9]{{1,9}}[-./]){{0,3}}?(?:{written})(?:{_MORE})*+{behind}" if written else ""


def _joined(line: Words) -> str:
    """The words that stay, so that nothing tells what was between them."""
    text, first, is_gap = "", "", False
    for word, mark, kept in zip([*line.words, ""], line.marks, [*line.kept, True], strict=True):
        if not is_gap:
            first = mark.partition(HOLE)[0]
        is_gap = is_gap or HOLE in mark
        if kept:
            text += (_bridge(first, mark.rpartition(HOLE)[2]) if is_gap else mark) + word
        is_gap = not kept
    return _balanced(_SPACES.sub(" ", text)).strip(_EDGES)


def _bridge(first: str, last: str) -> str:
    """The marks for a gap that had these at its two ends."""
    brackets = "".join(mark for mark in first + last if mark in _BRACKETS)
    if brackets in ("()", "[]", "{}"):
        brackets = ""
    if brackets:
        return f" {brackets}" if brackets[0] in "([{" else f"{brackets} "
    if first == last and len(first) == 1:
        return first
    if first and last and first in _TIGHT and last in _TIGHT:
        return last
    return f"{first[0]} " if first[:1] and first[0] in _LOOSE and (first[1:2] == " " or not last) else " "


def _balanced(text: str) -> str:
    """Without brackets that have nothing in them or lack their other one."""
    text = re.sub(r"\(\W*\)|\[\W*\]|\{\W*\}", " ", text)
    open_at: list[int] = []
    alone: set[int] = set()
    for at, mark in enumerate(text):
        if mark in "([{":
            open_at.append(at)
        elif mark in _CLOSING:
            if open_at and text[open_at[-1]] == _CLOSING[mark]:
                open_at.pop()
            else:
                alone.add(at)
    alone.update(open_at)
    kept = "".join(mark for at, mark in enumerate(text) if at not in alone)
    return re.sub(r"\s+(?=[,;:)\]}])", "", _SPACES.sub(" ", kept))
