"""What is proved of an image's pixels: they are the original's, but for the boxes that were blanked; and none goes out
unseen that may show a name."""

from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import FileDataset

from ..deid.residual import Piece
from ..errors import DicomAssetsError
from ..pixels.cleaned import Cleaned, Plan
from ..pixels.cleaner import cleaner
from ..pixels.faces import RECOGNISABLE, REMOVED, face_of
from ..storage.manifests import StagedInstance
from .deface import FACE_NOT_REMOVED
from .image_header import image_header
from .instance_checks import read_file
from .pixel_identity import compare_pixels, have_the_same_bytes, unchanged_pixels
from .pixel_plan import is_face_waived, plan_of
from .promises import Promises

INTACT, NO_TEXT = "pixels_are_intact", "no_text_in_pixels"
#: Reasons of proof.prove() that speak of pixels that should be as they were
_OF_OTHER_PIXELS = frozenset({"PIXELS_CHANGED", "PIXEL_GEOMETRY_CHANGED", "PIXELS_NOT_DECODABLE"})

Problem = tuple[str, str, str]  #: check, reason code, place


def compared(
    before: list[Piece], original: bytes, pieces: list[Piece], encoded: bytes, output: FileDataset
) -> tuple[str, str, str]:
    """Of pixels that nobody cleaned: check, reason, note; the reason is empty where they are the same."""
    if have_the_same_bytes(before, original, pieces, encoded):
        return INTACT, *unchanged_pixels(output)
    if (dataset := read_file(original)) is not None:
        return INTACT, *compare_pixels(dataset, output)
    return "file_opens", "ORIGINAL_UNREADABLE", ""


def problems_of_cleaning(raw: Path, output: Path, cleaned: Cleaned, plan: Plan) -> Iterator[Problem]:
    """Of pixels that were cleaned, whether or not anything was blanked. plan: how they had to be."""
    try:
        reasons = cleaner().prove(raw, output, cleaned, plan)
    except DicomAssetsError as error:
        reasons = [error.code]
    for reason in reasons:
        yield (INTACT if reason in _OF_OTHER_PIXELS else NO_TEXT), reason, ""


def planned(before: list[Piece], original: bytes, row: StagedInstance, promises: Promises) -> tuple[str, Plan]:
    """The reason for which the image should not have gone out as it did, empty where it may; and how its pixels have to
    be cleaned if they were. before: the original's pieces."""
    try:
        header = image_header(before, original)
        plan = plan_of(promises, header, row.review)
    except DicomAssetsError as error:
        return error.code, Plan("")
    if plan and not row.pixels:
        return "TEXT_IN_PIXELS_LIKELY", plan
    shows_face = header.has_pixels and face_of(header) == RECOGNISABLE and not is_face_waived(row.review)
    is_left = shows_face and _defaces(promises) and row.face != REMOVED
    return FACE_NOT_REMOVED if is_left else "", plan or Plan("")


def is_defaced(row: StagedInstance, promises: Promises) -> bool:
    """Its pixels are those of the site's own program: they fit the header, and are not the original's."""
    return row.face == REMOVED and _defaces(promises)


def _defaces(promises: Promises) -> bool:
    return promises.faces == "deface" and promises.pixels != "unexamined"
