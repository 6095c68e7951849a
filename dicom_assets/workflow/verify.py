"""The independent checks on a folder of de-identified files, for `dicom-assets verify`: without the originals, and
with the mapping where there is one. Reads, and writes nothing."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import FileDataset

from ..deid.residual import Identifiers, Piece, find_in_pieces, find_in_text, pieces_of
from ..errors import BadInput, from_os_error
from . import instance_checks as checks
from .pixel_identity import NotDecodable, frames_of, pixel_keyword
from .verdict import CHECKS

#: As in the report, with what can be said without originals.
VERIFY_CHECKS = {
    **CHECKS,
    "pixels_are_intact": "Every image can be decoded, frame by frame, to the size that its header says.",
    "uids_are_consistent": "Every SOP Instance UID is unique, agrees with file name, folders and file meta, and each "
    "patient's, study's and series' folder holds that one only.",
    "mapping_is_one_to_one": "Each file has its row in mapping.csv and each row its file; one original ID or UID has "
    "one new one, and the other way round.",
}
_MAPPING_COLUMNS = ("Original Filename", "Anonymized Filename", "Original Patient ID", "Anonymized ID")
_PATIENT, _STUDY, _SERIES, _INSTANCE = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
_SAFE_PRIVATE = b"113111"  # CID 7050: Retain Safe Private Option
_REPORTS = "reports"


@dataclass(frozen=True)
class FileFinding:
    """path: relative to the folder, with `/`; pseudonymous, as the folder is."""

    path: str
    check: str
    reason: str
    place: str


@dataclass(frozen=True)
class Verification:
    files: int
    passed: bool
    checks: tuple[tuple[str, int], ...]  #: (check, number of files that failed it), every check that was made
    findings: tuple[FileFinding, ...]


@dataclass
class Mapping:
    """What deidentify --mapping wrote. rows: Anonymized Filename -> how many rows name it."""

    identifiers: Identifiers = field(default_factory=Identifiers)
    rows: Counter = field(default_factory=Counter)
    problems: list[FileFinding] = field(default_factory=list)


def verify_folder(folder: Path, mapping: Path | None = None) -> Verification:
    """Every *.dcm below folder, and every other DICOM file; links are not followed.

    Raises BadInput("FOLDER_UNREADABLE"), BadInput("MAPPING_UNREADABLE")."""
    if not folder.is_dir():
        raise BadInput("FOLDER_UNREADABLE")
    known = read_mapping(mapping) if mapping is not None else None
    findings: list[FileFinding] = []
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    instances: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for path, encoded in _files(folder):
        name = path.relative_to(folder).as_posix()
        seen.add(name)
        pieces = pieces_of(encoded)
        findings += [FileFinding(name, *problem) for problem in _problems(name, encoded, pieces, known)]
        instances[checks.value_at_top(pieces, _INSTANCE)].append(name)
        for held, value in _held_by_folders(name, pieces):
            places[held].add(value)
    findings += _repeated(instances) + _mixed_folders(places)
    if known is not None:
        findings += known.problems + _unmapped(known, seen)
    made = [check for check in VERIFY_CHECKS if known is not None or check != "mapping_is_one_to_one"]
    failed = {check: len({f.path for f in findings if f.check == check}) for check in made}
    ordered = sorted(set(findings), key=lambda f: (f.path, f.check, f.reason, f.place))
    return Verification(len(seen), not findings, tuple(failed.items()), tuple(ordered))


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                start = file.read(132)
                is_dicom = start[128:] == b"DICM"
                report = path.relative_to(folder).parts[0] == _REPORTS
                if is_dicom or (path.suffix.lower() == ".dcm" and not report):
                    yield path, start + file.read()
        except OSError as error:
            raise from_os_error(error) from None


def _problems(name: str, encoded: bytes, pieces: list[Piece], known: Mapping | None) -> Iterator[tuple[str, str, str]]:
    dataset = checks.read_file(encoded)
    if dataset is None:
        yield "file_opens", "FILE_UNREADABLE", ""
        return
    for reason, place in (*checks.unparsed(pieces), *checks.identity_flag(pieces, frozenset())):
        yield "file_opens", reason, place
    if any(encoded[:128]):
        yield "no_residual_identifiers", "PREAMBLE_NOT_EMPTY", "preamble"
    for reason, place in () if checks.says_option(pieces, _SAFE_PRIVATE) else checks.private_elements(pieces):
        yield "no_private_elements", reason, place
    for reason, place in _standard_tags(name, pieces):
        yield "no_identifiers_in_standard_tags", reason, place
    for reason, place in (*checks.meta_out_of_step(pieces), *_name_out_of_step(name, pieces)):
        yield "uids_are_consistent", reason, place
    if pixel_keyword(dataset) and not _decodes(dataset):
        yield "pixels_are_intact", "PIXELS_NOT_DECODABLE_HERE", ""
    if known is not None:
        for hit in find_in_pieces(pieces, known.identifiers, frozenset()):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"{hit.place} ({hit.kind})"
        for kind in find_in_text(name, known.identifiers):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"file name ({kind})"


def _standard_tags(name: str, pieces: list[Piece]) -> Iterator[checks.Problem]:
    """Without originals only what a de-identified file has no use for: direct identifiers that are neither empty, nor a
    placeholder, nor the pseudonym. Dates, sex and the like may be there by the profile's will."""
    pseudonyms = {checks.value_at_top(pieces, _PATIENT), name.split("/")[0]}
    for piece in pieces:
        if piece.tag in checks.DIRECT_TAGS and not piece.zone:
            value = piece.value.strip(b"\0 ^")
            if not checks.is_dummy(value) and value.decode("latin-1") not in pseudonyms:
                yield "STANDARD_TAG_NOT_CLEANED", piece.place


def _name_out_of_step(name: str, pieces: list[Piece]) -> Iterator[checks.Problem]:
    """Where a file or its folders are named by UIDs, they must be the UIDs inside."""
    parts = name.removesuffix(".dcm").split("/")[-3:]
    for part, tag in zip(reversed(parts), (_INSTANCE, _SERIES, _STUDY), strict=False):
        if part != checks.value_at_top(pieces, tag):
            yield "NAME_INCONSISTENT", "file name"
            return


def _decodes(dataset: FileDataset) -> bool:
    try:
        return sum(1 for _ in frames_of(dataset)) == checks.number(dataset, "NumberOfFrames", 1)
    except NotDecodable:
        return False


def _held_by_folders(name: str, pieces: list[Piece]) -> Iterator[tuple[tuple[str, str], str]]:
    """((folder, level), UID or pseudonym inside) and ((value, level), folder): each must be one for the other."""
    folders = name.split("/")[:-1]
    for depth, (level, tag) in enumerate((("patient", _PATIENT), ("study", _STUDY), ("series", _SERIES)), 1):
        if len(folders) == 3:
            path, value = "/".join(folders[:depth]), checks.value_at_top(pieces, tag)
            yield (path, f"{level} of folder"), value
            yield (value, f"folder of {level}"), path


def _mixed_folders(places: dict[tuple[str, str], set[str]]) -> list[FileFinding]:
    mixed = []
    for (held, what), values in places.items():
        if len(values) > 1:
            paths = {held} if what.endswith("of folder") else values
            mixed += [FileFinding(path, "uids_are_consistent", "UID_INCONSISTENT", "folder") for path in paths]
    return mixed


def _repeated(instances: dict[str, list[str]]) -> list[FileFinding]:
    return [
        FileFinding(name, "uids_are_consistent", "UID_NOT_UNIQUE", "(0008,0018)")
        for uid, names in instances.items()
        if uid and len(names) > 1
        for name in names
    ]


def read_mapping(folder: Path) -> Mapping:
    """Raises BadInput("MAPPING_UNREADABLE"). Old values that the profile kept (old equals new) are not searched for."""
    mapping = Mapping()
    originals: Counter = Counter()
    for row in _rows(folder / "mapping.csv", _MAPPING_COLUMNS):
        mapping.rows[row["Anonymized Filename"]] += 1
        originals[row["Original Filename"]] += 1
        if row["Original Patient ID"] != row["Anonymized ID"]:
            _add_long(mapping.identifiers, row["Original Patient ID"])
    if max(originals.values(), default=0) > 1:
        mapping.problems.append(_mapping_problem("mapping.csv"))
    for name in ("uids.csv", "patients.csv"):
        new_of, old_of = defaultdict(set), defaultdict(set)
        for row in _rows(folder / name, ("id_old", "id_new")):
            old, new = row["id_old"], row["id_new"]
            new_of[old].add(new), old_of[new].add(old)
            if old == new:
                continue
            if name == "uids.csv":
                mapping.identifiers.uids.add(old)
            else:
                _add_long(mapping.identifiers, old)
        if any(len(values) > 1 for values in (*new_of.values(), *old_of.values())):
            mapping.problems.append(_mapping_problem(name))
    return mapping


def _add_long(identifiers: Identifiers, value: str) -> None:
    """Not IDs that are found by chance: of the whole folder's patients, some `12` stands in every file."""
    identifiers.add_id(value)
    identifiers.whole_values.clear()


def _mapping_problem(name: str) -> FileFinding:
    return FileFinding(name, "mapping_is_one_to_one", "MAPPING_NOT_ONE_TO_ONE", "")


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(columns) <= set(reader.fieldnames or ()):
                raise BadInput("MAPPING_UNREADABLE")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise BadInput("MAPPING_UNREADABLE") from None
    if any(row[column] is None for row in rows for column in columns):
        raise BadInput("MAPPING_UNREADABLE")
    return rows


def _unmapped(known: Mapping, seen: set[str]) -> list[FileFinding]:
    """Two rows of one file are right where identical inputs share an output."""
    check = "mapping_is_one_to_one"
    missing = [FileFinding(name, check, "FILE_NOT_IN_MAPPING", "") for name in seen - known.rows.keys()]
    return missing + [FileFinding(name, check, "MAPPED_FILE_MISSING", "") for name in known.rows.keys() - seen]
