"""The data dictionary of PS3.6: VR, VM and keyword of each standard element, and the UIDs that are well known.

A table of our own (profiles/dictionary.csv, made by tools/make_dictionary.py), so that the same rules give the same
output with every version of pydicom. Tags are plain integers.
"""

import re
from bisect import bisect
from functools import cache, lru_cache

from .tables import bytes_of

#: Context groups of PS3.16 and coding schemes of HL7's register (SNOMED CT, LOINC, UCUM ...)
_HL7_TABLE = re.compile(rb"HL7[0-9]{4}")
_PUBLIC_TABLES = re.compile(r"1\.2\.840\.10008\.6\.1\.\d{1,4}|2\.16\.840\.1\.113883\.6\.\d{1,3}")

Row = tuple[str, str, str, bool]  #: VR, VM, keyword, retired


@cache
def _lines() -> list[str]:
    """`ggggeeee,VR,VM,keyword,retired` in the order of tags. A run needs few of them: each is taken apart when it is
    asked for."""
    return _text().splitlines()


@cache
def _repeating_lines() -> dict[str, list[str]]:
    """Those of repeating groups and elements (`60xx3000`, `002031xx`), by their first three digits."""
    found: dict[str, list[str]] = {}
    for line in _lines():
        if "x" in line[:8]:
            found.setdefault(line[:3].replace("x", ""), []).append(line)
    return found


def _line_of(digits: str) -> str:
    """digits: `ggggeeee`. Empty where there is none. Groups 50xx and 60xx are even."""
    lines = _lines()
    at = bisect(lines, digits)
    if at < len(lines) and lines[at].startswith(digits):
        return lines[at]
    if int(digits[3], 16) & 1:
        return ""
    candidates = _repeating_lines().get(digits[:3], []) or _repeating_lines().get(digits[:2], [])
    fits = (line for line in candidates if all(m in (d, "x") for m, d in zip(line, digits, strict=False)))
    return next(fits, "")


@lru_cache(16384)
def row_of(tag: int) -> Row | None:
    """VR, VM, keyword and whether retired; None for private and unknown elements."""
    if not (line := _line_of(f"{tag:08X}")):
        return None
    _tag, vr, vm, keyword, retired = line.split(",")
    return vr, vm, keyword, bool(retired)


def vr_of(tag: int) -> str:
    """`US or SS` where several are possible; empty for an unknown tag."""
    row = row_of(tag)
    return row[0] if row else ""


def vm_of(tag: int) -> str:
    """`1`, `2`, `1-3`, `1-n`, `2-2n`; empty for an unknown tag."""
    row = row_of(tag)
    return row[1] if row else ""


def keyword_of(tag: int) -> str:
    row = row_of(tag)
    return row[2] if row else ""


@lru_cache(16384)
def name_of(tag: int) -> str:
    """Keyword, or `(gggg,eeee)` where the dictionary has none."""
    return keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _text() -> str:
    """Without the line of the columns' names."""
    return bytes_of("dictionary.csv").decode("ascii").partition("\n")[2]


@lru_cache(4096)
def tag_of(keyword: str) -> int | None:
    """None for an unknown keyword, and for one of repeating groups."""
    text = _text()
    at = text.find(f",{keyword},")
    digits, _vr, _vm, found, _retired = text[text.rfind("\n", 0, at) + 1 : text.find("\n", at)].split(",")
    return int(digits, 16) if keyword and at >= 0 and found == keyword and "x" not in digits else None


@cache
def _well_known_uids() -> frozenset[str]:
    return frozenset(bytes_of("well_known_uids.txt").decode("ascii").split())


def is_well_known_uid(uid: str) -> bool:
    """UIDs that PS3.6 lists: classes, syntaxes, well-known instances and frames of reference; coding schemes. The
    standard's root alone is no proof: a patient's number may follow it."""
    return uid in _well_known_uids() or _PUBLIC_TABLES.fullmatch(uid) is not None


@cache
def _coding_schemes() -> frozenset[bytes]:
    lines = bytes_of("coding_schemes.txt").splitlines()
    return frozenset(scheme for line in lines if not line.startswith(b"#") for scheme in line.split())


def is_published(scheme: bytes) -> bool:
    """scheme: value of a Coding Scheme Designator. Whether its codes mean the same everywhere: PS3.16 section 8."""
    scheme = scheme.strip(b" \0")
    return scheme in _coding_schemes() or _HL7_TABLE.fullmatch(scheme) is not None
