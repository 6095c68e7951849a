"""A clean folder passes; each planted failure is found, with the mapping and without."""

import csv
import shutil
from contextlib import nullcontext
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.profile_file import SHIPPED
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.errors import REASONS, BadInput
from dicom_assets.storage.columns import COLUMNS
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.tables import read_sealed
from dicom_assets.workflow.folder import deidentify_folder
from dicom_assets.workflow.verify import VERIFY_CHECKS, verify_folder
from tests.support.hand_deidentified import (
    NEW_ROOT,
    OLD_ROOT,
    PATIENT_ID,
    PSEUDONYM,
    as_bytes,
    hand_made_study,
    in_sequence,
    planted,
)

NAME = f"{PSEUDONYM}/{NEW_ROOT}.1.1/{NEW_ROOT}.1.2/{NEW_ROOT}.1.3.2.dcm"
RENEWED = "FrameOfReferenceUID; ReferencedSOPInstanceUID; SOPInstanceUID; SeriesInstanceUID; StudyInstanceUID"


def released(folder, *changes, **options):
    """A released folder of two instances, the second one changed, and its mapping folder."""
    study = hand_made_study(folder / "work", [planted(1), planted(2)], *changes, **options)
    out, mapping = folder / "out", folder / "mapping"
    mapping.mkdir()
    rows = read_sealed(manifest_of(study.staging), StagedInstance)
    for row in rows:
        (out / row.released_path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(study.staging / row.file, out / row.released_path)
    lines = [(f"in/{row.raw_file}", row.released_path, PATIENT_ID, PSEUDONYM, "", RENEWED) for row in rows]
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
    with_mapping, without = verify_folder(out, mapping), verify_folder(out)
    assert with_mapping.passed and without.passed and with_mapping.files == 2
    assert "mapping_is_one_to_one" in dict(with_mapping.checks)
    assert "mapping_is_one_to_one" not in dict(without.checks)


def deidentified(folder, profile, source="in"):
    """A folder made by the tool itself, of originals below folder / source, and its mapping folder."""
    out, mapping = folder / "out", folder / "mapping"
    key = PseudonymKey(bytes(range(32)))
    deidentify_folder(
        folder / source, out, load_profile(profile), key, mapping, 1, lambda *_: nullcontext(lambda done: None)
    )
    return out, mapping


@pytest.mark.parametrize("profile", SHIPPED)
def test_what_the_tool_itself_makes_passes(tmp_path, profile):
    (tmp_path / "in").mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtdose.dcm", "reportsi.dcm", "test-SR.dcm"):
        shutil.copy(get_testdata_file(name), tmp_path / "in")
    for palette in (Path(pydicom.__file__).parent / "data" / "palettes").glob("*.dcm"):
        shutil.copy(palette, tmp_path / "in")  # of nobody: without PatientID, and under UIDs that the standard lists
    verification = verify_folder(*deidentified(tmp_path, profile))
    assert verification.findings == () and verification.files >= 12


def test_what_the_tool_makes_under_the_old_uids_passes(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.dcm").write_bytes(as_bytes(planted(1)))
    (tmp_path / "own.toml").write_text('base = "halo"\ngroups = { regenerate_uids = false }\n')
    out, mapping = deidentified(tmp_path, str(tmp_path / "own.toml"))
    assert (mapping / "uids.csv").read_text().count("\n") == 1
    assert verify_folder(out, mapping).passed


def test_a_patient_without_an_id_has_a_pseudonym_of_each_study(tmp_path):
    (tmp_path / "in").mkdir()
    for study in (1, 2):
        (tmp_path / "in" / f"{study}.dcm").write_bytes(as_bytes(planted(1, patient_id="", study=study)))
    out, mapping = deidentified(tmp_path, "basic")
    assert len(list(out.iterdir())) == 2
    assert verify_folder(out, mapping).passed


def test_two_folders_with_the_same_names_may_share_a_mapping(tmp_path):
    for study, source in enumerate(("one", "other"), 1):
        (tmp_path / source).mkdir()
        (tmp_path / source / "1.dcm").write_bytes(as_bytes(planted(1, patient_id=f"77{study}55", study=study)))
        out, mapping = deidentified(tmp_path, "basic", source)
    assert verify_folder(out, mapping).files == 2 and verify_folder(out, mapping).passed


def put_in_meta(keyword, value):
    return lambda dataset: setattr(dataset.file_meta, keyword, value)


def overlay(kind):
    def change(dataset):
        dataset.add_new(0x60000040, "CS", kind)
        dataset.add_new(0x60003000, "OW", b"\1\1")

    return change


def private_in_meta_under_safe_private(dataset):
    in_sequence("DeidentificationMethodCodeSequence", CodeValue="113111", CodingSchemeDesignator="DCM")(dataset)
    dataset.file_meta.PrivateInformationCreatorUID = "2.25.4"


ALONE = {
    "another person": (
        put("RequestingPhysician", "Somebody^Else"),
        *("no_identifiers_in_standard_tags", "(0032,1032)"),
    ),
    "a person in a sequence": (
        in_sequence("VerifyingObserverSequence", VerifyingObserverName="Somebody^Else"),
        *("no_identifiers_in_standard_tags", "(0040,A073)[0].(0040,A075)"),
    ),
    "a title in the file meta": (
        put_in_meta("SourceApplicationEntityTitle", "KLINIKUM"),
        *("no_identifiers_in_standard_tags", "file meta (0002,0016)"),
    ),
    "an address in the file meta": (
        put_in_meta("SourcePresentationAddress", "dicom://klinikum"),
        *("no_identifiers_in_standard_tags", "file meta (0002,0026)"),
    ),
    "private in the file meta": (
        private_in_meta_under_safe_private,
        *("no_private_elements", "file meta (0002,0100)"),
    ),
    "graphics": (overlay("G"), "no_identifiers_in_standard_tags", "(6000,3000)"),
    "text of an overlay": (
        lambda ds: [overlay("R")(ds), ds.add_new(0x60001500, "LO", "Somebody")],
        *("no_identifiers_in_standard_tags", "(6000,1500)"),
    ),
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
    caught(verification)


NO_HARM = {
    "a region of interest": overlay("R"),
    "a placeholder for a person": put("RequestingPhysician", "ANONYMIZED"),
    "the pseudonym": put("RequestingPhysician", PSEUDONYM),
}


@pytest.mark.parametrize("change", NO_HARM.values(), ids=NO_HARM.keys())
def test_what_names_nobody_is_no_failure(tmp_path, change):
    assert verify_folder(released(tmp_path, change)[0]).findings == ()


#: What is in the folder besides -> how it is made
BESIDES = {
    "notes.txt": lambda path: path.write_text("Meier was here"),
    "foo.bin": lambda path: path.write_bytes(as_bytes(planted(1))[132:]),
    "linked.dcm": lambda path: path.symlink_to(get_testdata_file("CT_small.dcm")),
    "linked": lambda path: path.symlink_to(Path(get_testdata_file("CT_small.dcm")).parent),
    "reports/notes.txt": lambda path: path.write_text("Meier was here"),
    "reports/inner/batch.html": lambda path: path.write_text("<html>"),
    "reports/batch.html": lambda path: path.symlink_to(__file__),
    f"{PSEUDONYM}/batch.html": lambda path: path.write_text("<html>"),
}


@pytest.mark.parametrize("name, make", BESIDES.items(), ids=BESIDES.keys())
def test_whatever_else_lies_in_the_folder_is_found(tmp_path, name, make):
    out, _ = released(tmp_path)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    make(out / name)
    assert caught(verify_folder(out)) == {(name, "nothing_else_is_there", "UNEXPECTED_FILE", "")}


def test_a_file_whose_name_is_no_text_is_found(tmp_path):
    out, _ = released(tmp_path)
    (out / "no\udcffname").write_text("")
    (found,) = verify_folder(out).findings
    assert found.path == "no\\udcffname" and found.reason == "UNEXPECTED_FILE"


def test_what_a_killed_run_left_is_found_as_such(tmp_path):
    out, _ = released(tmp_path)
    (out / ".unfinished" / "0").mkdir(parents=True)
    (out / ".unfinished" / "0" / "1").write_bytes((out / NAME).read_bytes())
    (out / PSEUDONYM / "00ff.part").write_bytes(b"half of it")
    assert caught(verify_folder(out)) == {
        (name, "nothing_else_is_there", "UNFINISHED_RUN", "") for name in (".unfinished", f"{PSEUDONYM}/00ff.part")
    }


def test_a_file_in_the_reports_that_says_it_is_dicom_is_looked_at(tmp_path):
    out, _ = released(tmp_path)
    (out / "reports").mkdir()
    (out / "reports" / "batch.dcm").write_text("text")
    assert ("reports/batch.dcm", "file_opens", "FILE_UNREADABLE", "") in caught(verify_folder(out))


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


def test_a_folder_named_by_another_patient_is_found(tmp_path):
    out, _ = released(tmp_path)
    (out / PSEUDONYM).rename(out / "P-OTHER")
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


def test_uids_that_the_standard_lists_are_not_searched_for(tmp_path):
    out, mapping = released(tmp_path)
    with (mapping / "uids.csv").open("a") as file:
        file.write("1.2.840.10008.5.1.4.1.1.2,2.25.777\n")  # of a study that had its class's UID
    assert verify_folder(out, mapping).passed


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def changed(name, change):
    """change: (rows with the header) -> None or rows."""

    def tamper(mapping):
        rows = rows_of(mapping / name)
        rows = change(rows) or rows
        write(mapping / name, rows[0], rows[1:])

    return tamper


def put_in(row, column, value):
    return lambda rows: rows[row].__setitem__(column, value)


def in_all(column, value):
    return lambda rows: [rows[0], *([*row[:column], value, *row[column + 1 :]] for row in rows[1:])]


def other_new(old):
    return lambda rows: [[row[0], "2.25.99" if row[0] == old else row[1]] for row in rows]


CONTRADICTED, DOUBLED = "MAPPING_CONTRADICTED", "MAPPING_NOT_ONE_TO_ONE"
TAMPERED = {
    "a patient has two pseudonyms": (changed("mapping.csv", put_in(1, 3, "P-2")), "mapping.csv", DOUBLED),
    "a pseudonym has two patients": (changed("mapping.csv", put_in(1, 2, "0099999")), "mapping.csv", DOUBLED),
    "a pseudonym stands for nobody too": (changed("mapping.csv", put_in(1, 2, "")), "mapping.csv", DOUBLED),
    "another pseudonym": (changed("mapping.csv", in_all(3, "P-2")), NAME, CONTRADICTED),
    "another patient": (changed("mapping.csv", in_all(2, "0099999")), "patients.csv", CONTRADICTED),
    "patients emptied": (changed("patients.csv", lambda rows: rows[:1]), "patients.csv", CONTRADICTED),
    "a patient more": (
        changed("patients.csv", lambda rows: [*rows, ["0099999", "P-2"]]),
        *("patients.csv", CONTRADICTED),
    ),
    "a patient changed": (changed("patients.csv", put_in(1, 1, "P-2")), "patients.csv", CONTRADICTED),
    "UIDs emptied": (changed("uids.csv", lambda rows: rows[:1]), NAME, CONTRADICTED),
    "a study's UID taken out": (changed("uids.csv", lambda rows: [rows[0], *rows[2:]]), NAME, CONTRADICTED),
    "a series' UID changed": (changed("uids.csv", other_new(f"{OLD_ROOT}.1.2")), NAME, CONTRADICTED),
    "an instance's UID changed": (changed("uids.csv", other_new(f"{OLD_ROOT}.1.3.2")), NAME, CONTRADICTED),
    "a reference's UID changed": (changed("uids.csv", other_new(f"{OLD_ROOT}.1.4")), NAME, CONTRADICTED),
}


@pytest.mark.parametrize("tamper, path, reason", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_table_that_was_changed_is_found(tmp_path, tamper, path, reason):
    out, mapping = released(tmp_path)
    tamper(mapping)
    found = {(where, what) for where, check, what, _ in caught(verify_folder(out, mapping)) if "mapping" in check}
    assert (path, reason) in found


def test_the_names_of_very_many_elements_can_be_read(tmp_path):
    out, mapping = released(tmp_path)
    changed("mapping.csv", in_all(4, "; ".join(["PatientName"] * 20_000)))(mapping)
    csv.field_size_limit(131_072)  # csv's own
    assert verify_folder(out, mapping).passed


def test_a_row_with_a_field_too_many_is_no_mapping(tmp_path):
    out, mapping = released(tmp_path)
    with (mapping / "uids.csv").open("a") as file:
        file.write("2.25.7,2.25.8,2.25.9\n")
    with pytest.raises(BadInput, match="MAPPING_UNREADABLE"):
        verify_folder(out, mapping)


@pytest.mark.parametrize("name", ["uids.csv", "patients.csv", "mapping.csv"])
def test_a_mapping_that_is_not_one_to_one_is_found(tmp_path, name):
    out, mapping = released(tmp_path)
    with (mapping / name).open("a") as file:
        file.write(
            f"in/2.dcm,{NAME},{PATIENT_ID},{PSEUDONYM},,\n" if name == "mapping.csv" else "2.25.777,P-1\n2.25.777,P-2\n"
        )
    assert (name, "mapping_is_one_to_one", "MAPPING_NOT_ONE_TO_ONE", "") in caught(verify_folder(out, mapping))


def test_nothing_to_read_is_an_error_with_a_code(tmp_path):
    with pytest.raises(BadInput, match="FOLDER_UNREADABLE"):
        verify_folder(tmp_path / "none")
    out, mapping = released(tmp_path)
    write(mapping / "uids.csv", ("old", "new"), [])
    with pytest.raises(BadInput, match="MAPPING_UNREADABLE"):
        verify_folder(out, mapping)
