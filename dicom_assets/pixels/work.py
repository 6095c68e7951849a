"""What the child does with one image: cleans it, proves what another process has cleaned, or draws it."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset

from ..errors import BadInput
from .boxes import ALL_FRAMES, Box, parse
from .cleaned import Cleaned, Plan
from .decode import FrameReader, open_frames
from .drawn import drawn
from .found import text_in, text_in_picture
from .overlays import overlay_planes
from .proof import has_unused_bits, leaves_bits_empty
from .proof import prove as proved
from .redact import blank
from .regions import outside_of_regions
from .renderings import renderings
from .severity import own_values_in

#: Blanked and looked at again: what is left under a box's edge is found the second time.
_ROUNDS = 3


def clean(staged: str, original: str, target: str, plan: dict) -> dict:
    """As Cleaner.clean. Text that is still found is blanked too; what is then left is TEXT_LEFT_IN_PIXELS."""
    plan, frames = _plan(plan), open_frames(Path(staged))
    header = pydicom.dcmread(original, stop_before_pixels=True, force=True)
    boxes, hides = _asked(frames, header, plan), plan.overlay_bits or _hides_bits(frames)
    found = _texts(frames, frames.header) if plan.look and not plan.whole else []
    redacted = blank(Path(staged), Path(target), [*boxes, *found], hides)
    left, rounds = _text_left(Path(target), redacted.boxes) if found else [], 1
    while left:
        if rounds == _ROUNDS:
            raise BadInput("TEXT_LEFT_IN_PIXELS")
        boxes += left
        redacted = blank(Path(staged), Path(target), [*boxes, *found], hides)
        left, rounds = _text_left(Path(target), redacted.boxes), rounds + 1
    return asdict(
        Cleaned(
            sign=plan.sign,
            how=redacted.how,
            boxes=tuple((box.text, box.source) for box in redacted.boxes),
            frames=frames.count,
            texts=len(found),
            own_values=own_values_in(frames, found, header) if found else 0,
            syntax=redacted.syntax,
        )
    )


def prove(output: str, original: str, cleaned: str, plan: dict) -> list[str]:
    """As Cleaner.prove. What a detector sees besides a reviewer's rectangles is their decision."""
    blanked, plan = Cleaned.of(cleaned).blanked, _plan(plan)
    wrong = proved(Path(original), Path(output), blanked, _texts if plan.look else None)
    if wrong:
        return wrong
    frames = open_frames(Path(output))
    asked = _asked(frames, pydicom.dcmread(original, stop_before_pixels=True, force=True), plan)
    inside = filter(None, (box.within(frames.rows, frames.columns) for box in asked if box.frame < frames.count))
    return [] if all(_is_covered(box, blanked) for box in inside) else ["TEXT_NOT_BLANKED"]


def find(original: str, plan: dict) -> list[tuple[str, str]]:
    """As Cleaner.find."""
    plan, frames = _plan(plan), open_frames(Path(original))
    boxes = _asked(frames, frames.header, plan)
    found = _texts(frames, frames.header) if plan.look and not plan.whole else []
    return [(box.text, box.source) for box in [*boxes, *found]]


def look(original: str, frame: int, boxes: Sequence[tuple[str, str]]) -> str:
    """As Cleaner.look, in Base64."""
    frames = open_frames(Path(original))
    if not 0 <= frame < frames.count:
        raise BadInput("FRAME_NOT_THERE")
    picture = Image.fromarray(renderings(frames.frame(frame), frames.header)[0]).convert("RGB")
    numbered = [(str(number), parse(*box)) for number, box in enumerate(boxes, 1)]
    png = io.BytesIO()
    drawn(picture, [one for one in numbered if one[1].frame in (ALL_FRAMES, frame)]).save(png, "PNG")
    return base64.b64encode(png.getvalue()).decode()


def _plan(told: dict) -> Plan:
    return Plan(**told | {"boxes": tuple(Box(**box) for box in told["boxes"])})


def _asked(frames: FrameReader, header: Dataset, plan: Plan) -> list[Box]:
    """What is blanked whatever the pixels show: what the plan names, and what ultrasound regions leave out. header: the
    original's."""
    if plan.whole:
        return [*plan.boxes, Box(0, 0, frames.columns, frames.rows, source="whole")]
    return [*plan.boxes, *((outside_of_regions(header) or []) if plan.look else [])]


def _hides_bits(frames: FrameReader) -> bool:
    """Bits that the pixels do not use hold something, overlay or not: who looks at the pixels does not see it."""
    each = range(frames.count if has_unused_bits(frames.header) else 0)
    return not all(leaves_bits_empty(frames.words(at), frames.frame(at), frames.header) for at in each)


def _texts(frames: FrameReader, header: Dataset) -> list[Box]:
    """In the pixels, and in what overlays draw over them."""
    found = text_in(frames, header)
    for plane in overlay_planes(header):
        for one in text_in_picture(plane.picture):
            left, top = plane.left + one.left, plane.top + one.top
            box = Box(left, top, plane.left + one.right, plane.top + one.bottom, plane.frame)
            found += filter(None, [box.within(frames.rows, frames.columns)])
    return found


def _text_left(output: Path, blanked: Sequence[Box]) -> list[Box]:
    """Text that is found in the output, but for what lies in a blanked box and shows nothing."""
    frames = open_frames(output)
    return [box for box in _texts(frames, frames.header) if not any(_is_covered(box, [one]) for one in blanked)]


def _is_covered(box: Box, blanked: Sequence[Box]) -> bool:
    """Every pixel of it, by boxes of its frames."""
    inside = np.zeros((box.bottom - box.top, box.right - box.left), bool)
    for one in blanked:
        if one.frame in (ALL_FRAMES, box.frame):
            top, left = max(one.top - box.top, 0), max(one.left - box.left, 0)
            inside[top : max(one.bottom - box.top, 0), left : max(one.right - box.left, 0)] = True
    return bool(inside.all())


#: Function by the name by which the parent calls it; its first argument is the path of the image that is decoded
CALLS: dict[str, Callable] = {"clean": clean, "find": find, "look": look, "prove": prove}
