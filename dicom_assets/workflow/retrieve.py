"""raw_dicom: a study's instances as they came, and the proof that none is missing.

Complete means: the set of SOPInstanceUIDs that the archive lists at IMAGE level, asked again after the transfer, equals
the set that was read back from our disk. "Success" in a response proves nothing.
"""

from dataclasses import dataclass, replace

from ..errors import DicomAssetsError, RetryLater
from ..pacs.find import InstanceMatch, find_instances
from ..pacs.retrieve import ReceivedInstance, retrieve_instances
from ..storage.ledger import StudyRow, read_stage, require_stage, write_stage
from ..storage.manifests import RawInstance, ResolvedStudy
from ..storage.raw import RawFolder
from ..storage.tables import read_rows, write_rows
from .job import Job, coded_file_errors, working_on

#: The row of a study that was proved complete, kept beside its instances: the archive may lose them later, we do not.
_PROOF = "proof.parquet"
#: Rounds of asking for what is missing, while each brings something
_ROUNDS = 5
#: Rounds in a row that ended in a time-out or dead connection, over all studies of a batch, after which the archive is
#: left alone: twice its stall limit is what this stage may wait in vain.
_DEAD_ROUNDS = 2
#: Codes of such rounds
_DEAD = {"PACS_UNREACHABLE", "PACS_TIMEOUT", "PACS_STALLED", "RECEIVER_PORT_BUSY"}
#: Codes after which no study of this run can be asked for; the stage as a whole may be tried again
_NOT_EVEN_ASKED = {"PACS_NOT_CONFIGURED", "PACS_UNREACHABLE", "RECEIVER_PORT_BUSY"}


@dataclass
class _Patience:
    """What is left of it, over the studies of one batch: a dead archive must not cost a time-out a study."""

    left: int = _DEAD_ROUNDS
    reason: str = ""

    def after(self, reason: str, brought: int) -> None:
        """A round or query ended for this reason and brought so many instances."""
        if brought or reason not in _DEAD:
            self.left = _DEAD_ROUNDS
        else:
            self.left -= 1
            self.reason = reason

    @property
    def ended(self) -> bool:
        return self.left <= 0


def retrieve_studies(job: Job, batch: str) -> list[StudyRow]:
    """One row a study. A study that fails leaves its row and does not stop the others; what is complete already is not
    asked for again. Raises RetryLater where the archive could not be reached at all."""
    with working_on(job, batch):
        before = {row.study_key: row for row in read_stage(job.zones, batch, "raw_dicom")}
        resolved = {s.study_key: s for s in read_rows(job.zones.resolved_studies(batch), ResolvedStudy)}
        patience = _Patience()
        rows = []
        stage = require_stage(job.zones, batch, "pacs_studies")
        with job.progress("retrieving", len(stage)) as step:
            for row in stage:
                study = resolved[row.study_key]
                rows.append(_study_row(job, batch, study, row, before.get(row.study_key), patience))
                step()
        write_stage(job.zones, batch, "raw_dicom", rows)
    _raise_if_nothing_could_be_asked(rows, before)
    return rows


def _raise_if_nothing_could_be_asked(rows: list[StudyRow], before: dict[str, StudyRow]) -> None:
    asked = [row for row in rows if row.found and (row.state != "done" or before.get(row.study_key) != row)]
    if asked and all(row.reason in _NOT_EVEN_ASKED and not row.received for row in asked):
        raise RetryLater(asked[0].reason)


def _study_row(
    job: Job, batch: str, study: ResolvedStudy, row: StudyRow, before: StudyRow | None, patience: _Patience
) -> StudyRow:
    if study.state != "found":
        return row
    folder = _folder_of(job, batch, study)
    proved = read_rows(folder.folder / _PROOF, StudyRow)
    if proved and folder.is_whole():
        return proved[0]
    if patience.ended:
        return _failed(row, before, patience.reason, folder)
    try:
        return _Retrieval(job, batch, study, folder, patience).run(row)
    except DicomAssetsError as error:
        if error.code in ("DISK_FULL", "NO_PERMISSION", "FILE_OPERATION_FAILED"):
            raise
        patience.after(error.code, brought=0)
        return _failed(row, before, error.code, folder)


def _folder_of(job: Job, batch: str, study: ResolvedStudy) -> RawFolder:
    return RawFolder(job.zones.raw(batch, study.study_key), job.key.file_name)


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


@dataclass
class _Retrieval:
    """One study's retrieval: rounds of asking for what is missing, then the proof."""

    job: Job
    batch: str
    study: ResolvedStudy
    folder: RawFolder
    patience: _Patience
    reason: str = ""

    def run(self, row: StudyRow) -> StudyRow:
        self.folder.open()
        verified: dict[str, RawInstance] = {}
        listed = self._listed()
        if listed is None:
            self._round(None, whole_study=True)
            return self._unlisted(row)
        for number in range(_ROUNDS):
            missing = self._missing(listed, verified)
            if not missing:
                break
            brought = self._round(missing, whole_study=number == 0 and not verified)
            self._missing(listed, verified)
            self.patience.after(self.reason, brought)
            if not brought and (number or self.reason in _DEAD):
                break
        return self._proof(row, verified)

    def _listed(self) -> list[InstanceMatch] | None:
        return find_instances(self.job.archive, self.study.study_instance_uid)

    def _missing(self, listed: list[InstanceMatch], verified: dict[str, RawInstance]) -> list[InstanceMatch]:
        """What is listed and not verified on disk; verifies what has come since."""
        for instance in listed:
            uid = instance.sop_instance_uid
            if uid not in verified and self.folder.holds(uid):
                checked = self.folder.verify(self.study.study_instance_uid, uid)
                if checked is not None:
                    verified[uid] = checked
        return [instance for instance in listed if instance.sop_instance_uid not in verified]

    def _round(self, wanted: list[InstanceMatch] | None, whole_study: bool) -> int:
        """Ask once; how many instances came."""
        uid = self.study.study_instance_uid
        try:
            report = retrieve_instances(self.job.archive, uid, wanted, self._store, whole_study=whole_study)
        finally:
            brought = self.folder.keep()
        self.reason = report.reason
        return brought

    def _store(self, instance: ReceivedInstance) -> None:
        with coded_file_errors():
            self.folder.add(
                instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, instance.data
            )

    def _proof(self, row: StudyRow, verified: dict[str, RawInstance]) -> StudyRow:
        """Asked again after the transfer: does the archive's list equal what is on our disk?"""
        listed = self._listed()
        if listed is None:
            return self._unlisted(row)
        if not listed and self.folder.read_manifest():
            return _failed(row, None, "STUDY_EMPTY", self.folder)  # what an earlier run brought stays as it is
        missing = self._missing(listed, verified)
        wanted = {instance.sop_instance_uid for instance in listed}
        received = [instance for uid, instance in sorted(verified.items()) if uid in wanted]
        strangers = self.folder.names() - {instance.file for instance in received}
        self.folder.set_aside(strangers, self.job.zones.quarantine(self.batch, self.study.study_key))
        self.folder.write_manifest(received)
        complete = not missing and bool(listed)
        proved = replace(
            row,
            state="done" if complete else "incomplete",
            reason="" if complete else self.reason or ("INSTANCES_MISSING" if missing else "STUDY_EMPTY"),
            expected=len(listed),
            received=len(received),
            missing=len(missing),
            bytes=sum(instance.size for instance in received),
        )
        if complete:
            write_rows(self.folder.folder / _PROOF, [proved], StudyRow)
        return proved

    def _unlisted(self, row: StudyRow) -> StudyRow:
        """The archive cannot list instances: what came is kept, and the study is never called complete."""
        received = self.folder.verify_all(self.study.study_instance_uid)
        self.folder.write_manifest(received)
        return replace(
            row,
            state="incomplete",
            reason=self.reason or "EXPECTED_COUNT_UNKNOWN",
            expected=None,
            received=len(received),
            missing=0,
            bytes=sum(instance.size for instance in received),
        )
