"""What the workers of anonymized_dicom do: instances into the staging folder, or kept back with a reason."""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path

from ..deid.deidentify import Deidentified, Deidentifier, Notes, notes_of
from ..deid.profile import Profile
from ..deid.pseudonyms import PseudonymKey
from ..errors import BadInput, DicomAssetsError, Refused
from ..pixels.cleaned import Plan
from ..pixels.cleaner import cleaner
from ..pixels.faces import RECOGNISABLE, REMOVED, face_of
from ..storage.atomic import make_folder, publish, remove_unfinished, write_unfinished
from ..storage.atomic import sha256 as sha256_of
from ..storage.instance_files import FileSource, write_parts
from ..storage.manifests import RawInstance, StagedInstance, manifest_of
from ..storage.quarantine import keep_back, not_staged
from ..storage.tables import write_sealed
from ..storage.zones import RESTRICTED_FOLDER
from .deface import FACE_NOT_REMOVED, defaced
from .pixel_plan import is_face_waived, plan_of


@dataclass(frozen=True)
class Rules:
    """Profile and key for every study of a batch. pickled: both, once, as a worker knows by it that it has them."""

    profile_digest: str
    key_id: str
    pickled: bytes = field(repr=False)

    @classmethod
    def of(cls, profile: Profile, key: PseudonymKey) -> "Rules":
        return cls(profile.digest, key.key_id, pickle.dumps((profile, key)))


@dataclass(frozen=True)
class DeidTask:
    """One study. pseudonym: the patient's, where the site brought its own; else empty. known: what else the archive and
    the request say of the patient. other_patients: PatientIDs under which other batches have de-identified instances of
    the study. reviews: SHA-256 -> what reviewers decided of that content, as storage.decisions.reviews_on. deface: the
    site's program that removes faces, with its arguments."""

    study_key: str
    raw: Path
    staging: Path
    quarantine: Path
    released: Path
    rules: Rules
    pseudonym: str
    known: tuple[str, ...] = field(repr=False, default=())
    other_patients: frozenset[str] = field(repr=False, default=frozenset())
    reviews: Mapping[str, str] = field(default_factory=dict)
    deface: tuple[str, ...] = ()

    @property
    def key_id(self) -> str:
        """Names key and site-given pseudonym, so that a change of either makes the study stale."""
        given = sha256(self.pseudonym.encode()).hexdigest()[:8] if self.pseudonym else ""
        return self.rules.key_id + (f"+{given}" if given else "")


@dataclass(frozen=True)
class Staged:
    """What became of one instance. temp: the unfinished file that gets its name with the others of the study; empty
    where the instance is kept back."""

    row: StagedInstance
    temp: str = ""


def clear_staging(task: DeidTask) -> None:
    """An empty staging folder, without a manifest."""
    make_folder(task.staging, RESTRICTED_FOLDER)
    manifest_of(task.staging).unlink(missing_ok=True)
    for leftover in task.staging.glob("*.dcm"):
        leftover.unlink()
    remove_unfinished(task.staging)


def stage_instances(task: DeidTask, instances: Sequence[RawInstance]) -> list[Staged]:
    """De-identify instances of one study, each into an unfinished file of the staging folder."""
    profile, engine = _engine(task.rules.pickled)
    return [_one(task, profile, engine, instance) for instance in instances]


def finish_staging(task: DeidTask, staged: Sequence[Staged]) -> int:
    """Give the files of the study their names, once all are durable, and write the manifest that names them, last; how
    many instances. staged: all of the study's."""
    staged = _without_faces(task, staged)
    rows = [one.row for one in staged]
    patients = {row.original_patient_id for row in rows if not row.is_discarded}
    if len((patients | task.other_patients) - {""}) > 1:
        rows = [row if row.is_discarded else _withheld(row, "TWO_PATIENTS_IN_STUDY") for row in rows]
    else:
        publish({task.staging / one.temp: task.staging / one.row.file for one in staged if one.temp})
    remove_unfinished(task.staging)
    _fill_quarantine(task, [row for row in rows if row.reason])
    write_sealed(manifest_of(task.staging), rows, StagedInstance)
    return len(rows)


def _without_faces(task: DeidTask, staged: Sequence[Staged]) -> Sequence[Staged]:
    """With the series that show a face defaced, or kept back, where the profile asks for it."""
    profile, _ = _engine(task.rules.pickled)
    if profile.faces != "deface" or profile.pixels == "unexamined":
        return staged
    series: dict[str, list[Staged]] = {}
    for one in staged:
        series.setdefault(one.row.released_path.rpartition("/")[0] if one.temp else "", []).append(one)
    return [one for place, members in series.items() for one in (_defaced(task, members) if place else members)]


def _defaced(task: DeidTask, series: list[Staged]) -> list[Staged]:
    if not any(one.row.face == RECOGNISABLE and not is_face_waived(one.row.review) for one in series):
        return series
    made = defaced(task.deface, task.staging, {one.row.file: task.staging / one.temp for one in series})
    for one in series:
        (task.staging / one.temp).unlink()
    if made is None:
        return [Staged(_withheld(one.row, FACE_NOT_REMOVED)) for one in series]
    return [
        Staged(
            replace(
                one.row,
                sha256=sha256_of(made[one.row.file]),
                tags=tuple(dict.fromkeys([*one.row.tags, "PixelData"])),
                face=REMOVED,
            ),
            made[one.row.file].name,
        )
        for one in series
    ]


@lru_cache(maxsize=1)
def _engine(rules: bytes) -> tuple[Profile, Deidentifier]:
    """One for all that this process de-identifies: it remembers what became of the elements it has seen."""
    profile, key = pickle.loads(rules)
    return profile, Deidentifier(profile, key)


def _one(task: DeidTask, profile: Profile, engine: Deidentifier, instance: RawInstance) -> Staged:
    row = not_staged(instance.file, instance.sop_instance_uid, instance.sha256, task.rules.profile_digest, task.key_id)
    row = replace(row, review=task.reviews.get(instance.sha256, ""))
    with (task.raw / instance.file).open("rb", buffering=0) as file:
        source = FileSource(file.fileno())
        if row.is_discarded:
            return Staged(replace(_told(row, source), reason=row.review.partition(" ")[2]))
        try:
            result = engine.deidentify(source, task.pseudonym, task.known)
        except DicomAssetsError as error:
            return Staged(replace(_told(row, source), reason=error.code))
        row = _noted(row, result.notes)
        try:
            plan = plan_of(profile, result.notes, row.review)
            return _written(task, row, result, source, plan)
        except (BadInput, Refused) as error:
            return Staged(replace(row, reason=error.code))


def _written(
    task: DeidTask, row: StagedInstance, result: Deidentified, source: FileSource, plan: Plan | None
) -> Staged:
    """Raises BadInput or Refused with the reason for which the pixels were not cleaned as planned."""
    name, tags = f"{result.sop_instance_uid}.dcm", result.tags
    temp = write_unfinished(task.staging)
    with temp.open("r+b", buffering=0) as file:
        write_parts(source, result.parts, file.fileno())
        file.seek(0)
        digest = "" if plan else file_digest(file, "sha256").hexdigest()
    if plan:
        uncleaned, temp = temp, write_unfinished(task.staging)
        try:
            cleaned = cleaner().clean(task.raw / row.raw_file, uncleaned, temp, plan)
        finally:
            uncleaned.unlink()
        digest, row = sha256_of(temp), replace(row, pixels=cleaned.text)
        tags += ("PixelData",) if cleaned.boxes else ()
    row = replace(
        row,
        file=name,
        released_path="/".join((result.patient, result.study_instance_uid, result.series_instance_uid, name)),
        sha256=digest,
        patient_pseudonym=result.patient,
        tags=tags,
        uids=result.uids,
        uid_tags=result.uid_tags,
        date_offset_days=result.date_offset_days,
    )
    return Staged(row, temp.name)


def _told(row: StagedInstance, source: FileSource) -> StagedInstance:
    try:
        return _noted(row, notes_of(source))
    except DicomAssetsError:
        return row


def _noted(row: StagedInstance, notes: Notes) -> StagedInstance:
    face = face_of(notes) if notes.has_pixels else ""
    return replace(row, modality=notes.modality, original_patient_id=notes.patient_id, face=face)


def _withheld(row: StagedInstance, reason: str) -> StagedInstance:
    nothing = dict.fromkeys(("file", "released_path", "sha256", "patient_pseudonym", "pixels"), "")
    return replace(row, reason=reason, **nothing, tags=(), uids=(), uid_tags=())


def _fill_quarantine(task: DeidTask, rows: Iterable[StagedInstance]) -> None:
    """The originals that were kept back, with their reasons, for a reviewer."""
    rows = list(rows)
    if not rows and not task.quarantine.is_dir():
        return
    kept_back = {row.raw_file for row in rows}
    for earlier in task.quarantine.glob("*.dcm"):
        if earlier.name not in kept_back and (task.raw / earlier.name).exists():
            earlier.unlink()  # another link to the original, which is de-identified now
    keep_back(task.raw, task.quarantine, rows)
