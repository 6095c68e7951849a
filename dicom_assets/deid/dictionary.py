"""The data dictionary of PS3.6: VR, VM and keyword of each standard element, and the UIDs that are well known.

A table of our own (profiles/dictionary.csv, made by tools/make_dictionary.py), so that the same rules give the same
output with every version of pydicom. Tags are plain integers.
"""

import re
from functools import cache, lru_cache
from importlib.resources import files

#: Context groups of PS3.16 and coding schemes of HL7's register (SNOMED CT, LOINC, UCUM ...)
_PUBLIC_TABLES = re.compile(r"1\.2\.840\.10008\.6\.1\.\d{1,4}|2\.16\.840\.1\.113883\.6\.\d{1,3}")

Row = tuple[str, str, str, bool]  #: VR, VM, keyword, retired


def _text(name: str) -> str:
    return files("dicom_assets.deid").joinpath("profiles", name).read_text("ascii")


@cache
def _tables() -> tuple[dict[int, Row], dict[str, Row]]:
    """Elements by tag; repeating groups (`60xx3000`) by mask."""
    by_tag: dict[int, Row] = {}
    by_mask: dict[str, Row] = {}
    for line in _text("dictionary.csv").splitlines()[1:]:
        tag, vr, vm, keyword, retired = line.split(",")
        row = (vr, vm, keyword, bool(retired))
        if "x" in tag:
            by_mask[tag] = row
        else:
            by_tag[int(tag, 16)] = row
    return by_tag, by_mask


@lru_cache(16384)
def _repeating(tag: int) -> Row | None:
    """The row of the mask that the tag fits; groups 50xx and 60xx are even."""
    if tag >> 16 & 1:
        return None
    digits = f"{tag:08X}"
    for mask, row in _tables()[1].items():
        if all(m in (d, "x") for m, d in zip(mask, digits, strict=True)):
            return row
    return None


def row_of(tag: int) -> Row | None:
    """VR, VM, keyword and whether retired; None for private and unknown elements."""
    return _tables()[0].get(tag) or _repeating(tag)


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


def is_retired(tag: int) -> bool:
    row = row_of(tag)
    return bool(row and row[3])


@lru_cache(16384)
def name_of(tag: int) -> str:
    """Keyword, or `(gggg,eeee)` where the dictionary has none."""
    return keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _tags_by_keyword() -> dict[str, int]:
    return {row[2]: tag for tag, row in _tables()[0].items()}


def tag_of(keyword: str) -> int | None:
    return _tags_by_keyword().get(keyword)


@cache
def _well_known_uids() -> frozenset[str]:
    return frozenset(_text("well_known_uids.txt").split())


def is_well_known_uid(uid: str) -> bool:
    """UIDs that PS3.6 lists: classes, syntaxes, well-known instances and frames of reference. Its root alone is no
    proof: a patient's number may follow it."""
    return uid in _well_known_uids() or _PUBLIC_TABLES.fullmatch(uid) is not None
