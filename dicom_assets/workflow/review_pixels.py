"""What a reviewer of an image sees and says: why it is risky, a picture of a frame, and which rectangles are to be
blanked."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..deid.deidentify import Notes, notes_of
from ..deid.profile import Profile
from ..errors import BadInput, DicomAssetsError, Refused
from ..pixels.boxes import ALL_FRAMES, Box, parse
from ..pixels.cleaned import REVIEWER, Plan
from ..pixels.cleaner import cleaner
from ..pixels.triage import judge
from ..storage.audit import Event, record
from ..storage.instance_files import FileSource
from ..storage.zones import RESTRICTED_FILE, Zones
from .review_items import Item


@dataclass(frozen=True)
class Extent:
    """Of an image, by its header: pixels down and across, and frames."""

    rows: int
    columns: int
    frames: int

    def holds(self, box: Box) -> bool:
        return box.right <= self.columns and box.bottom <= self.rows and ALL_FRAMES <= box.frame < self.frames


@dataclass(frozen=True)
class Seen:
    """An image in quarantine. plan: how it would be cleaned; its sign: why triage calls it risky, empty where it does
    not. face: as triage has it."""

    extent: Extent
    plan: Plan
    face: str


def seen(file: Path, profile: Profile) -> Seen | None:
    """None of what is no image, or cannot be read."""
    notes = _notes(file)
    if notes is None or (extent := _extent(notes)) is None:
        return None
    verdict = judge(notes, profile)
    return Seen(extent, Plan(verdict.sign, verdict.device.boxes, verdict.whole), verdict.face)


def _notes(file: Path) -> Notes | None:
    try:
        with file.open("rb", buffering=0) as opened:
            return notes_of(FileSource(opened.fileno()))
    except DicomAssetsError:
        return None


def _extent(notes: Notes) -> Extent | None:
    told = (notes.values.get("Rows"), notes.values.get("Columns"), notes.values.get("NumberOfFrames") or "1")
    try:
        rows, columns, frames = (int(text or 0) for text in told)
    except ValueError:
        return None
    return Extent(rows, columns, frames) if min(rows, columns, frames) > 0 and notes.has_pixels else None


def rectangles(texts: Sequence[str]) -> tuple[Box, ...]:
    """Each `left,top,right,bottom`, of one frame with `@frame` behind it. Raises
    BadInput("REVIEW_RECTANGLE_UNREADABLE")."""
    try:
        boxes = {parse(text, REVIEWER) for text in texts}
    except ValueError:
        raise BadInput("REVIEW_RECTANGLE_UNREADABLE") from None
    if any("-" in text for text in texts):  # a frame before the first
        raise BadInput("REVIEW_RECTANGLE_UNREADABLE")
    return tuple(sorted(boxes))


def check_rectangles(file: Path, boxes: Sequence[Box]) -> None:
    """Raises BadInput("REVIEW_RECTANGLE_OUTSIDE") where one is not within the image."""
    if not boxes:
        return
    notes = _notes(file)
    extent = _extent(notes) if notes else None
    if extent is None or not all(map(extent.holds, boxes)):
        raise BadInput("REVIEW_RECTANGLE_OUTSIDE")


def check_place(zones: Zones, png: Path) -> None:
    """Raises BadInput("REVIEW_PICTURE_EXISTS"), Refused("REVIEW_PICTURE_IN_RELEASED")."""
    if png.resolve().is_relative_to(zones.released.resolve()):
        raise Refused("REVIEW_PICTURE_IN_RELEASED")
    if os.path.lexists(png):
        raise BadInput("REVIEW_PICTURE_EXISTS")


def draw(zones: Zones, item: Item, frame: int, boxes: Sequence[Box], png: Path, why: str) -> None:
    """A frame of the original, counted from 0, as a PNG with the boxes drawn into it, for the user alone. Raises as
    check_place() and Cleaner.look()."""
    record(zones, Event.REVIEW_PICTURE, f"{item.name} {item.reason} frame {frame}", why)
    picture = cleaner().look(item.file, frame, boxes)
    try:
        handle = os.open(png, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, RESTRICTED_FILE)
    except FileExistsError:
        raise BadInput("REVIEW_PICTURE_EXISTS") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(picture)
    except OSError:
        png.unlink(missing_ok=True)
        raise
