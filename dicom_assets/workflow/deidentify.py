"""anonymized_dicom: each retrieved instance is de-identified into staging, or quarantined with a reason. A pool over
studies; a study whose inputs, profile and key are those of last time is not done again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from ..pixels.cleaner import extra_is_installed
from ..storage.atomic import has_digest
from ..storage.decisions import reviews_on
from ..storage.ledger import StudyRow, require_stage, write_stage
from ..storage.manifests import RawInstance, ResolvedStudy, StagedInstance, batches_by_study, manifest_of
from ..storage.raw import require_originals
from ..storage.tables import read_sealed
from .closing import unless_closed
from .deface import FACE_NOT_REMOVED
from .job import Job, working_on
from .parallel import Call, Outcome, Steps, map_studies, parts_of
from .staging import DeidTask, Rules, clear_staging, finish_staging, stage_instances


@unless_closed("anonymized_dicom")
def deidentify_studies(job: Job, batch: str) -> list[StudyRow]:
    """One row a study: de-identified and quarantined sum to received."""
    with working_on(job, batch):
        rows = require_stage(job.zones, batch, "raw_dicom")
        resolved = {one.study_key: one for one in read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)}
        rules = Rules.of(job.profile, job.key)
        others = {key: set(batches) - {batch} for key, batches in batches_by_study(job.zones).items()}
        tasks = [
            DeidTask(
                row.study_key,
                job.zones.raw(batch, row.study_key),
                job.zones.staging(batch, row.study_key),
                job.zones.quarantine(batch, row.study_key),
                job.zones.released,
                rules,
                resolved[row.study_key].pseudonym,
                resolved[row.study_key].identifiers,
                _patients(job, row.study_key, others),
                reviews_on(job.zones, row.study_key),
                job.deface,
            )
            for row in rows
            if row.received
        ]
        todo = [task for task in tasks if not is_current(task)]
        require_originals(task.raw for task in todo)
        with job.progress("de-identifying", len(todo)) as step:
            outcomes = map_studies(deidentify_study, todo, job.workers, step)
        failed = {outcome.task.study_key: outcome for outcome in outcomes if outcome.code}
        rows = [_ledger_row(row, failed.get(row.study_key), _staged(job, batch, row)) for row in rows]
        write_stage(job.zones, batch, "anonymized_dicom", rows)
    return rows


def _patients(job: Job, study_key: str, others: Mapping[str, set[str]]) -> frozenset[str]:
    """PatientIDs of the study's instances that other batches have de-identified."""
    manifests = (manifest_of(job.zones.staging(other, study_key)) for other in others.get(study_key, ()))
    staged = (row for manifest in manifests for row in read_sealed(manifest, StagedInstance))
    return frozenset(row.original_patient_id for row in staged if not row.reason)


def _staged(job: Job, batch: str, row: StudyRow) -> list[StagedInstance]:
    return read_sealed(manifest_of(job.zones.staging(batch, row.study_key)), StagedInstance) if row.received else []


def _ledger_row(row: StudyRow, failed: Outcome | None, staged: list[StagedInstance]) -> StudyRow:
    if failed is not None:
        return replace(row, state="failed", reason=failed.code, quarantined=row.received)
    reasons = Counter(instance.reason for instance in staged if instance.reason)
    quarantined = row.quarantined + reasons.total()  # what was set aside when it arrived counts already
    row = replace(row, deidentified=len(staged) - reasons.total(), quarantined=quarantined)
    if row.state == "done" and reasons:
        return replace(row, state="quarantined", reason=min(reasons, key=lambda code: (-reasons[code], code)))
    return row


def is_current(task: DeidTask) -> bool:
    """The staging manifest rests on these very inputs, this profile, this key and what reviewers decided, and what it
    names is there: staged, or released already; and nothing was kept back for an extra that is installed now, or for
    want of a program that removes faces."""
    staged = read_sealed(manifest_of(task.staging), StagedInstance)
    raw = read_sealed(manifest_of(task.raw), RawInstance)
    rules = task.rules.profile_digest, task.key_id
    inputs = {(one.file, one.sha256, *rules, task.reviews.get(one.sha256, "")) for one in raw}
    return (
        bool(staged)
        and {(s.raw_file, s.raw_sha256, s.profile_digest, s.key_id, s.review) for s in staged} == inputs
        and not (extra_is_installed() and any(one.reason == "PIXELS_EXTRA_MISSING" for one in staged))
        and not (task.deface and any(one.reason == FACE_NOT_REMOVED for one in staged))
        and all(
            (task.staging / one.file).is_file() or has_digest(task.released / one.released_path, one.sha256)
            for one in staged
            if not one.reason
        )
    )


def deidentify_study(task: DeidTask) -> Steps[int]:
    """De-identify one study into its staging folder; how many instances."""
    raw = read_sealed(manifest_of(task.raw), RawInstance)
    clear_staging(task)
    parts = yield [Call(stage_instances, task, part) for part in parts_of(raw, lambda one: one.size)]
    (count,) = yield [Call(finish_staging, task, [staged for part in parts for staged in part])]
    return count
