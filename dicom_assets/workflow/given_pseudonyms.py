"""The site's own pseudonyms from a CSV file with the columns PatientID and Pseudonym: all of them, or none."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..batches.cohort import Note, read_records, refused_patient_id, refused_pseudonym
from ..deid.pseudonyms import PseudonymKey
from ..errors import BadInput
from ..storage.audit import Event, record
from ..storage.given import read_given, write_given
from ..storage.zones import Zones
from .settled_pseudonyms import settled_pseudonyms, settling

_COLUMNS = ("PatientID", "Pseudonym")
_Pair = tuple[str, str]


@dataclass(frozen=True)
class Imported:
    """new, known: pairs; none is new where any line is refused."""

    new: int
    known: int
    refused: tuple[Note, ...]


def import_pseudonyms(zones: Zones, key: PseudonymKey, path: Path) -> Imported:
    """Raises BadInput: COHORT_UNREADABLE, COHORT_EMPTY, GIVEN_PSEUDONYMS_COLUMNS; as storage.audit.record()."""
    records = read_records(path, _COLUMNS, "GIVEN_PSEUDONYMS_COLUMNS")
    if not {name for _, row in records for name in row} >= set(_COLUMNS):
        raise BadInput("GIVEN_PSEUDONYMS_COLUMNS")
    pairs = {line: (row.get("PatientID", ""), row.get("Pseudonym", "")) for line, row in records}
    refused = [Note(line, code) for line, row in records if (code := _unusable(row))]
    if refused:
        return Imported(0, 0, tuple(refused))
    with settling(zones):
        refused = list(_conflicts(pairs, settled_pseudonyms(zones, key)))
        if refused:
            return Imported(0, 0, tuple(refused))
        before = read_given(zones, "import")
        given = before | dict(pairs.values())
        new = len(given) - len(before)
        if new:
            record(zones, Event.MAPPING_IMPORT, f"{new} pseudonyms that the site gives")
            write_given(zones, given)
    return Imported(new, len(set(pairs.values())) - new, ())


def _unusable(row: dict[str, str]) -> str:
    """The code of why the line is of no use by itself."""
    if "" in row or not (row.get("PatientID") and row.get("Pseudonym")):
        return "ROW_MALFORMED"
    return refused_patient_id(row["PatientID"]) or refused_pseudonym(row["Pseudonym"])


def _conflicts(pairs: dict[int, _Pair], settled: dict[str, str]) -> Iterable[Note]:
    """Lines that give a patient a second pseudonym, or a pseudonym a second patient, or use a patient's ID as one. Two
    that differ in case alone would be one folder on many file systems."""
    pseudonyms, patients = defaultdict(set), defaultdict(set)
    for patient, pseudonym in {*pairs.values(), *settled.items()}:
        pseudonyms[patient].add(pseudonym)
        patients[pseudonym.casefold()].add(patient)
    for line, (patient, pseudonym) in pairs.items():
        if len(pseudonyms[patient]) > 1 or len(patients[pseudonym.casefold()]) > 1:
            yield Note(line, "ROW_PSEUDONYM_CONFLICT")
        elif pseudonym in pseudonyms:
            yield Note(line, "ROW_PSEUDONYM_IS_PATIENT_ID")
