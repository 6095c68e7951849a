"""A batch that is released, made by hand: files, mapping, ledger and record as the stages leave them."""

import warnings
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.storage.atomic import sha256
from dicom_assets.storage.ledger import StudyRow, write_stage
from dicom_assets.storage.manifests import StagedInstance
from dicom_assets.storage.mapping import MappedStudy, write_part
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.withdraw import finish_release

ROOT = "2.25.7001"


def instance_file(root: Path, study: int, number: int, source: str = "CT_small.dcm", comment: str = "") -> str:
    """Write <patient>/<study>/<series>/<instance>.dcm below root; that path. comment: makes another content."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # over the values of the bundled files
        dataset = pydicom.dcmread(get_testdata_file(source))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{study}", f"{ROOT}.{study}.1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{study}.1.{number}"
        dataset.PatientID, dataset.PatientName = f"P{study}", f"P{study}"
        dataset.ImageComments = comment
        name = f"P{study}/{dataset.StudyInstanceUID}/{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}.dcm"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(root / name)
    return name


def uid_of(file: str) -> str:
    return Path(file).stem


def release(zones: Zones, files: list[str], withheld: int = 0, batch: str = "") -> str:
    """The batch key. files: below the released root, as instance_file() wrote them; one study for all of them."""
    batch = batch or create_request(zones, "cohort", "20260131", "", [RequestRow(patient_id="made up")]).batch
    staged = tuple(
        StagedInstance(
            f"{number}.dcm", "", "", f"{uid_of(file)}.dcm", file, sha256(zones.released / file), "CT", "", "", "P1",
            (), (), (), "", "",
        )
        for number, file in enumerate(files)
    )  # fmt: skip
    write_part(zones, batch, [MappedStudy("study", staged)])
    made = len(files) + withheld
    row = StudyRow("study", "done", "", 1, made, made, 0, made, 0, len(files), withheld)
    write_stage(zones, batch, "validation_report", [row])
    finish_release(zones, batch, f"inputs of {len(files)}", files)
    return batch
