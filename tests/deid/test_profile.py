"""Profiles: the shipped ones, files of one's own, what is refused, digest, codes, explanations."""

from pathlib import Path

import pytest

from dicom_assets.deid.dictionary import tag_of, vr_of
from dicom_assets.deid.profile import EDITION, Profile, load_profile
from dicom_assets.deid.profile_file import SHIPPED
from dicom_assets.deid.tables import rows_of
from dicom_assets.errors import REASONS, BadInput
from dicom_assets.workflow import profile_rules

CT = "1.2.840.10008.5.1.4.1.1.2"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
#: Every tag that the documents of the default configuration list
DEFAULT_TAGS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientAddress", "PatientWeight",
    "PatientTelephoneNumbers", "OtherPatientIDs", "OtherPatientNames", "EthnicGroup", "InstitutionName",
    "InstitutionAddress", "ReferringPhysicianName", "PhysiciansOfRecord", "PerformingPhysicianName", "OperatorsName",
    "StudyID", "AccessionNumber", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "StudyTime",
    "SeriesTime", "AcquisitionTime", "ContentTime", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "FrameOfReferenceUID",
)  # fmt: skip


def own(folder: Path, text: str) -> Profile:
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return load_profile(str(path))


def action(profile: Profile, keyword: str, sop_class_uid: str = CT, path: tuple[str, ...] = ()) -> str:
    tag = tag_of(keyword)
    return str(profile.action_for(tag, vr_of(tag), sop_class_uid, path))


@pytest.mark.parametrize("keyword", DEFAULT_TAGS)
@pytest.mark.parametrize("name", ["basic", "hipaa-safe-harbor", "halo"])
def test_every_tag_of_the_default_list_is_handled(name: str, keyword: str) -> None:
    expected = {"X", "Z", "D", "U"} | ({"C"} if name == "hipaa-safe-harbor" and keyword.endswith("Date") else set())
    assert action(load_profile(name), keyword) in expected


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("PatientBirthDate", "Z"), ("StudyDate", "C"), ("StudyTime", "Z"), ("DeviceSerialNumber", "X"),
        ("RetrieveURL", "X"), ("PatientAge", "X"), ("MedicalRecordLocator", "X"), ("MilitaryRank", "X"),
        ("InsurancePlanIdentification", "X"), ("CountryOfResidence", "X"), ("RegionOfResidence", "X"),
        ("PatientTelecomInformation", "X"), ("DeviceUID", "U"), ("PatientPhotoSequence", None), ("GPSLatitude", "X"),
        ("ExpirationDateTime", "C"), ("TimeOfGainCalibration", "X"),
    ],
)  # fmt: skip
def test_safe_harbor_leaves_of_identifiers_the_year_alone(keyword: str, expected: str | None) -> None:
    if expected is None:
        assert tag_of(keyword) is None  # no such element: photos of a patient are instances of their own
    else:
        assert action(load_profile("hipaa-safe-harbor"), keyword) == expected


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("StudyDate", "C"), ("StudyTime", "C"), ("TimezoneOffsetFromUTC", "K"), ("PatientBirthDate", "Z"),
        ("PatientSex", "K"), ("PatientAge", "C"), ("PatientWeight", "K"), ("Allergies", "C"), ("StudyDescription", "C"),
        ("SegmentDescription", "C"), ("RetrieveURL", "X"), ("EvaluatorName", "X"), ("ConvolutionKernel", "K"),
        ("ExpirationDateTime", "C"), ("TimeOfGainCalibration", "K"), ("ContentSequence", "C"),
        ("StudyInstanceUID", "U"),
        ("GraphicAnnotationSequence", "C"), ("PatientBirthDateInAlternativeCalendar", "X"), ("StationAETitle", "X"),
        ("CertifiedTimestamp", "X"), ("FrameOriginTimestamp", "D"), ("TextValue", "C"),
    ],
)  # fmt: skip
def test_research_keeps_by_option_and_nothing_else(keyword: str, expected: str) -> None:
    assert action(load_profile("research"), keyword) == expected


@pytest.mark.parametrize(
    ("keyword", "expected", "why"),
    [
        ("RetrieveURL", "X", "an address"), ("SegmentDescription", "X", "text"), ("LUTExplanation", "X", "text"),
        ("ConvolutionKernel", "K", "kept_text"), ("SOPClassUID", "K", "class"), ("EvaluatorName", "X", "person"),
        ("ExpirationDateTime", "X", "dates"), ("MACAlgorithm", "X", "signature"), ("Rows", "K", "dictionary"),
        ("RecordKey", "X", "bytes"), ("ICCProfile", "K", "dictionary"), ("TextValue", "D", "content item"),
        ("CoefficientsSDVN", "X", "retired"), ("UniversalEntityID", "X", "additions"),
        ("ReferencedSOPClassUID", "U", "UID"),
    ],
)  # fmt: skip
def test_what_the_table_does_not_name_stays_only_if_it_is_let(keyword: str, expected: str, why: str) -> None:
    basic = load_profile("basic")
    assert action(basic, keyword) == expected
    assert why in basic.explain(tag_of(keyword)).why


@pytest.mark.parametrize("tag", [0x50003000, 0x501E0010, 0x60003000, 0x60021500, 0x7F000010, 0x00081FFE, 0x00091010])
def test_curves_overlays_and_the_unknown_go(tag: int) -> None:
    for name in SHIPPED:
        code = load_profile(name).explain(tag).code
        assert code in ("X", "X/Z/D") or (tag >> 24 == 0x60 and name == "research")


def test_our_own_lists_name_known_elements_that_the_table_does_not() -> None:
    basic = load_profile("basic")
    table = {int(row["tag"], 16) for row in rows_of("table_e_1_1.csv") if set(row["tag"]) <= set("0123456789ABCDEF")}
    added = {tag for tag, rule in basic.rules.items() if not rule.in_table}
    assert None not in basic.kept_text
    assert len(added) > 20
    assert not (basic.kept_text | added) & table
    assert not basic.kept_text & added


def test_text_that_goes_leaves_what_its_type_demands() -> None:
    basic, below = load_profile("basic"), ("SegmentSequence",)
    assert action(basic, "SegmentLabel", SEGMENTATION, below) == "D"  # Type 1
    assert action(basic, "ContentDescription", SEGMENTATION) == "Z"  # Type 2
    assert action(basic, "SegmentDescription", SEGMENTATION, below) == "X"  # Type 3
    assert action(basic, "SegmentLabel", CT) == "X"  # not of that IOD


def test_without_cleaning_the_basic_action_stands() -> None:
    research = load_profile("research")
    without = research.without_cleaning
    assert without(tag_of("StudyDescription"), CT, ()) == "X"
    assert without(tag_of("StudyDate"), CT, ()) == "Z"
    assert without(tag_of("TextValue"), CT, ()) == "D"
    assert without(tag_of("SegmentLabel"), SEGMENTATION, ("SegmentSequence",)) == "D"


def test_an_override_that_cleans_falls_back_on_the_rule_that_was_there(tmp_path: Path) -> None:
    text = '[overrides]\nStudyDescription = "C"\nContentDescription = "C"\nInstitutionName = "C"'
    without = own(tmp_path, text).without_cleaning
    assert without(tag_of("StudyDescription"), CT, ()) == without(tag_of("InstitutionName"), CT, ()) == "X"
    assert without(tag_of("ContentDescription"), SEGMENTATION, ()) == "Z"


# files of one's own


def test_switches_and_options_that_mean_the_same_are_one(tmp_path: Path) -> None:
    for one, other in (
        ('dates = "keep"', "[groups]\ndates = false"),
        ('dates = "shift"', 'options = ["retain_longitudinal_modified_dates"]'),
        ('options = ["retain_uids"]', "[groups]\nregenerate_uids = false"),
    ):
        assert own(tmp_path, one).digest == own(tmp_path, other).digest


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('dates = "never"', "dates"), ('bas = "basic"', "the names of the keys"), ('base = "nope"', "base"),
        ('table = "groups"', "base"), ('options = "clean_descriptors"', "options"), ('options = ["clean"]', "options"),
        ('options = ["retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"]', "dates"),
        ('dates = "year"\noptions = ["retain_longitudinal_full_dates"]', "dates"),
        ('dates = "shift"\n[groups]\ndates = false', "dates"), ('dates = "keep"\n[groups]\ndates = true', "dates"),
        ('options = ["retain_uids"]\n[groups]\nregenerate_uids = true', "regenerate_uids"),
        ('options = ["retain_safe_private"]\n[groups]\nremove_private_tags = false', "remove_private_tags"),
        ('options = ["clean_pixel_data"]\npixels = "unexamined"', "pixels"), ('pixels = "blur"', "pixels"),
        ("[groups]\ndates = 1", "groups"), ("[groups]\nfaces = true", "groups"), ("groups = 3", "groups"),
        ("shift_days = 0", "shift_days"), ("shift_days = true", "shift_days"), ("shift_days = 1e9", "shift_days"),
        ('uid_root = "1.2.840.10008.1"', "uid_root"), ('uid_root = "1.02"', "uid_root"),
        ('uid_root = "1.2."', "uid_root"), ("shift_days = 40000", "shift_days"),
        ('uid_root = "1.2.3.4.5.6.7.8.9.0.1.2.3"', "uid_root"), ("issuer_counts = 1", "issuer_counts"),
        ('encapsulated = "maybe"', "encapsulated"), ('private_creators = [""]', "private_creators"),
        ('[overrides]\nPatientName = "U"', "overrides.PatientName"), ('[overrides]\nRows = "C"', "overrides.Rows"),
        ('[overrides]\nStudyDate = "C"', "overrides.StudyDate"),
        ('[overrides]\nPatientName = "Q"', "overrides.PatientName"), ("[overrides]\nPatientName = 3", "overrides"),
        ('[overrides]\nStudyInstanceUID = "K"', "overrides.StudyInstanceUID"),
        ('[overrides]\nSOPClassUID = "X"', "overrides.SOPClassUID"), ('[overrides]\nQuillfeather = "X"', "overrides"),
        ('[overrides]\n"(0009,1010)" = "K"', "overrides"), ('[overrides]\n"60003000" = "K"', "overrides"),
        ('[overrides]\nStudyDescription = "K"\n"(0008,1030)" = "X"', "overrides"),
    ],
)  # fmt: skip
def test_what_is_not_understood_or_contradicts_itself_is_refused(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(BadInput) as caught:
        own(tmp_path, text)
    assert caught.value.code == "PROFILE_UNUSABLE"
    assert caught.value.__notes__ == [f"look at: {key}"]


def test_a_profile_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    for name, code in (("nobody", "PROFILE_UNKNOWN"), (str(tmp_path / "no.toml"), "PROFILE_UNREADABLE")):
        with pytest.raises(BadInput) as caught:
            load_profile(name)
        assert caught.value.code == code in REASONS
    with pytest.raises(BadInput, match="PROFILE_UNREADABLE"):
        own(tmp_path, "x = [[")


def test_overrides_win_by_keyword_and_by_tag(tmp_path: Path) -> None:
    overrides = 'StudyDescription = "K"\n"(0018,1000)" = "K"\n"00100040" = "X"\nPatientAge = "K"'
    profile = own(tmp_path, f'base = "research"\n[overrides]\n{overrides}')
    assert [action(profile, one) for one in ("StudyDescription", "DeviceSerialNumber", "PatientSex", "PatientAge")] == [
        "K", "K", "X", "K",
    ]  # fmt: skip
    assert profile.explain(tag_of("StudyDescription")).why == "override"
    assert {tag_of("StudyDescription"), tag_of("DeviceSerialNumber")} <= profile.kept_tags
    assert profile.codes == ((profile.digest[:16], "99DICOMASSETS", "dicom_assets profile own"),)


def test_a_date_that_is_kept_shifts_along(tmp_path: Path) -> None:
    profile = own(tmp_path, 'dates = "shift"\n[groups]\npatient_data = false\n[overrides]\nSeriesDate = "K"')
    assert action(profile, "PatientBirthDate") == action(profile, "SeriesDate") == "C"
    assert action(profile, "PatientSex") == "K"
    assert "shifts along" in profile.explain(tag_of("PatientBirthDate")).why


def test_what_one_option_keeps_and_another_cleans_is_cleaned(tmp_path: Path) -> None:
    profile = own(tmp_path, 'options = ["retain_device_identity", "retain_longitudinal_modified_dates"]')
    assert action(profile, "DateOfLastCalibration") == "C"
    assert action(profile, "DeviceSerialNumber") == "K"


@pytest.mark.parametrize(
    ("text", "removed"),
    [
        ("", True), ("[groups]\npatient_data = false", False), ('[overrides]\nPatientID = "K"', False),
        ('[overrides]\nOtherPatientIDs = "K"', False), ('[overrides]\nPatientSex = "K"', True),
        ('base = "halo"\n[groups]\npatient_data = false', False), ('base = "research"', True),
    ],
)  # fmt: skip
def test_identity_counts_as_removed_only_if_nothing_names_the_patient(tmp_path: Path, text: str, removed: bool) -> None:
    assert own(tmp_path, text).removes_identity is removed


def test_halo_touches_the_switched_groups_only(tmp_path: Path) -> None:
    halo = load_profile("halo")
    assert [action(halo, one) for one in ("StudyDescription", "SegmentDescription", "RetrieveURL")] == ["K"] * 3
    off = own(tmp_path, 'base = "halo"\n[groups]\ninstitution_data = false\nregenerate_uids = false\ndates = false')
    kept = (
        "InstitutionName",
        "OperatorsName",
        "UniversalEntityID",
        "StudyInstanceUID",
        "UID",
        "StudyDate",
        "StudyTime",
    )
    assert [action(off, one) for one in kept] == ["K"] * len(kept)
    assert action(off, "PatientBirthDate") == "Z"


# digest and codes


def test_the_digest_names_all_that_decides(tmp_path: Path) -> None:
    digests = [load_profile(name).digest for name in SHIPPED]
    for text in (
        'dates = "year"', "shift_days = 30", 'uid_root = "1.2.3"', "issuer_counts = true", 'pixels = "unexamined"',
        'encapsulated = "drop"', 'private_creators = ["ACME"]', '[overrides]\nRows = "X"',
        "[groups]\nstudy_data = false", 'options = ["clean_graphics"]',
    ):  # fmt: skip
        digests.append(own(tmp_path, text).digest)
    assert len(set(digests)) == len(digests)
    assert own(tmp_path, "").digest == own(tmp_path, 'base = "basic"\npixels = "clean"').digest


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ["113100"]), ('dates = "year"', ["113100", "113107"]), ('dates = "keep"', ["113100", "113106"]),
        ('options = ["clean_pixel_data", "retain_uids"]', ["113100", "113110"]), ('base = "halo"', []),
        ("[groups]\npatient_data = false", []), ("[groups]\nremove_private_tags = false", []),
        ('private_creators = ["ACME"]', []), ('encapsulated = "allow"', []), ('[overrides]\nRows = "X"', ["113100"]),
        ('[overrides]\nStudyID = "K"', []), ('pixels = "unexamined"', ["113100"]),
        ('base = "research"', ["113100", "113103", "113104", "113105", "113107", "113108", "113111"]),
    ],
)  # fmt: skip
def test_codes_claim_what_is_in_force_and_no_more(tmp_path: Path, text: str, values: list[str]) -> None:
    profile = own(tmp_path, text)
    assert [value for value, scheme, _ in profile.codes if scheme == "DCM"] == values
    assert profile.codes[-1] == (profile.digest[:16], "99DICOMASSETS", "dicom_assets profile own")
    assert all(
        len(value) <= 16 and len(scheme) <= 16 and len(meaning) <= 64 for value, scheme, meaning in profile.codes[-1:]
    )


def test_a_files_name_cannot_break_the_output(tmp_path: Path) -> None:
    path = tmp_path / ("Ünser\\Profil " + "x" * 80 + ".toml")
    path.write_text("", "utf-8")
    name = load_profile(str(path)).name
    assert len(name) == 32
    assert name.startswith("_nser_Profil_")


# what is shown


@pytest.mark.parametrize("name", SHIPPED)
def test_show_says_for_each_row_of_the_table_what_happens_and_why(name: str) -> None:
    profile, shown = load_profile(name), profile_rules.show(name)
    assert len([rule for rule in shown.rules if rule.why]) == len(shown.rules) >= 656
    for rule in shown.rules:
        if set(rule.tag) <= set("0123456789ABCDEF(),"):
            assert rule.action == profile.explain(int(rule.tag[1:5] + rule.tag[6:10], 16)).code
    assert shown.classes and shown.private and shown.pixels
    assert len(shown.content_items) > (200 if profile.cleans_content else 5)
    text = profile_rules.shown(name)
    assert profile.digest in text
    assert "Ultrasound" in text


def test_reasons_name_rule_option_switch_override_and_edition(tmp_path: Path) -> None:
    research = load_profile("research")
    assert research.explain(tag_of("StudyDescription")).why == f"E.1-1 {EDITION}, Clean Descriptors"
    assert load_profile("basic").explain(tag_of("StudyID")).why == f"E.1-1 {EDITION}, Basic Profile"
    assert own(tmp_path, "[groups]\nstudy_data = false").explain(tag_of("StudyID")).why == "study_data is off"
    assert "E.3.10-1" in research.explain(0x00191023).why


def test_diff_names_what_differs_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[overrides]\nStudyID = "X"\nSegmentDescription = "K"', "utf-8")
    found = profile_rules.diff("basic", str(path))
    assert [(one.name, *one.actions) for one in found] == [("StudyID", "Z", "X"), ("SegmentDescription", "X/Z/D", "K")]
    assert profile_rules.diff("research", "research") == ()
    assert profile_rules.differences("halo", "halo") == "no difference"
    assert "StudyID" in profile_rules.differences("basic", str(path))


def test_list_names_the_shipped_profiles() -> None:
    assert [one["name"] for one in profile_rules.listed_as_json()["profiles"]] == list(SHIPPED)
    assert len(profile_rules.listed().splitlines()) == len(SHIPPED)
