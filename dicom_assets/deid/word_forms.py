"""Words that are nobody's name by the way they are built, though no list holds them: `hemicolectomy`, `retrosternal`,
`Kontrastmittelgabe`. What a word may be built of is in profiles/lexicon_forms.toml and in the lexicon."""

import re
import tomllib
from functools import cache, lru_cache

from .lexicon import lexicon
from .tables import bytes_of

_SHORTEST_PART = 5  # letters of a word within a word: family names are made of shorter ones
_LONGEST = 40  # letters
_LINKS = ("", "s", "n", "en", "es", "o")  # between the two words of one, as German, Dutch and Latin have them


@lru_cache(maxsize=8192)
def is_clinical_form(fold: str) -> bool:
    """fold: a word as lexicon.folded gives it, that the lexicon does not hold."""
    if not fold.isascii() or not 2 * _SHORTEST_PART - 3 <= len(fold) <= _LONGEST:
        return False
    return _ending().search(fold) is not None or _is_begun(fold) or _is_of_two_words(fold)


def _is_begun(fold: str) -> bool:
    """`retro` + `sternal`: behind the beginning stands a word."""
    known = lexicon()
    rests = (fold[at:] for at in range(3, len(fold) - _SHORTEST_PART + 1) if fold[:at] in _forms()["beginnings"])
    return any(rest in known.words and rest not in known.names for rest in rests)


def _is_of_two_words(fold: str) -> bool:
    """Both clinical."""
    core = lexicon().core
    for at in range(_SHORTEST_PART, len(fold) - _SHORTEST_PART + 1):
        if fold[:at] in core and any(_is_rest(fold[at:], link) for link in _LINKS):
            return True
    return False


def _is_rest(rest: str, link: str) -> bool:
    word = rest.removeprefix(link)
    return rest.startswith(link) and len(word) >= _SHORTEST_PART and word in lexicon().core


@cache
def _forms() -> dict[str, frozenset[str]]:
    lists = tomllib.loads(bytes_of("lexicon_forms.toml").decode("ascii"))
    return {kind: frozenset(words.split()) for kind, words in lists.items()}


@cache
def _ending() -> re.Pattern[str]:
    return re.compile(f"...(?:{'|'.join(sorted(_forms()['endings']))})$")
