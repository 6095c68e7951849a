"""The proof of one study: its staged files against its originals, by code that shares nothing with what made them.

The steps that a study takes (see parallel.py), and its verdict; validate_part.py has what is checked of each file. What
holds only over the batch is compare_studies in uid_pairs.py. A finding withholds an instance; a missing one is no
excuse: what cannot be read or compared is a finding too. Nothing is written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..deid.residual import identifiers_of, merged
from ..storage.manifests import RawInstance, StagedInstance, manifest_of
from ..storage.tables import read_sealed
from . import conformance, second_reader
from .conformance import Case, Judgement
from .date_offsets import settle_offsets
from .parallel import Call, Steps, parts_of
from .recount import recount
from .uid_pairs import distinct_pairs
from .validate_part import Candidate, Originals, Proved, ValidationTask, picture_of, prove_instances, read_originals
from .verdict import Finding, InstanceFacts, PatientPair, StudyVerdict

#: Header shapes that a call has to do with
_CASES = 8


def validate_study(task: ValidationTask) -> Steps[StudyVerdict]:
    """Every check of verdict.CHECKS on every staged instance of the study. All originals are read before the first
    output is, those that were quarantined too: they tell of the same patient."""
    raw = read_sealed(manifest_of(task.raw_folder), RawInstance)
    manifest = read_sealed(manifest_of(task.staging_folder), StagedInstance)
    staged = [row for row in manifest if not row.reason]
    staged.sort(key=lambda row: row.released_path)
    sizes = {row.file: row.size for row in raw}
    parts = parts_of(sizes, sizes.__getitem__)
    told = yield [Call(read_originals, task.raw_folder, part) for part in parts]
    unknown = {row.raw_file for row in staged} - {row.file for row in raw}
    originals = Originals(
        merged([*(one.identifiers for one in told), identifiers_of((), task.extra_identifiers)]),
        frozenset(unknown.union(*(one.unreadable for one in told))),
    )
    parts = parts_of(staged, lambda row: sizes.get(row.raw_file, 0))
    proved = yield [Call(prove_instances, task, part, originals) for part in parts]
    pictures = yield [Call(picture_of, candidate, task.study_key) for candidate in _pictured(proved)]
    shapes = _shapes(proved)
    judged = yield [Call(conformance.judge, cases, task.promises) for cases in _dealt([case for case, _ in shapes])]
    judgements = [one for part in judged for one in part]
    of_dates, date_offsets = settle_offsets(task.study_key, [one for part in proved for one in part.offsets])
    lying_there = [path.name for path in task.staging_folder.glob("*.dcm")]
    missing = [file for part in proved for file in part.missing]
    findings = [finding for part in proved for finding in part.findings]
    findings += of_dates
    findings += recount(task.study_key, task.deidentified, raw, manifest, lying_there, missing)
    findings += _of_shapes(task.study_key, shapes, {one.shape: one.problems for one in judgements})
    facts = tuple(sorted((one for part in proved for one in part.facts), key=lambda facts: facts.released_path))
    notes = _of_shapes(task.study_key, shapes, {one.shape: one.notes for one in judgements})
    looked_at, not_made = _tools(proved, judgements)
    if staged and not raw:
        findings.append(Finding(task.study_key, "", "file_opens", "ORIGINAL_UNREADABLE", ""))
    return StudyVerdict(
        study_key=task.study_key,
        findings=_in_order([*findings, *_repeated(facts)]),
        notes=_in_order([*(note for part in proved for note in part.notes), *notes]),
        instances=facts,
        uid_pairs=distinct_pairs(pair for part in proved for pair in part.uid_pairs),
        patients=_patients(proved),
        references=sum(part.references for part in proved),
        thumbnails=tuple(picture for picture in pictures if picture is not None),
        date_offsets=date_offsets,
        looked_at=tuple(looked_at.items()),
        not_made=tuple(not_made.items()),
    )


def _pictured(proved: Sequence[Proved]) -> list[Candidate]:
    """Of each modality the instance in the middle, and of those in which text was blanked."""
    candidates = defaultdict(list)
    for part in proved:
        for one in part.candidates:
            candidates[one.modality, bool(one.blanked)].append(one)
    return [sorted(same)[len(same) // 2] for _, same in sorted(candidates.items())]


def _shapes(proved: Sequence[Proved]) -> list[tuple[Case, list[str]]]:
    """Of each header shape one case, and all instances that have it."""
    shapes: dict[bytes, tuple[Case, list[str]]] = {}
    for part in proved:
        for shape, (case, instances) in part.shapes.items():
            shapes.setdefault(shape, (case, []))[1].extend(instances)
    return list(shapes.values())


def _dealt(cases: Sequence[Case]) -> list[Sequence[Case]]:
    return [cases[start : start + _CASES] for start in range(0, len(cases), _CASES)]


def _of_shapes(
    study_key: str, shapes: Iterable[tuple[Case, list[str]]], said: dict[bytes, tuple[tuple[str, str], ...]]
) -> list[Finding]:
    """What is said of one instance holds for all of its shape."""
    return [
        Finding(study_key, instance, conformance.CHECK, reason, place)
        for case, instances in shapes
        for reason, place in said.get(case.shape, ())
        for instance in instances
    ]


def _tools(proved: Sequence[Proved], judgements: Sequence[Judgement]) -> tuple[dict[str, int], dict[str, str]]:
    """How many instances the tools were asked of, and why they were not where they are absent."""
    looked_at, not_made = {}, {}
    if conformance.program() is None:
        not_made[conformance.CHECK] = "CONFORMANCE_TOOL_ABSENT"
    else:
        looked_at[conformance.CHECK] = len(judgements)
    if any(part.opened is None for part in proved):
        not_made[second_reader.CHECK] = "SECOND_READER_ABSENT"
    else:
        looked_at[second_reader.CHECK] = sum(part.opened for part in proved)
    return looked_at, not_made


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
