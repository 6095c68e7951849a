"""How PatientIDs begin: another way to divide studies than by date, with wildcards of our own."""

from collections.abc import Iterable

from .query import may_be_sent, normalised


def beginnings(patient_ids: Iterable[str], pattern: str = "*") -> list[str]:
    """Patterns, each narrower than this one, that together cover those of the IDs that it covers: one for each
    character by which they begin to differ. [] where there is none narrower."""
    prefix = pattern.removesuffix("*")
    ids = {each for each in patient_ids if each and may_be_sent(each) and each.startswith(prefix)}
    same = _common_length(min(ids), max(ids)) if ids else 0
    narrower = {f"{each[: same + 1]}*" if len(each) > same else each for each in ids}
    return sorted(narrower - {pattern})


def begins_with(patient_id: str, pattern: str) -> bool:
    """Whether the pattern, an ID or the beginning of one with an asterisk, covers the ID; case does not count."""
    start = normalised(pattern.removesuffix("*"))
    return normalised(patient_id).startswith(start) if pattern.endswith("*") else normalised(patient_id) == start


def _common_length(first: str, last: str) -> int:
    """Characters that two texts have in common at their beginning, and with them all that sort between them."""
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
