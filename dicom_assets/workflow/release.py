"""validation_report: prove, report, release. What passes goes to the released root, the rest is withheld.

The order is what keeps a crash harmless: verdicts first, then the report, then study by study into the released root,
then the ledger's row; running again finishes the work and ends in the same bytes.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from ..storage.atomic import delete, exclusive_lock
from ..storage.audit import Event, record
from ..storage.ledger import StudyRow, read_stage, require_stage, sums_that_fail, write_stage
from ..storage.manifests import ResolvedStudy, StagedInstance, manifest_of
from ..storage.mapping import offsets_in_use, part_digest, read_part
from ..storage.raw import require_originals
from ..storage.tables import read_sealed
from ..storage.vault import content_digest
from ..storage.zones import Zones
from .arrived import set_aside_of
from .closing import close_unless_kept, unless_closed
from .job import Job, coded_file_errors, working_on
from .mapped_rows import COLUMNS as MAPPED_COLUMNS
from .mapped_rows import MappedRows
from .parallel import map_studies
from .promises import promises_of
from .pseudonym_conflicts import PSEUDONYM_CONFLICT
from .released_files import are_released, conflicts, copy_into_release, unfinished_folder
from .report import BatchReport, CheckResult, batch_report, write_report
from .report_content import Loss
from .uid_pairs import compare_studies
from .validate import validate_study
from .validate_part import ValidationTask
from .verdict import Finding, StudyVerdict, withheld_instances
from .withdraw import (
    begin_release,
    finish_release,
    is_released_by_this_batch_alone,
    read_release,
    report_stands,
    withdraw,
)

#: Reasons of a study of which nothing was de-identified: it has no manifest that speaks of its instances
_FAILED_WHOLE = {"WORKER_CRASHED", "INTERNAL_ERROR", "ORIGINAL_UNREADABLE", PSEUDONYM_CONFLICT}


@dataclass(frozen=True)
class _Study:
    """One study on its way out: staged instances by new SOPInstanceUID, and why any of them stays. quarantined: reason
    code -> instances that were never staged."""

    row: StudyRow
    quarantined: Counter[str]
    manifest: list[StagedInstance]
    staged: dict[str, StagedInstance]
    withheld: dict[str, str]  #: new SOPInstanceUID -> reason code

    @property
    def released(self) -> list[StagedInstance]:
        return [one for uid, one in sorted(self.staged.items()) if uid not in self.withheld]

    def withheld_originals(self) -> Iterator[tuple[str, str]]:
        """`<study key>/<raw file>`, reason code."""
        for uid, reason in self.withheld.items():
            yield f"{self.row.study_key}/{self.staged[uid].raw_file}", reason

    def final_row(self) -> StudyRow:
        row = replace(self.row, released=len(self.released), withheld=len(self.withheld))
        if row.state == "done" and self.withheld:
            reasons = Counter(self.withheld.values())
            return replace(row, state="quarantined", reason=min(reasons, key=lambda code: (-reasons[code], code)))
        return row


@unless_closed("validation_report")
def validate_and_release(job: Job, batch: str) -> list[StudyRow]:
    """One row a study: released and withheld sum to de-identified. A batch that is released and unchanged since is left
    as it is."""
    with working_on(job, batch):
        rows = require_stage(job.zones, batch, "mapping_table")
        inputs = _inputs_digest(job, batch, rows)
        if _is_finished(job, batch, inputs, rows):
            _drop_staged(job.zones, batch)
            close_unless_kept(job.zones, batch, {})
            return read_stage(job.zones, batch, "validation_report")
        verdicts, failed = _validate(job, batch, rows)
        # One batch at a time: what another one releases between verdict and copy would be overwritten unseen.
        with exclusive_lock(job.zones.lock("release"), wait=True):
            return _release(job, batch, rows, inputs, verdicts, failed)


def _release(
    job: Job,
    batch: str,
    rows: Sequence[StudyRow],
    inputs: str,
    verdicts: dict[str, StudyVerdict],
    failed: dict[str, str],
) -> list[StudyRow]:
    """inputs: of _inputs_digest(). verdicts, failed: of _validate()."""
    shifts = job.profile.dates == "shift"
    across = compare_studies(verdicts.values(), offsets_in_use(job.zones, but_not=batch) if shifts else {})
    mapped = MappedRows(read_part(job.zones, batch, MAPPED_COLUMNS, why="validation_report"))
    if mapped.has_more_than(sum(row.deidentified for row in rows)):
        failed, verdicts = dict.fromkeys(verdicts, "MAPPING_NOT_ONE_TO_ONE") | failed, {}
    studies = [_decide(job, batch, row, verdicts.get(row.study_key), across, failed, mapped) for row in rows]
    final = [study.final_row() for study in studies]
    staged = [one for study in studies for one in study.staged.values()]
    report = _report(job, batch, studies, final, [*verdicts.values()], across, mapped.check(staged))
    reports = write_report(job.zones, batch, report)
    files = [one.released_path for study in studies for one in study.released]
    withdraw(job.zones, batch, but_not=files)
    if files:
        record(job.zones, Event.RELEASE, _counts(batch, studies), "validation_report")
    begin_release(job.zones, batch, files)
    with job.progress("releasing", len(studies)) as step, unfinished_folder(job.zones.released, batch) as unfinished:
        for study in studies:
            staging = job.zones.staging(batch, study.row.study_key)
            copy_into_release(staging, job.zones.released, study.released, unfinished, job.workers)
            step()
    write_stage(job.zones, batch, "validation_report", final)
    finish_release(job.zones, batch, inputs, files, reports)
    _drop_staged(job.zones, batch)
    withheld = {original: reason for study in studies for original, reason in study.withheld_originals()}
    close_unless_kept(job.zones, batch, withheld)
    return final


def _counts(batch: str, studies: Sequence[_Study]) -> str:
    released = [len(study.released) for study in studies if study.released]
    return f"{batch}: {sum(released)} instances of {len(released)} studies"


def _staged(zones: Zones, batch: str, study_key: str) -> list[StagedInstance]:
    return [row for row in read_sealed(manifest_of(zones.staging(batch, study_key)), StagedInstance) if not row.reason]


def _validate(job: Job, batch: str, rows: Iterable[StudyRow]) -> tuple[dict[str, StudyVerdict], dict[str, str]]:
    """Verdicts by study key, and the codes of the studies that could not be judged."""
    resolved = {s.study_key: s for s in read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)}
    promises = promises_of(job.profile)
    tasks = [
        ValidationTask(
            study_key=row.study_key,
            raw_folder=job.zones.raw(batch, row.study_key),
            staging_folder=job.zones.staging(batch, row.study_key),
            released_root=job.zones.released,
            promises=promises,
            deidentified=row.deidentified,
            extra_identifiers=resolved[row.study_key].identifiers,
        )
        for row in rows
        if row.deidentified
    ]
    require_originals(task.raw_folder for task in tasks)
    with job.progress("proving", len(tasks)) as step:
        outcomes = map_studies(validate_study, tasks, job.workers, step)
    verdicts = {outcome.task.study_key: outcome.result for outcome in outcomes if outcome.result is not None}
    return verdicts, {outcome.task.study_key: outcome.code for outcome in outcomes if outcome.result is None}


def _decide(
    job: Job,
    batch: str,
    row: StudyRow,
    verdict: StudyVerdict | None,
    across: Sequence[Finding],
    failed: dict[str, str],
    mapped: MappedRows,
) -> _Study:
    """Unproved means not released: an instance goes only if nothing at all speaks against it."""
    manifest = read_sealed(manifest_of(job.zones.staging(batch, row.study_key)), StagedInstance)
    quarantined = Counter(one.reason for one in manifest if one.reason)
    quarantined += set_aside_of(job.zones, batch, row.study_key)
    staged = {Path(one.file).stem: one for one in manifest if row.deidentified and not one.reason}
    whole = _reason_against_all(row, verdict, failed)
    if whole:
        return _Study(row, quarantined, manifest, staged, dict.fromkeys(staged, whole))
    judged = {facts.instance for facts in verdict.instances}
    own = {finding.instance: finding.reason for finding in verdict.findings}
    of_study = [one.reason for one in across if one.study_key == row.study_key]
    of_study += [reason for instance, reason in own.items() if instance not in judged] + ["VALIDATION_FAILED"]
    withheld = {uid: own.get(uid, of_study[0]) for uid in withheld_instances(verdict, across) & set(staged)}
    for uid, one in staged.items():
        if uid not in judged:
            withheld.setdefault(uid, "VALIDATION_FAILED")
        if not mapped.names(one):
            withheld.setdefault(uid, "MAPPING_ROW_MISSING")
        elif conflicts(job.zones.released / one.released_path, one, job.profile.digest) and not (
            # Of what this batch alone has released, a reviewer may decide otherwise, such as to blank more.
            one.review and is_released_by_this_batch_alone(job.zones, batch, one.released_path)
        ):
            withheld.setdefault(uid, "RELEASED_COPY_DIFFERS")
    return _Study(row, quarantined, manifest, staged, withheld)


def _reason_against_all(row: StudyRow, verdict: StudyVerdict | None, failed: dict[str, str]) -> str:
    if sums_that_fail(row, "mapping_table"):
        return "LEDGER_DOES_NOT_ADD_UP"
    if row.reason == PSEUDONYM_CONFLICT:
        return row.reason
    if row.state in ("incomplete", "failed"):
        return "STUDY_INCOMPLETE"
    if verdict is None:
        return failed.get(row.study_key, "VALIDATION_FAILED")
    return ""


def _report(
    job: Job,
    batch: str,
    studies: Sequence[_Study],
    rows: Sequence[StudyRow],
    verdicts: Sequence[StudyVerdict],
    across: Sequence[Finding],
    mapping_check: CheckResult,
) -> BatchReport:
    quarantined: list[Loss] = []
    for study, row in zip(studies, rows, strict=True):
        if row.reason not in _FAILED_WHOLE:
            quarantined += [(row.study_key, reason, count) for reason, count in study.quarantined.items()]
        elif row.quarantined:
            quarantined.append((row.study_key, row.reason, row.quarantined))
    stays = {uid for study in studies for uid in study.withheld}
    withheld = Counter((study.row.study_key, reason) for study in studies for reason in study.withheld.values())
    return batch_report(
        batch=batch,
        profile=job.profile,
        rows=rows,
        verdicts=[_with_reviews(verdict, studies) for verdict in verdicts],
        across=across,
        more_checks=(mapping_check,),
        quarantined=quarantined,
        withheld=tuple((key, reason, count) for (key, reason), count in sorted(withheld.items())),
        held_back=stays,
        key_ids=(one.key_id for study in studies for one in study.staged.values()),
        manifests=(one for study in studies if study.row.reason not in _FAILED_WHOLE for one in study.manifest),
    )


def _with_reviews(verdict: StudyVerdict, studies: Iterable[_Study]) -> StudyVerdict:
    """A note on each instance that goes out because a reviewer vouched for it, or chose it."""
    study = next(study for study in studies if study.row.study_key == verdict.study_key)
    vouched = [Path(one.file).stem for one in study.released if one.review]
    notes = [Finding(verdict.study_key, uid, "", "RELEASED_AFTER_REVIEW", "") for uid in vouched]
    return replace(verdict, notes=(*verdict.notes, *notes))


def read_check(zones: Zones, batch: str, name: str) -> CheckResult:
    """What the batch's report says of one check."""
    with coded_file_errors():
        report = json.loads(zones.report(batch, "json").read_bytes())
    return next(CheckResult(**check) for check in report["checks"] if check["name"] == name)


def _inputs_digest(job: Job, batch: str, rows: Iterable[StudyRow]) -> str:
    """Of all that the verdicts rest on: staged manifests, mapping, ledger, profile."""
    digest = sha256(job.profile.digest.encode())
    for row in rows:
        digest.update(repr(row).encode())
        digest.update(content_digest(manifest_of(job.zones.staging(batch, row.study_key))).encode())
    digest.update(part_digest(job.zones, batch, why="validation_report").encode())
    return digest.hexdigest()


def _is_finished(job: Job, batch: str, inputs: str, rows: Iterable[StudyRow]) -> bool:
    """The same inputs were released before, all of them, and every file of the release and its report is as it was.
    What was withheld is judged again: the reason may lie in a file that has been mended since."""
    zones = job.zones
    return (
        read_release(zones, batch).inputs == inputs
        and zones.ledger(batch, "validation_report").is_file()
        and not any(row.withheld for row in read_stage(zones, batch, "validation_report"))
        and report_stands(zones, batch)
        and all(
            are_released(zones.released, _staged(zones, batch, row.study_key), job.workers)
            for row in rows
            if row.deidentified
        )
    )


def _drop_staged(zones: Zones, batch: str) -> None:
    """The staged copies of what is released."""
    released = {Path(file).name for file in read_release(zones, batch).files}
    delete(file for file in (zones.restricted / "staging" / batch).glob("*/*.dcm") if file.name in released)
