"""Letters without their accents, as names are left when somebody has only half removed them."""

import unicodedata
from functools import lru_cache

#: Letters that Unicode does not take apart
_BARE = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})
_AS_TWO = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def bare(text: str) -> str:
    """In lower case, Müßigmann as mussigmann; what other scripts have is as it was but for its accents."""
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_BARE))
    return unicodedata.normalize("NFC", "".join(letter for letter in parts if not unicodedata.combining(letter)))


@lru_cache(maxsize=1 << 16)
def plain_forms(text: str) -> frozenset[str]:
    """Without accents, and with two letters for an umlaut (Muessigmann); in lower case."""
    composed = unicodedata.normalize("NFC", text.casefold())
    return frozenset((bare(text), bare(composed.translate(_AS_TWO))))
