"""What becomes of an image's pixels: by triage of its header, the profile, and what a reviewer decided."""

from dataclasses import replace

from ..deid.profile import Profile
from ..errors import Refused
from ..pixels.cleaned import Plan
from ..pixels.triage import CLEAN, HEADER, REVIEW, Described, Verdict, judge
from ..storage.verdicts import releases

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
    return not _FACE.isdisjoint(releases(review))


def is_text_waived(verdict: Verdict, review: str) -> bool:
    """A reviewer has seen what the image shows, and that nothing but their rectangles is to be blanked."""
    waived = releases(review).keys()
    return verdict.code in waived or (verdict.outcome == CLEAN and not waived.isdisjoint(NOT_CLEANED))


def plan_of(profile: Profile, notes: Described, review: str = "") -> Plan | None:
    """How the pixels are cleaned; None where they go out as they are. review: as StagedInstance has it; one reason
    that is waived waives no other.

    Raises Refused with the reason for which the image is kept back."""
    has_overlay = "OverlayInPixelData" in notes.values
    if profile.pixels == "unexamined":
        if has_overlay:
            raise Refused("OVERLAY_IN_PIXEL_DATA")
        return None
    verdict = judge(notes, profile, face_waived=is_face_waived(review))
    rectangles = [one for reason, named in releases(review).items() if reason in LOOKED_AT for one in named]
    if verdict.outcome == HEADER or is_text_waived(verdict, review):
        # Who looked at the picture did not see what hides in unused bits.
        return Plan.of_reviewer(verdict.sign, rectangles, has_overlay) if rectangles or has_overlay else None
    if verdict.outcome == REVIEW or profile.pixels == "quarantine":
        raise Refused(verdict.code)
    named = Plan.of_reviewer(verdict.sign, rectangles, has_overlay)
    return replace(named, boxes=(*verdict.device.boxes, *named.boxes), whole=verdict.whole, look=True)
