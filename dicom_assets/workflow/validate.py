"""The proof of one study: its staged files against its originals, by code that shares nothing with what made them.

validate_study reads both folders of a study and writes nothing; it runs in a worker, one study a call. What holds only
over the batch is compare_studies in uid_pairs.py. A finding withholds an instance; a missing one is no excuse: what
cannot be read or compared is a finding too.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset

from ..deid.residual import Identifiers, Piece, find_in_pieces, find_in_text, identifiers_of, pieces_of
from ..storage.manifests import RawInstance, StagedInstance, manifest_of
from ..storage.tables import read_rows
from . import instance_checks as checks
from .pixel_identity import compare_pixels, pixel_keyword
from .thumbnails import thumbnail_of
from .uid_pairs import compare_studies, distinct_pairs, uid_pairs
from .verdict import Finding, InstanceFacts, PatientPair, StudyVerdict, Thumbnail, UidPair

__all__ = ["ValidationTask", "compare_studies", "validate_study"]

_SOP_INSTANCE, _PATIENT_ID, _ISSUER = 0x00080018, 0x00100020, 0x00100021
_PATH_UIDS = (0x0020000D, 0x0020000E, _SOP_INSTANCE)  # <patient>/<study>/<series>/<instance>.dcm


@dataclass(frozen=True)
class ValidationTask:
    """released_root: where a staged file lies below its released_path once it is released, and gone from staging.
    kept_tags: elements whose values the profile keeps, or that may by its rules equal the original's (shifted or
    dummy dates); not those that it replaces by new UIDs or pseudonyms. extra_identifiers: more IDs of this patient."""

    study_key: str
    raw_folder: Path
    staging_folder: Path
    released_root: Path
    kept_tags: frozenset[int]
    keeps_private: bool
    extra_identifiers: tuple[str, ...]


@dataclass
class _Study:
    """What is gathered while the instances of one study pass."""

    task: ValidationTask
    identifiers: Identifiers
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    facts: list[InstanceFacts] = field(default_factory=list)
    pairs: list[UidPair] = field(default_factory=list)
    patients: dict[tuple[str, str, str], PatientPair] = field(default_factory=dict)
    candidates: dict[str, list[tuple[tuple, Path]]] = field(default_factory=lambda: defaultdict(list))


def validate_study(task: ValidationTask) -> StudyVerdict:
    """Every check of verdict.CHECKS on every staged instance of the study."""
    raw = read_rows(manifest_of(task.raw_folder), RawInstance)
    staged = [row for row in read_rows(manifest_of(task.staging_folder), StagedInstance) if not row.reason]
    study = _Study(task, identifiers_of(_headers(task.raw_folder, raw), task.extra_identifiers))
    if staged and not raw:
        study.findings.append(Finding(task.study_key, "", "file_opens", "ORIGINAL_UNREADABLE", ""))
    for row in sorted(staged, key=lambda row: row.released_path):
        _validate_instance(study, row)
    _add_repeated(study)
    return StudyVerdict(
        study_key=task.study_key,
        findings=_in_order(study.findings),
        notes=_in_order(study.notes),
        instances=tuple(sorted(study.facts, key=lambda facts: facts.released_path)),
        uid_pairs=distinct_pairs(study.pairs),
        patients=tuple(study.patients.values()),
        references=sum(not pair.defines for pair in study.pairs),
        thumbnails=_thumbnails(study),
    )


def _headers(folder: Path, raw: list[RawInstance]) -> Iterator[Dataset]:
    """All originals, those that were quarantined too: they tell of the same patient. Unreadable ones are skipped here;
    they are found where their outputs are compared."""
    for row in raw:
        original = _dataset_of(folder / row.file)
        if original is not None:
            yield original


def _dataset_of(path: Path) -> FileDataset | None:
    try:
        return checks.read_file(path.read_bytes())
    except FileNotFoundError:
        return None


def _validate_instance(study: _Study, row: StagedInstance) -> None:
    task = study.task
    path = task.staging_folder / row.file
    if not path.is_file():
        path = task.released_root / row.released_path
    encoded = path.read_bytes() if path.is_file() else b""
    pieces = pieces_of(encoded)
    instance = Path(row.file).stem  # under this name it would be released, whatever the file says of itself
    problems: list[tuple[str, str, str]] = []
    output = checks.read_file(encoded)
    if output is None:
        problems.append(("file_opens", "FILE_UNREADABLE", ""))
    if hashlib.sha256(encoded).hexdigest() != row.sha256:
        problems.append(("file_opens", "FILE_NOT_AS_RECORDED", ""))
    problems += _problems_alone(study, row, pieces)
    problems += _problems_beside_original(study, row, output, pieces, instance)
    study.findings += [Finding(task.study_key, instance, check, reason, place) for check, reason, place in problems]
    study.facts.append(_facts(task.study_key, instance, row, output, len(encoded)))
    if not problems and output is not None and pixel_keyword(output):
        place_in_series = (checks.text(output, "SeriesInstanceUID"), checks.number(output, "InstanceNumber"), instance)
        study.candidates[checks.text(output, "Modality")].append((place_in_series, path))


def _problems_alone(study: _Study, row: StagedInstance, pieces: list[Piece]) -> Iterator[tuple[str, str, str]]:
    """What the output and its names tell."""
    task = study.task
    for reason, place in (*checks.unparsed(pieces), *checks.identity_flag(pieces, task.kept_tags)):
        yield "file_opens", reason, place
    for hit in find_in_pieces(pieces, study.identifiers, task.kept_tags):
        yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"{hit.place} ({hit.kind})"
    allowed = {"uid"} if _SOP_INSTANCE in task.kept_tags else set()
    allowed |= {"identifier", "name"} if checks.value_at_top(pieces, 0x00120062) == "NO" else set()
    for kind in sorted(set(find_in_text(f"{row.file}\n{row.released_path}", study.identifiers)) - allowed):
        yield "no_residual_identifiers", "RESIDUAL_IDENTIFIER", f"file name ({kind})"
    if not task.keeps_private:
        for reason, place in checks.private_elements(pieces):
            yield "no_private_elements", reason, place
    for reason, place in checks.meta_out_of_step(pieces):
        yield "uids_are_consistent", reason, place
    parts = Path(row.released_path).with_suffix("").parts
    if parts[1:] != tuple(checks.value_at_top(pieces, tag) for tag in _PATH_UIDS):
        yield "uids_are_consistent", "NAME_INCONSISTENT", "file name"


def _problems_beside_original(
    study: _Study, row: StagedInstance, output: FileDataset | None, pieces: list[Piece], instance: str
) -> Iterator[tuple[str, str, str]]:
    """What only the comparison with the original tells; its pairs of UIDs and patients are gathered on the way."""
    task, path = study.task, study.task.raw_folder / row.raw_file
    encoded = path.read_bytes() if path.is_file() else b""
    original = checks.read_file(encoded)
    if original is None or hashlib.sha256(encoded).hexdigest() != row.raw_sha256:
        yield "file_opens", "ORIGINAL_UNREADABLE", ""
        return
    before = pieces_of(encoded)
    for reason, place in checks.standard_tags_kept(before, pieces, task.kept_tags):
        yield "no_identifiers_in_standard_tags", reason, place
    pairs = uid_pairs(before, pieces, instance)
    study.pairs += pairs
    for pair in pairs:
        if pair.old == pair.new and int(pair.place[-10:].strip("()").replace(",", ""), 16) not in task.kept_tags:
            yield "uids_are_consistent", "UID_NOT_NEW", pair.place
    patient = tuple(checks.value_at_top(before, tag) for tag in (_PATIENT_ID, _ISSUER))
    pseudonym = checks.value_at_top(pieces, _PATIENT_ID)
    study.patients.setdefault((*patient, pseudonym), PatientPair(*patient, pseudonym, instance))
    if checks.value_at_top(before, 0x00080016) != checks.value_at_top(pieces, 0x00080016):
        yield "uids_are_consistent", "UID_INCONSISTENT", "(0008,0016)"
    if output is not None:
        reason, note = compare_pixels(original, output)
        if reason:
            yield "pixels_are_intact", reason, ""
        if note:
            study.notes.append(Finding(task.study_key, instance, "pixels_are_intact", note, ""))


def _add_repeated(study: _Study) -> None:
    seen: set[str] = set()
    for facts in study.facts:
        if facts.instance in seen:
            finding = Finding(
                study.task.study_key, facts.instance, "uids_are_consistent", "UID_NOT_UNIQUE", "(0008,0018)"
            )
            study.findings.append(finding)
        seen.add(facts.instance)


def _facts(key: str, instance: str, row: StagedInstance, output: FileDataset | None, size: int) -> InstanceFacts:
    if output is None:
        return InstanceFacts(key, instance, row.released_path, row.modality, "", "", "", 0, 0, 0, size)
    pixels = bool(pixel_keyword(output))
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
    )


def _thumbnails(study: _Study) -> tuple[Thumbnail, ...]:
    """One a modality: the instance in the middle."""
    pictures = []
    for _, candidates in sorted(study.candidates.items()):
        path = sorted(candidates)[len(candidates) // 2][1]
        output = _dataset_of(path)
        picture = thumbnail_of(output, study.task.study_key) if output is not None else None
        if picture is not None:
            pictures.append(picture)
    return tuple(pictures)


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings), key=lambda f: (f.instance, f.check, f.reason, f.place)))
