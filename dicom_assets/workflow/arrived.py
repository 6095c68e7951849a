"""pacs_studies and raw_dicom of a batch of arrivals: what was claimed for it lies in its raw folders already.

Nobody can list what a sender should have sent: expected is what came, less what earlier batches have taken. What is
damaged or disputed goes into quarantine, and counts as received and quarantined.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..batches.key import is_arrival
from ..batches.request import load_request
from ..deid.deidentify import notes_of
from ..errors import DicomAssetsError
from ..storage.atomic import delete
from ..storage.decisions import decisions_on, discarded_of
from ..storage.incoming import instances_in, is_declared_complete
from ..storage.instance_files import FileSource
from ..storage.ledger import StudyRow, require_stage, write_stage
from ..storage.manifests import RawInstance, ResolvedStudy, batches_by_study, held_by
from ..storage.raw import RawFolder
from ..storage.same_content import have_same_content
from ..storage.set_aside import CONFLICT, NOT_OF_STUDY, SetAsideFolder
from ..storage.tables import read_rows, read_sealed, write_rows, write_sealed
from ..storage.zones import Zones
from .closing import is_finished
from .job import Job, working_on
from .pseudonym_conflicts import refuse_pseudonym_conflicts
from .settled_pseudonyms import settled_pseudonyms, settling
from .withdraw import released_originals

#: The row of a study whose folder holds what its manifest names, kept beside it.
_PROOF = "proof.parquet"
#: How complete is known to be, where the sender said how many instances there are
SENDER = "SENDER"


def resolve_arrivals(job: Job, batch: str) -> list[StudyRow]:
    """One row a study that was claimed."""
    request = load_request(job.zones, batch)
    with working_on(job, batch):
        path = job.zones.resolved_studies(batch)
        known = {study.study_key: study for study in read_sealed(path, ResolvedStudy) if study.state == "found"}
        keys = {job.key.study_key(row.study_instance_uid): row.study_instance_uid for row in request.rows}
        studies = [known.get(key) or _resolved(job, batch, key, uid) for key, uid in keys.items()]
        with settling(job.zones):
            in_use = settled_pseudonyms(job.zones, job.key, but_not=batch)
            resolved = refuse_pseudonym_conflicts(job.key, studies, in_use)
            write_sealed(path, resolved, ResolvedStudy)
        rows = [_found(study) for study in resolved]
        write_stage(job.zones, batch, "pacs_studies", rows)
    return rows


def _resolved(job: Job, batch: str, study_key: str, study_instance_uid: str) -> ResolvedStudy:
    folder = job.zones.raw(batch, study_key)
    files = instances_in(folder) if folder.is_dir() else []
    return ResolvedStudy(
        study_key=study_key,
        request_key=study_key,
        study_instance_uid=study_instance_uid,
        patient_id=_patient_id(files),
        accession_number="",
        pseudonym="",
        state="found" if files else "failed",
        reason="" if files else "ARRIVAL_FILES_MISSING",
        expected_series=None,
        expected_instances=len(files),
        archive="",
    )


def _patient_id(files: Iterable[Path]) -> str:
    """Of the first file that can be read; empty where it has none."""
    for path in files:
        with suppress(DicomAssetsError), path.open("rb", buffering=0) as file:
            return notes_of(FileSource(file.fileno())).patient_id
    return ""


def _found(study: ResolvedStudy) -> StudyRow:
    is_found = study.state == "found"
    return StudyRow(
        study_key=study.study_key,
        state="incomplete" if is_found else "failed",
        reason=study.reason or "NOT_YET_RETRIEVED",
        found=1,
        expected=study.expected_instances,
        missing=study.expected_instances or 0,
    )


def take_arrivals(job: Job, batch: str) -> list[StudyRow]:
    """One row a study: its files read back, each once, and the manifest written."""
    with working_on(job, batch):
        resolved = {study.study_key: study for study in read_sealed(job.zones.resolved_studies(batch), ResolvedStudy)}
        found = require_stage(job.zones, batch, "pacs_studies")
        others = batches_by_study(job.zones)
        rows = []
        with job.progress("reading what arrived", len(found)) as step:
            for row in found:
                study = resolved[row.study_key]
                before = [other for other in others.get(row.study_key, ()) if other != batch]
                rows.append(_Taking(job, batch, study, before).run(row) if study.state == "found" else _refused(row))
                step()
        write_stage(job.zones, batch, "raw_dicom", rows)
    return rows


def _refused(row: StudyRow) -> StudyRow:
    """All of it has come, and nothing is made of it; its files lie where they are until the batch is closed."""
    return replace(row, received=row.missing, missing=0, quarantined=row.missing)


@dataclass(frozen=True)
class _TakenBefore:
    """What another batch has of the study. held: SOPInstanceUID -> raw file, which may be gone, and row. disputed:
    SOPInstanceUIDs of what it set aside for that. finished: SOPInstanceUIDs of what it has released, or a reviewer
    has. contents: SHA-256 of files that need not come again."""

    held: dict[str, tuple[Path, RawInstance]]
    disputed: set[str]
    finished: set[str]
    contents: set[str]


@dataclass
class _Taking:
    """One study. others: batches that have taken some of it."""

    job: Job
    batch: str
    study: ResolvedStudy
    others: list[str]
    folder: RawFolder = field(init=False)
    _discarded: frozenset[str] = field(init=False)  #: SHA-256 of contents that a reviewer said are wrong

    def __post_init__(self) -> None:
        zones, key = self.job.zones, self.study.study_key
        self._discarded = discarded_of(zones, key)
        aside = SetAsideFolder(zones.quarantine(self.batch, key), self.job.key.file_name)
        uid = self.study.study_instance_uid
        self.folder = RawFolder(zones.raw(self.batch, key), aside, uid, self.job.key.file_name)

    def run(self, row: StudyRow) -> StudyRow:
        proved = read_rows(self.folder.folder / _PROOF, StudyRow)
        if not proved:
            proved = [self._taken(row)]
            write_rows(self.folder.folder / _PROOF, proved, StudyRow)
        self._drop_duplicates()
        return proved[0]

    def _taken(self, row: StudyRow) -> StudyRow:
        """The manifest, and the row; files that are no part of it are left where they are."""
        is_declared = is_declared_complete(self.folder.folder)
        elsewhere = [self._taken_by(other) for other in self.others]
        known = self._discarded.union(*(other.contents for other in elsewhere))
        contents, duplicates = self._read_back(known)
        aside = self.folder.aside
        disputed = aside.disputed().union(*(other.disputed for other in elsewhere))
        for uid, files in contents.items():
            held = [other.held[uid] for other in elsewhere if uid in other.held]
            if uid in disputed or not all(_are_same(files[0], one) for one in (*files[1:], *held)):
                for path, seen in files:
                    aside.take(path, uid, CONFLICT, seen.sha256)
            elif any(uid in other.finished for other in elsewhere):
                duplicates += len(files)
            else:
                duplicates += len(files) - 1
                self.folder.verified[uid] = files[0][1]
        aside.write()
        received = self.folder.write_manifest()
        return self._row(row, received, duplicates, is_declared)

    def _read_back(self, known: set[str]) -> tuple[dict[str, list[tuple[Path, RawInstance]]], int]:
        """SOPInstanceUID -> files and what they are, each content once; and how many more files there are, because
        their content is known. What is none of the study is set aside. known: SHA-256."""
        found, duplicates, seen_here = defaultdict(list), 0, set(known)
        paths = instances_in(self.folder.folder)
        with ThreadPoolExecutor(2) as readers:
            for path, seen in zip(paths, readers.map(self.folder.examine, paths), strict=True):
                if seen.sha256 in seen_here:
                    duplicates += 1
                elif seen.row is None:
                    self.folder.aside.take(path, path.stem, seen.reason or NOT_OF_STUDY, seen.sha256)
                else:
                    found[seen.row.sop_instance_uid].append((path, seen.row))
                seen_here.add(seen.sha256)
        return found, duplicates

    def _taken_by(self, other: str) -> "_TakenBefore":
        zones, key = self.job.zones, self.study.study_key
        quarantine = zones.quarantine(other, key)
        held = {uid: one for uid, one in held_by(zones, key, [other]).items() if one[1].sha256 not in self._discarded}
        aside = SetAsideFolder(quarantine, self.job.key.file_name).rows
        conflicts = [row for row in aside if row.reason == CONFLICT and not row.settled]
        disputed, contents = {row.sop_instance_uid for row in conflicts}, {row.sha256 for row in conflicts}
        finished = set()
        if is_arrival(other) and is_finished(zones, other):
            files = {path.name for path in quarantine.glob("*.dcm")} | released_originals(zones, other, key)
            finished = {uid for uid, (_, row) in held.items() if row.file in files}
            contents |= {row.sha256 for row in aside} | {held[uid][1].sha256 for uid in finished}
        return _TakenBefore(held, disputed, finished, contents)

    def _row(self, row: StudyRow, received: list[RawInstance], duplicates: int, is_declared: bool) -> StudyRow:
        aside = Counter(one.reason for one in self.folder.aside.rows)
        expected = (self.study.expected_instances or 0) - duplicates
        count = len(received) + aside.total()
        reason = min(aside, key=lambda code: (-aside[code], code)) if aside else ""
        return replace(
            row,
            state="incomplete" if expected > count else "quarantined" if aside else "done",
            reason="INSTANCES_MISSING" if expected > count else reason,
            expected=max(expected, count),
            received=count,
            missing=max(expected - count, 0),
            quarantined=aside.total(),
            bytes=sum(instance.size for instance in received),
            proved_by=SENDER if is_declared and expected <= count else "",
        )

    def _drop_duplicates(self) -> None:
        """What is neither in the manifest nor in quarantine was taken before."""
        named = {row.file for row in self.folder.read_manifest()}
        delete(path for path in instances_in(self.folder.folder) if path.name not in named)


def _are_same(one: tuple[Path, RawInstance], other: tuple[Path, RawInstance]) -> bool:
    """Nobody can be asked which of two contents is the true one: what cannot be told apart is not the same."""
    return have_same_content(*one, *other, trust_in_pixels=False)


def set_aside_of(zones: Zones, batch: str, study_key: str) -> Counter[str]:
    """Reason -> files of an arrived study that were never de-identified, those of which a reviewer has decided, too;
    none for other batches."""
    if not is_arrival(batch):
        return Counter()
    aside, decided = SetAsideFolder(zones.quarantine(batch, study_key), str), decisions_on(zones, study_key)
    there = {row.file for row in aside.rows}
    return Counter(row.reason for row in aside.all_rows if row.file in there or row.sha256 in decided)
