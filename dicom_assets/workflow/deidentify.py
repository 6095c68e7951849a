"""anonymized_dicom: each retrieved instance is de-identified into staging, or quarantined with a reason. A pool over
studies; a study whose inputs, profile and key are those of last time is not done again."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from pathlib import Path

from ..deid.deidentify import Deidentified, Deidentifier, Notes, notes_of
from ..deid.profile import Profile
from ..deid.pseudonyms import PseudonymKey
from ..errors import DicomAssetsError
from ..pixels.triage import triage
from ..storage.atomic import fsync_folder, has_digest, make_folder, publish, remove_unfinished, write_unfinished
from ..storage.instance_files import FileSource, write_parts
from ..storage.ledger import StudyRow, require_stage, write_stage
from ..storage.manifests import RawInstance, ResolvedStudy, StagedInstance, manifest_of
from ..storage.tables import read_rows, write_rows
from ..storage.zones import RESTRICTED_FOLDER
from .job import Job, working_on
from .parallel import Outcome, map_studies


@dataclass(frozen=True)
class DeidTask:
    """One study. pseudonym: the patient's, where the site brought its own; else empty. known: what else the archive and
    the request say of the patient."""

    study_key: str
    raw: Path
    staging: Path
    quarantine: Path
    released: Path
    profile: Profile = field(repr=False)
    key: PseudonymKey = field(repr=False)
    pseudonym: str
    known: tuple[str, ...] = field(repr=False, default=())


def deidentify_studies(job: Job, batch: str) -> list[StudyRow]:
    """One row a study: de-identified and quarantined sum to received."""
    with working_on(job, batch):
        rows = require_stage(job.zones, batch, "raw_dicom")
        resolved = {one.study_key: one for one in read_rows(job.zones.resolved_studies(batch), ResolvedStudy)}
        tasks = [
            DeidTask(
                row.study_key,
                job.zones.raw(batch, row.study_key),
                job.zones.staging(batch, row.study_key),
                job.zones.quarantine(batch, row.study_key),
                job.zones.released,
                job.profile,
                job.key,
                resolved[row.study_key].pseudonym,
                resolved[row.study_key].identifiers,
            )
            for row in rows
            if row.received
        ]
        todo = [task for task in tasks if not is_current(task)]
        with job.progress("de-identifying", len(todo)) as step:
            outcomes = map_studies(deidentify_study, todo, job.workers, step)
        failed = {outcome.task.study_key: outcome for outcome in outcomes if outcome.code}
        rows = [_ledger_row(row, failed.get(row.study_key), _staged(job, batch, row)) for row in rows]
        write_stage(job.zones, batch, "anonymized_dicom", rows)
    return rows


def _staged(job: Job, batch: str, row: StudyRow) -> list[StagedInstance]:
    return read_rows(manifest_of(job.zones.staging(batch, row.study_key)), StagedInstance) if row.received else []


def _ledger_row(row: StudyRow, failed: Outcome | None, staged: list[StagedInstance]) -> StudyRow:
    if failed is not None:
        return replace(row, state="failed", reason=failed.code, quarantined=row.received)
    reasons = Counter(instance.reason for instance in staged if instance.reason)
    row = replace(row, deidentified=len(staged) - reasons.total(), quarantined=reasons.total())
    if row.state == "done" and reasons:
        return replace(row, state="quarantined", reason=min(reasons, key=lambda code: (-reasons[code], code)))
    return row


def is_current(task: DeidTask) -> bool:
    """The staging manifest rests on these very inputs, this profile and this key, and what it names is there: staged,
    or released already."""
    staged = read_rows(manifest_of(task.staging), StagedInstance)
    raw = read_rows(manifest_of(task.raw), RawInstance)
    inputs = {(one.file, one.sha256, task.profile.digest, _key_id(task)) for one in raw}
    return (
        bool(staged)
        and {(s.raw_file, s.raw_sha256, s.profile_digest, s.key_id) for s in staged} == inputs
        and all(
            (task.staging / one.file).is_file() or has_digest(task.released / one.released_path, one.sha256)
            for one in staged
            if not one.reason
        )
    )


def _key_id(task: DeidTask) -> str:
    """Names key and site-given pseudonym, so that a change of either makes the study stale."""
    given = sha256(task.pseudonym.encode()).hexdigest()[:8] if task.pseudonym else ""
    return task.key.key_id + (f"+{given}" if given else "")


def deidentify_study(task: DeidTask) -> int:
    """De-identify one study into its staging folder; how many instances. Runs in a worker process.

    Files are complete and durable before the manifest, which is written last, names them."""
    make_folder(task.staging, RESTRICTED_FOLDER)
    manifest_of(task.staging).unlink(missing_ok=True)
    for leftover in task.staging.glob("*.dcm"):
        leftover.unlink()
    remove_unfinished(task.staging)
    raw = read_rows(manifest_of(task.raw), RawInstance)
    engine = Deidentifier(task.profile, task.key)
    names: dict[Path, Path] = {}
    rows = [_one(task, engine, instance, names) for instance in raw]
    if len({row.original_patient_id for row in rows} - {""}) > 1:
        rows = [_withheld(row, "TWO_PATIENTS_IN_STUDY") for row in rows]
        for temp in names:
            temp.unlink()
        names.clear()
    publish(names)
    _fill_quarantine(task, [row for row in rows if row.reason])
    write_rows(manifest_of(task.staging), rows, StagedInstance)
    return len(rows)


def _one(task: DeidTask, engine: Deidentifier, instance: RawInstance, names: dict[Path, Path]) -> StagedInstance:
    """Stage one instance, or say why not. names: temp file -> final name, for the caller to publish."""
    staged = StagedInstance(
        raw_file=instance.file, raw_sha256=instance.sha256, reason="", file="", released_path="", sha256="",
        modality="", sop_instance_uid=instance.sop_instance_uid, original_patient_id="", patient_pseudonym="",
        tags=(), uids=(), uid_tags=(), profile_digest=task.profile.digest, key_id=_key_id(task),
    )  # fmt: skip
    with (task.raw / instance.file).open("rb") as file:
        source = FileSource(file.fileno())
        try:
            result = engine.deidentify(source, task.pseudonym, task.known)
        except DicomAssetsError as error:
            return replace(_told(staged, source), reason=error.code)
        staged = _noted(staged, result.notes)
        risk = "" if task.profile.pixels == "unexamined" else triage(result.notes)
        if risk:
            return replace(staged, reason=risk)
        return _written(task, staged, result, source, names)


def _written(
    task: DeidTask, staged: StagedInstance, result: Deidentified, source: FileSource, names: dict[Path, Path]
) -> StagedInstance:
    name = f"{result.sop_instance_uid}.dcm"
    temp = write_unfinished(task.staging)
    names[temp] = task.staging / name
    with temp.open("r+b") as file:
        write_parts(source, result.parts, file.fileno())
        file.seek(0)
        digest = file_digest(file, "sha256").hexdigest()
    return replace(
        staged,
        file=name,
        released_path="/".join((result.patient, result.study_instance_uid, result.series_instance_uid, name)),
        sha256=digest,
        patient_pseudonym=result.patient,
        tags=result.tags,
        uids=result.uids,
        uid_tags=result.uid_tags,
    )


def _told(staged: StagedInstance, source: FileSource) -> StagedInstance:
    try:
        return _noted(staged, notes_of(source))
    except DicomAssetsError:
        return staged


def _noted(staged: StagedInstance, notes: Notes) -> StagedInstance:
    return replace(staged, modality=notes.modality, original_patient_id=notes.patient_id)


def _withheld(row: StagedInstance, reason: str) -> StagedInstance:
    return replace(
        row, reason=reason, file="", released_path="", sha256="", patient_pseudonym="", tags=(), uids=(), uid_tags=()
    )


def _fill_quarantine(task: DeidTask, rows: Iterable[StagedInstance]) -> None:
    """The originals that were kept back, with their reasons, for a reviewer."""
    rows = list(rows)
    if not rows and not task.quarantine.is_dir():
        return
    make_folder(task.quarantine, RESTRICTED_FOLDER)
    kept_back = {row.raw_file for row in rows}
    for earlier in task.quarantine.glob("*.dcm"):
        if earlier.name not in kept_back and (task.raw / earlier.name).exists():
            earlier.unlink()  # another link to the original, which is de-identified now
    for row in rows:
        target = task.quarantine / row.raw_file
        if not target.exists():
            os.link(task.raw / row.raw_file, target)
    fsync_folder(task.quarantine)
    write_rows(manifest_of(task.quarantine), rows, StagedInstance)
