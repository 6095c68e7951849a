"""What `deidentify --mapping` wrote, for `dicom-assets verify`: whether its tables agree with each other and with the
files, and which original values may stand in no file.

What no table and no file contradicts cannot be found here: an Original Patient ID that was changed in mapping.csv and
in patients.csv alike, or a row of uids.csv that nothing refers to (earlier runs, and files that were quarantined beside
their duplicates, leave such rows).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..deid.dictionary import is_well_known_uid, name_of
from ..deid.residual import Identifiers, Piece
from ..errors import BadInput
from .folder_tables import read_table
from .instance_checks import Problem

Contradiction = tuple[str, str]  #: a file of the folder or a table, reason code

#: UID of a content item, which is kept or replaced by the item's concept, not by its tag.
_CONTENT_UID = 0x0040A124


@dataclass
class Mapping:
    """renewed: Anonymized Filename -> names of the elements whose UIDs were replaced. new_uids: what replaced them.
    contradictions: of the tables among themselves."""

    identifiers: Identifiers = field(default_factory=Identifiers)
    renewed: dict[str, frozenset[str]] = field(default_factory=dict)
    new_uids: set[str] = field(default_factory=set)
    contradictions: list[Contradiction] = field(default_factory=list)


def read_mapping(folder: Path) -> Mapping:
    """Raises BadInput("MAPPING_UNREADABLE"). Not searched for: old values that the profile kept (old equals new), and
    UIDs that the standard lists."""
    mapping = Mapping()
    mapped = _read_files(mapping, folder)
    patients = _read_pairs(mapping, folder, "patients.csv")
    if patients != {pair for pair in mapped if pair[0]}:
        mapping.contradictions.append(("patients.csv", "MAPPING_CONTRADICTED"))
    for old, new in mapped | patients:
        if old != new:
            _add_long(mapping.identifiers, old)
    uids = _read_pairs(mapping, folder, "uids.csv")
    mapping.new_uids = {new for _, new in uids}
    mapping.identifiers.uids |= {old for old, new in uids if old != new and not is_well_known_uid(old)}
    return mapping


def _rows(folder: Path, name: str) -> Iterator[list[str]]:
    if not (folder / name).is_file():
        raise BadInput("MAPPING_UNREADABLE")
    return read_table(folder, name)


def _read_files(mapping: Mapping, folder: Path) -> set[tuple[str, str]]:
    """(Original Patient ID, Anonymized ID) of all rows. Two rows of one output are right where identical inputs share
    it, two of one original's name where runs over several folders share the mapping."""
    files: set[tuple[str, str]] = set()
    pairs: set[tuple[str, str]] = set()
    repeated = False
    for original, output, patient_id, pseudonym, _tags, renewed in _rows(folder, "mapping.csv"):
        repeated |= (original, output) in files
        files.add((original, output))
        pairs.add((patient_id, pseudonym))
        mapping.renewed[output] = mapping.renewed.get(output, frozenset()) | _names(renewed)
        if output.partition("/")[0] != pseudonym:
            mapping.contradictions.append((output, "MAPPING_CONTRADICTED"))
    if repeated or not _is_one_to_one(pairs):
        mapping.contradictions.append(("mapping.csv", "MAPPING_NOT_ONE_TO_ONE"))
    return pairs


def _read_pairs(mapping: Mapping, folder: Path, name: str) -> set[tuple[str, str]]:
    pairs = {(old, new) for old, new in _rows(folder, name)}
    if not _is_one_to_one(pairs):
        mapping.contradictions.append((name, "MAPPING_NOT_ONE_TO_ONE"))
    return pairs


def _is_one_to_one(pairs: Iterable[tuple[str, str]]) -> bool:
    """A patient without an ID is not told from another such, and has a pseudonym of each study's."""
    new_of, old_of = defaultdict(set), defaultdict(set)
    for old, new in pairs:
        old_of[new].add(old)
        if old:
            new_of[old].add(new)
    return all(len(values) == 1 for values in (*new_of.values(), *old_of.values()))


@lru_cache(1000)
def _names(text: str) -> frozenset[str]:
    return frozenset(text.split("; "))


def _add_long(identifiers: Identifiers, value: str) -> None:
    """Not IDs that are found by chance: of the whole folder's patients, some `12` stands in every file."""
    identifiers.add_id(value)
    identifiers.whole_values.clear()


def unmapped_uids(name: str, pieces: Iterable[Piece], mapping: Mapping) -> Iterator[Problem]:
    """UIDs of a file that stand where its row says that they were replaced, and that replaced none of uids.csv."""
    renewed = mapping.renewed.get(name, frozenset())
    for piece in pieces:
        if piece.vr != "UI" or piece.zone or piece.tag == _CONTENT_UID or name_of(piece.tag) not in renewed:
            continue
        uids = {uid.strip("\0 ") for uid in piece.value.decode("latin-1").split("\\")} - mapping.new_uids - {""}
        if not all(map(is_well_known_uid, uids)):
            yield "MAPPING_CONTRADICTED", piece.place


def unmatched_files(mapping: Mapping, seen: set[str]) -> Iterator[Contradiction]:
    """Files without a row, rows without a file."""
    for name in seen - mapping.renewed.keys():
        yield name, "FILE_NOT_IN_MAPPING"
    for name in mapping.renewed.keys() - seen:
        yield name, "MAPPED_FILE_MISSING"
