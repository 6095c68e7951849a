"""The words that identify nobody: four lists in profiles/, read once, when a text is first looked at.

- lexicon_standard.txt  the vocabulary of DICOM itself (tools/make_lexicon.py)
- lexicon_own.txt       the everyday words of radiology, in seven languages, by hand
- lexicon_names.txt     words that are names too: eponyms, products, colours, abbreviations, by hand
- lexicon_scripts.txt   the commonest words of radiology in other scripts than Latin, by hand

and those that identify nobody where an element says of which make the equipment is: lexicon_makers.txt, by hand.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .tables import bytes_of

_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})
_ENDINGS = ("", "e", "em", "en", "er", "es")  # of German adjectives

#: Among the words of a name: kept in capitals, among words that are nobody's name.
IN_CAPITALS = "capitals"


@dataclass(frozen=True)
class Lexicon:
    """All words folded.

    words: every word of the four lists, other scripts included. core: those of lexicon_own.txt, clinical even where
    they are somebody's name.
    names: what is a name too -> the words of which it must stand before one to be kept, or behind it where it is
    written with a hyphen before it (`-tof`), and IN_CAPITALS where capitals will do; none: it may stand alone.
    persons: names kept only beside other words that DICOM's vocabulary does not hold: whoever is called so is told by
    them. makers: words of makers' names, which are names of people and of towns too and no part of words."""

    words: frozenset[str]
    core: frozenset[str]
    names: Mapping[str, frozenset[str]]
    persons: frozenset[str]
    makers: frozenset[str]


@cache
def lexicon() -> Lexicon:
    listed = _lines("lexicon_own.txt").split()
    own = [word for word in listed if word[-1] != "~"]
    own += [word[:-1] + ending for word in listed if word[-1] == "~" for ending in _ENDINGS]
    accented = " ".join([word for word in own if not word.isascii()])
    plain = [word for word in own if word.isascii()]
    core = frozenset(plain + _ascii(accented).split() + _ascii(accented.translate(_GERMAN)).split())
    names: dict[str, frozenset[str]] = {}
    for line in _lines("lexicon_names.txt").split("\n"):
        left, _, right = line.partition(":")
        for name in left.split():
            names[name] = names.get(name, frozenset()) | frozenset(right.split())
    standard = frozenset(_lines("lexicon_standard.txt").split())
    persons = frozenset(name for name, beside in names.items() if beside and IN_CAPITALS not in beside)
    return Lexicon(
        words=standard.union(core, names, folded(_lines("lexicon_scripts.txt")).split()),
        core=core.difference(names),
        names=names,
        persons=persons - standard - core,
        makers=frozenset(_lines("lexicon_makers.txt").split()),
    )


def folded(text: str) -> str:
    """In lower case, letters without their accents."""
    text = text.casefold()
    if text.isascii():
        return text
    bare = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return unicodedata.normalize("NFC", "".join(c for c in bare if not unicodedata.combining(c)))


def spellings(text: str) -> tuple[str, ...]:
    """Folded, and with its umlauts written as two letters where it has some: `muller`, `mueller`."""
    plain, two_letters = folded(text), folded(text.lower().translate(_GERMAN))
    return (plain,) if plain == two_letters else (plain, two_letters)


def _lines(name: str) -> str:
    """A list without its comments, in lower case."""
    return "\n".join(line for line in bytes_of(name).decode().lower().splitlines() if not line.startswith("#"))


def _ascii(text: str) -> str:
    """As folded, for Latin letters only, and quick."""
    return unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
