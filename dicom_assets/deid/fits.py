"""Does an encoded value fit its VR and VM? What does not fit is not kept: text may hide in it."""

import re

from pydicom.datadict import dictionary_VM
from pydicom.valuerep import VR

_TEXT_LIMITS = {VR.SH: 16, VR.LO: 64, VR.PN: 324, VR.UC: None, VR.LT: 10240, VR.ST: 1024, VR.UT: None, VR.UR: None}
#: VRs whose values are text that anybody may have typed
TEXT_VRS = frozenset(_TEXT_LIMITS)
_SINGLE_VALUED = {VR.LT, VR.ST, VR.UT, VR.UR}

_FORMS = {
    VR.AE: rb"[\x20-\x5b\x5d-\x7e]{0,16}",
    VR.AS: rb"\d{3}[DWMY]",
    VR.CS: rb"[A-Z0-9_ ]{0,16}",
    VR.DA: rb"\d{8}",
    VR.DS: rb" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})? *",
    VR.DT: rb"\d{4,14}(\.\d{1,6})?([+-]\d{4})?",
    VR.IS: rb" *[+-]?\d{1,12} *",
    VR.TM: rb"\d{2,6}(\.\d{1,6})?",
    VR.UI: rb"[0-9.]{1,64}",
}
_FORMS = {vr: re.compile(form) for vr, form in _FORMS.items()}
_LONGEST_DS = 32  # the standard's 16 is often passed by a few digits; a name has no form of a number

_SIZES = {
    VR.US: 2, VR.SS: 2, VR.AT: 4, VR.UL: 4, VR.SL: 4, VR.FL: 4, VR.FD: 8, VR.SV: 8, VR.UV: 8,
    VR.OB: 1, VR.OW: 2, VR.OF: 4, VR.OL: 4, VR.OD: 8, VR.OV: 8,
}  # fmt: skip
_BULK = {VR.OB, VR.OW, VR.OF, VR.OL, VR.OD, VR.OV}


def vr_is_the_dictionarys(vr: str, dictionary_vr: str) -> bool:
    """dictionary_vr may name several: `US or SS`, `OB or OW`."""
    return vr in dictionary_vr.split(" or ")


def fits(tag: int, vr: str, value: bytes) -> bool:
    """value: the encoded bytes. Empty values fit. SQ and unknown VRs are not for this function."""
    if not value:
        return True
    kind = VR(vr)
    if kind in _SIZES:
        return len(value) % _SIZES[kind] == 0 and (kind in _BULK or _multiplicity_fits(tag, len(value) // _SIZES[kind]))
    text = value.rstrip(b" \0")
    parts = [text] if kind in _SINGLE_VALUED else text.split(b"\\")
    if not _multiplicity_fits(tag, len(parts)):
        return False
    if kind in TEXT_VRS:
        limit = _TEXT_LIMITS[kind]
        return limit is None or all(len(part) <= limit * _bytes_a_character(part) for part in parts)
    return all(_has_form(kind, part.strip(b" \0")) for part in parts)


def _bytes_a_character(part: bytes) -> int:
    """In multi-byte sets a character takes up to 4 bytes, escape sequences included."""
    return 1 if part.isascii() and b"\x1b" not in part else 4


def _has_form(vr: VR, part: bytes) -> bool:
    if not part:
        return True
    return _FORMS[vr].fullmatch(part) is not None and (vr != VR.DS or len(part) <= _LONGEST_DS)


def _multiplicity_fits(tag: int, count: int) -> bool:
    """Against the dictionary's VM: `1`, `2`, `1-3`, `1-n`, `2-2n`."""
    low, _, high = dictionary_VM(tag).partition("-")
    if count < int(low):
        return False
    if not high:
        return count == int(low)
    if high == "n":
        return True
    if high.endswith("n"):
        return count % int(high[:-1]) == 0
    return count <= int(high)
