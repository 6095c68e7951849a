from pathlib import Path

import pytest

from dicom_assets.batches.cohort import read_cohort
from dicom_assets.errors import BadInput


def cohort_of(tmp_path: Path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "cohort.csv"
    path.write_bytes(text.encode(encoding))
    return read_cohort(path)


def test_everything_is_text_and_leading_zeros_stay(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "PatientID,AccessionNumber\n0012345,000077\n")
    assert (cohort.rows[0].patient_id, cohort.rows[0].accession_number) == ("0012345", "000077")


def test_a_byte_order_mark_semicolons_and_quotes_are_read(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, 'PatientID;ModalitiesInStudy\n"a;1";CT/PT\n', "utf-8-sig")
    assert (cohort.rows[0].patient_id, cohort.rows[0].modalities) == ("a;1", ("CT", "PT"))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("00*,,,,,,", "ROW_WILDCARD"),
        ("0?1,,,,,,", "ROW_WILDCARD"),
        (",,,,,CT,", "ROW_TOO_WIDE"),
        (",,1.2.x,,,,", "ROW_UID_MALFORMED"),
        ("1,,,03/04/2024,,,", "ROW_DATE_AMBIGUOUS"),
        ("1,,,20240230,,,", "ROW_DATE_AMBIGUOUS"),
        ("1,,,20240302,20240301,,", "ROW_DATE_AMBIGUOUS"),
        ("1,,,,,,../up", "ROW_PSEUDONYM_MALFORMED"),
        ("1,,,,,,,surplus", "ROW_MALFORMED"),
        (",12345678901234567,,,,,", "ROW_IDENTIFIER_TOO_LONG"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_and_the_others_stay(tmp_path: Path, row: str, code: str) -> None:
    header = "PatientID,AccessionNumber,StudyInstanceUID,StudyDateFrom,StudyDateTo,ModalitiesInStudy,Pseudonym"
    cohort = cohort_of(tmp_path, f"{header}\n{row}\n0012345,,,,,,\n")
    assert [(note.line, note.code) for note in cohort.refused] == [(2, code)]
    assert [row.patient_id for row in cohort.rows] == ["0012345"]


def test_duplicates_are_merged_and_said(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "PatientID\n1\n2\n1\n")
    assert [row.patient_id for row in cohort.rows] == ["1", "2"]
    assert [(note.line, note.code) for note in cohort.merged] == [(4, "ROW_DUPLICATE")]


@pytest.mark.parametrize("rows", ["1,A\n2,A\n", "1,A\n1,B\n"])
def test_pseudonyms_that_contradict_are_refused(tmp_path: Path, rows: str) -> None:
    cohort = cohort_of(tmp_path, f"PatientID,Pseudonym\n{rows}3,C\n")
    assert {note.code for note in cohort.refused} == {"ROW_PSEUDONYM_CONFLICT"}
    assert "3" in {row.patient_id for row in cohort.rows}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "COHORT_EMPTY"),
        ("PatientID\n", "COHORT_EMPTY"),
        ("Name\nx\n", "COHORT_COLUMNS"),
        ("PatientID,PatientID\n1,2\n", "COHORT_COLUMNS"),
        ('PatientID\n"1\n', "COHORT_UNREADABLE"),
    ],
)
def test_a_file_of_no_use_is_refused_whole(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        cohort_of(tmp_path, text)
    assert caught.value.code == code


def test_a_file_that_is_not_there_or_not_utf8_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="COHORT_UNREADABLE"):
        read_cohort(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="COHORT_UNREADABLE"):
        cohort_of(tmp_path, "PatientID\nMüller\n", "latin-1")
