"""The proof of one study: its staged files against its originals, by code that shares nothing with what made them.

The steps that a study takes (see parallel.py), and its verdict; validate_part.py has what is checked of each file. What
holds only over the batch is compare_studies in uid_pairs.py. A finding withholds an instance; a missing one is no
excuse: what cannot be read or compared is a finding too. Nothing is written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..deid.residual import identifiers_of, merged
from ..storage.manifests import RawInstance, StagedInstance, manifest_of
from ..storage.tables import read_rows
from .parallel import Call, Steps, parts_of
from .uid_pairs import distinct_pairs
from .validate_part import Originals, Proved, ValidationTask, picture_of, prove_instances, read_originals
from .verdict import Finding, InstanceFacts, PatientPair, StudyVerdict


def validate_study(task: ValidationTask) -> Steps[StudyVerdict]:
    """Every check of verdict.CHECKS on every staged instance of the study. All originals are read before the first
    output is, those that were quarantined too: they tell of the same patient."""
    raw = read_rows(manifest_of(task.raw_folder), RawInstance)
    staged = [row for row in read_rows(manifest_of(task.staging_folder), StagedInstance) if not row.reason]
    staged.sort(key=lambda row: row.released_path)
    told = yield [Call(read_originals, task.raw_folder, [row.file for row in part]) for part in parts_of(raw)]
    unknown = {row.raw_file for row in staged} - {row.file for row in raw}
    originals = Originals(
        merged([*(one.identifiers for one in told), identifiers_of((), task.extra_identifiers)]),
        frozenset(unknown.union(*(one.unreadable for one in told))),
    )
    proved = yield [Call(prove_instances, task, part, originals) for part in parts_of(staged)]
    pictures = yield [Call(picture_of, path, task.study_key) for path in _pictured(proved)]
    findings = [finding for part in proved for finding in part.findings]
    facts = tuple(sorted((one for part in proved for one in part.facts), key=lambda facts: facts.released_path))
    if staged and not raw:
        findings.append(Finding(task.study_key, "", "file_opens", "ORIGINAL_UNREADABLE", ""))
    return StudyVerdict(
        study_key=task.study_key,
        findings=_in_order([*findings, *_repeated(facts)]),
        notes=_in_order(note for part in proved for note in part.notes),
        instances=facts,
        uid_pairs=distinct_pairs(pair for part in proved for pair in part.uid_pairs),
        patients=_patients(proved),
        references=sum(part.references for part in proved),
        thumbnails=tuple(picture for picture in pictures if picture is not None),
    )


def _pictured(proved: Sequence[Proved]) -> list[Path]:
    """Of each modality the instance in the middle."""
    candidates = defaultdict(list)
    for part in proved:
        for candidate in part.candidates:
            candidates[candidate.modality].append((candidate.place_in_series, candidate.path))
    return [sorted(ordered)[len(ordered) // 2][1] for _, ordered in sorted(candidates.items())]


def _repeated(facts: Iterable[InstanceFacts]) -> list[Finding]:
    times = Counter((one.study_key, one.instance) for one in facts)
    again = [found for found, count in times.items() if count > 1]
    return [Finding(*found, "uids_are_consistent", "UID_NOT_UNIQUE", "(0008,0018)") for found in again]


def _patients(proved: Sequence[Proved]) -> tuple[PatientPair, ...]:
    """One of each, from the first instance that has it."""
    first: dict[tuple[str, str, str], PatientPair] = {}
    for part in proved:
        for pair in part.patients:
            first.setdefault((pair.patient_id, pair.issuer, pair.pseudonym), pair)
    return tuple(first.values())


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings), key=lambda f: (f.instance, f.check, f.reason, f.place)))
