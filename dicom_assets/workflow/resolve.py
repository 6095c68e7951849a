"""pacs_studies: which studies the request means, by asking the archive. Studies not found are rows too."""

from collections import defaultdict
from dataclasses import replace

from ..batches.key import is_arrival
from ..batches.lookup import Held, Lookup
from ..batches.request import RequestRow, load_request
from ..errors import DicomAssetsError, RetryLater
from ..storage.ledger import StudyRow, write_stage
from ..storage.manifests import ResolvedStudy, held_by
from ..storage.tables import read_sealed, write_sealed
from .arrived import resolve_arrivals
from .closing import unless_closed
from .job import Job, working_on
from .pseudonym_conflicts import PSEUDONYM_CONFLICT, refuse_pseudonym_conflicts
from .settled_pseudonyms import settled_pseudonyms, settling


@unless_closed("pacs_studies")
def resolve_studies(job: Job, batch: str) -> list[StudyRow]:
    """One row a study, or a requested row without one. Rows that were found before are not asked for again.
    Raises RetryLater where no archive answers for any of the rows."""
    if is_arrival(batch):
        return resolve_arrivals(job, batch)
    request = load_request(job.zones, batch)
    with working_on(job, batch):
        path = job.zones.resolved_studies(batch)
        before = defaultdict(list)
        for study in read_sealed(path, ResolvedStudy):
            before[study.request_key].append(study)
        known = {row: before[job.key.request_key(row.canonical)] for row in request.rows}
        to_ask = [row for row in request.rows if not _is_known(known[row])]
        studies: dict[str, ResolvedStudy] = {}
        unanswered = []
        with (
            job.progress("asking the archive", len(request.rows)) as step,
            Lookup(job.archives, to_ask, job.talking_to) as lookup,
        ):
            for row in request.rows:
                of_row = known[row]
                if not _is_known(of_row):
                    answer, error = _ask(job, lookup, row)
                    if error is not None and not any(study.state == "found" for study in answer):
                        unanswered.append(error)
                    of_row = _as_far_as_known(of_row, answer, error)
                for study in of_row:
                    studies[study.study_key] = _merged(studies.get(study.study_key), study)
                step()
        if unanswered and len(unanswered) == len(to_ask):
            raise RetryLater(unanswered[0].code)
        with settling(job.zones):
            in_use = settled_pseudonyms(job.zones, job.key, but_not=batch)
            resolved = refuse_pseudonym_conflicts(job.key, studies.values(), in_use)
            write_sealed(path, resolved, ResolvedStudy)
        rows = [_ledger_row(study) for study in resolved]
        write_stage(job.zones, batch, "pacs_studies", rows)
    return rows


def _is_known(studies: list[ResolvedStudy]) -> bool:
    return bool(studies) and all(study.state == "found" and not study.reason for study in studies)


def _as_far_as_known(
    before: list[ResolvedStudy], answer: list[ResolvedStudy], error: RetryLater | None
) -> list[ResolvedStudy]:
    """What was found before stays so, and what is found now comes to it. error: why an archive did not answer now."""
    found = {study.study_key: study for study in answer if study.state == "found"}
    if before and error is not None and not found:
        return before
    found = {study.study_key: study for study in before if study.state == "found"} | found
    others = [study for study in answer if study.study_key not in found]
    return list(found.values()) + [study for study in others if not (found and study.state == "not_found")]


def _ask(job: Job, lookup: Lookup, row: RequestRow) -> tuple[list[ResolvedStudy], RetryLater | None]:
    """What is known of the row now, and why that may not be all."""
    request_key = job.key.request_key(row.canonical)
    found = lookup.ask(row)
    error = found.error
    studies = []
    for held in found.studies:
        try:
            studies.append(_resolved(job, lookup, row, request_key, held))
        except DicomAssetsError as failure:
            error = failure
            named = replace(row, study_instance_uid=held.study.study_instance_uid)
            studies.append(_without_study(job, named, request_key, "failed", failure.code))
    if found.error is not None:
        studies.append(_without_study(job, row, request_key, "failed", found.error.code))
    elif not studies:
        studies.append(_without_study(job, row, request_key, "not_found", found.reason))
    return studies, error if isinstance(error, RetryLater) else None


def _resolved(job: Job, lookup: Lookup, row: RequestRow, request_key: str, held: Held) -> ResolvedStudy:
    expected = lookup.expected(held)
    study = held.study
    study_key = job.key.study_key(study.study_instance_uid)
    return ResolvedStudy(
        study_key=study_key,
        request_key=request_key,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        pseudonym=row.pseudonym,
        state="found",
        reason=held.doubt,
        expected_series=None if expected.count is None else len(expected.series),
        expected_instances=expected.besides(held_by(job.zones, study_key, row.but_not).keys()),
        archive=held.archive.name,
    )


def _without_study(job: Job, row: RequestRow, request_key: str, state: str, reason: str) -> ResolvedStudy:
    uid = row.study_instance_uid
    return ResolvedStudy(
        study_key=job.key.study_key(uid) if uid else request_key,
        request_key=request_key,
        study_instance_uid=uid,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        pseudonym=row.pseudonym,
        state=state,
        reason=reason,
        expected_series=0,
        expected_instances=0,
    )


def _merged(earlier: ResolvedStudy | None, study: ResolvedStudy) -> ResolvedStudy:
    """Two rows that mean one study: found where either finds it, the pseudonym that either brings, and a conflict where
    they bring two."""
    if earlier is None:
        return study
    if earlier.state != "found" == study.state and earlier.state != "refused":
        earlier, study = study, earlier
    if earlier.pseudonym and study.pseudonym and earlier.pseudonym != study.pseudonym:
        return replace(earlier, state="refused", reason=PSEUDONYM_CONFLICT)
    return replace(earlier, pseudonym=earlier.pseudonym or study.pseudonym)


def _ledger_row(study: ResolvedStudy) -> StudyRow:
    found = study.state in ("found", "refused")
    return StudyRow(
        study_key=study.study_key,
        state="incomplete" if study.state == "found" else "failed",
        reason=study.reason or "NOT_YET_RETRIEVED",
        found=int(found),
        expected=study.expected_instances,
        missing=study.expected_instances or 0,
    )
