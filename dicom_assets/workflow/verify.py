"""The independent checks on a folder of de-identified files, for `dicom-assets verify`: without the originals, and
with the mapping where there is one. Reads, and writes nothing."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset

from ..deid.residual import Piece, find_in_pieces, find_in_text, pieces_of
from ..errors import BadInput, from_os_error
from ..storage.atomic import UNFINISHED as UNFINISHED_FILE
from . import instance_checks as checks
from .pixel_identity import NotDecodable, frames_of, pixel_keyword
from .verdict import CHECKS
from .verify_mapping import Mapping, read_mapping, unmapped_uids, unmatched_files
from .working_folder import UNFINISHED as UNFINISHED_FOLDER

#: As in the report, with what can be said without originals.
VERIFY_CHECKS = {
    **CHECKS,
    "no_identifiers_in_standard_tags": "Names of persons, the other elements that identify by definition, drawn "
    "overlays, and what the file meta does not need (AE titles, addresses) are absent, empty or replaced.",
    "pixels_are_intact": "Every image can be decoded, frame by frame, to the size that its header says.",
    "uids_are_consistent": "Every SOP Instance UID is unique, agrees with file name, folders and file meta, and each "
    "patient's, study's and series' folder holds that one only.",
    "mapping_is_one_to_one": "Each file has its row in mapping.csv and each row its file; one original ID or UID has "
    "one new one, and the other way round; the tables and the files say the same.",
    "nothing_else_is_there": "The folder holds DICOM files and the reports of a released root: no link, no file of "
    "another kind, nothing that a run has not finished.",
}
_PATIENT, _STUDY, _SERIES, _INSTANCE = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
_SAFE_PRIVATE = b"113111"  # CID 7050: Retain Safe Private Option
_REPORTS, _REPORT_SUFFIXES = "reports", (".html", ".json", ".parquet")


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


def verify_folder(folder: Path, mapping: Path | None = None) -> Verification:
    """Every *.dcm below folder, and every other file with a DICOM preamble; what else is there is a finding. Links are
    not followed.

    Raises BadInput("FOLDER_UNREADABLE"), BadInput("MAPPING_UNREADABLE")."""
    if not folder.is_dir():
        raise BadInput("FOLDER_UNREADABLE")
    known = read_mapping(mapping) if mapping is not None else None
    findings: list[FileFinding] = []
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    instances: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for path in _all_but_folders(folder):
        name = _shown(path.relative_to(folder))
        encoded = _dicom_in(path)
        if encoded is None:
            if reason := _reason_against(path, name):
                findings.append(FileFinding(name, "nothing_else_is_there", reason, ""))
            continue
        seen.add(name)
        pieces = pieces_of(encoded)
        findings += [FileFinding(name, *problem) for problem in _problems(name, encoded, pieces, known)]
        instances[checks.value_at_top(pieces, _INSTANCE)].append(name)
        for held, value in _held_by_folders(name, pieces):
            places[held].add(value)
    findings += _repeated(instances) + _mixed_folders(places)
    if known is not None:
        contradictions = (*known.contradictions, *unmatched_files(known, seen))
        findings += [FileFinding(name, "mapping_is_one_to_one", reason, "") for name, reason in contradictions]
    made = [check for check in VERIFY_CHECKS if known is not None or check != "mapping_is_one_to_one"]
    failed = {check: len({f.path for f in findings if f.check == check}) for check in made}
    ordered = sorted(set(findings), key=lambda f: (f.path, f.check, f.reason, f.place))
    return Verification(len(seen), not findings, tuple(failed.items()), tuple(ordered))


def _all_but_folders(folder: Path) -> Iterator[Path]:
    """Files, links and whatever else is below folder; a run's unfinished folder as a whole."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise from_os_error(error) from None
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and entry.name != UNFINISHED_FOLDER:
            yield from _all_but_folders(entry)
        else:
            yield entry


def _shown(path: Path) -> str:
    """With `/`; bytes that are no UTF-8 escaped."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def _dicom_in(path: Path) -> bytes | None:
    """The content of a file that says by its name or its preamble that it is DICOM; a report says neither."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start = file.read(132)
            says_so = start[128:] == b"DICM" or path.suffix.lower() == ".dcm"
            return start + file.read() if says_so else None
    except OSError as error:
        raise from_os_error(error) from None


def _reason_against(path: Path, name: str) -> str:
    """Why what is no DICOM file must not be there; empty for a report of a released root."""
    if path.name == UNFINISHED_FOLDER or path.suffix == UNFINISHED_FILE:
        return "UNFINISHED_RUN"
    folder, _, file = name.partition("/")
    is_report = folder == _REPORTS and "/" not in file and path.suffix in _REPORT_SUFFIXES
    return "" if is_report and path.is_file() and not path.is_symlink() else "UNEXPECTED_FILE"


def _problems(name: str, encoded: bytes, pieces: list[Piece], known: Mapping | None) -> Iterator[tuple[str, str, str]]:
    dataset = checks.read_file(encoded)
    if dataset is None:
        yield "file_opens", "FILE_UNREADABLE", ""
        return
    for reason, place in (*checks.unparsed(pieces), *checks.identity_flag(pieces, frozenset())):
        yield "file_opens", reason, place
    if any(encoded[:128]):
        yield "no_residual_identifiers", "PREAMBLE_NOT_EMPTY", "preamble"
    keeps_private = checks.says_option(pieces, _SAFE_PRIVATE)
    for reason, place in checks.private_elements([p for p in pieces if p.zone] if keeps_private else pieces):
        yield "no_private_elements", reason, place
    for reason, place in (*_standard_tags(name, pieces), *checks.needless_meta(pieces), *checks.drawn_overlays(pieces)):
        yield "no_identifiers_in_standard_tags", reason, place
    for reason, place in (*checks.meta_out_of_step(pieces), *_name_out_of_step(name, pieces)):
        yield "uids_are_consistent", reason, place
    if pixel_keyword(dataset) and not _decodes(dataset):
        yield "pixels_are_intact", "PIXELS_NOT_DECODABLE_HERE", ""
    if known is not None:
        for reason, place in unmapped_uids(name, pieces, known):
            yield "mapping_is_one_to_one", reason, place
        for hit in find_in_pieces(pieces, known.identifiers, frozenset()):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"{hit.place} ({hit.kind})"
        for kind in find_in_text(name, known.identifiers):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"file name ({kind})"


def _standard_tags(name: str, pieces: list[Piece]) -> Iterator[checks.Problem]:
    """Without originals only what a de-identified file has no use for: direct identifiers, and names of whatever
    person, that are neither empty, nor a placeholder, nor the pseudonym. Dates, sex and the like may be there by the
    profile's will."""
    pseudonyms = {checks.value_at_top(pieces, _PATIENT), name.split("/")[0]}
    for piece in pieces:
        names_a_person = piece.vr == "PN" or piece.tag in checks.NAME_TAGS
        if (names_a_person or piece.tag in checks.DIRECT_TAGS) and not piece.zone:
            value = piece.value.strip(b"\0 ^")
            if not checks.is_dummy(value) and value.decode("latin-1") not in pseudonyms:
                yield "STANDARD_TAG_NOT_CLEANED", piece.place


def _name_out_of_step(name: str, pieces: list[Piece]) -> Iterator[checks.Problem]:
    """Where a file or its folders are named by UIDs, they must be the UIDs inside; above them stands the pseudonym,
    unless the file says that the patient's own ID was kept."""
    levels = [_INSTANCE, _SERIES, _STUDY]
    if checks.value_at_top(pieces, checks.IDENTITY_REMOVED) != "NO":
        levels.append(_PATIENT)
    parts = name.removesuffix(".dcm").split("/")
    for part, tag in zip(reversed(parts), levels, strict=False):
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
