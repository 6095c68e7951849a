"""What becomes of an image's pixels: by triage of its header, the profile, and what a reviewer decided."""

from ..deid.deidentify import Notes
from ..deid.profile import Profile
from ..errors import Refused
from ..pixels.cleaned import Plan
from ..pixels.triage import HEADER, REVIEW, judge
from ..storage.verdicts import RELEASE

#: Reasons for which an image is kept back that was to be cleaned; a person who has looked can release it all the same
NOT_CLEANED = frozenset(
    {
        "PIXELS_EXTRA_MISSING",
        "PIXELS_NOT_CLEANABLE",
        "PIXELS_TOO_LARGE",
        "PIXEL_CLEANING_FAILED",
        "PIXEL_CLEANING_TOOK_TOO_LONG",
        "TEXT_LEFT_IN_PIXELS",
    }
)
_FACE = frozenset({"FACE_RECOGNISABLE", "FACE_NOT_REMOVED"})
#: No program could tell what the pixels show, or clean them: a person who has looked can, and may say what is blanked.
#: Of what no decoder reads (PIXELS_NOT_DECODABLE, PIXEL_DECODER_CRASHED), or hides in unused bits
#: (OVERLAY_IN_PIXEL_DATA), nobody can say that they have seen all that it shows
LOOKED_AT = NOT_CLEANED | _FACE | {"PIXELS_NEED_REVIEW", "TEXT_IN_PIXELS_LIKELY"}


def is_face_waived(review: str) -> bool:
    """A reviewer has let the face pass. review: as StagedInstance has it."""
    verb, _, rest = review.partition(" ")
    return verb == RELEASE and rest.split(" ")[0] in _FACE


def plan_of(profile: Profile, notes: Notes, review: str = "") -> Plan | None:
    """How the pixels are cleaned; None where they go out as they are. review: as StagedInstance has it.

    Raises Refused with the reason for which the image is kept back."""
    has_overlay = "OverlayInPixelData" in notes.values
    if profile.pixels == "unexamined":
        if has_overlay:
            raise Refused("OVERLAY_IN_PIXEL_DATA")
        return None
    waived, *rectangles = review.split()[1:] if review.startswith(f"{RELEASE} ") else [""]
    verdict = judge(notes, profile, face_waived=is_face_waived(review))
    if rectangles and waived in {*NOT_CLEANED, verdict.code, *_FACE}:
        return Plan.of_reviewer(verdict.sign, rectangles, has_overlay)
    if verdict.outcome == HEADER:
        return None
    if waived in {*NOT_CLEANED, verdict.code}:
        # Who looked at the picture did not see what hides in unused bits.
        return Plan.of_reviewer(verdict.sign, [], has_overlay) if has_overlay else None
    if verdict.outcome == REVIEW or profile.pixels == "quarantine":
        raise Refused(verdict.code)
    return Plan(verdict.sign, verdict.device.boxes, verdict.whole, overlay_bits=has_overlay)
