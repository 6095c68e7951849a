"""What is proved of some instances of a study, in a worker: each staged file, alone and beside its original."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import FileDataset

from ..deid.residual import Identifiers, Piece, Search, find_in_text, identifiers_of, pieces_of
from ..pixels.boxes import Box
from ..pixels.cleaned import Cleaned
from ..storage.manifests import StagedInstance
from . import instance_checks as checks
from . import second_reader
from .conformance import Case, Shape, digest_of, shape_of
from .content_items import renumbered
from .date_offsets import InstanceOffsets, compare_dates
from .kept_values import compare_values, statement_problems
from .pixel_identity import pixel_keyword
from .pixel_proof import NO_TEXT, compared, is_defaced, planned, problems_of_cleaning
from .promises import Promises
from .references import changed_classes, lost_references
from .thumbnails import thumbnail_of
from .uid_pairs import distinct_pairs, object_uids, uid_pairs
from .verdict import Finding, InstanceFacts, PatientPair, Thumbnail, UidPair

_SOP_INSTANCE, _PATIENT_ID, _ISSUER = 0x00080018, 0x00100020, 0x00100021
_PATH_UIDS = (0x0020000D, 0x0020000E, _SOP_INSTANCE)  # <patient>/<study>/<series>/<instance>.dcm

Problem = tuple[str, str, str]  #: check, reason code, place


@dataclass(frozen=True)
class ValidationTask:
    """One study. released_root: where a staged file lies below its released_path once it is released, and gone from
    staging. deidentified: instances, as the ledger has it. extra_identifiers: more of this patient."""

    study_key: str
    raw_folder: Path
    staging_folder: Path
    released_root: Path
    promises: Promises
    deidentified: int
    extra_identifiers: tuple[str, ...]


@dataclass(frozen=True)
class Originals:
    """What originals tell. unreadable: files that pydicom does not read, or that nobody has asked it to."""

    identifiers: Identifiers
    unreadable: frozenset[str]


class Candidate(NamedTuple):
    """An image that may be shown. blanked: what was, of it."""

    modality: str
    place_in_series: tuple
    path: Path
    blanked: tuple[Box, ...]


@dataclass
class Proved:
    """What was found of some instances. references: how many were followed. shapes: of each header shape an instance,
    and the names of all. missing: files that are neither staged nor released. opened: how many files the second reader
    was given; None where there is none."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    facts: list[InstanceFacts] = field(default_factory=list)
    uid_pairs: tuple[UidPair, ...] = ()
    references: int = 0
    patients: tuple[PatientPair, ...] = ()
    candidates: list[Candidate] = field(default_factory=list)
    offsets: list[InstanceOffsets] = field(default_factory=list)
    shapes: dict[bytes, tuple[Case, list[str]]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    opened: int | None = None


def read_originals(folder: Path, files: Sequence[str]) -> Originals:
    """Unreadable ones tell nothing here; they are found where their outputs are compared."""
    unreadable = set()

    def headers() -> Iterator[FileDataset]:
        for file in files:
            original = checks.read_header(folder / file)
            if original is None:
                unreadable.add(file)
            else:
                yield original

    return Originals(identifiers_of(headers()), frozenset(unreadable))


def prove_instances(task: ValidationTask, rows: Sequence[StagedInstance], originals: Originals) -> Proved:
    """originals: of the whole study."""
    part = _Part(task, originals)
    for row in rows:
        part.prove(row)
    part.read_again()
    part.proved.uid_pairs = distinct_pairs(part.pairs)
    part.proved.references = sum(not pair.defines for pair in part.pairs)
    part.proved.patients = tuple(part.patients.values())
    return part.proved


def picture_of(candidate: Candidate, study_key: str) -> Thumbnail | None:
    output = checks.read_file(_content(candidate.path))
    return None if output is None else thumbnail_of(output, study_key, candidate.blanked)


def _content(path: Path) -> bytes | mmap:
    """Nothing where there is no file."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        if os.fstat(file.fileno()).st_size:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    return b""


class _Part:
    def __init__(self, task: ValidationTask, originals: Originals) -> None:
        self.task, self.originals = task, originals
        self.search = Search(originals.identifiers, task.promises.kept)
        self.proved = Proved()
        self.paths: dict[Path, str] = {}  #: of the files that are there -> instance
        self.shapes: dict[Shape, bytes] = {}
        self.pairs: list[UidPair] = []
        self.patients: dict[tuple[str, ...], PatientPair] = {}

    def prove(self, row: StagedInstance) -> None:
        task, proved = self.task, self.proved
        instance = Path(row.file).stem  # under this name it would be released, whatever the file says of itself
        path = task.staging_folder / row.file
        if not path.is_file():
            path = task.released_root / row.released_path
        if not path.is_file():
            proved.missing.append(row.file)
            proved.findings.append(Finding(task.study_key, instance, "file_opens", "FILE_NOT_AS_RECORDED", ""))
            proved.facts.append(_facts(task.study_key, instance, row, None, 0))
            return
        self.paths[path] = instance
        encoded = _content(path)
        pieces = pieces_of(encoded)
        problems: list[Problem] = []
        output = checks.read_file(encoded)
        if output is None:
            problems.append(("file_opens", "FILE_UNREADABLE", ""))
        if hashlib.sha256(encoded).hexdigest() != row.sha256:
            problems.append(("file_opens", "FILE_NOT_AS_RECORDED", ""))
        problems += self._problems_alone(row, pieces)
        original = _content(task.raw_folder / row.raw_file)
        is_recorded = hashlib.sha256(original).hexdigest() == row.raw_sha256
        if is_recorded and row.raw_file not in self.originals.unreadable:
            before = pieces_of(original, beside_pixels=False)
            problems += self._problems_beside_original(before, pieces, instance, row)
            problems += self._problems_of_pixels(row, path, before, original, pieces, encoded, output)
            self._note_shape(before, pieces, Case(b"", task.raw_folder / row.raw_file, path), instance)
        else:
            problems.append(("file_opens", "ORIGINAL_UNREADABLE", ""))
        proved.findings += [Finding(task.study_key, instance, *problem) for problem in problems]
        proved.facts.append(_facts(task.study_key, instance, row, output, len(encoded)))
        if not problems and output is not None and pixel_keyword(output):
            number = checks.number(output, "InstanceNumber")
            place_in_series = (checks.text(output, "SeriesInstanceUID"), number, instance)
            blanked = Cleaned.of(row.pixels).blanked if row.pixels else ()
            proved.candidates.append(Candidate(checks.text(output, "Modality"), place_in_series, path, blanked))

    def _problems_alone(self, row: StagedInstance, pieces: list[Piece]) -> Iterator[Problem]:
        """What the output and its names tell."""
        task = self.task
        for reason, place in (*checks.unparsed(pieces), *checks.identity_flag(pieces, task.promises.kept)):
            yield "file_opens", reason, place
        for hit in self.search.in_pieces(pieces):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"{hit.place} ({hit.kind})"
        allowed = {"uid"} if _SOP_INSTANCE in task.promises.kept else set()
        allowed |= {"identifier", "name"} if checks.value_at_top(pieces, checks.IDENTITY_REMOVED) == "NO" else set()
        names = f"{row.file}\n{row.released_path}"
        for kind in sorted(set(find_in_text(names, self.originals.identifiers)) - allowed):
            yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"file name ({kind})"
        if not task.promises.keeps_private:
            for reason, place in checks.private_elements(pieces):
                yield "no_private_elements", reason, place
        for reason, place in checks.needless_meta(pieces):
            yield "no_identifiers_in_standard_tags", reason, place
        for reason, place in checks.meta_out_of_step(pieces):
            yield "uids_are_consistent", reason, place
        patient, *parts = Path(row.released_path).with_suffix("").parts
        if patient != row.patient_pseudonym or parts != [checks.value_at_top(pieces, tag) for tag in _PATH_UIDS]:
            yield "uids_are_consistent", "NAME_INCONSISTENT", "file name"
        if not allowed - {"uid"} and _is_other(checks.value_at_top(pieces, _PATIENT_ID), row.patient_pseudonym):
            yield "uids_are_consistent", "PATIENT_INCONSISTENT", "(0010,0020)"

    def _problems_beside_original(
        self, before: list[Piece], pieces: list[Piece], instance: str, row: StagedInstance
    ) -> Iterator[Problem]:
        """What only the comparison with the original tells; its pairs of UIDs, patients and offsets are gathered on the
        way."""
        promises = self.task.promises
        for reason, place in checks.standard_tags_kept(before, pieces, promises.kept | promises.cleaned):
            yield "no_identifiers_in_standard_tags", reason, place
        pseudonym = checks.value_at_top(pieces, _PATIENT_ID)
        patient = tuple(checks.value_at_top(before, tag) for tag in (_PATIENT_ID, _ISSUER))
        self.patients.setdefault((*patient, pseudonym), PatientPair(*patient, pseudonym, instance))
        if _is_other(patient[0], row.original_patient_id):
            yield "uids_are_consistent", "PATIENT_INCONSISTENT", "(0010,0020)"
        before = renumbered(before, pieces)
        old_uids, new_uids = object_uids(before), object_uids(pieces)
        pairs = uid_pairs(old_uids, new_uids, instance)
        self.pairs += pairs
        for pair in pairs:
            if pair.old == pair.new and int(pair.place[-10:].strip("()").replace(",", ""), 16) not in promises.kept:
                yield "uids_are_consistent", "UID_NOT_NEW", pair.place
        for reason, place in (*lost_references(old_uids, new_uids, promises), *changed_classes(before, pieces)):
            yield "uids_are_consistent", reason, place
        for reason, place in compare_values(before, pieces, promises, bool(row.pixels)):
            yield "values_are_as_before", reason, place
        for reason, place in statement_problems(pieces, promises, bool(row.pixels)):
            yield "values_are_as_before", reason, place
        problems, offsets = compare_dates(before, pieces, promises)
        for reason, place in problems:
            yield "dates_are_consistent", reason, place
        if offsets:
            self.proved.offsets.append(InstanceOffsets(instance, pseudonym or self.task.study_key, tuple(offsets)))

    def _problems_of_pixels(
        self,
        row: StagedInstance,
        path: Path,
        before: list[Piece],
        original: bytes,
        pieces: list[Piece],
        encoded: bytes,
        output: FileDataset | None,
    ) -> Iterator[Problem]:
        if output is None:
            return
        raw = self.task.raw_folder / row.raw_file
        reason, plan = planned(before, original, row, self.task.promises)
        if reason:
            yield NO_TEXT, reason, ""
        may_differ = {"PIXELS_CHANGED"} if is_defaced(row, self.task.promises) else set()
        if row.pixels:
            problems = problems_of_cleaning(raw, path, Cleaned.of(row.pixels), plan)
            yield from (problem for problem in problems if problem[1] not in may_differ)
            return
        check, reason, note = compared(before, original, pieces, encoded, output)
        if reason and reason not in may_differ:
            yield check, reason, ""
        if note:
            self.proved.notes.append(Finding(self.task.study_key, Path(row.file).stem, check, note, ""))

    def _note_shape(self, before: list[Piece], pieces: list[Piece], case: Case, instance: str) -> None:
        elements = shape_of(before, pieces)
        shape = self.shapes.get(elements) or self.shapes.setdefault(elements, digest_of(elements))
        self.proved.shapes.setdefault(shape, (case._replace(shape=shape), []))[1].append(instance)

    def read_again(self) -> None:
        """By the second reader."""
        unreadable = second_reader.unreadable(list(self.paths))
        if unreadable is not None:
            self.proved.opened = len(self.paths)
            self.proved.findings += [
                Finding(self.task.study_key, self.paths[path], second_reader.CHECK, "SECOND_READER_FAILED", "")
                for path in sorted(unreadable)
            ]


def _is_other(patient_id: str, recorded: str) -> bool:
    """The file names another patient than its row. Beyond ASCII an ID is read in several ways."""
    return bool(patient_id) and patient_id.isascii() and recorded.isascii() and patient_id != recorded.strip(" ")


def _facts(key: str, instance: str, row: StagedInstance, output: FileDataset | None, size: int) -> InstanceFacts:
    if output is None:
        return InstanceFacts(key, instance, row.released_path, row.modality, "", "", "", 0, 0, 0, size)
    pixels = bool(pixel_keyword(output))
    cleaned = Cleaned.of(row.pixels) if row.pixels else None
    return InstanceFacts(
        study_key=key,
        instance=instance,
        released_path=row.released_path,
        modality=checks.text(output, "Modality"),
        sop_class=output.SOPClassUID.name,
        transfer_syntax=output.file_meta.TransferSyntaxUID.name,
        manufacturer=checks.text(output, "Manufacturer"),
        rows=checks.number(output, "Rows") if pixels else 0,
        columns=checks.number(output, "Columns") if pixels else 0,
        frames=checks.number(output, "NumberOfFrames", 1) if pixels else 0,
        bytes=size,
        sha256=row.sha256,
        pixels=cleaned.how if cleaned else "",
        blanked=len(cleaned.boxes) if cleaned else 0,
    )
