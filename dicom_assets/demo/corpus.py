"""What the generator made, as data: studies, instances, and every planted identifying value."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import BadInput
from ..storage.atomic import write_file

INDEX = "planted.json"

#: A study that no archive holds, for the row of a cohort that finds nothing.
ABSENT_STUDY_INSTANCE_UID = "1.2.826.0.1.3680043.10.1337.1.9999"

COHORT_COLUMNS = (
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "StudyDateFrom",
    "StudyDateTo",
    "ModalitiesInStudy",
    "Pseudonym",
)


@dataclass(frozen=True)
class Planted:
    """One identifying string that is in the files.

    kind: name, physician, id, accession, date, address, phone, institution, device, uid, descriptor, private, text; or
    short for what is under 6 bytes of UTF-8 and may occur by chance. where: keyword or tag.
    A date is 8 digits, so search for it between non-digits: long UIDs may contain it by chance.
    """

    value: str
    kind: str
    where: str


@dataclass(frozen=True)
class DemoInstance:
    path: str  #: relative to the corpus's folder, with /
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    series_instance_uid: str
    modality: str
    shows_text: bool  #: an identity is drawn into the pixels
    shows_face: bool  #: a slice so thin that a face could be rebuilt from its series


@dataclass(frozen=True)
class DemoStudy:
    study_instance_uid: str
    patient_id: str
    patient_name: str  #: with all component groups
    accession_number: str
    study_date: str  #: YYYYMMDD
    modalities: tuple[str, ...]
    instances: tuple[DemoInstance, ...]


@dataclass(frozen=True)
class Corpus:
    folder: Path
    studies: tuple[DemoStudy, ...]
    planted: tuple[Planted, ...]

    @property
    def instances(self) -> tuple[DemoInstance, ...]:
        return tuple(instance for study in self.studies for instance in study.instances)


def save_corpus(corpus: Corpus, made_by: str) -> None:
    """made_by: names generator and parameters; see is_complete."""
    index = {
        "made_by": made_by,
        "studies": [asdict(study) for study in corpus.studies],
        "planted": [asdict(planted) for planted in corpus.planted],
    }
    write_file(corpus.folder / INDEX, (json.dumps(index, ensure_ascii=False, indent=1) + "\n").encode())


def load_corpus(folder: Path) -> Corpus:
    """Raises BadInput("UNREADABLE_FILE") where folder holds no index."""
    index = _read_index(folder)
    if index is None:
        raise BadInput("UNREADABLE_FILE")
    studies = tuple(
        DemoStudy(
            **{
                **study,
                "modalities": tuple(study["modalities"]),
                "instances": tuple(DemoInstance(**instance) for instance in study["instances"]),
            }
        )
        for study in index["studies"]
    )
    return Corpus(folder, studies, tuple(Planted(**planted) for planted in index["planted"]))


def is_complete(folder: Path, made_by: str) -> bool:
    """True where folder holds everything that the same generator with the same parameters would write."""
    index = _read_index(folder)
    if index is None or index["made_by"] != made_by:
        return False
    return all((folder / instance["path"]).is_file() for study in index["studies"] for instance in study["instances"])


def write_cohort(corpus: Corpus, path: Path) -> None:
    """A cohort CSV: one row a study, by its StudyInstanceUID, and one for a study that the archive does not hold."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COHORT_COLUMNS, restval="")
        writer.writeheader()
        for study_instance_uid in (*_study_instance_uids(corpus.studies), ABSENT_STUDY_INSTANCE_UID):
            writer.writerow({"StudyInstanceUID": study_instance_uid})


def _study_instance_uids(studies: Iterable[DemoStudy]) -> list[str]:
    return [study.study_instance_uid for study in studies]


def _read_index(folder: Path) -> dict | None:
    try:
        return json.loads((folder / INDEX).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
