"""Private elements that are known to be safe: PS3.15 Table E.3.10-1, edition 2025b, by creator, group and element."""

from functools import cache

from .tables import rows_of

EDITION = "2025b"


def is_creator(tag: int) -> bool:
    """Private Creator elements (gggg,0010-00FF) own the block of elements (gggg,nn00-nnFF): PS3.5 section 7.8.1."""
    return tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF


def safe_vr(creator: str, group: int, element: int) -> str | None:
    """creator: value of the Private Creator that owns the block, as it is but for padding (PS3.5 section 7.8.1).
    element: low byte of the element number. The table's VR (`OB or OW` where it permits both); None: not safe."""
    return _safe().get((creator, group, element))


@cache
def _safe() -> dict[tuple[str, int, int], str]:
    """Rows for which the table prints no VR are left out: nobody could check what such an element holds."""
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"]
        for row in rows_of("table_e_3_10_1.csv")
        if row["vr"]
    }
