"""Does an encoded value fit its VR and VM? What does not fit is not kept: text may hide in it."""

import re
from collections.abc import Callable
from functools import cache

from .dictionary import tag_of, vm_of

#: VRs whose values are text that anybody may have typed -> the most characters of one value; 0: no limit
_TEXT_LIMITS = {"SH": 16, "LO": 64, "PN": 324, "UC": 0, "LT": 10240, "ST": 1024, "UT": 0, "UR": 0}
TEXT_VRS = frozenset(_TEXT_LIMITS)
_SINGLE_VALUED = frozenset(("LT", "ST", "UT", "UR"))

#: One value, padding apart. DS: the standard's 16 characters are often passed by a few digits; a name has no form of a
#: number.
_FORMS = {
    "AE": r"[\x20-\x5b\x5d-\x7e]{0,16}",
    "AS": r"\d{3}[DWMY]",
    "CS": r"[A-Z0-9_ ]{0,16}",
    "DA": r"\d{8}",
    "DS": r"(?![^\\ \0]{33})[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?",
    "DT": r"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?",
    "IS": r"[+-]?\d{1,12}",
    "TM": r"\d{2,6}(?:\.\d{1,6})?",
    "UI": r"[0-9.]{1,64}",
}
#: Text elements whose values have a form after all (PS3.3 C.12.1.1.2)
_OWN_FORMS = {tag_of("TimezoneOffsetFromUTC"): r"[+-]\d{4}"}

_SIZES = {
    "US": 2, "SS": 2, "AT": 4, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8,
    "OB": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8,
}  # fmt: skip
_BULK = frozenset(("OB", "OW", "OF", "OL", "OD", "OV"))


Multiplicity = tuple[int, int | None, int]  #: least, most (None: any), and what the number must be a multiple of
_ANY_NUMBER: Multiplicity = (0, None, 1)


def fits(tag: int, vr: str, value: bytes) -> bool:
    """value: the encoded bytes, in any of DICOM's character sets. Empty values fit. Not for SQ and unknown VRs."""
    return checker(tag, vr)(value)


def has_form(vr: str, value: bytes) -> bool:
    """As fits, for an element whose VM nobody knows. Raises KeyError for SQ, UN and what is no VR."""
    return _form_of_any(vr)(value)


@cache
def _form_of_any(vr: str) -> Callable[[bytes], bool]:
    return _check_for(vr, _ANY_NUMBER)


@cache
def checker(tag: int, vr: str) -> Callable[[bytes], bool]:
    """The check of one element's values; made once. Raises KeyError for SQ, UN and what is no VR."""
    if tag in _OWN_FORMS:
        return _form_check(_OWN_FORMS[tag], _multiplicity(vm_of(tag)))
    return _check_for(vr, _multiplicity(vm_of(tag)))


def _check_for(vr: str, multiplicity: Multiplicity) -> Callable[[bytes], bool]:
    if vr in _SIZES:
        return _size_check(_SIZES[vr], _ANY_NUMBER if vr in _BULK else multiplicity)
    if vr in TEXT_VRS:
        return _text_check(_TEXT_LIMITS[vr], None if vr in _SINGLE_VALUED else multiplicity)
    return _form_check(_FORMS[vr], multiplicity)


@cache
def _multiplicity(vm: str) -> Multiplicity:
    """`1`, `2`, `1-3`, `1-n`, `2-2n`, as in PS3.6."""
    low, _, high = vm.partition("-")
    if not high:
        return int(low), int(low), 1
    if high.endswith("n"):
        return int(low), None, int(high[:-1] or 1)
    return int(low), int(high), 1


def _counts(multiplicity: Multiplicity, count: int) -> bool:
    low, high, step = multiplicity
    return count >= low and (high is None or count <= high) and count % step == 0


def _size_check(size: int, multiplicity: Multiplicity) -> Callable[[bytes], bool]:
    if multiplicity == (1, 1, 1):
        return lambda value: len(value) in (0, size)

    def check(value: bytes) -> bool:
        count, rest = divmod(len(value), size)
        return not rest and (not value or _counts(multiplicity, count))

    return check


def _text_check(limit: int, multiplicity: Multiplicity | None) -> Callable[[bytes], bool]:
    """multiplicity: None where a backslash is a character like others."""

    def check(value: bytes) -> bool:
        text = value.rstrip(b" \0")
        parts = [text] if multiplicity is None else text.split(b"\\")
        if multiplicity and value and not _counts(multiplicity, len(parts)):
            return False
        return not limit or all(len(part) <= limit or len(part) <= limit * _bytes_a_character(part) for part in parts)

    return check


def _bytes_a_character(part: bytes) -> int:
    """In multi-byte sets a character takes up to 4 bytes, escape sequences included."""
    return 1 if part.isascii() and b"\x1b" not in part else 4


def _form_check(form: str, multiplicity: Multiplicity) -> Callable[[bytes], bool]:
    """Padding is taken possessively: no value makes the match slow."""
    low, high, step = multiplicity
    one = rf"[ \0]*+(?:{form})?[ \0]*+"
    most = "" if high is None else high - 1
    matches = re.compile(rf"{one}(?:\\{one}){{{max(low - 1, 0)},{most}}}".encode()).fullmatch
    if step == 1:
        return lambda value: not value or matches(value) is not None
    return lambda value: not value or (matches(value) is not None and _counts(multiplicity, value.count(b"\\") + 1))
