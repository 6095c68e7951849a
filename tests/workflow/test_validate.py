"""An honest study passes; each planted failure is caught by the check that names it."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, get_frame

from dicom_assets.errors import REASONS
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.tables import read_sealed, write_sealed
from dicom_assets.workflow.uid_pairs import compare_studies
from dicom_assets.workflow.verdict import CHECKS, withheld_instances
from tests.support.hand_deidentified import (
    NEW_ROOT,
    OLD_ROOT,
    PSEUDONYM,
    hand_made_study,
    in_sequence,
    new_uid,
    planted,
    verdict_on,
)

LAST = f"{NEW_ROOT}.1.3.2"


def findings_of(folder, *changes, originals=None, **options):
    originals = originals or [planted(1), planted(2)]
    verdict = verdict_on(hand_made_study(folder, originals, *changes, **options).task)
    assert {finding.check for finding in verdict.findings} <= CHECKS.keys()
    assert {finding.reason for finding in (*verdict.findings, *verdict.notes)} <= REASONS.keys()
    return verdict


def caught(verdict):
    return {(finding.check, finding.reason, finding.place) for finding in verdict.findings}


def put(keyword, value):
    return lambda dataset: setattr(dataset, keyword, value)


def put_in_meta(keyword, value):
    return lambda dataset: setattr(dataset.file_meta, keyword, value)


def test_an_honest_study_passes_every_check(tmp_path):
    verdict = findings_of(tmp_path)
    assert verdict.findings == verdict.notes == ()
    assert compare_studies([verdict]) == ()
    assert [facts.rows for facts in verdict.instances] == [128, 128]
    assert verdict.references == 2
    assert {(pair.old, pair.new) for pair in verdict.uid_pairs} >= {(f"{OLD_ROOT}.1.3.1", f"{NEW_ROOT}.1.3.1")}
    (thumbnail,) = verdict.thumbnails
    assert thumbnail.png.startswith(b"\x89PNG") and max(thumbnail.width, thumbnail.height) <= 256


RESIDUALS = {
    "a name in a kept descriptor": (put("SeriesDescription", "Abdomen vandermolen"), "(0008,103E) (name)"),
    "an ordinary name as a whole": (put("SeriesDescription", "asked by Rose Young"), "(0008,103E) (name)"),
    "an ID in a comment": (put("ImageComments", "MRN 0012345."), "(0020,4000) (identifier)"),
    "an ID without its zeros": (put("ImageComments", "see 12345"), "(0020,4000) (identifier)"),
    "a date in German": (put("ImageComments", "geb. 23. August 1961"), "(0020,4000) (date)"),
    "a date and time as one number": (put("ImageComments", "t=20240117101533"), "(0020,4000) (date)"),
    "an accession number": (put("ProtocolName", "acc_778812 thorax"), "(0018,1030) (identifier)"),
    "a telephone number": (put("ImageComments", "call +49 999 7654321"), "(0020,4000) (contact)"),
    "an address": (put("ImageComments", "lives Quellgasse 14"), "(0020,4000) (contact)"),
    "a nested name": (
        in_sequence("AnatomicRegionSequence", CodeMeaning="Ottokar"),
        "(0008,2218)[0].(0008,0104) (name)",
    ),
    "a UID in text": (put("ImageComments", f"was {OLD_ROOT}.1.3.2.dcm"), "(0020,4000) (uid)"),
    "a UID made of an old one": (put("IrradiationEventUID", f"{OLD_ROOT}.1.3.2.99"), "(0008,3010) (uid)"),
    "a name in base64": (put("ImageComments", "x SXNpZG9yYSBWYW5kZXJtb2xlbg== y"), "(0020,4000) (name)"),
    "an ID in hexadecimal": (put("ImageComments", "30303132333435"), "(0020,4000) (identifier)"),
    "a name in UTF-16": (put("EncapsulatedDocument", "Isidora".encode("utf-16-be")), "(0042,0011) (name)"),
    "a name the other way round": (put("ImageComments", "Isidora^Lécka-Vandermolen"), "(0020,4000) (name)"),
    "a name in the file meta": (put_in_meta("SourceApplicationEntityTitle", "OTTOKAR"), "file meta (0002,0016) (name)"),
    "a name in the preamble": (put("preamble", b"Isidora".ljust(128, b"\0")), "preamble (name)"),
    "a name after the pixels": (put("DataSetTrailingPadding", b"Vandermolen"), "(FFFC,FFFC) (name)"),
}


@pytest.mark.parametrize("change, place", RESIDUALS.values(), ids=RESIDUALS.keys())
def test_what_is_left_of_the_patient_is_found(tmp_path, change, place):
    verdict = findings_of(tmp_path, change)
    assert ("no_residual_identifiers", "RESIDUAL_IDENTIFIER", place) in caught(verdict)
    assert withheld_instances(verdict) == {LAST}


def test_a_name_behind_the_last_frame_is_found(tmp_path):
    def hide(dataset):
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
        dataset.PixelData = encapsulate([get_frame(dataset.PixelData, 0) + b"IsidoraVandermolen"])

    place = "beside the pixels of (7FE0,0010) (name)"
    assert ("no_residual_identifiers", "RESIDUAL_IDENTIFIER", place) in caught(findings_of(tmp_path, hide))


def test_bytes_behind_the_pixels_are_found(tmp_path):
    verdict = findings_of(tmp_path, lambda ds: setattr(ds, "PixelData", ds.PixelData + b"IsidoraVandermolen"))
    assert ("pixels_are_intact", "PIXEL_DATA_HAS_A_TAIL", "") in caught(verdict)


def test_a_name_in_a_file_s_name_is_found(tmp_path):
    study = hand_made_study(tmp_path, [planted(1)])
    (row,) = read_sealed(manifest_of(study.staging), StagedInstance)
    moved = replace(row, released_path=row.released_path.replace(PSEUDONYM, "Vandermolen"))
    write_sealed(manifest_of(study.staging), [moved], StagedInstance)
    found = caught(verdict_on(study.task))
    assert ("no_residual_identifiers", "RESIDUAL_IDENTIFIER", "file name (name)") in found


def test_bytes_after_the_data_set_are_found(tmp_path):
    verdict = findings_of(tmp_path, after=lambda encoded: encoded + b"19610823")
    assert caught(verdict) >= {
        ("no_residual_identifiers", "RESIDUAL_IDENTIFIER", "after the data set (date)"),
        ("file_opens", "FILE_UNREADABLE", "after the data set"),
    }


def test_the_request_s_own_identifiers_are_searched_too(tmp_path):
    study = hand_made_study(tmp_path, [planted(1)], put("ImageComments", "cohort AB-99881"))
    task = type(study.task)(**{**vars(study.task), "extra_identifiers": ("AB-99881",)})
    assert ("no_residual_identifiers", "RESIDUAL_IDENTIFIER", "(0020,4000) (identifier)") in caught(verdict_on(task))


def test_what_the_profile_keeps_is_no_hit(tmp_path):
    original = planted(1)
    original.SeriesDescription = "Abdomen of Isidora"
    change = put("StudyDate", "20240117")
    verdict = findings_of(
        tmp_path,
        change,
        originals=[original],
        kept=frozenset({0x00080020, 0x0008103E}),
        kept_dates=frozenset({0x00080020}),
    )
    assert verdict.findings == ()


def test_a_name_kept_in_a_file_that_says_it_is_removed_is_caught(tmp_path):
    verdict = findings_of(tmp_path, put("PatientName", "Lécka-Vandermolen^Isidora"), kept=frozenset({0x00100010}))
    assert caught(verdict) == {("no_identifiers_in_standard_tags", "STANDARD_TAG_NOT_CLEANED", "(0010,0010)")}


PLANTED = {
    "sex kept": (put("PatientSex", "F"), "no_identifiers_in_standard_tags", "STANDARD_TAG_NOT_CLEANED", "(0010,0040)"),
    "time kept": (
        put("StudyTime", "101533"),
        "no_identifiers_in_standard_tags",
        "STANDARD_TAG_NOT_CLEANED",
        "(0008,0030)",
    ),
    "private element": (
        lambda ds: ds.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "x"),
        *("no_private_elements", "PRIVATE_ELEMENT_LEFT", "(0009,1001)"),
    ),
    "nested private element": (
        lambda ds: ds.ReferencedImageSequence[0].private_block(0x0009, "ACME", create=True).add_new(1, "LO", "x"),
        *("no_private_elements", "PRIVATE_ELEMENT_LEFT", "(0008,1140)[0].(0009,1001)"),
    ),
    "old UID": (put("StudyInstanceUID", f"{OLD_ROOT}.1.1"), "uids_are_consistent", "UID_NOT_NEW", "(0020,000D)"),
    "no flag": (lambda ds: ds.pop(0x00120062), "file_opens", "IDENTITY_FLAG_WRONG", "(0012,0062)"),
    "flag NO": (put("PatientIdentityRemoved", "NO"), "file_opens", "IDENTITY_FLAG_WRONG", "(0012,0062)"),
    "pixel value": (
        lambda ds: setattr(ds, "PixelData", ds.PixelData[:-1] + b"\x01"),
        *("pixels_are_intact", "PIXELS_CHANGED", ""),
    ),
    "bits stored": (put("BitsStored", 12), "pixels_are_intact", "PIXELS_CHANGED", ""),
    "no pixels": (lambda ds: ds.pop(0x7FE00010), "pixels_are_intact", "PIXELS_CHANGED", ""),
    "cut pixels": (
        lambda ds: setattr(ds, "PixelData", ds.PixelData[:100]),
        *("pixels_are_intact", "PIXELS_NOT_DECODABLE", ""),
    ),
}


@pytest.mark.parametrize("change, check, reason, place", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_failure_is_caught_by_its_check(tmp_path, change, check, reason, place):
    verdict = findings_of(tmp_path, change)
    assert (check, reason, place) in caught(verdict)
    assert withheld_instances(verdict) == {facts.instance for facts in verdict.instances if facts.instance == LAST}


def test_a_file_meta_that_names_another_object_is_caught(tmp_path):
    verdict = findings_of(tmp_path, after=lambda encoded: encoded.replace(LAST.encode(), b"2.25.4711.1.3.7", 1))
    assert caught(verdict) == {("uids_are_consistent", "UID_INCONSISTENT", "file meta (0002,0003)")}


def test_private_elements_may_stay_where_the_profile_keeps_them(tmp_path):
    change = PLANTED["private element"][0]
    original = planted(1)
    change(original)
    assert findings_of(tmp_path, originals=[original], keeps_private=True).findings == ()


def test_two_outputs_of_one_uid_are_caught(tmp_path):
    study = hand_made_study(tmp_path, [planted(1), planted(1)])
    assert "UID_NOT_UNIQUE" in {finding.reason for finding in verdict_on(study.task).findings}


def test_a_cut_file_is_caught(tmp_path):
    verdict = findings_of(tmp_path, after=lambda encoded: encoded[:300])
    assert ("file_opens", "FILE_UNREADABLE", "") in caught(verdict)


def test_a_file_that_changed_since_is_caught(tmp_path):
    study = hand_made_study(tmp_path, [planted(1)])
    (file,) = study.staging.glob("*.dcm")
    file.write_bytes(file.read_bytes() + b"\0\0")
    assert "FILE_NOT_AS_RECORDED" in {finding.reason for finding in verdict_on(study.task).findings}


@pytest.mark.parametrize("name", ["1.dcm", "2.dcm"])
def test_an_output_without_its_original_proves_nothing(tmp_path, name):
    study = hand_made_study(tmp_path, [planted(1), planted(2)])
    (study.raw / name).unlink()
    assert {finding.reason for finding in verdict_on(study.task).findings} == {"ORIGINAL_UNREADABLE"}


SYNTAXES = {
    "JPEG 2000": "JPEG2000.dcm",
    "JPEG baseline": "SC_rgb_jpeg_dcmtk.dcm",
    "RLE": "MR_small_RLE.dcm",
    "JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "big endian": "MR_small_bigendian.dcm",
    "float": "liver_1frame.dcm",
}


@pytest.mark.parametrize("template", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_pixels_in_any_syntax_are_compared(tmp_path, template):
    verdict = findings_of(tmp_path, originals=[planted(1, template)])
    assert [f for f in verdict.findings if f.check == "pixels_are_intact"] == []


def test_a_transfer_syntax_may_change_where_the_array_does_not(tmp_path):
    verdict = findings_of(tmp_path, lambda ds: ds.decompress(), originals=[planted(1, "MR_small_RLE.dcm")])
    assert verdict.findings == ()


def test_lossy_compression_is_a_change(tmp_path):
    def roughen(dataset):
        pixels = (dataset.pixel_array // 2 * 2).astype(np.int16)
        dataset.compress(uid.RLELossless, pixels, generate_instance_uid=False)

    verdict = findings_of(tmp_path, roughen, originals=[planted(1)])
    assert caught(verdict) == {("pixels_are_intact", "PIXELS_CHANGED", "")}


def test_pixels_that_no_decoder_reads_are_compared_as_bytes_and_noted(tmp_path):
    original = planted(1)
    original.PixelData = original.PixelData[:1000]
    verdict = findings_of(tmp_path, originals=[original])
    assert verdict.findings == ()
    assert [note.reason for note in verdict.notes] == ["PIXELS_NOT_DECODABLE_HERE"]


def test_a_header_that_asks_for_gigabytes_reaches_no_decoder(tmp_path):
    original = planted(1, "MR_small_RLE.dcm")
    original.Rows = original.Columns = 65535
    assert [note.reason for note in findings_of(tmp_path, originals=[original]).notes] == ["PIXELS_NOT_DECODABLE_HERE"]


@pytest.mark.parametrize("template", ["test-SR.dcm", "rtplan.dcm", "reportsi.dcm"])
def test_an_object_without_pixels_passes_the_pixel_check(tmp_path, template):
    def as_planted():
        dataset = dcmread(get_testdata_file(template))
        dataset.Modality = dataset.get("Modality", "OT")
        return dataset

    verdict = findings_of(tmp_path, originals=[as_planted()])
    assert "pixels_are_intact" not in {finding.check for finding in verdict.findings}


def studies(folder, *changes):
    """Study 2 refers to an instance of study 1."""
    first = hand_made_study(folder, [planted(1)], study_key="S-1")
    second = planted(1, study=2)
    second.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"{OLD_ROOT}.1.3.1"
    return [verdict_on(study.task) for study in (first, hand_made_study(folder, [second], *changes, study_key="S-2"))]


def test_references_between_studies_that_hold_pass(tmp_path):
    assert compare_studies(studies(tmp_path)) == ()


def reference(value):
    return lambda ds: setattr(ds.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", value)


ACROSS = {
    "reference": (reference("2.25.99"), "REFERENCE_BROKEN", "(0008,1140)[0].(0008,1155)"),
    "study split": (put("FrameOfReferenceUID", new_uid(f"{OLD_ROOT}.1.4")), "UID_NOT_UNIQUE", "(0020,0052)"),
    "patient": (put("PatientID", "P-OTHER"), "PATIENT_INCONSISTENT", "(0010,0020)"),
    "old as new": (put("SeriesInstanceUID", f"{OLD_ROOT}.1.1"), "UID_NOT_NEW", "(0020,000E)"),
}


@pytest.mark.parametrize("change, reason, place", ACROSS.values(), ids=ACROSS.keys())
def test_what_does_not_fit_over_the_batch_is_caught(tmp_path, change, reason, place):
    verdicts = studies(tmp_path, change)
    findings = compare_studies(verdicts)
    assert (reason, place) in {(f.reason, f.place) for f in findings if f.study_key == "S-2"}
    assert {f.check for f in findings} == {"uids_are_consistent"}
    assert withheld_instances(verdicts[1], findings) == {f"{NEW_ROOT}.2.3.1"}


def test_a_reference_that_is_gone_is_no_failure(tmp_path):
    verdicts = studies(tmp_path, lambda ds: ds.pop(0x00081140))
    assert compare_studies(verdicts) == ()


def test_two_patients_with_one_pseudonym_are_caught(tmp_path):
    first = hand_made_study(tmp_path, [planted(1)], study_key="S-1")
    second = hand_made_study(tmp_path, [planted(1, patient_id="0099887", study=2)], study_key="S-2")
    findings = compare_studies([verdict_on(first.task), verdict_on(second.task)])
    assert {finding.reason for finding in findings} == {"PSEUDONYM_NOT_UNIQUE"}


def test_no_finding_holds_a_value(tmp_path):
    everything = [change for change, _ in RESIDUALS.values()]
    shown = repr(findings_of(tmp_path, *everything).findings).casefold()
    assert not [value for value in ("isidora", "vandermolen", "0012345", "778812", "1961", OLD_ROOT) if value in shown]


@pytest.mark.parametrize("wrong", [{"original_patient_id": "77-99"}, {"patient_pseudonym": "P-OTHER"}])
def test_a_row_that_leads_to_another_patient_is_caught(tmp_path, wrong):
    study = hand_made_study(tmp_path, [planted(1)])
    (row,) = read_sealed(manifest_of(study.staging), StagedInstance)
    write_sealed(manifest_of(study.staging), [replace(row, **wrong)], StagedInstance)
    verdict = verdict_on(study.task)
    assert ("uids_are_consistent", "PATIENT_INCONSISTENT", "(0010,0020)") in caught(verdict)
    assert withheld_instances(verdict) == {f"{NEW_ROOT}.1.3.1"}
