"""A small study with planted identifiers, and its de-identification by hand: written for the tests of the proof, so
that they rest on neither the generator nor the de-identifier."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from dicom_assets.storage.manifests import RawInstance, StagedInstance, manifest_of
from dicom_assets.storage.tables import write_sealed
from dicom_assets.workflow.promises import Promises
from dicom_assets.workflow.validate import validate_study
from dicom_assets.workflow.validate_part import ValidationTask
from dicom_assets.workflow.verdict import StudyVerdict

OLD_ROOT, NEW_ROOT = "1.2.276.0.99999.7", "2.25.4711"
PATIENT_ID, PSEUDONYM = "0012345", "P-7Q2M4K9XWZ"
KEPT = frozenset({0x00120062, 0x00120063})
#: The UIDs that place an object; what refers to others may go
LASTING = frozenset({0x00080018, 0x0020000D, 0x0020000E, 0x00200052})

Change = Callable[[FileDataset], None]


@dataclass(frozen=True)
class HandMade:
    """raw, staging: folders of one study, with manifests. task: what validate_study takes."""

    raw: Path
    staging: Path
    task: ValidationTask


def planted(number: int, template: str = "CT_small.dcm", patient_id: str = PATIENT_ID, study: int = 1) -> FileDataset:
    """An original: instance `number` of the study, of an invented patient; refers to instance 1."""
    ds = dcmread(get_testdata_file(template))
    ds.remove_private_tags()
    for tag in (0x00101002, 0x00080014, 0x00101000):
        ds.pop(tag, None)
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = "Lécka-Vandermolen^Isidora", patient_id
    ds.PatientBirthDate, ds.PatientSex = "19610823", "F"
    ds.PatientAddress, ds.PatientTelephoneNumbers = "Quellgasse 14, 98765 Nirgendheim", "+49 999 7654321"
    ds.ReferringPhysicianName, ds.OperatorsName = "Young^Rose", "Brandtmeier^Ottokar"
    ds.InstitutionName, ds.AccessionNumber, ds.StudyID = "Klinikum Nirgendheim", "ACC-778812", "20517"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20240117"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101533"
    ds.StudyDescription = "CT of I. Lécka-Vandermolen, born 23.08.1961"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{OLD_ROOT}.{study}.1", f"{OLD_ROOT}.{study}.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{OLD_ROOT}.{study}.3.{number}"
    ds.FrameOfReferenceUID, ds.InstanceNumber = f"{OLD_ROOT}.{study}.4", number
    ds.ReferencedImageSequence = [_reference(f"{OLD_ROOT}.{study}.3.1")]
    return ds


def _reference(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = uid.CTImageStorage, sop_instance_uid
    return item


def by_hand(original: FileDataset) -> FileDataset:
    """The output that an honest de-identification of planted() gives."""
    ds = dcmread(io.BytesIO(as_bytes(original)))
    for tag in ("PatientAddress", "PatientTelephoneNumbers", "PatientAge", "PatientWeight"):
        ds.pop(tag, None)
    for tag in ("StudyDescription", "InstitutionName", "OperatorsName", "InstanceCreationDate", "InstanceCreationTime"):
        ds.pop(tag, None)
    ds.PatientBirthDate = ds.PatientSex = ds.ReferringPhysicianName = ds.AccessionNumber = ds.StudyID = ""
    ds.PatientName = ds.PatientID = PSEUDONYM
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "19000101"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "000000"
    for element in ds.iterall():
        if element.VR == "UI" and str(element.value).startswith(OLD_ROOT):
            element.value = new_uid(str(element.value))
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "by hand"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    for tag in (0x00020016, 0x00020017, 0x00020100, 0x00020102):
        ds.file_meta.pop(tag, None)
    ds.preamble = bytes(128)
    return ds


def new_uid(old: str) -> str:
    return old.replace(OLD_ROOT, NEW_ROOT)


def as_bytes(dataset: FileDataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def hand_made_study(
    folder: Path,
    originals: list[FileDataset],
    *changes: Change,
    after: Callable[[bytes], bytes] = bytes,
    study_key: str = "S-TEST",
    **promises: object,
) -> HandMade:
    """Both folders of a study. changes: done to the last output only, to plant a failure; after: to its bytes.
    promises: of the profile, beside what by_hand() itself does."""
    promised = Promises(**{"kept": KEPT, "lasting": LASTING} | promises)
    raw, staging = folder / study_key / "raw", folder / study_key / "staging"
    raw.mkdir(parents=True), staging.mkdir()
    raw_rows, staged_rows = [], []
    for number, original in enumerate(originals, 1):
        encoded = as_bytes(original)
        output = by_hand(original)
        last = number == len(originals)
        for change in changes if last else ():
            change(output)
        made = after(as_bytes(output)) if last else as_bytes(output)
        name = f"{output.SOPInstanceUID}.dcm"
        (raw / f"{number}.dcm").write_bytes(encoded)
        (staging / name).write_bytes(made)
        raw_rows.append(_raw_row(f"{number}.dcm", original, encoded))
        staged_rows.append(_staged_row(f"{number}.dcm", name, original, output, encoded, made))
    write_sealed(manifest_of(raw), raw_rows, RawInstance)
    write_sealed(manifest_of(staging), staged_rows, StagedInstance)
    return HandMade(
        raw,
        staging,
        ValidationTask(study_key, raw, staging, folder / "released", promised, len(originals), ()),
    )


def _raw_row(file: str, original: FileDataset, encoded: bytes) -> RawInstance:
    syntax = str(original.file_meta.TransferSyntaxUID)
    digest = hashlib.sha256(encoded).hexdigest()
    return RawInstance(file, str(original.SOPInstanceUID), str(original.SOPClassUID), syntax, len(encoded), digest)


def _staged_row(
    raw: str, name: str, original: FileDataset, output: FileDataset, encoded: bytes, made: bytes
) -> StagedInstance:
    path = f"{PSEUDONYM}/{output.StudyInstanceUID}/{output.SeriesInstanceUID}/{name}"
    return StagedInstance(
        raw_file=raw, raw_sha256=hashlib.sha256(encoded).hexdigest(), reason="", file=name, released_path=path,
        sha256=hashlib.sha256(made).hexdigest(), modality=str(output.Modality),
        sop_instance_uid=str(original.SOPInstanceUID), original_patient_id=str(original.PatientID),
        patient_pseudonym=PSEUDONYM, tags=(), uids=(), uid_tags=(), profile_digest="", key_id="",
    )  # fmt: skip


def in_sequence(keyword: str, **values: str) -> Change:
    """Plants values in an item of a sequence."""

    def change(dataset: FileDataset) -> None:
        item = Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        setattr(dataset, keyword, Sequence([item]))

    return change


def verdict_on(task: ValidationTask) -> StudyVerdict:
    """The steps of validate_study, taken in this process: what a call raises is raised."""
    steps, results = validate_study(task), None
    while True:
        try:
            calls = steps.send(results)
        except StopIteration as end:
            return end.value
        results = [call() for call in calls]
