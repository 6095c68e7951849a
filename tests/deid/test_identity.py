"""Whatever way a value of the patient is written in an output, the last gate finds it; what only looks so passes."""

import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_charset_files

from dicom_assets.deid.dictionary import tag_of
from dicom_assets.deid.identity import IDENTIFYING, IDENTIFYING_VRS, Identity, identity_of

VRS = {"PatientName": "PN", "ReferringPhysicianName": "PN", "PatientBirthDate": "DA", "StudyDate": "DA"}
VALUES = {
    "PatientName": "Vandermolen^Isidora",
    "PatientID": "0012345",
    "PatientBirthDate": "19610823",
    "ReferringPhysicianName": "Brown^May",
    "AccessionNumber": "ACC-778812",
    "StudyDate": "20240117",
    "PatientAddress": "Quellgasse 14^98765 Nirgendheim",
    "InstitutionName": "Klinikum Nirgendheim",
    "PatientTelephoneNumbers": "+49 999 7654321",
    "StudyID": "7",
}


def identity(codecs=(), extra=(), **changes: str) -> Identity:
    values = {**VALUES, **changes}
    return identity_of([(tag_of(k), VRS.get(k, "LO"), v) for k, v in values.items()], extra, codecs)


FOUND = {
    "whole name": "Isidora Vandermolen",
    "a part": "seen VANDERMOLEN today",
    "inside a word": "xvandermolen2",
    "ordinary parts as a whole": "May  Brown, MD",
    "the other way round": "BROWN^MAY",
    "with underscores": "brown_may",
    "joined": "MayBrown",
    "ID": "MRN:0012345",
    "ID without zeros": "no. 12345.",
    "ID next to letters": "PAT0012345x",
    "accession": "acc 778812",
    "accession joined": "ACC778812",
    "address": "98765 nirgendheim",
    "institution": "KLINIKUM NIRGENDHEIM",
    "telephone": "499997654321",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND.keys())
def test_a_value_is_found_however_it_is_written(text):
    assert identity().found_in(text.encode(), "LO")


DATES = """19610823 1961-08-23 1961/08/23 1961.08.23 23.08.1961 23.8.1961 08/23/1961 8/23/1961 23/08/1961 23-08-1961
23.08.61 08/23/61 61-08-23 23081961 19610823101500 DOB19610823T10 23-Aug-61 23aug1961 AUG-23-1961"""


@pytest.mark.parametrize(
    "text",
    [
        *DATES.split(),
        "23 August 1961",
        "August 23, 1961",
        "23-AUG-1961",
        "Aug 23rd 1961",
        "Aug 23, 61",
        "23. août 1961",
        "23 de agosto de 1961",
        "1961 Aug 23",
    ],
)
def test_a_date_is_found_however_it_is_written(text):
    assert identity().found_in(f"on {text} at".encode(), "LO")


HARMLESS = {
    "ordinary part": "a brown stain in may",
    "short part of a word": "isidor",
    "digits in a UID": "2.25.19610823.12345",
    "digits in a longer number": "9912345",
    "digits before a decimal point": "12345.5",
    "year alone": "1961",
    "another date": "24.08.1961",
    "short ID in a text": "7 slices",
    "short ID of a step": "7",
    "versions": "syngo MR 2004V 4VB11D",
    "numbers": r"23\8\1961",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_only_looks_like_it_passes(text):
    assert not identity().found_in(text.encode(), "LO")


def test_dates_and_short_numbers_count_in_texts_only():
    for vr, value in {"DA": b"19610823", "IS": b"12345 ", "DS": b"12345", "TM": b"12345", "UI": b"1.2.12345"}.items():
        assert not identity().found_in(value, vr), vr
    assert identity(PatientID="12345678").found_in(b"12345678", "IS")


def test_a_short_id_counts_as_a_whole_value_of_a_text_only():
    someone = identity(PatientID="A12")
    assert someone.found_in(b"A12 ", "SH") and someone.found_in(b"a12", "LO")
    assert not someone.found_in(b"level A12 left", "LO") and not someone.found_in(b"A12", "CS")


@pytest.mark.parametrize(
    "name", ["Anonymous^Patient", "UNKNOWN", "NONE", "Test^Demo", "^", "", "Dr^", "X^Y", "CT^HEAD"]
)
def test_placeholders_are_nobody(name):
    someone = identity_of([(0x00100010, "PN", name), (0x00100020, "LO", "NOID"), (0x00100030, "DA", "19000101")])
    for text in (name, "anonymous patient", "unknown", "noid", "19000101", "CT Head", "Dr"):
        assert not someone.found_in(text.encode(), "LO")


def test_manufacturers_eponyms_and_anatomy_are_no_names_alone():
    someone = identity(PatientName="Siemens^Chest", ReferringPhysicianName="Hodgkin^May")
    for text in ("SIEMENS", "CHEST AP", "Hodgkin lymphoma", "may"):
        assert not someone.found_in(text.encode(), "LO")
    assert someone.found_in(b"Hodgkin, May", "LO")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("name", ["Vandermolen", "Müllenbrück"])
@pytest.mark.parametrize("vr", ["OB", "LT"])
def test_a_name_is_found_in_bytes_of_any_encoding(name, codec, vr):
    value = b"\x01\x02" + name.encode(codec) + b"\x03\x04"
    assert identity(PatientName=f"{name}^Isidora").found_in(value, vr)


def test_accents_and_umlauts_are_found_as_they_are_spelt():
    someone = identity(PatientName="Müller^Jürgen")
    for text in ("Muller", "MUELLER", "müller", "MÜLLER", "Juergen"):
        assert someone.found_in(text.encode("latin-1"), "LO") and someone.found_in(text.encode(), "LO"), text
    assert identity(PatientName="Muller^Isidora").found_in("Müller".encode(), "LO")


def test_names_of_other_scripts_are_found_in_their_character_set():
    someone = identity(["iso2022_jp"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    for text in ("山田太郎", "山田 太郎", "やまだ^たろう", "YAMADA"):
        for codec in ("utf-8", "iso2022_jp"):
            assert someone.found_in(f"for {text}".encode(codec), "LO"), text


@pytest.mark.parametrize("path", get_charset_files("chr*.dcm"), ids=lambda path: Path(path).stem)
def test_names_are_found_as_they_stand_in_a_file(path):
    ds = dcmread(path)
    ds = ds if "PatientName" in ds else ds.RequestedProcedureCodeSequence[0]
    charset = ds.original_character_set
    codecs = [charset] if isinstance(charset, str) else charset
    someone = identity_of([(0x00100010, "PN", str(ds.PatientName))], codecs=codecs)
    assert someone.found_in(bytes(ds.PatientName.original_string), "LO")


def test_glued_names_are_found():
    someone = identity(PatientName="Smithe^Jo")
    for text in ("SmitheKnee", "kneeSmithe", "t1_smithe_sag", "SMITHE01", "01Smithe", "Smithe's"):
        assert someone.found_in(text.encode(), "LO"), text
    assert not someone.found_in(b"blacksmithery", "LO")


def test_more_values_of_the_cohort_count():
    someone = identity(extra=["COHORT-77", "Quillfeather^Ottoline"])
    assert someone.found_in(b"cohort 77", "LO") and someone.found_in(b"of Ottoline", "LO")


def test_what_does_not_identify_is_passed_over():
    assert identity_of([(0x0008103E, "LO", "Vandermolen")]) == Identity()
    assert tag_of("PatientID") in IDENTIFYING and "PN" in IDENTIFYING_VRS
    assert not Identity().found_in(b"anything 19610823", "LT")


def test_equal_values_make_equal_identities():
    assert identity() == identity() and hash(identity()) == hash(identity())


def test_it_is_quick():
    someone = identity()
    someone.found_in(b"SIEMENS", "LO")
    start = time.perf_counter()
    for _ in range(2000):
        someone.found_in(b"ORIGINAL\\PRIMARY\\AXIAL", "CS")
    assert time.perf_counter() - start < 2000 * 20e-6
