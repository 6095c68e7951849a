"""Which instances are kept back because they may show a name: every rule of triage.toml, by header alone."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dicom_assets.pixels import triage as module
from dicom_assets.pixels.triage import triage

RULES = tomllib.loads(Path(module.__file__).with_name("triage.toml").read_text("utf-8"))
TEXT, REVIEW = "TEXT_IN_PIXELS_LIKELY", "PIXELS_NEED_REVIEW"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
VOICE, AUDIO = "1.2.840.10008.5.1.4.1.1.9.4.1", "1.2.840.10008.5.1.4.1.1.9.4.2"


@dataclass
class Header:
    """Of a CT image that nothing speaks against."""

    sop_class_uid: str = CT
    modality: str = "CT"
    values: dict[str, str] = field(default_factory=dict)
    has_pixels: bool = True


@pytest.mark.parametrize("uid", [CT, MR, "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.128", ECG])
def test_an_ordinary_image_is_released(uid: str) -> None:
    assert triage(Header(uid, "")) == ""


@pytest.mark.parametrize("uid", RULES["text_likely"]["sop_classes"])
def test_a_class_that_carries_the_screens_text_is_kept_back(uid: str) -> None:
    assert triage(Header(uid)) == TEXT
    assert triage(Header(uid, has_pixels=False)) == ""


@pytest.mark.parametrize("uid", RULES["review"]["sop_classes"])
def test_visible_light_and_video_are_for_a_person_to_see(uid: str) -> None:
    assert triage(Header(uid)) == REVIEW
    assert triage(Header(uid, has_pixels=False)) == ""


@pytest.mark.parametrize("uid", sorted({VOICE, AUDIO, *RULES["audio"]["sop_classes"]}))
def test_audio_is_for_a_person_to_hear_though_it_has_no_pixels(uid: str) -> None:
    assert triage(Header(uid, "AU", has_pixels=False)) == REVIEW
    assert triage(Header(uid, "AU", has_pixels=True)) == REVIEW


@pytest.mark.parametrize("uid", ["", "1.2.826.0.1.3680043.10.999.7", f"{CT}.99", f"{CT} ", "CT"])
def test_a_class_that_the_standard_does_not_list_is_for_a_person_to_see(uid: str) -> None:
    assert triage(Header(uid)) == REVIEW
    assert triage(Header(uid, has_pixels=False)) == ""


SIGNS = [(keyword, sign) for keyword, signs in RULES["text_likely"]["values"].items() for sign in signs]


def with_value(keyword: str, value: str) -> Header:
    return Header(modality=value) if keyword == "Modality" else Header(values={keyword: value})


@pytest.mark.parametrize(("keyword", "sign"), SIGNS)
def test_a_sign_is_seen_in_any_case_position_and_padding(keyword: str, sign: str) -> None:
    written = (sign, sign.lower(), sign.title(), f" {sign} ", f"{sign}\0")
    several = (
        f"{sign}\\AXIAL",
        f"DERIVED\\SECONDARY\\{sign}",
        f"ORIGINAL\\PRIMARY\\{sign.lower()} \\OTHER",
        f"\\{sign}",
    )
    for value in (*written, *several):
        assert triage(with_value(keyword, value)) == TEXT, value


@pytest.mark.parametrize(("keyword", "sign"), SIGNS)
def test_a_part_of_a_value_is_no_sign(keyword: str, sign: str) -> None:
    for value in (f"{sign}X", f"X{sign}", f"NO {sign}"):
        assert triage(with_value(keyword, value)) == "", value


@pytest.mark.parametrize("value", ["NO", "", "\\"])
def test_a_no_is_neither_a_sign_nor_a_proof(value: str) -> None:
    assert triage(Header(values={"BurnedInAnnotation": value})) == ""
    secondary_capture = "1.2.840.10008.5.1.4.1.1.7"
    assert triage(Header(secondary_capture, values={"BurnedInAnnotation": value})) == TEXT


def test_what_the_values_say_of_the_modality_does_not_hide_the_instances_own() -> None:
    assert triage(Header(modality="US", values={"Modality": "CT"})) == TEXT


def test_signs_without_pixels_show_nothing() -> None:
    signs = {keyword: values[0] for keyword, values in RULES["text_likely"]["values"].items()}
    assert triage(Header(modality="US", values=signs, has_pixels=False)) == ""


def test_a_class_for_a_person_is_told_as_such_though_text_is_likely_too() -> None:
    photograph = "1.2.840.10008.5.1.4.1.1.77.1.4"
    assert triage(Header(photograph, "OT", {"BurnedInAnnotation": "YES"})) == REVIEW
