"""raw_dicom: a study's instances as they came, and the proof that none is missing.

Complete means: what the archive lists, asked again after the transfer, equals what was read back from our disk. At
IMAGE level the SOPInstanceUIDs are compared; where the archive has no such list its counts, by series or for the study;
where it cannot count, nobody knows. "Success" in a response proves nothing.
"""

from dataclasses import dataclass, replace

from ..batches.key import is_arrival
from ..batches.request import load_request
from ..errors import DicomAssetsError, RetryLater
from ..storage.decisions import discarded_of
from ..storage.ledger import StudyRow, read_stage, require_stage, write_stage
from ..storage.manifests import ResolvedStudy, batches_holding, held_by
from ..storage.raw import RawFolder
from ..storage.set_aside import SetAsideFolder
from ..storage.tables import read_rows, read_sealed, write_rows
from .arrived import take_arrivals
from .closing import unless_closed
from .job import Job, working_on
from .patience import NOT_EVEN_ASKED, Patience
from .retrieval import OF_THE_MACHINE, SHRANK, Retrieval

#: The row of a study that was proved complete, kept beside its instances: the archive may lose them later, we do not.
_PROOF = "proof.parquet"


@dataclass(frozen=True)
class _Stage:
    """What the studies of one run have in common. before: rows of the last run. but_not: StudyInstanceUID -> batches
    that have a part of the study already."""

    job: Job
    batch: str
    before: dict[str, StudyRow]
    but_not: dict[str, tuple[str, ...]]
    patience: Patience


@unless_closed("raw_dicom")
def retrieve_studies(job: Job, batch: str) -> list[StudyRow]:
    """One row a study. A study that fails leaves its row and does not stop the others; what is complete already is not
    asked for again. Raises RetryLater where no archive could be reached at all."""
    if is_arrival(batch):
        return take_arrivals(job, batch)
    but_not = {row.study_instance_uid: row.but_not for row in load_request(job.zones, batch).rows}
    with working_on(job, batch):
        before = {row.study_key: row for row in read_stage(job.zones, batch, "raw_dicom")}
        resolved = {s.study_key: s for s in read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)}
        stage = _Stage(job, batch, before, but_not, Patience())
        found = require_stage(job.zones, batch, "pacs_studies")
        rows = []
        with job.progress("retrieving", len(found)) as step:
            for row in found:
                rows.append(_study_row(stage, resolved[row.study_key], row))
                step()
        write_stage(job.zones, batch, "raw_dicom", rows)
    _raise_if_nothing_could_be_asked(rows, before)
    return rows


def _raise_if_nothing_could_be_asked(rows: list[StudyRow], before: dict[str, StudyRow]) -> None:
    asked = [row for row in rows if row.found and (row.state != "done" or before.get(row.study_key) != row)]
    if asked and all(row.reason in NOT_EVEN_ASKED and not row.received for row in asked):
        raise RetryLater(asked[0].reason)


def _study_row(stage: _Stage, study: ResolvedStudy, row: StudyRow) -> StudyRow:
    if study.state != "found":
        return row
    retrieval = _retrieval(stage, study)
    folder = retrieval.folder
    proved = read_rows(folder.folder / _PROOF, StudyRow)
    if proved and folder.is_whole() and len(folder.read_manifest()) == proved[0].received:
        return proved[0]
    try:
        row = retrieval.run(row)
    except DicomAssetsError as error:
        if error.code in OF_THE_MACHINE or proved:
            raise  # the release that rests on what is proved stands, though its originals were deleted meanwhile
        return _failed(row, stage.before.get(row.study_key), error.code, folder)
    if proved and (row.state != "done" or row.received < proved[0].received):
        raise RetryLater(row.reason or SHRANK)
    if row.state == "done":
        write_rows(folder.folder / _PROOF, [row], StudyRow)
    return row


def _retrieval(stage: _Stage, study: ResolvedStudy) -> Retrieval:
    job, key = stage.job, study.study_key
    but_not = stage.but_not.get(study.study_instance_uid, ())
    others = [batch for batch in batches_holding(job.zones, key) if batch not in (stage.batch, *but_not)]
    aside = SetAsideFolder(job.zones.quarantine(stage.batch, key), job.key.file_name, discarded_of(job.zones, key))
    folder = RawFolder(job.zones.raw(stage.batch, key), aside, study.study_instance_uid, job.key.file_name)
    return Retrieval(
        job=job,
        study=study,
        folder=folder,
        patience=stage.patience,
        before=stage.before.get(key),
        elsewhere=held_by(job.zones, key, (*but_not, *others)),
        not_wanted=held_by(job.zones, key, but_not),
    )


def _failed(row: StudyRow, before: StudyRow | None, reason: str, folder: RawFolder) -> StudyRow:
    """What an earlier attempt brought still counts, and so does what the archive listed then."""
    received = folder.read_manifest()
    expected = before.expected if before is not None else row.expected
    if expected is not None:
        expected = max(expected, len(received))
    return replace(
        row,
        state="failed",
        reason=reason,
        expected=expected,
        received=len(received),
        missing=(expected or 0) - len(received) if expected is not None else 0,
        bytes=sum(instance.size for instance in received),
    )
