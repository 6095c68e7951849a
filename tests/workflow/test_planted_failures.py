"""A batch with one planted failure of each kind, through the real stages: the check that names it fails, what it
concerns is withheld, and the rest of the batch is released.

The failure is planted where it would come from, between de-identification and mapping, with its hash in the manifest,
so that nothing but the proof can notice."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_assets.demo.corpus import Corpus
from dicom_assets.storage.manifests import RawInstance, StagedInstance, manifest_of
from dicom_assets.storage.mapping import MappedStudy, write_part
from dicom_assets.storage.tables import read_sealed, write_sealed
from dicom_assets.workflow.arrivals import plan_arrivals
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.hand_deidentified import as_bytes
from tests.support.pushing import job_at, push, run_stages
from tests.support.site import Site

Change = Callable[[Dataset], None]


@dataclass(frozen=True)
class Batch:
    """Everything is de-identified and staged, and nothing is proved yet."""

    job: Job
    key: str

    @property
    def staged(self) -> list[tuple[str, StagedInstance]]:
        """(study key, row)."""
        folders = sorted((self.job.zones.restricted / "staging" / self.key).iterdir())
        return [(folder.name, row) for folder in folders for row in self._rows(folder) if not row.reason]

    def _rows(self, folder: Path) -> list[StagedInstance]:
        return read_sealed(manifest_of(folder), StagedInstance)

    def read(self, study: str, row: StagedInstance) -> pydicom.FileDataset:
        return pydicom.dcmread(self.job.zones.staging(self.key, study) / row.file)

    def first(self, wanted: Callable[[Dataset], object]) -> tuple[str, StagedInstance]:
        """The first instance of that kind in a study with others."""
        studies = [study for study, _ in self.staged]
        return next(
            (study, row)
            for study, row in self.staged
            if studies.count(study) > 1 and wanted(self.read(study, row)) and row.modality != "SR"
        )

    def plant(self, study: str, instances: Iterable[StagedInstance], *changes: Change) -> None:
        folder = self.job.zones.staging(self.key, study)
        digests = {}
        for row in instances:
            dataset = self.read(study, row)
            for change in changes:
                change(dataset)
            content = as_bytes(dataset)
            (folder / row.file).write_bytes(content)
            digests[row.file] = hashlib.sha256(content).hexdigest()
        rows = [replace(row, sha256=digests.get(row.file, row.sha256)) for row in self._rows(folder)]
        write_sealed(manifest_of(folder), rows, StagedInstance)

    def lose(self, study: str, lost: StagedInstance) -> None:
        folder = self.job.zones.staging(self.key, study)
        write_sealed(manifest_of(folder), [row for row in self._rows(folder) if row != lost], StagedInstance)
        (folder / lost.file).unlink()

    def prove(self) -> "Proved":
        map_batch(self.job, self.key)
        before = self.staged
        validate_and_release(self.job, self.key)
        report = json.loads(self.job.zones.report(self.key, "json").read_bytes())
        there = {path.stem for path in self.job.zones.released.rglob("*.dcm")}
        return Proved(
            failing={check["name"] for check in report["checks"] if not check["passed"]},
            found={(one["check"], one["reason"], one["instance"], one["place"]) for one in report["findings"]},
            withheld={(study, Path(row.file).stem) for study, row in before}
            - {(s, uid) for s, _ in before for uid in there},
        )


@dataclass(frozen=True)
class Proved:
    """failing: checks of the report. found: check, reason, instance, place. withheld: study key, new SOPInstanceUID."""

    failing: set[str]
    found: set[tuple[str, str, str, str]]
    withheld: set[tuple[str, str]]


@pytest.fixture(scope="module")
def deidentified(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A site whose only batch is de-identified with shifted dates, and the batch's key: two studies of one patient,
    with an RT structure set and a report that refer to its images, and one of another."""
    site = Site(tmp_path_factory.mktemp("site"))
    job = job_at(site, DICOM_PROFILE="research")
    push(job, [corpus.folder / one.path for study in corpus.studies[:3] for one in study.instances])
    (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
    for stage in (resolve_studies, retrieve_studies, deidentify_studies):
        stage(job, request.batch)
    return site.folder, request.batch


@pytest.fixture
def batch(deidentified: tuple[Path, str], tmp_path: Path) -> Batch:
    folder, key = deidentified
    copy = shutil.copytree(folder, tmp_path / "copy")
    return Batch(job_at(Site(copy), DICOM_PROFILE="research"), key)


def of_study(batch: Batch, study: str) -> set[tuple[str, str]]:
    return {(one, Path(row.file).stem) for one, row in batch.staged if one == study}


def has_pixels(dataset: Dataset) -> bool:
    return "PixelData" in dataset and not dataset.file_meta.TransferSyntaxUID.is_encapsulated


def test_without_a_planted_failure_every_check_passes(batch: Batch) -> None:
    study, row = batch.first(has_pixels)
    batch.plant(study, [row])
    proved = batch.prove()
    assert (proved.failing, proved.found, proved.withheld) == (set(), set(), set())


def test_one_identifier_in_a_private_element(batch: Batch) -> None:
    study, row = batch.first(has_pixels)

    def leave(dataset: Dataset) -> None:
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x08, "LO", f"see {row.original_patient_id}")

    batch.plant(study, [row], leave)
    proved = batch.prove()
    instance = Path(row.file).stem
    assert proved.failing == {"no_residual_identifiers", "values_are_as_before"}
    assert {(one[1], one[2]) for one in proved.found} == {
        ("RESIDUAL_IDENTIFIER", instance),
        ("VALUE_INVENTED", instance),  # the original had nothing there
    }
    assert {place[:6] for *_, place in proved.found} == {"(0019,"}
    assert proved.withheld == {(study, instance)}


def test_a_lost_instance(batch: Batch) -> None:
    study, row = batch.first(has_pixels)
    rest = of_study(batch, study) - {(study, Path(row.file).stem)}
    batch.lose(study, row)
    proved = batch.prove()
    assert proved.failing == {"nothing_is_lost", "ledger_adds_up"}
    name = Path(row.raw_file).stem
    assert proved.found >= {("nothing_is_lost", "INSTANCE_LOST", name, "")}
    assert proved.withheld == rest


def test_a_staged_file_that_is_gone(batch: Batch) -> None:
    study, row = batch.first(has_pixels)
    (batch.job.zones.staging(batch.key, study) / row.file).unlink()
    proved = batch.prove()
    assert proved.failing == {"nothing_is_lost", "file_opens"}
    assert proved.found >= {("nothing_is_lost", "INSTANCE_LOST", Path(row.file).stem, "")}
    assert proved.withheld == {(study, Path(row.file).stem)}


def references(dataset: Dataset) -> list[Dataset]:
    """Items that refer to another instance."""
    return [
        item
        for element in dataset.iterall()
        if element.VR == "SQ"
        for item in element.value
        if item.get("ReferencedSOPInstanceUID")
    ]


def test_a_broken_reference(batch: Batch) -> None:
    known = {Path(row.file).stem for _, row in batch.staged}
    study, row = next(
        (study, row)
        for study, row in batch.staged
        if any(item.ReferencedSOPInstanceUID in known for item in references(batch.read(study, row)))
    )

    def mislead(dataset: Dataset) -> None:
        item = next(item for item in references(dataset) if item.ReferencedSOPInstanceUID in known)
        item.ReferencedSOPInstanceUID = "2.25.99"

    batch.plant(study, [row], mislead)
    proved = batch.prove()
    assert proved.failing == {"uids_are_consistent"}
    # The object that it led to is named as well: nobody knows which of them is wrong.
    assert {reason for _, reason, _, _ in proved.found} == {"REFERENCE_BROKEN", "UID_INCONSISTENT"}
    assert [one[2] for one in proved.found if one[1] == "REFERENCE_BROKEN"] == [Path(row.file).stem]
    assert proved.withheld == of_study(batch, study)


def test_a_changed_pixel(batch: Batch) -> None:
    study, row = batch.first(has_pixels)

    def brighten(dataset: Dataset) -> None:
        pixels = bytearray(dataset.PixelData)
        pixels[len(pixels) // 2] ^= 1
        dataset.PixelData = bytes(pixels)

    batch.plant(study, [row], brighten)
    proved = batch.prove()
    instance = Path(row.file).stem
    assert proved.failing == {"pixels_are_intact"}
    assert proved.found == {("pixels_are_intact", "PIXELS_CHANGED", instance, "")}
    assert proved.withheld == {(study, instance)}


def test_two_patients_with_one_pseudonym(batch: Batch) -> None:
    study, row = batch.first(has_pixels)
    other, another = next(
        (other, another) for other, another in batch.staged if another.original_patient_id != row.original_patient_id
    )
    everything = [one for key, one in batch.staged if key == study]
    batch.plant(study, everything, lambda dataset: setattr(dataset, "PatientID", another.patient_pseudonym))
    proved = batch.prove()
    same_patient = {
        key
        for key, one in batch.staged
        if one.original_patient_id in (row.original_patient_id, another.original_patient_id)
    }
    assert proved.failing == {
        "uids_are_consistent",
        "dates_are_consistent",  # theirs are shifted differently
        "values_are_as_before",  # the name is still the other pseudonym
    }
    assert {reason for _, reason, _, _ in proved.found} <= {
        *("PSEUDONYM_NOT_UNIQUE", "PATIENT_INCONSISTENT", "DATE_OFFSETS_DIFFER", "VALUE_INVENTED")
    }
    assert of_study(batch, study) | of_study(batch, other) <= proved.withheld
    assert {key for key, _ in proved.withheld} <= same_patient


def later(keyword: str, days: int) -> Change:
    def change(dataset: Dataset) -> None:
        moved = datetime.strptime(str(dataset[keyword].value), "%Y%m%d") + timedelta(days)
        dataset[keyword].value = moved.strftime("%Y%m%d")

    return change


def test_a_date_that_is_off_by_a_day(batch: Batch) -> None:
    study, row = batch.first(lambda dataset: has_pixels(dataset) and dataset.get("StudyDate"))
    batch.plant(study, [row], later("StudyDate", 1))
    proved = batch.prove()
    instance = Path(row.file).stem
    assert proved.failing == {"dates_are_consistent"}
    assert proved.found == {("dates_are_consistent", "DATE_OFF", instance, "(0008,0020)")}
    assert proved.withheld == {(study, instance)}


def test_a_date_that_was_not_shifted(batch: Batch) -> None:
    study, row = batch.first(lambda dataset: has_pixels(dataset) and dataset.get("StudyDate"))
    original = pydicom.dcmread(batch.job.zones.raw(batch.key, study) / row.raw_file, stop_before_pixels=True)
    batch.plant(study, [row], lambda dataset: setattr(dataset, "StudyDate", original.StudyDate))
    proved = batch.prove()
    assert {"dates_are_consistent"} <= proved.failing
    assert ("dates_are_consistent", "DATE_NOT_SHIFTED", Path(row.file).stem, "(0008,0020)") in proved.found
    assert proved.withheld == {(study, Path(row.file).stem)}


def test_a_study_whose_dates_are_all_off_by_a_day(batch: Batch) -> None:
    """Nobody can say which of the patient's two studies is right; the other patient's is released."""
    patients = {study: row.patient_pseudonym for study, row in batch.staged}
    study, other = (study for study, patient in patients.items() if [*patients.values()].count(patient) == 2)

    def move(dataset: Dataset) -> None:
        for element in dataset.iterall():
            if element.VR == "DA" and element.value and element.value != "19000101":
                moved = datetime.strptime(str(element.value), "%Y%m%d") + timedelta(1)
                element.value = moved.strftime("%Y%m%d")

    batch.plant(study, [row for key, row in batch.staged if key == study], move)
    proved = batch.prove()
    assert proved.failing == {"dates_are_consistent"}
    assert ("dates_are_consistent", "DATE_OFFSETS_DIFFER", "", "") in proved.found
    assert proved.withheld == of_study(batch, study) | of_study(batch, other)


def test_a_batch_whose_dates_are_shifted_otherwise_than_an_earlier_one_s(site: Site, corpus: Corpus) -> None:
    profile = site.folder / "other.toml"
    profile.write_text('base = "research"\nshift_days = 3\n')
    rows = []
    for study, chosen in zip(corpus.studies[1::-1], ("research", str(profile)), strict=False):
        job = job_at(site, DICOM_PROFILE=chosen)
        push(job, [corpus.folder / one.path for one in study.instances])
        (request,) = plan_arrivals(job.zones, 0, keep_originals=True)
        rows += run_stages(job, request.batch)
    first, second = rows
    assert (first.released, first.withheld) == (2, 0)
    assert (second.released, second.reason) == (0, "DATE_OFFSETS_DIFFER")


def test_a_required_element_that_is_gone(batch: Batch) -> None:
    study, row = batch.first(lambda dataset: has_pixels(dataset) and dataset.Modality == "CT")
    batch.plant(study, [row], lambda dataset: dataset.pop("ImageType"))
    proved = batch.prove()
    instance = Path(row.file).stem
    assert proved.failing == {"conforms_as_before", "values_are_as_before"}
    assert proved.found == {
        ("conforms_as_before", "CONFORMANCE_LOST", instance, "(0008,0008)"),
        ("values_are_as_before", "VALUE_LOST", instance, "(0008,0008)"),
    }
    assert proved.withheld == {(study, instance)}


def test_a_lost_original_is_missed_by_its_row(batch: Batch) -> None:
    study, row = batch.first(has_pixels)
    folder = batch.job.zones.raw(batch.key, study)
    rows = [one for one in read_sealed(manifest_of(folder), RawInstance) if one.file != row.raw_file]
    write_sealed(manifest_of(folder), rows, RawInstance)
    proved = batch.prove()
    assert ("nothing_is_lost", "INSTANCE_INVENTED", Path(row.file).stem, "") in proved.found
    assert (study, Path(row.file).stem) in proved.withheld and {key for key, _ in proved.withheld} == {study}


def test_a_geometry_that_is_not_the_original_s(batch: Batch) -> None:
    study, row = batch.first(lambda dataset: has_pixels(dataset) and dataset.get("PixelSpacing"))
    batch.plant(study, [row], lambda dataset: setattr(dataset, "PixelSpacing", [0.123, 0.123]))
    proved = batch.prove()
    instance = Path(row.file).stem
    assert proved.failing == {"values_are_as_before"}
    assert proved.found == {("values_are_as_before", "VALUE_CHANGED", instance, "(0028,0030)")}
    assert proved.withheld == {(study, instance)}


def test_a_mapping_part_that_leads_to_another_patient(batch: Batch) -> None:
    map_batch(batch.job, batch.key)
    _, row = batch.first(has_pixels)
    studies = [
        MappedStudy(key, tuple(batch._rows(batch.job.zones.staging(batch.key, key))))
        for key in sorted({key for key, _ in batch.staged})
    ]
    swapped = [
        replace(one, instances=tuple(replace(i, original_patient_id="77-99") if i == row else i for i in one.instances))
        for one in studies
    ]
    write_part(batch.job.zones, batch.key, swapped)
    validate_and_release(batch.job, batch.key)
    report = json.loads(batch.job.zones.report(batch.key, "json").read_bytes())
    assert "mapping_is_one_to_one" in {check["name"] for check in report["checks"] if not check["passed"]}
    assert not list(batch.job.zones.released.rglob(row.file))


def test_a_mapping_with_a_row_too_many_releases_nothing(batch: Batch) -> None:
    map_batch(batch.job, batch.key)
    studies = {key: [row for one, row in batch.staged if one == key] for key, _ in batch.staged}
    rows = next(iter(studies.values()))
    rows.append(replace(rows[0], released_path=rows[0].released_path.replace(".dcm", "9.dcm")))
    write_part(batch.job.zones, batch.key, [MappedStudy(key, tuple(rows)) for key, rows in studies.items()])
    rows = validate_and_release(batch.job, batch.key)
    assert {row.reason for row in rows if row.deidentified} == {"MAPPING_NOT_ONE_TO_ONE"}
    assert not list(batch.job.zones.released.rglob("*.dcm"))
    report = json.loads(batch.job.zones.report(batch.key, "json").read_bytes())
    assert not next(check for check in report["checks"] if check["name"] == "mapping_is_one_to_one")["passed"]
