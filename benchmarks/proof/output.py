"""What a tool has written: which of its files was made of which instance, and what became of UIDs and Patient IDs."""

import csv
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement

from benchmarks.proof.key import Action, AnswerKey, Instance, parts_of
from benchmarks.proof.pixels import fingerprint
from benchmarks.proof.sheet import as_text


@dataclass(frozen=True, eq=False)
class Made:
    """A file of the output."""

    path: Path
    data_set: Dataset
    fingerprint: str


@dataclass
class Output:
    """made: SOP Instance UID of the original -> what was made of it. added: files made of none of them, unreadable ones
    among them. uids, patients: old -> new, as the tool says, or else as seen where each first stood."""

    folder: Path
    made: dict[str, Made] = field(default_factory=dict)
    added: list[Path] = field(default_factory=list)
    uids: dict[str, str] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)


def read_output(folder: Path, key: AnswerKey, mapping: Path | None = None) -> Output:
    """mapping: a folder with uids.csv and patients.csv (id_old, id_new). A file is known by its new UID where a mapping
    tells, else by its pixels or measurements, else by its name."""
    output = Output(folder)
    if mapping is not None:
        output.uids, output.patients = _pairs(mapping / "uids.csv"), _pairs(mapping / "patients.csv")
    old_of = {new: old for old, new in output.uids.items()}
    by_fingerprint = {one.fingerprint: one.uid for one in key.instances if one.fingerprint}
    by_name = {Path(one.file).name: one.uid for one in key.instances}
    known = {one.uid for one in key.instances}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        made = _read(path)
        if made is None:
            output.added.append(path)
            continue
        told = old_of.get(str(made.data_set.get("SOPInstanceUID", "")))
        uid = told or by_fingerprint.get(made.fingerprint) or by_name.get(path.name)
        if uid in known and uid not in output.made:
            output.made[uid] = made
        else:
            output.added.append(path)
    if mapping is None:
        _derive(output, key)
    return output


def _read(path: Path) -> Made | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a tool has written need not fit its VR
        try:
            data_set = dcmread(path)
            return Made(path, data_set, fingerprint(data_set))
        except Exception:  # whatever pydicom raises on it: nobody can read this file
            return None


def _derive(output: Output, key: AnswerKey) -> None:
    for instance in key.instances:
        if (made := output.made.get(instance.uid)) is not None:
            _derive_ids(output, instance, made.data_set)
    for answer in key.answers:
        if answer.action is Action.UID_CONSISTENT and (made := output.made.get(answer.instance)) is not None:
            new = text_at(made.data_set, answer.path)
            if new:
                output.uids.setdefault(answer.text, new)


def _derive_ids(output: Output, instance: Instance, data_set: Dataset) -> None:
    for old, keyword in [
        (instance.uid, "SOPInstanceUID"),
        (instance.study, "StudyInstanceUID"),
        (instance.series, "SeriesInstanceUID"),
    ]:
        output.uids.setdefault(old, str(data_set.get(keyword, "")))
    output.patients.setdefault(instance.patient, str(data_set.get("PatientID", "")))


def _pairs(path: Path) -> dict[str, str]:
    """Empty where the tool has not come as far as to write it."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}


def element_at(data_set: Dataset, path: str) -> DataElement | None:
    """None: it is not there, or cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for part in parts_of(path):
                element = _element(data_set, part.groupdict())
                if part["item"] is not None:
                    data_set = _item(element.value, part["item"])
            return element
        except Exception:  # a KeyError where it is not there; whatever pydicom raises where it cannot be read
            return None


def text_at(data_set: Dataset, path: str) -> str | None:
    element = element_at(data_set, path)
    return None if element is None else as_text(element.value)


def _element(data_set: Dataset, part: Mapping[str, str]) -> DataElement:
    group, element = int(part["group"], 16), int(part["element"], 16)
    if part["creator"] is not None:
        return data_set.private_block(group, part["creator"])[element]
    return (data_set.file_meta if group == 2 else data_set)[group << 16 | element]


def _item(items: list[Dataset], which: str) -> Dataset:
    if not which.startswith("#"):
        return items[int(which)]
    return next(item for item in items if item.ConceptNameCodeSequence[0].get("CodeValue") == which[1:])
