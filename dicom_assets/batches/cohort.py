"""A cohort CSV becomes request rows. Everything is text; what cannot be meant is refused row by row, never guessed."""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ..errors import BadInput
from .request import RequestRow

#: Columns of the file -> fields of a row
COLUMNS = {
    "PatientID": "patient_id",
    "AccessionNumber": "accession_number",
    "StudyInstanceUID": "study_instance_uid",
    "StudyDateFrom": "study_date_from",
    "StudyDateTo": "study_date_to",
    "ModalitiesInStudy": "modalities",
    "Pseudonym": "pseudonym",
}
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MODALITY = re.compile(r"[A-Z0-9]{1,16}")
_WILDCARDS = "*?\\"  #: PS3.4 C.2.2.2.4, and what separates values
_LONGEST_ID = 64  #: characters of an LO
_LARGEST = 64 << 20  #: bytes of a cohort file


@dataclass(frozen=True)
class Note:
    """Said to the operator: line of the file (the header is line 1), reason code."""

    line: int
    code: str


@dataclass(frozen=True)
class Cohort:
    rows: tuple[RequestRow, ...]
    refused: tuple[Note, ...]
    merged: tuple[Note, ...]


def read_cohort(path: Path) -> Cohort:
    """Raises BadInput where the file as a whole is of no use."""
    records = read_records(path, tuple(COLUMNS), "COHORT_COLUMNS")
    rows: dict[str, tuple[int, RequestRow]] = {}
    refused, merged = [], []
    for line, record in records:
        row, code = _row(record)
        if row is None:
            refused.append(Note(line, code))
        elif row.canonical in rows:
            earlier_line, earlier = rows[row.canonical]
            if earlier.pseudonym and row.pseudonym and earlier.pseudonym != row.pseudonym:
                refused.append(Note(line, "ROW_PSEUDONYM_CONFLICT"))
                continue
            merged.append(Note(line, "ROW_DUPLICATE"))
            rows[row.canonical] = (earlier_line, replace(earlier, pseudonym=earlier.pseudonym or row.pseudonym))
        else:
            rows[row.canonical] = (line, row)
    conflicts = _pseudonym_conflicts(rows.values())
    refused += [Note(line, conflicts[row.canonical]) for line, row in rows.values() if row.canonical in conflicts]
    kept = tuple(row for _, row in rows.values() if row.canonical not in conflicts)
    return Cohort(kept, tuple(sorted(refused, key=lambda note: note.line)), tuple(merged))


def read_records(path: Path, columns: Collection[str], other_columns: str) -> list[tuple[int, dict[str, str]]]:
    """(line, column -> text), blank lines left out; a line with too many fields has the column "". other_columns: code
    of the error where the header names others than these. Raises BadInput."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput("COHORT_UNREADABLE")
        text = path.read_bytes().decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except (OSError, ValueError, csv.Error):
        raise BadInput("COHORT_UNREADABLE") from None
    if not lines:
        raise BadInput("COHORT_EMPTY")
    header = [name.strip() for name in lines[0][1]]
    if not header or not set(header) <= set(columns) or len(set(header)) != len(header):
        raise BadInput(other_columns)
    if len(lines) == 1:
        raise BadInput("COHORT_EMPTY")
    return [(line, _record(header, fields)) for line, fields in lines[1:]]


def _record(header: list[str], fields: list[str]) -> dict[str, str]:
    if len(fields) > len(header) and any(field.strip() for field in fields[len(header) :]):
        return {"": "too many fields"}
    return {name: field.strip() for name, field in zip(header, fields, strict=False)}


def _row(record: dict[str, str]) -> tuple[RequestRow | None, str]:
    """The row, or None and the code of why not."""
    if "" in record:
        return None, "ROW_MALFORMED"
    given = {COLUMNS[name]: value for name, value in record.items() if value}
    identifiers = [given.get(name, "") for name in ("patient_id", "accession_number", "study_instance_uid")]
    if any(mark in value for value in identifiers for mark in _WILDCARDS):
        return None, "ROW_WILDCARD"
    if not all(value.isprintable() for value in given.values()):
        return None, "ROW_MALFORMED"
    uid = given.get("study_instance_uid", "")
    if uid and (not _UID.fullmatch(uid) or len(uid) > 64):
        return None, "ROW_UID_MALFORMED"
    if len(given.get("patient_id", "")) > _LONGEST_ID or len(given.get("accession_number", "")) > 16:
        return None, "ROW_IDENTIFIER_TOO_LONG"
    dates = [parse_date(given.get(name, "")) for name in ("study_date_from", "study_date_to")]
    if None in dates or (all(dates) and dates[0] > dates[1]):
        return None, "ROW_DATE_AMBIGUOUS"
    modalities = (
        tuple(sorted(set(re.split(r"[\\/,;\s]+", given["modalities"].upper())))) if "modalities" in given else ()
    )
    if not all(_MODALITY.fullmatch(modality) for modality in modalities):
        return None, "ROW_MALFORMED"
    if "pseudonym" in given and (code := refused_pseudonym(given["pseudonym"])):
        return None, code
    if not any(identifiers) and not any(dates):
        return None, "ROW_TOO_WIDE"
    given |= {"study_date_from": dates[0], "study_date_to": dates[1], "modalities": modalities}
    return RequestRow(**given), ""


def refused_pseudonym(pseudonym: str) -> str:
    """The code of why it is of no use; empty where it can be used. It names a folder."""
    is_usable = _PSEUDONYM.fullmatch(pseudonym) and pseudonym.lower() != "reports"  # a folder of its own
    return "" if is_usable else "ROW_PSEUDONYM_MALFORMED"


def refused_patient_id(patient_id: str) -> str:
    """As refused_pseudonym()."""
    if any(mark in patient_id for mark in _WILDCARDS):
        return "ROW_WILDCARD"
    if not patient_id.isprintable():
        return "ROW_MALFORMED"
    return "ROW_IDENTIFIER_TOO_LONG" if len(patient_id) > _LONGEST_ID else ""


def parse_date(text: str) -> str | None:
    """YYYYMMDD of `YYYYMMDD` or `YYYY-MM-DD`; the empty string of an empty one; None of all that could be misread."""
    if not text:
        return ""
    match = _DATE.fullmatch(text)
    if not match:
        return None
    try:
        return date(*map(int, match.groups())).strftime("%Y%m%d")
    except ValueError:
        return None


def _pseudonym_conflicts(rows: Iterable[tuple[int, RequestRow]]) -> dict[str, str]:
    """Code by row (canonical), of patients with two pseudonyms, of pseudonyms with two patients, and of pseudonyms that
    are a patient's ID. Two that differ in case alone would be one folder on many file systems."""
    given = [row for _, row in rows if row.pseudonym]
    named = [row for row in given if row.patient_id]
    pairs = {(row.patient_id, row.pseudonym.casefold()) for row in named}
    patients, pseudonyms = (Counter(column) for column in zip(*pairs, strict=True)) if pairs else (Counter(), Counter())
    ids = {row.patient_id for _, row in rows}
    conflicts = {row.canonical: "ROW_PSEUDONYM_IS_PATIENT_ID" for row in given if row.pseudonym in ids}
    return conflicts | {
        row.canonical: "ROW_PSEUDONYM_CONFLICT"
        for row in named
        if patients[row.patient_id] > 1 or pseudonyms[row.pseudonym.casefold()] > 1
    }
