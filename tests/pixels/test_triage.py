"""What becomes of which image: every rule of triage.toml, by header alone."""

import pytest

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.profile_file import IMAGE_KINDS
from dicom_assets.deid.survey import TOLD
from dicom_assets.pixels.triage import CLEAN, HEADER, REVIEW, judge, rules

from .headers import CT, MR, US, Header, Site

TEXT = "TEXT_IN_PIXELS_LIKELY"
RULES = rules()
CR, DX, MG = (f"1.2.840.10008.5.1.4.1.1.1{end}" for end in ("", ".1", ".2"))
PHOTOGRAPH, SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.77.1.6"
CAPTURE, NM = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.20"
MPEG4 = "1.2.840.10008.1.2.4.102"
SITE = Site()


def outcome(header: Header, site: Site = SITE) -> str:
    return judge(header, site).outcome


def test_every_class_without_a_condition_has_its_rules_outcome() -> None:
    decided: set[str] = set()
    for rule in RULES:
        if rule.values or rule.words or rule.present or rule.syntaxes:
            continue
        for uid in set(rule.sop_classes) - decided:
            expected = SITE.images[rule.kind] if rule.kind else rule.outcome
            verdict = judge(Header(uid, ""), SITE)
            assert (verdict.outcome, verdict.sign) == (expected, rule.sign), uid
            assert (verdict.code == "") == (expected == HEADER)
            if not rule.without_pixels:
                assert outcome(Header(uid, "", has_pixels=False)) == HEADER, uid
        decided |= set(rule.sop_classes)
    assert len(decided) > 70


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(), HEADER),
        (Header(MR, "MR"), HEADER),
        (Header(f"{DX}.1", "DX"), HEADER),  # for processing
        (Header("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", has_pixels=False), HEADER),
        (Header(US, "US"), CLEAN),
        (Header(CAPTURE, "CT"), CLEAN),
        (Header(CR, "CR"), CLEAN),
        (Header("1.2.840.10008.5.1.4.1.1.9.4.2", "AU", has_pixels=False), REVIEW),
        (Header(transfer_syntax_uid=MPEG4), REVIEW),
        (Header(PHOTOGRAPH, "XC"), REVIEW),
        (Header(PHOTOGRAPH, "OT", {"BurnedInAnnotation": "YES"}), REVIEW),
        (Header(values={"SequenceOfUltrasoundRegions": "\x02\x00"}), CLEAN),
        (Header(values={"SamplesPerPixel": "3"}), CLEAN),
        (Header(values={"BitsAllocated": "8"}), CLEAN),
        (Header(values={"BitsAllocated": "16", "SamplesPerPixel": "1"}), HEADER),
        (Header(NM, "NM", {"BitsAllocated": "8", "PhotometricInterpretation": "PALETTE COLOR"}), HEADER),
        (Header(NM, "NM", {"SamplesPerPixel": "3"}), CLEAN),
        (Header(values={"ImageType": "DERIVED\\SECONDARY\\MPR"}), HEADER),
        (Header(SLIDE, "SM", {"ImageType": "ORIGINAL\\PRIMARY\\VOLUME\\NONE"}), HEADER),
        (Header(SLIDE, "SM", {"ImageType": "ORIGINAL\\PRIMARY\\VOLUME\\NONE", "SpecimenLabelInImage": "YES"}), REVIEW),
        (Header(SLIDE, "SM", {"ImageType": "ORIGINAL\\PRIMARY\\OTHER"}), REVIEW),
        (Header("1.2.840.10008.5.1.4.1.1.501.2.1", "DX"), CLEAN),  # the standard's, and no rule names it
        (Header(values={"OverlayInPixelData": "YES"}), CLEAN),
    ],
)
def test_what_becomes_of_an_image(header: Header, expected: str) -> None:
    assert outcome(header) == expected


@pytest.mark.parametrize("flavour", ["LABEL", "OVERVIEW"])
def test_a_slides_label_is_blanked_whole(flavour: str) -> None:
    verdict = judge(Header(SLIDE, "SM", {"ImageType": f"ORIGINAL\\PRIMARY\\{flavour}\\NONE"}), SITE)
    assert (verdict.outcome, verdict.whole) == (CLEAN, True)


@pytest.mark.parametrize("uid", ["", "1.2.826.0.1.3680043.10.999.7", f"{CT}.99", f"{CT} ", "CT"])
def test_a_class_that_the_standard_does_not_list_is_for_a_person_to_see(uid: str) -> None:
    assert judge(Header(uid), SITE).code == "PIXELS_NEED_REVIEW"
    assert outcome(Header(uid, has_pixels=False)) == HEADER


SIGNS = [
    (keyword, sign)
    for rule in RULES
    if not rule.sop_classes and not rule.kind
    for keyword, signs in rule.values.items()
    for sign in sorted(signs)
]


def with_value(keyword: str, value: str) -> Header:
    return Header(modality=value) if keyword == "Modality" else Header(values={keyword: value})


@pytest.mark.parametrize(("keyword", "sign"), SIGNS)
def test_a_sign_is_seen_in_any_case_position_and_padding(keyword: str, sign: str) -> None:
    written = (sign, sign.lower(), sign.title(), f" {sign} ", f"{sign}\0")
    several = (f"{sign}\\AXIAL", f"DERIVED\\SECONDARY\\{sign}", f"ORIGINAL\\{sign.lower()} \\OTHER", f"\\{sign}")
    for value in (*written, *several):
        assert judge(with_value(keyword, value), SITE).code == TEXT, value
    for value in (f"{sign}X", f"X{sign}", f"NO {sign}"):
        assert outcome(with_value(keyword, value)) == HEADER, value


@pytest.mark.parametrize("title", ["Dose Report", "CT DOSE_REPORT 2", "Patientenprotokoll", "1: screen-save"])
def test_a_series_that_is_called_a_dose_sheet_is_one(title: str) -> None:
    assert outcome(Header(values={"SeriesDescription": title})) == CLEAN


@pytest.mark.parametrize("title", ["Overdose reported", "Screening", "Thorax 1.0 B30f", ""])
def test_other_words_are_no_sign(title: str) -> None:
    assert outcome(Header(values={"SeriesDescription": title})) == HEADER


@pytest.mark.parametrize("value", ["NO", "", "\\"])
def test_a_no_is_neither_a_sign_nor_a_proof(value: str) -> None:
    assert outcome(Header(values={"BurnedInAnnotation": value})) == HEADER
    assert outcome(Header(CAPTURE, values={"BurnedInAnnotation": value})) == CLEAN


def test_what_the_values_say_of_the_modality_does_not_hide_the_instances_own() -> None:
    assert outcome(Header(modality="US", values={"Modality": "CT"})) == CLEAN


def test_signs_without_pixels_show_nothing() -> None:
    signs = {keyword: sign for keyword, sign in SIGNS if keyword != "Modality"}
    assert outcome(Header(modality="US", values=signs, has_pixels=False)) == HEADER


CASES = {
    "radiographs": Header(MG, "MG"),
    "photographs": Header(PHOTOGRAPH, "XC"),
    "videos": Header(transfer_syntax_uid=MPEG4),
    "audio": Header("1.2.840.10008.5.1.4.1.1.9.4.1", "AU", has_pixels=False),
}


@pytest.mark.parametrize(("kind", "choice"), [(kind, one) for kind, choices in IMAGE_KINDS.items() for one in choices])
def test_the_site_decides_about_a_kind_of_images(kind: str, choice: str) -> None:
    site = Site(images={kind: choice})
    assert outcome(CASES[kind], site) == (HEADER if choice == "release" else choice)
    for other in CASES.keys() - {kind}:
        assert outcome(CASES[other], site) == outcome(CASES[other])


def test_an_overlay_in_unused_bits_is_cleared_from_what_the_site_releases() -> None:
    header = Header(PHOTOGRAPH, "XC", {"OverlayInPixelData": "YES"})
    assert outcome(header) == REVIEW
    assert judge(header, Site(images={"photographs": "release"})).code == "OVERLAY_IN_PIXEL_DATA"


def test_where_nothing_is_cleaned_a_radiograph_is_not_kept_back_for_what_is_possible() -> None:
    site = Site(pixels="quarantine")
    assert outcome(CASES["radiographs"], site) == HEADER
    assert outcome(Header(MG, "MG", {"BurnedInAnnotation": "YES"}), site) == CLEAN


def test_every_kind_is_one_that_a_profile_knows_and_every_rule_has_a_reason() -> None:
    assert {rule.kind for rule in RULES} - {""} == set(IMAGE_KINDS)
    assert {rule.outcome for rule in RULES if not rule.kind} == {HEADER, CLEAN}
    assert all(rule.why and rule.sign and bool(rule.kind) != bool(rule.outcome) for rule in RULES)
    assert not (RULES[-1].sop_classes or RULES[-1].values)  # it applies to whatever is left


def test_the_engine_tells_every_element_that_a_rule_asks_about() -> None:
    asked = {keyword for rule in RULES for keyword in (*rule.values, *rule.words, *rule.present)}
    assert asked - {"Modality"} <= set(TOLD)


def test_the_shipped_profile_is_a_site_of_the_shipped_choices() -> None:
    profile = load_profile("basic")
    assert (profile.images, profile.faces, profile.device_rules) == (SITE.images, SITE.faces, "")
    assert judge(Header(US, "US"), profile) == judge(Header(US, "US"), SITE)


def test_a_profile_with_other_choices_has_another_digest(tmp_path) -> None:
    digests = {load_profile("basic").digest}
    for number, text in enumerate(('faces = "release"', '[images]\nvideos = "release"', 'device_rules = "d.toml"'), 1):
        tmp_path.joinpath("d.toml").write_text("[[device]]")
        tmp_path.joinpath("own.toml").write_text(text)
        digests.add(load_profile(str(tmp_path / "own.toml")).digest)
        assert len(digests) == number + 1


def test_an_overlay_plane_that_is_kept_is_looked_at_and_a_voice_is_kept_back() -> None:
    drawn = {"OverlayOfRegion": "YES"}
    assert judge(Header(values=drawn), SITE).code == TEXT
    assert outcome(Header("1.2.840.10008.5.1.4.1.1.11.1", "PR", drawn, has_pixels=False)) == REVIEW
    assert outcome(Header("1.2.840.10008.5.1.4.1.1.9.1.1", "AU", has_pixels=False)) == REVIEW
