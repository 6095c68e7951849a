"""The independent checks of one file of a de-identified folder, and what has to be compared with other files."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset

from ..deid.residual import Piece, Search, find_in_text, pieces_of
from ..errors import from_os_error
from ..storage.atomic import UNFINISHED as UNFINISHED_FILE
from . import instance_checks as checks
from .pack_contents import ImageFacts, facts_of
from .pixel_identity import NotDecodable, frames_of, pixel_keyword
from .verdict import CHECKS
from .verify_mapping import Mapping, unmapped_uids
from .working_folder import UNFINISHED as UNFINISHED_FOLDER

#: As in the report where originals are not needed; else what can be said without them.
VERIFY_CHECKS = {
    **{name: CHECKS[name] for name in ("file_opens", "no_residual_identifiers", "no_private_elements")},
    "no_identifiers_in_standard_tags": "Names of persons, the other elements that identify by definition, drawn "
    "overlays, and what the file meta does not need (AE titles, addresses) are absent, empty or replaced.",
    "uids_are_consistent": "Every SOP Instance UID is unique, agrees with file name, folders and file meta, and each "
    "patient's, study's and series' folder holds that one only.",
    "pixels_are_intact": "Every image can be decoded, frame by frame, to the size that its header says.",
    "mapping_is_one_to_one": "Each file has its row in mapping.csv and each row its file; one original ID or UID has "
    "one new one, and the other way round; the tables and the files say the same.",
    "nothing_else_is_there": "The folder holds DICOM files and the reports of a released root: no link, no file of "
    "another kind, nothing that a run has not finished.",
}
_PATIENT, _STUDY, _SERIES, _INSTANCE = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
_SAFE_PRIVATE = b"113111"  # CID 7050: Retain Safe Private Option
_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  #: bytes; a file of holes may have more
_REPORTS, _REPORT_SUFFIXES = "reports", (".html", ".json", ".parquet", ".sha256")


@dataclass(frozen=True)
class FileFinding:
    """path: relative to the folder, with `/`; pseudonymous, as the folder is."""

    path: str
    check: str
    reason: str
    place: str


@dataclass(frozen=True)
class Examined:
    """facts: None where the file is not DICOM. held: ((folder, level), UID or pseudonym inside) and ((value, level),
    folder): each must be one for the other."""

    name: str
    findings: tuple[FileFinding, ...]
    facts: ImageFacts | None = None
    held: tuple[tuple[tuple[str, str], str], ...] = ()


def examine(folder: Path, names: Sequence[str], known: Mapping | None) -> list[Examined]:
    """names: paths below folder, with `/`."""
    search = Search(known.identifiers, frozenset()) if known is not None else None
    return [_examined(folder, name, known, search) for name in names]


def _examined(folder: Path, name: str, known: Mapping | None, search: Search | None) -> Examined:
    path, name = folder / name, shown(name)
    encoded = _dicom_in(path)
    if encoded is None:
        reason = _reason_against(path, name)
        return Examined(name, (FileFinding(name, "nothing_else_is_there", reason, ""),) if reason else ())
    pieces = pieces_of(encoded)
    findings = tuple(FileFinding(name, *problem) for problem in _problems(name, encoded, pieces, known, search))
    return Examined(name, findings, facts_of(name, encoded, pieces), tuple(_held_by_folders(name, pieces)))


def shown(name: str) -> str:
    """Bytes that are no UTF-8 escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _dicom_in(path: Path) -> bytes | None:
    """The content of a file that says by its name or its preamble that it is DICOM; a report says neither."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start = file.read(132)
            says_so = start[128:] == b"DICM" or path.suffix.lower() == ".dcm"
            if not says_so:
                return None
            fits = os.fstat(file.fileno()).st_size < _MEMORY
            return start + file.read() if fits else start  # which opens for nobody
    except OSError as error:
        raise from_os_error(error) from None


def _reason_against(path: Path, name: str) -> str:
    """Why what is no DICOM file must not be there; empty for a report of a released root."""
    if path.name == UNFINISHED_FOLDER or path.suffix == UNFINISHED_FILE:
        return "UNFINISHED_RUN"
    folder, _, file = name.partition("/")
    is_report = folder == _REPORTS and "/" not in file and path.suffix in _REPORT_SUFFIXES
    return "" if is_report and path.is_file() and not path.is_symlink() else "UNEXPECTED_FILE"


def _problems(
    name: str, encoded: bytes, pieces: list[Piece], known: Mapping | None, search: Search | None
) -> Iterator[tuple[str, str, str]]:
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
        for hit in search.in_pieces(pieces):
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
    """As Examined has it."""
    folders = name.split("/")[:-1]
    for depth, (level, tag) in enumerate((("patient", _PATIENT), ("study", _STUDY), ("series", _SERIES)), 1):
        if len(folders) == 3:
            path, value = "/".join(folders[:depth]), checks.value_at_top(pieces, tag)
            yield (path, f"{level} of folder"), value
            yield (value, f"folder of {level}"), path
