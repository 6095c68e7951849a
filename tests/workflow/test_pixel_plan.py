"""What reviewers have let pass, and nothing else, goes out as it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.deid.deidentify import Notes
from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import Refused
from dicom_assets.pixels.cleaned import Plan
from dicom_assets.storage.decisions import Decision, add_decisions, reviews_on
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.pixel_plan import plan_of

PROFILE = replace(load_profile("basic"), faces="withhold")
#: A thin slice of the head, in colours
FACE = {"BodyPartExamined": "HEAD", "SliceThickness": "1"}
COLOURED = {"SamplesPerPixel": "3"}


def notes(**values: str) -> Notes:
    return Notes("", "", "", "1.2.840.10008.5.1.4.1.1.2", "CT", values, True, "1.2.840.10008.1.2.1")


@pytest.mark.parametrize("waived", ["PIXELS_EXTRA_MISSING", "TEXT_IN_PIXELS_LIKELY", "TEXT_LEFT_IN_PIXELS 1,1,9,9"])
def test_who_lets_text_pass_has_not_let_a_face_pass(waived: str) -> None:
    for values in (FACE, FACE | COLOURED):
        with pytest.raises(Refused, match="FACE_RECOGNISABLE"):
            plan_of(PROFILE, notes(**values), f"release {waived}")


def test_who_lets_a_face_pass_has_not_let_text_pass() -> None:
    plan = plan_of(PROFILE, notes(**FACE, **COLOURED), "release FACE_RECOGNISABLE 1,1,9,9")
    assert plan.look and [box.text for box in plan.boxes] == ["1,1,9,9"]
    with pytest.raises(Refused, match="TEXT_IN_PIXELS_LIKELY"):
        plan_of(replace(PROFILE, pixels="quarantine"), notes(**FACE, **COLOURED), "release FACE_RECOGNISABLE")


@pytest.mark.parametrize(
    "codes", [("FACE_RECOGNISABLE", "TEXT_LEFT_IN_PIXELS"), ("PIXELS_TOO_LARGE", "FACE_NOT_REMOVED")]
)
def test_both_are_let_pass(codes: tuple[str, str]) -> None:
    header = notes(**FACE, **COLOURED)
    assert plan_of(PROFILE, header, "; ".join(f"release {code}" for code in codes)) is None
    plan = plan_of(PROFILE, header, f"release {codes[0]} 1,1,9,9; release {codes[1]} 5,5,8,8@2")
    assert (plan.look, [box.text for box in plan.boxes]) == (False, ["1,1,9,9", "5,5,8,8@2"])
    assert plan_of(PROFILE, notes(), "") is None and isinstance(plan_of(PROFILE, notes(**COLOURED)), Plan)


def test_what_was_not_to_be_cleaned_is_not_let_pass_by_a_reason_for_which_it_was_not() -> None:
    photograph = replace(notes(), sop_class_uid="1.2.840.10008.5.1.4.1.1.77.1.4")
    with pytest.raises(Refused, match="PIXELS_NEED_REVIEW"):
        plan_of(PROFILE, photograph, "release PIXELS_EXTRA_MISSING")
    assert plan_of(PROFILE, photograph, "release PIXELS_NEED_REVIEW") is None


def test_decisions_on_one_content_count_together_until_it_is_discarded(tmp_path: Path) -> None:
    zones = Zones(tmp_path, tmp_path)

    def decide(*said: str) -> dict[str, str]:
        for one in said:
            verdict, reason, *blank = one.split()
            add_decisions(zones, "s", [Decision("b/s/i", "ab", reason, verdict, "why", "who", "when", *blank)])
        return reviews_on(zones, "s")

    assert decide("release A", "release B 1,1,2,2") == {"ab": "release A; release B 1,1,2,2"}
    assert decide("release B 3,3,4,4") == {"ab": "release A; release B 3,3,4,4"}
    assert decide("discard B") == {"ab": "discard B"}
    assert decide("release B") == {"ab": "release B"}
