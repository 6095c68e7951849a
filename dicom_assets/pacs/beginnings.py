"""How PatientIDs begin: another way to divide studies than by date, with wildcards of our own."""

from collections.abc import Iterable

from .query import may_be_sent, normalised

#: Where one of these can stand, any of them can.
_KINDS = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def beginnings(patient_ids: Iterable[str], pattern: str = "*") -> list[str]:
    """Patterns, each narrower than this one, that together cover those of the IDs that it covers, and those like them:
    one for each character that can stand where they begin to differ. [] where there is none narrower."""
    prefix = pattern.removesuffix("*")
    ids = {each for each in patient_ids if each and may_be_sent(each) and each.startswith(prefix)}
    same = _common_length(min(ids), max(ids)) if ids and prefix else 0
    start = next(iter(ids), "")[:same]
    following = {each[same] for each in ids if len(each) > same}
    following.update(*(kind for kind in _KINDS if following & set(kind)))
    return sorted({start + each + "*" for each in following} | (ids & {start} - {pattern}))


def begins_with(patient_id: str, pattern: str) -> bool:
    """Whether the pattern, an ID or the beginning of one with an asterisk, covers the ID; case does not count."""
    start = normalised(pattern.removesuffix("*"))
    return normalised(patient_id).startswith(start) if pattern.endswith("*") else normalised(patient_id) == start


def _common_length(first: str, last: str) -> int:
    """Characters that two texts have in common at their beginning, and with them all that sort between them."""
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
