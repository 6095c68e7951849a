"""A tool that has the answer key: what it writes passes every row, so that one spoilt value fails one row.

It knows nothing of the de-identifier. It shows that the key can be met at all, and that nothing planted lacks its row.
"""

import csv
import datetime
import hashlib
from collections import defaultdict
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian

from benchmarks.proof.key import Action, Answer, AnswerKey, parts_of
from benchmarks.proof.output import element_at
from benchmarks.proof.pixels import frames_of

SHIFT = datetime.timedelta(100)
_EMPTY_PREAMBLE = bytes(128)


def new_uid(old: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(old.encode()).digest()[:12], 'big')}"


def new_id(old: str) -> str:
    return f"PSEUDO{hashlib.sha256(old.encode()).hexdigest()[:8]}"


def write_ideal(key: AnswerKey, corpus: Path, output: Path, mapping: Path) -> dict[str, Path]:
    """-> SOP Instance UID of the original -> file."""
    rows = defaultdict(list)
    for answer in key.answers:
        rows[answer.instance].append(answer)
    output.mkdir()
    written = {}
    for instance in key.instances:
        data_set = dcmread(corpus / instance.file)
        by_path = defaultdict(list)
        for answer in rows[instance.uid]:
            by_path[answer.path].append(answer)
        for path, answers in by_path.items():
            _apply(data_set, path, {answer.action: answer for answer in answers}, answers)
        data_set.preamble = _EMPTY_PREAMBLE
        data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID = new_uid(instance.uid)
        written[instance.uid] = output / f"{Path(instance.file).stem.partition('-')[0]}.dcm"
        data_set.save_as(written[instance.uid], enforce_file_format=True)
    _write_mapping(key, mapping)
    return written


def _apply(data_set: Dataset, path: str, by_action: dict[Action, Answer], answers: list[Answer]) -> None:
    element = element_at(data_set, path)
    if Action.PATID_CONSISTENT in by_action:
        element.value = new_id(by_action[Action.PATID_CONSISTENT].text)
    elif Action.UID_CHANGED in by_action:
        new = new_uid(by_action[Action.UID_CHANGED].text)
        element.value = new.encode() if element.VR == "UN" else new
    elif Action.DATE_SHIFTED in by_action:
        moved = datetime.date.fromisoformat(str(element.value)[:8]) + SHIFT
        element.value = f"{moved:%Y%m%d}{str(element.value)[8:]}"
    elif Action.PIXELS_HIDDEN in by_action:
        _blank(data_set, by_action[Action.PIXELS_HIDDEN].value)
    elif Action.TEXT_REMOVED in by_action and Action.TEXT_RETAINED in by_action:
        element.value = by_action[Action.TEXT_RETAINED].text
    elif Action.TEXT_REMOVED in by_action and Action.TAG_RETAINED in by_action:
        element.value = ""
    elif Action.TEXT_REMOVED in by_action:
        remove(data_set, path)


def _blank(data_set: Dataset, box: str) -> None:
    """box: left, top, right, bottom; in all frames. Compressed pixels become native ones."""
    left, top, right, bottom = map(int, box.split(","))
    if data_set.file_meta.TransferSyntaxUID.is_compressed and data_set["PixelData"].is_undefined_length:
        data_set.decompress(generate_instance_uid=False)
    picture = frames_of(data_set).copy()
    picture[:, top:bottom, left:right] = 0
    order = ">" if data_set.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    data_set.PixelData = picture.astype(picture.dtype.newbyteorder(order)).tobytes()


def remove(data_set: Dataset, path: str) -> None:
    """The element at the path."""
    *above, last = parts_of(path)
    for part in above:
        data_set = _into(data_set, part[0])
    del (data_set.file_meta if last["group"] == "0002" else data_set)[element_at(data_set, last[0]).tag]


def _into(data_set: Dataset, part: str) -> Dataset:
    sequence, _, which = part.rstrip("]").partition("[")
    items = element_at(data_set, sequence).value
    if not which.startswith("#"):
        return items[int(which)]
    return next(item for item in items if item.ConceptNameCodeSequence[0].CodeValue == which[1:])


def _write_mapping(key: AnswerKey, folder: Path) -> None:
    uids = {answer.text for answer in key.answers if answer.action is Action.UID_CHANGED}
    uids |= {instance.uid for instance in key.instances}
    patients = {instance.patient for instance in key.instances}
    folder.mkdir()
    for name, pairs in [
        ("uids.csv", {old: new_uid(old) for old in uids}),
        ("patients.csv", {old: new_id(old) for old in patients}),
    ]:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id_old", "id_new"), *sorted(pairs.items())])


def with_other_pixels(data_set: Dataset) -> None:
    """The last sample changed; the data set has to be native."""
    picture = pixel_array(data_set, raw=True).copy()
    picture.flat[-1] ^= 1
    data_set.PixelData = picture.tobytes()
