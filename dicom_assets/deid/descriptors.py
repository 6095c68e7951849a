"""Free text: what is clinical stays, what identifies goes (PS3.15 E.3.6 Clean Descriptors).

In this order: this patient's own IDs and dates, and what identifies by its form, whoever it belongs to; then word by
word an allow-list: a word stays if the lexicon knows it and no title or name of the header speaks against it, a number
if it has the form of a measurement, a count or a name of a technique. Of numbers alone those of up to four digits stay
that are no year: sequences, series, b-values and kernels need them, and four digits identify nobody.
"""

import re
import unicodedata
from functools import lru_cache

from .descriptor_words import HOLE, is_kept, kept_words, tokens_of
from .identifying_forms import without_identifying_forms
from .identity import Identity
from .identity_terms import SHORT_WORD
from .written_dates import without_dates

_SPACES = re.compile(r"\s+")
_EMPTY_BRACKETS = re.compile(r"\(\W*\)|\[\W*\]|\{\W*\}|<\W*>|\"\W*\"|(?<!\w)'\W*'")
_DANGLING = re.compile(r"(?<=\s)[-,;:/&+=|^_.*#@\"'’]+(?=\s|$)|\s+(?=[,;:.)\]}])(?=[,;:.)\]}]+(?:\s|$))")
_REPEATED = re.compile(r"([-,;:/&+=|^_.*#@])(?:\s*[-,;:/&+=|^_.*#@])+")
_EDGES = " ,;:/&=|^_*#@-.\"'’"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def clean(text: str, identity: Identity) -> str:
    """What may stay of a descriptor; empty where nothing harmless is left. Lines stay lines. Never longer than text, and
    as it was where nothing had to go."""
    lines = [_clean_line(line, identity) for line in re.split(r"\r\n|[\r\n\f]", _harmless_characters(text))]
    while lines and not lines[-1]:
        lines.pop()
    cleaned = "\r\n".join(lines) if "\r\n" in text else "\n".join(lines)
    return "" if not any(lines) or identity.found_in(cleaned.encode("utf-8"), "LO") else cleaned


def _harmless_characters(text: str) -> str:
    """Full-width and other compatible forms as plain ones, none that is not seen, no marks that could hide a word."""
    text = unicodedata.normalize("NFC", text)
    plain = (unicodedata.normalize("NFKC", c) if ord(c) > 127 else c for c in text)
    pairs = zip(text, plain, strict=True)
    return "".join(
        " " if c in "\t\v\xa0" else p if len(p) == 1 else c
        for c, p in pairs
        if c in "\r\n\f\t\v" or unicodedata.category(c) not in ("Cf", "Cc", "Co", "Cs", "Cn")
    )


def _clean_line(line: str, identity: Identity) -> str:
    marked = without_identifying_forms(_without_own_ids(line, identity), HOLE)
    marked = without_dates(marked, HOLE)
    tokens = tokens_of(marked)
    kept = kept_words(tokens, identity)
    if HOLE not in marked and all(kept):
        return line
    return _tidied(tokens, kept)


def _without_own_ids(line: str, identity: Identity) -> str:
    pattern = _own_ids(identity)
    return pattern.sub(HOLE, line) if pattern else line


@lru_cache(maxsize=256)
def _own_ids(identity: Identity) -> re.Pattern[str] | None:
    """The patient's IDs and addresses, whatever marks stand between their characters' groups."""
    terms = {*identity.words, *identity.phrases, *identity.numbers, *identity.inner}
    terms |= {term for term in identity.whole_values if len(term) >= SHORT_WORD}
    ids = {term.decode("ascii", "ignore") for term in terms if any(48 <= c < 58 for c in term)}
    patterns = [r"[\W_]+".join(map(re.escape, one.split())) for one in sorted(ids, key=len, reverse=True) if one]
    if not patterns:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])", re.IGNORECASE)


def _tidied(tokens: list[str], kept: list[bool]) -> str:
    """What stays, joined so that nothing tells what was between: by the mark both sides of a gap share, or a space."""
    out: list[str] = []
    before, is_gap = "", False
    mark = ""
    for token, keep in zip(tokens, kept, strict=True):
        if is_kept(token) is None:  # marks and spaces
            mark = token if not is_gap else _shared(before, token)
            before = before if is_gap else token
        elif keep:
            out += [mark, token]
            mark, is_gap = "", False
        else:
            if not is_gap:
                before = mark
            is_gap = True
    return _tidy_marks("".join(out) + (mark if not is_gap else ""))


def _shared(before: str, after: str) -> str:
    if before == after:
        return before
    for mark in before + after:
        if mark in "([{" and mark in before:
            return f" {mark}"
        if mark in ")]}" and mark in after:
            return f"{mark} "
    return before if before.strip() in (",", ";", ".") and before.endswith(" ") else " "


def _tidy_marks(text: str) -> str:
    text = _balanced(_EMPTY_BRACKETS.sub(" ", text))
    text = _REPEATED.sub(r"\1", text)
    text = _DANGLING.sub(" ", f" {text} ")
    text = _SPACES.sub(" ", text).strip(_EDGES)
    return re.sub(r"\s+([,;:)\]}])", r"\1", text)


def _balanced(text: str) -> str:
    """Brackets without their other one are left out."""
    open_at: list[int] = []
    drop: set[int] = set()
    for at, mark in enumerate(text):
        if mark in "([{":
            open_at.append(at)
        elif mark in _BRACKETS:
            if open_at and text[open_at[-1]] == _BRACKETS[mark]:
                open_at.pop()
            else:
                drop.add(at)
    drop.update(open_at)
    return "".join(mark for at, mark in enumerate(text) if at not in drop)
