"""The site's program that removes faces: what is taken of what it gives back, and what is kept back."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.storage.atomic import sha256
from dicom_assets.storage.manifests import RawInstance, StagedInstance, manifest_of
from dicom_assets.storage.tables import read_sealed, write_sealed
from dicom_assets.workflow.deidentify import is_current
from dicom_assets.workflow.staging import DeidTask, Rules, clear_staging, finish_staging, stage_instances

#: Programs that a site could have: each is given `given` and `made`, two folders
FACELESS = """
import pydicom
for path in given.iterdir():
    image = pydicom.dcmread(path)
    pixels = image.pixel_array.copy()
    pixels[:2] = 0
    image.PatientName = "QUILLFEATHER^ZEBEDEE"
    image.PixelData = pixels.tobytes()
    {more}
    image.save_as(made / path.name)
"""
PROGRAMS = {
    "takes the face off": FACELESS.format(more=""),
    "takes the face off, and compresses": FACELESS.format(
        more="image.file_meta.TransferSyntaxUID = '1.2.840.10008.1.2.1'; image.compress(pydicom.uid.RLELossless)"
    ),
    "does nothing": "",
    "copies": "[shutil.copy(path, made) for path in given.iterdir()]",
    "fails at its end": FACELESS.format(more="") + "sys.exit(1)",
    "leaves one out": FACELESS.format(more="") + "next(made.iterdir()).unlink()",
    "gives another size": FACELESS.format(more="image.Rows, image.Columns = 2, 8"),
    "gives fewer pixels": FACELESS.format(more="image.PixelData = image.PixelData[:16]"),
    "gives another syntax": FACELESS.format(more="image.compress(pydicom.uid.RLELossless)"),
    "gives no DICOM": "[(made / path.name).write_bytes(b'Q') for path in given.iterdir()]",
    "gives links": "[(made / path.name).symlink_to(path) for path in given.iterdir()]",
}


def slice_of_a_head(number: int, series: int = 1, thickness: float = 1) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"2.25.71{series}{number}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientID = "2.25.72", f"2.25.73{series}", "Q-1"
    image.Modality, image.BodyPartExamined, image.SliceThickness = "MR", "HEAD", thickness
    image.Rows = image.Columns = 4
    image.SamplesPerPixel, image.BitsAllocated, image.BitsStored, image.HighBit = 1, 16, 12, 11
    image.PixelRepresentation, image.PhotometricInterpretation = 0, "MONOCHROME2"
    image.PixelData = np.full((4, 4), 100 + number, "<u2").tobytes()
    image["PixelData"].VR = "OW"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


@pytest.fixture
def deface(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """The command of a program, by its name."""

    def command(name: str) -> tuple[str, ...]:
        script = tmp_path / "deface.py"
        script.write_text(
            "import pathlib, shutil, sys\n"
            "given, made = map(pathlib.Path, sys.argv[2:])\n"
            f"assert sys.argv[1] == 'as wanted' and not list(made.iterdir())\n{PROGRAMS[name]}\n"
            "pathlib.Path(__file__).with_suffix('.done').touch()\n"
        )
        return (sys.executable, str(script), "as wanted")

    return command


@dataclass
class Study:
    """Originals in a raw folder of their own, staged as a worker does it."""

    folder: Path
    deface: tuple[str, ...] = ()
    faces: str = "deface"
    reviews: dict[str, str] = field(default_factory=dict)

    def add(self, *images: Dataset) -> "Study":
        (self.folder / "raw").mkdir(exist_ok=True)
        for image in images:
            dcmwrite(self.folder / "raw" / f"{image.SOPInstanceUID}.dcm", image, enforce_file_format=True)
        rows = [
            RawInstance(path.name, "", "", "", path.stat().st_size, sha256(path))
            for path in sorted((self.folder / "raw").glob("*.dcm"))
        ]
        write_sealed(manifest_of(self.folder / "raw"), rows, RawInstance)
        return self

    @property
    def task(self) -> DeidTask:
        profile = self.folder / "own.toml"
        profile.write_text(f'faces = "{self.faces}"')
        rules = Rules.of(load_profile(str(profile)), PseudonymKey(b"q" * 32))
        raw, staging, quarantine, out = (self.folder / name for name in ("raw", "staging", "quarantine", "released"))
        return DeidTask(
            "key", raw, staging, quarantine, out, rules, "", reviews=self.reviews, deface=self.deface
        )  # fmt: skip

    def staged(self) -> list[StagedInstance]:
        """In the order of the originals' names."""
        task = self.task
        clear_staging(task)
        finish_staging(task, stage_instances(task, read_sealed(manifest_of(task.raw), RawInstance)))
        rows = sorted(read_sealed(manifest_of(task.staging), StagedInstance), key=lambda row: row.raw_file)
        names = {row.file for row in rows if row.file}
        assert {path.name for path in task.staging.iterdir()} == {*names, manifest_of(task.staging).name}
        assert all(sha256(task.staging / row.file) == row.sha256 for row in rows if row.file)
        return rows

    def image(self, row: StagedInstance) -> Dataset:
        return dcmread(self.folder / "staging" / row.file)


HEAD = [slice_of_a_head(number) for number in (1, 2, 3)]


def test_the_pixels_are_the_programs_and_all_else_is_ours(tmp_path: Path, deface: Callable) -> None:
    plain = Study(tmp_path / "plain", faces="release")
    study = Study(tmp_path / "defaced", deface("takes the face off"))
    for one in (plain, study):
        one.folder.mkdir()
        one.add(*HEAD)
    for before, after in zip(plain.staged(), study.staged(), strict=True):
        assert (before.face, after.face, after.reason) == ("recognisable", "removed", "")
        assert "PixelData" in after.tags
        image, expected = study.image(after), plain.image(before)
        assert (image.pixel_array[:2] == 0).all()
        assert (image.pixel_array[2:] == expected.pixel_array[2:]).all()
        for tag in ("PixelData", "DeidentificationMethod", "DeidentificationMethodCodeSequence"):
            del image[tag], expected[tag]
        assert image == expected
        assert b"QUILLFEATHER" not in (study.folder / "staging" / after.file).read_bytes()


@pytest.mark.parametrize("program", sorted(name for name in PROGRAMS if not name.startswith("takes")))
def test_what_the_program_does_not_do_right_keeps_the_series_back(
    tmp_path: Path, deface: Callable, program: str
) -> None:
    rows = Study(tmp_path, deface(program)).add(*HEAD).staged()
    assert [(row.reason, row.file, row.sha256) for row in rows] == [("FACE_NOT_REMOVED", "", "")] * 3
    assert len(list((tmp_path / "quarantine").glob("*.dcm"))) == 3
    assert (tmp_path / "deface.done").exists() == (program != "fails at its end")


@pytest.mark.parametrize("command", [(), ("/no/such/program",)])
def test_without_a_program_nothing_goes_out(tmp_path: Path, command: tuple[str, ...]) -> None:
    study = Study(tmp_path, command).add(*HEAD)
    assert {row.reason for row in study.staged()} == {"FACE_NOT_REMOVED"}
    assert is_current(study.task) == (not command)  # with a program it is worth another try


def test_other_series_of_the_study_go_out_as_they_are(tmp_path: Path, deface: Callable) -> None:
    thick = [slice_of_a_head(number, series=2, thickness=5) for number in (1, 2)]
    rows = Study(tmp_path, deface("does nothing")).add(*HEAD, *thick).staged()
    assert [row.reason for row in rows] == ["FACE_NOT_REMOVED"] * 3 + [""] * 2
    rows = Study(tmp_path, deface("takes the face off")).add(*HEAD, *thick).staged()
    assert [(row.reason, row.face) for row in rows] == [("", "removed")] * 3 + [("", "")] * 2


def test_compressed_pixels_are_taken_with_their_fragments(tmp_path: Path, deface: Callable) -> None:
    images = [slice_of_a_head(number) for number in (1, 2)]
    for image in images:
        image.compress(RLELossless)
    study = Study(tmp_path, deface("takes the face off, and compresses")).add(*images)
    rows = study.staged()
    assert [row.face for row in rows] == ["removed"] * 2
    for row in rows:
        image = study.image(row)
        assert image.file_meta.TransferSyntaxUID == RLELossless
        assert (image.pixel_array[:2] == 0).all()
        assert (image.pixel_array[2:] > 100).all()


@pytest.mark.parametrize(("faces", "reason"), [("withhold", "FACE_RECOGNISABLE"), ("release", "")])
def test_the_program_is_called_only_where_the_profile_asks_for_it(
    tmp_path: Path, deface: Callable, faces: str, reason: str
) -> None:
    rows = Study(tmp_path, deface("takes the face off"), faces).add(*HEAD).staged()
    assert [(row.reason, row.face) for row in rows] == [(reason, "recognisable")] * 3


@pytest.mark.parametrize("code", ["FACE_RECOGNISABLE", "FACE_NOT_REMOVED"])
@pytest.mark.parametrize("faces", ["withhold", "deface"])
def test_a_face_that_a_reviewer_let_pass_goes_out(tmp_path: Path, code: str, faces: str) -> None:
    study = Study(tmp_path, faces=faces).add(*HEAD)
    study.reviews = {sha256(path): f"release {code}" for path in (tmp_path / "raw").glob("*.dcm")}
    assert [row.reason for row in study.staged()] == [""] * 3
