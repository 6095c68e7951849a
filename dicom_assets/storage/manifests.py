"""What a study's folder holds: one row an instance, written after all of its files."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .tables import read_sealed
from .zones import Zones

MANIFEST = "manifest.parquet"


@dataclass(frozen=True)
class ResolvedStudy:
    """One requested study as the archive knows it (or does not). Identifiable; `restricted/requests` only."""

    study_key: str  #: pseudonym of the study; of the request row where no study was found
    request_key: str  #: pseudonym of the request row that asked for it
    study_instance_uid: str  #: empty where not found
    patient_id: str
    accession_number: str
    pseudonym: str  #: the patient's, as the cohort file brought it; else empty
    state: str  #: found, not_found, failed
    reason: str  #: reason code where not found or failed; where found: why another archive may have more of it
    expected_series: int | None
    expected_instances: int | None  #: None: the archive cannot say
    archive: str = "1"  #: name of the archive that found it

    @property
    def identifiers(self) -> tuple[str, ...]:
        """What the archive said of the patient, which the files may lack."""
        return tuple(value for value in (self.patient_id, self.accession_number, self.study_instance_uid) if value)


@dataclass(frozen=True)
class RawInstance:
    """One instance as it came, a row of `restricted/raw/<batch>/<study key>/manifest.parquet`."""

    file: str  #: name in the folder
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int  #: bytes of the file
    sha256: str  #: hex, of the file
    series_instance_uid: str = ""


@dataclass(frozen=True)
class StagedInstance:
    """What became of one raw instance, a row of `restricted/staging/<batch>/<study key>/manifest.parquet`."""

    raw_file: str
    raw_sha256: str
    reason: str  #: reason code where quarantined; empty where de-identified
    file: str  #: name in the staging folder; empty where quarantined
    released_path: str  #: <patient>/<study>/<series>/<instance>.dcm, below the released root; empty where quarantined
    sha256: str  #: hex, of the staged file
    modality: str
    sop_instance_uid: str  #: the original's
    original_patient_id: str
    patient_pseudonym: str
    tags: tuple[str, ...]  #: what was removed, emptied, replaced or cleaned, as `PatientName`, or `(0009,1001)`
    uids: tuple[tuple[str, str], ...]  #: (old, new), each UID that was replaced
    uid_tags: tuple[str, ...]  #: keywords of the elements that held them
    profile_digest: str
    key_id: str  #: names the pseudonym key without telling it
    date_offset_days: int | None = None  #: by which its dates were shifted; None where they were not
    review: str = ""  #: what reviewers decided of this content, as `release CODE; release CODE`; empty where nobody has
    pixels: str = ""  #: JSON of what was found and blanked in its pixels (pixels/cleaned.py); empty where nobody looked
    face: str = ""  #: as pixels/faces.py has it: `recognisable`, `removed`, `unknown` or empty

    @property
    def is_discarded(self) -> bool:
        """A reviewer said that nothing is to be made of it."""
        return self.review.startswith("discard ")


def manifest_of(folder: Path) -> Path:
    return folder / MANIFEST


def batches_holding(zones: Zones, study_key: str) -> list[str]:
    """Batches whose raw folders hold instances of the study, sorted."""
    raw = zones.restricted / "raw"
    # Over ten thousand batches Path.glob() takes three times as long.
    batches = raw.iterdir() if raw.is_dir() else ()
    return sorted(batch.name for batch in batches if (batch / study_key / MANIFEST).is_file())


def batches_by_study(zones: Zones) -> dict[str, list[str]]:
    """Study key -> batches whose raw folders hold instances of it, sorted: as batches_holding(), for many studies."""
    found: dict[str, list[str]] = {}
    raw = zones.restricted / "raw"
    for batch in sorted(raw.iterdir()) if raw.is_dir() else ():
        with os.scandir(batch) as studies:
            for study in studies:
                found.setdefault(study.name, []).append(batch.name)
    return found


def held_by(zones: Zones, study_key: str, batches: Iterable[str]) -> dict[str, tuple[Path, RawInstance]]:
    """SOPInstanceUID -> raw file and row, of the instances of the study that these batches hold; of an instance that
    several hold, the first one's. The file itself may be gone meanwhile."""
    held: dict[str, tuple[Path, RawInstance]] = {}
    for batch in batches:
        folder = zones.raw(batch, study_key)
        for row in read_sealed(manifest_of(folder), RawInstance):
            held.setdefault(row.sop_instance_uid, (folder / row.file, row))
    return held
