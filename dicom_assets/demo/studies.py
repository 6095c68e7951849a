"""Makes the synthetic studies. The same call gives the same bytes; a folder that is complete is only loaded."""

import shutil
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..storage.atomic import make_folder
from . import documents, enhanced, flat_images, tomography
from .borrowed import borrowed_image
from .corpus import INDEX, Corpus, DemoInstance, DemoStudy, Planted, is_complete, load_corpus, save_corpus
from .encoding import add_file_meta, encode_pixels, write_part10
from .harvest import marked_short, planted_in
from .plan import FULL, SMALL, Slot, StudyPlan, slots
from .planting import meta_elements, plant, preamble

#: Changes whenever the same parameters would give other bytes, so that old folders are made anew.
_EDITION = 2

_BUILDERS = tomography.BUILDERS | flat_images.BUILDERS | enhanced.BUILDERS | documents.BUILDERS


def make_archive_content(folder: Path, *, scale: int = 1) -> Corpus:
    """The whole corpus below folder; with scale n, n times the studies of the same persons."""
    return _make(folder, FULL, 256, scale, f"full {scale}")


def small_corpus(folder: Path) -> Corpus:
    """Some sixty instances with every kind of the whole corpus but thin slices, in small pictures, for tests."""
    return _make(folder, SMALL, 96, 1, "small")


def _make(folder: Path, plans: tuple[StudyPlan, ...], size: int, scale: int, name: str) -> Corpus:
    made_by = f"{name} edition {_EDITION}"
    if is_complete(folder, made_by):
        return load_corpus(folder)
    (folder / INDEX).unlink(missing_ok=True)
    shutil.rmtree(folder / "instances", ignore_errors=True)
    make_folder(folder / "instances")
    planted: dict[str, Planted] = {}
    studies: dict[str, list[tuple[Slot, DemoInstance]]] = {}
    for number, slot in enumerate(slots(plans, size, scale), 1):
        path = f"instances/{number:06d}.dcm"
        data_set = build(slot)
        write_part10(folder / path, data_set, preamble(slot))
        for found in planted_in(data_set, slot):
            planted.setdefault(found.value, marked_short(found))
        studies.setdefault(slot.visit.study_uid, []).append((slot, _described(data_set, slot, path)))
    corpus = Corpus(folder, tuple(_study(made) for made in studies.values()), tuple(planted.values()))
    save_corpus(corpus, made_by)
    return corpus


def build(slot: Slot) -> Dataset:
    """One complete data set with its file meta, ready to be written."""
    if slot.kind.startswith("borrowed:"):
        data_set, transfer_syntax = borrowed_image(slot)
    else:
        data_set = _BUILDERS[slot.kind](slot)
        transfer_syntax = encode_pixels(data_set, slot.syntax)
    plant(data_set, slot)
    add_file_meta(data_set, UID(transfer_syntax), meta_elements(slot))
    return data_set


def _described(data_set: Dataset, slot: Slot, path: str) -> DemoInstance:
    return DemoInstance(
        path=path,
        sop_instance_uid=slot.instance_uid,
        sop_class_uid=str(data_set.SOPClassUID),
        transfer_syntax_uid=str(data_set.file_meta.TransferSyntaxUID),
        series_instance_uid=slot.visit.series_uid(slot.series),
        modality=data_set.Modality,
        shows_text="text" in slot.kind,
        shows_face="thin" in slot.kind,
    )


def _study(made: list[tuple[Slot, DemoInstance]]) -> DemoStudy:
    visit = made[0][0].visit
    instances = tuple(instance for _, instance in made)
    return DemoStudy(
        study_instance_uid=visit.study_uid,
        patient_id=visit.patient_id,
        patient_name=visit.person.name,
        accession_number=visit.accession_number,
        study_date=visit.study_date,
        modalities=tuple(sorted({instance.modality for instance in instances})),
        instances=instances,
    )
