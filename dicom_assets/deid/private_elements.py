"""Private elements that are known to be safe: PS3.15 Table E.3.10-1, edition 2025b, by creator, group and element; and
what those hold that a user vouches for, where the file does not say."""

import re
from functools import cache

from .tables import rows_of

EDITION = "2025b"
#: What a value without a VR is, if it is nothing else: what dates, UIDs, ages and names look like (PS3.5 6.2)
_BY_FORM = {
    "UI": re.compile(rb"[0-9]{1,39}(?:\.[0-9]{1,39}){3,}(?:\\[0-9.]+)*"),
    "DA": re.compile(rb"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"),
    "DT": re.compile(
        rb"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9](?:[0-9]{2}){1,3}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?"
    ),
    "AS": re.compile(rb"[0-9]{3}[DWMY]"),
    "PN": re.compile(rb"[^\0-\x1a\x1c-\x1f^\\]*\^[^\0-\x1a\x1c-\x1f\\]*"),
}
_ITEM = b"\xfe\xff\x00\xe0"


def is_creator(tag: int) -> bool:
    """Private Creator elements (gggg,0010-00FF) own the block of elements (gggg,nn00-nnFF): PS3.5 section 7.8.1."""
    return tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF


def safe_vr(creator: str, group: int, element: int) -> str | None:
    """creator: value of the Private Creator that owns the block, as it is but for padding (PS3.5 section 7.8.1).
    element: low byte of the element number. The table's VR (`OB or OW` where it permits both); None: not safe."""
    return _safe().get((creator, group, element))


def vr_by_form(value: bytes) -> str:
    """Of a value that the file gives no VR, as in Implicit VR; UN where it is none of those that identify."""
    if value.startswith(_ITEM):
        return "SQ"
    text = value.strip(b" \0")
    return next((vr for vr, form in _BY_FORM.items() if form.fullmatch(text)), "UN")


@cache
def _safe() -> dict[tuple[str, int, int], str]:
    """Rows for which the table prints no VR are left out: nobody could check what such an element holds."""
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"]
        for row in rows_of("table_e_3_10_1.csv")
        if row["vr"]
    }
