"""A clean folder passes; each planted failure is found, with the mapping and without."""

import csv
import shutil

import pytest

from dicom_assets.errors import REASONS, BadInput
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.tables import read_rows
from dicom_assets.workflow.verify import VERIFY_CHECKS, verify_folder
from tests.support.hand_deidentified import NEW_ROOT, OLD_ROOT, PATIENT_ID, PSEUDONYM, hand_made_study, planted

NAME = f"{PSEUDONYM}/{NEW_ROOT}.1.1/{NEW_ROOT}.1.2/{NEW_ROOT}.1.3.2.dcm"
COLUMNS = (
    *("Original Filename", "Anonymized Filename", "Original Patient ID", "Anonymized ID"),
    *("Tags Anonymized", "UIDs Regenerated"),
)


def released(folder, *changes, **options):
    """A released folder of two instances, the second one changed, and its mapping folder."""
    study = hand_made_study(folder / "work", [planted(1), planted(2)], *changes, **options)
    out, mapping = folder / "out", folder / "mapping"
    mapping.mkdir()
    rows = read_rows(manifest_of(study.staging), StagedInstance)
    for row in rows:
        (out / row.released_path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(study.staging / row.file, out / row.released_path)
    lines = [(f"in/{row.raw_file}", row.released_path, PATIENT_ID, PSEUDONYM, "", "") for row in rows]
    write(mapping / "mapping.csv", COLUMNS, lines)
    uids = [f"{OLD_ROOT}.1.{end}" for end in ("1", "2", "4", "3.1", "3.2")]
    write(mapping / "uids.csv", ("id_old", "id_new"), [(old, old.replace(OLD_ROOT, NEW_ROOT)) for old in uids])
    write(mapping / "patients.csv", ("id_old", "id_new"), [(PATIENT_ID, PSEUDONYM)])
    return out, mapping


def write(path, columns, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def caught(verification):
    assert {f.reason for f in verification.findings} <= REASONS.keys()
    assert {f.check for f in verification.findings} <= VERIFY_CHECKS.keys()
    return {(f.path, f.check, f.reason, f.place) for f in verification.findings}


def put(keyword, value):
    return lambda dataset: setattr(dataset, keyword, value)


def test_a_clean_folder_passes_with_its_mapping_and_without(tmp_path):
    out, mapping = released(tmp_path)
    (out / "reports").mkdir()
    (out / "reports" / "batch.html").write_text("<html>")
    (out / "reports" / "batch.dcm").write_text("no DICOM, and no business of this check")
    with_mapping, without = verify_folder(out, mapping), verify_folder(out)
    assert with_mapping.passed and without.passed and with_mapping.files == 2
    assert "mapping_is_one_to_one" in dict(with_mapping.checks)
    assert "mapping_is_one_to_one" not in dict(without.checks)


ALONE = {
    "name": (put("PatientName", "Somebody^Else"), "no_identifiers_in_standard_tags", "(0010,0010)"),
    "nested": (
        lambda ds: setattr(ds.ReferencedImageSequence[0], "InstitutionName", "Klinikum"),
        *("no_identifiers_in_standard_tags", "(0008,1140)[0].(0008,0080)"),
    ),
    "private": (
        lambda ds: ds.private_block(9, "ACME", create=True).add_new(1, "LO", "x"),
        *("no_private_elements", "(0009,1001)"),
    ),
    "preamble": (put("preamble", b"MZ".ljust(128, b"\0")), "no_residual_identifiers", "preamble"),
    "flag": (put("PatientIdentityRemoved", "NO"), "file_opens", "(0012,0062)"),
    "pixels": (lambda ds: setattr(ds, "PixelData", ds.PixelData[:99]), "pixels_are_intact", ""),
}


@pytest.mark.parametrize("change, check, place", ALONE.values(), ids=ALONE.keys())
def test_a_failure_is_found_without_originals(tmp_path, change, check, place):
    out, _ = released(tmp_path, change)
    verification = verify_folder(out)
    assert not verification.passed and dict(verification.checks)[check] == 1
    assert (check, place) in {(f.check, f.place if place else "") for f in verification.findings}


def test_a_file_that_is_not_dicom_is_found(tmp_path):
    out, _ = released(tmp_path)
    (out / "x.dcm").write_bytes(b"text")
    assert ("x.dcm", "file_opens", "FILE_UNREADABLE", "") in caught(verify_folder(out))


def test_a_folder_named_by_another_series_is_found(tmp_path):
    out, _ = released(tmp_path)
    (out / NAME).parent.rename((out / NAME).parent.with_name("2.25.5"))
    assert {(check, reason) for _, check, reason, _ in caught(verify_folder(out))} == {
        ("uids_are_consistent", "NAME_INCONSISTENT")
    }


def test_a_second_file_of_one_instance_is_found(tmp_path):
    out, _ = released(tmp_path)
    shutil.copy(out / NAME, out / "copy.dcm")
    found = {(path, reason) for path, _, reason, _ in caught(verify_folder(out))}
    assert found >= {("copy.dcm", "UID_NOT_UNIQUE"), (NAME, "UID_NOT_UNIQUE"), ("copy.dcm", "NAME_INCONSISTENT")}


def test_a_folder_that_holds_two_patients_is_found(tmp_path):
    out, _ = released(tmp_path, put("PatientID", "P-OTHER"))
    assert (PSEUDONYM, "uids_are_consistent", "UID_INCONSISTENT", "folder") in caught(verify_folder(out))


LEFT = {"an old ID": (f"see {PATIENT_ID}", "identifier"), "an old UID": (f"{OLD_ROOT}.1.2", "uid")}


@pytest.mark.parametrize("text, kind", LEFT.values(), ids=LEFT.keys())
def test_what_the_mapping_knows_as_old_is_found_in_the_bytes(tmp_path, text, kind):
    out, mapping = released(tmp_path, put("ImageComments", text))
    assert verify_folder(out).passed
    expected = (NAME, "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"(0020,4000) ({kind})")
    assert caught(verify_folder(out, mapping)) == {expected}


def test_a_file_without_a_row_and_a_row_without_a_file_are_found(tmp_path):
    out, mapping = released(tmp_path)
    (out / NAME).rename(out / NAME.replace(".3.2.dcm", ".3.9.dcm"))
    found = {(path, reason) for path, check, reason, _ in caught(verify_folder(out, mapping)) if "mapping" in check}
    assert found == {(NAME, "MAPPED_FILE_MISSING"), (NAME.replace(".3.2.dcm", ".3.9.dcm"), "FILE_NOT_IN_MAPPING")}


@pytest.mark.parametrize("name", ["uids.csv", "patients.csv", "mapping.csv"])
def test_a_mapping_that_is_not_one_to_one_is_found(tmp_path, name):
    out, mapping = released(tmp_path)
    with (mapping / name).open("a") as file:
        file.write(
            f"in/1.dcm,{NAME},{PATIENT_ID},{PSEUDONYM},,\n" if name == "mapping.csv" else "2.25.777,P-1\n2.25.777,P-2\n"
        )
    assert (name, "mapping_is_one_to_one", "MAPPING_NOT_ONE_TO_ONE", "") in caught(verify_folder(out, mapping))


def test_nothing_to_read_is_an_error_with_a_code(tmp_path):
    with pytest.raises(BadInput, match="FOLDER_UNREADABLE"):
        verify_folder(tmp_path / "none")
    out, mapping = released(tmp_path)
    write(mapping / "uids.csv", ("old", "new"), [])
    with pytest.raises(BadInput, match="MAPPING_UNREADABLE"):
        verify_folder(out, mapping)
