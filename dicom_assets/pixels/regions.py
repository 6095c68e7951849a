"""The regions of an ultrasound image (PS3.3 C.8.5.5): they hold what was measured; the screen's text is around them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from .boxes import Box

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Region Spatial Format (0018,6012), PS3.3 C.8.5.5.1.1: 2D, M-mode, spectral, waveform. The others (none, graphics) may
#: be nothing but text
_MEASURED = (1, 2, 3, 4)
#: Of the image, that the kept regions have to cover together: where they leave less, the image itself would be blanked
_LEAST_SHARE = 0.1
_LEAST_SIDE = 8  #: pixels
_MOST_REGIONS = 64


def outside_of_regions(header: "Dataset") -> list[Box] | None:
    """What lies around the regions of the original's header, to be blanked in all frames. None where the image states
    no regions, or ones that nobody should believe: then text detection alone decides. A region with graphics only, or
    of no stated format, is not kept."""
    rows, columns = header.get("Rows") or 0, header.get("Columns") or 0
    regions = header.get("SequenceOfUltrasoundRegions")
    if not regions or not rows or not columns or len(regions) > _MOST_REGIONS:
        return None
    kept = []
    for region in regions:
        box = _extent(region)
        if box is None or box.right > columns + 1 or box.bottom > rows + 1:
            return None
        box = box.within(rows, columns)
        if region.get("RegionSpatialFormat") in _MEASURED:
            if box is None or min(box.right - box.left, box.bottom - box.top) < _LEAST_SIDE:
                return None
            kept.append(box)
    outside = outside_of(kept, rows, columns, "region")
    blanked = sum((box.right - box.left) * (box.bottom - box.top) for box in outside)
    return outside if blanked <= (1 - _LEAST_SHARE) * rows * columns else None


def _extent(region: "Dataset") -> Box | None:
    """Location Max X1 and Y1 are the last pixels within (PS3.3 C.8.5.5.1.4); some devices write the first outside."""
    edges = [region.get(f"RegionLocation{edge}") for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    if not all(isinstance(edge, int) for edge in edges):
        return None
    left, top, right, bottom = edges
    return Box(left, top, right + 1, bottom + 1) if 0 <= left < right and 0 <= top < bottom else None


def outside_of(kept: Sequence[Box], rows: int, columns: int, source: str) -> list[Box]:
    """Boxes, none over another, that cover all of the image but the kept ones, which lie within it."""
    edges = sorted({0, rows, *(box.top for box in kept), *(box.bottom for box in kept)})
    outside: list[Box] = []
    open_above: dict[tuple[int, int], Box] = {}  # left, right -> a box that ends where this band begins
    for top, bottom in pairwise(edges):
        gaps = _gaps(sorted((box.left, box.right) for box in kept if box.top <= top and box.bottom >= bottom), columns)
        closed = {place: box for place, box in open_above.items() if place not in gaps}
        outside += closed.values()
        open_above = {
            (left, right): Box(left, open_above[left, right].top if (left, right) in open_above else top, right, bottom,
                               source=source)
            for left, right in gaps
        }  # fmt: skip
    return sorted([*outside, *open_above.values()])


def _gaps(taken: Sequence[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """taken: sorted by where they begin."""
    gaps, at = [], 0
    for left, right in taken:
        if left > at:
            gaps.append((at, left))
        at = max(at, right)
    return [*gaps, (at, end)] if at < end else gaps
