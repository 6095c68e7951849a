"""The generator: same bytes, enough variety, and nothing on the list that is not in the files."""

import contextlib
import csv
from pathlib import Path

import pydicom
import pytest
from pydicom.charset import encode_string
from pydicom.pixels import pixel_array

from dicom_assets.demo.corpus import (
    ABSENT_STUDY_INSTANCE_UID,
    COHORT_COLUMNS,
    Corpus,
    Planted,
    load_corpus,
    write_cohort,
)
from dicom_assets.demo.plan import FULL, SMALL, slots
from dicom_assets.demo.studies import build, small_corpus
from dicom_assets.errors import BadInput

_ENCODINGS = ("utf-8", "iso8859_1", "iso8859_5", "iso2022_jp", "euc_kr", "utf-16-le")


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_call_gives_the_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    again = small_corpus(tmp_path / "again")
    assert _contents(again.folder) == _contents(corpus.folder)


def test_a_complete_folder_is_only_loaded(tmp_path: Path) -> None:
    made = small_corpus(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert small_corpus(tmp_path) == made == load_corpus(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_a_folder_with_a_file_missing_is_made_anew(tmp_path: Path) -> None:
    made = small_corpus(tmp_path)
    gone = tmp_path / made.instances[7].path
    content = gone.read_bytes()
    gone.unlink()
    assert small_corpus(tmp_path) == made
    assert gone.read_bytes() == content


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        load_corpus(tmp_path)


def test_the_full_plan_is_large_enough() -> None:
    planned = list(slots(FULL, 256, 1))
    assert len({slot.visit.patient_id for slot in planned}) >= 12
    assert len({slot.visit.study_uid for slot in planned}) >= 24
    assert len(planned) >= 640
    assert sum("text" not in slot.kind for slot in planned) >= 450
    assert {slot.kind for slot in planned} == {slot.kind for slot in slots(SMALL, 96, 1)} | {"mr-thin"}


def test_scale_multiplies_the_studies_and_repeats_no_uid() -> None:
    planned = list(slots(SMALL, 96, 3))
    assert len({slot.instance_uid for slot in planned}) == len(planned) == 3 * len(list(slots(SMALL, 96, 1)))
    assert len({slot.visit.study_uid for slot in planned}) == 3 * len(SMALL)


def test_the_small_corpus_has_every_modality_and_kind_of_syntax(corpus: Corpus) -> None:
    assert {instance.modality for instance in corpus.instances} == {
        "CT",
        "MR",
        "US",
        "CR",
        "DX",
        "PT",
        "SR",
        "RTSTRUCT",
        "OT",
    }
    names = {
        pydicom.uid.UID(instance.transfer_syntax_uid).name for instance in corpus.instances if not instance.shows_text
    }
    for wanted in ("Explicit VR", "Implicit VR", "JPEG Baseline", "JPEG 2000", "JPEG-LS", "RLE"):
        assert any(wanted in name for name in names), wanted


def test_the_index_agrees_with_the_files(corpus: Corpus) -> None:
    for study in corpus.studies:
        for instance in study.instances:
            header = pydicom.dcmread(corpus.folder / instance.path, stop_before_pixels=True)
            assert header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID == instance.sop_instance_uid
            assert header.SOPClassUID == instance.sop_class_uid
            assert header.SeriesInstanceUID == instance.series_instance_uid
            assert header.StudyInstanceUID == study.study_instance_uid
            assert (header.PatientID, header.AccessionNumber) == (study.patient_id, study.accession_number)
            assert str(header.PatientName).casefold() == study.patient_name.casefold()
            assert (header.StudyDate, header.Modality) == (study.study_date, instance.modality)
            assert header.file_meta.TransferSyntaxUID == instance.transfer_syntax_uid


def test_every_planted_value_is_in_the_bytes_of_some_file(corpus: Corpus) -> None:
    content = b"".join((corpus.folder / instance.path).read_bytes() for instance in corpus.instances)
    absent = [planted for planted in corpus.planted if not any(form in content for form in _forms(planted))]
    assert absent == []


def _forms(planted: Planted) -> set[bytes]:
    """The value in every encoding of the corpus; in names each component is escaped by itself."""
    forms = set()
    for encoding in _ENCODINGS:
        try:
            forms.add(planted.value.encode(encoding))
        except UnicodeEncodeError:
            continue
    for encoding in ("iso2022_jp", "euc_kr"):
        groups = [group.split("^") for group in planted.value.split("=")]
        with contextlib.suppress(UserWarning):  # a value that this character set cannot write
            encoded = [b"^".join(encode_string(part, ["iso8859", encoding]) for part in group) for group in groups]
            forms.add(b"=".join(encoded))
    return forms


def test_planted_values_are_of_every_kind_and_short_ones_are_marked(corpus: Corpus) -> None:
    kinds = "name physician id accession date address phone institution device uid descriptor private text short"
    assert {planted.kind for planted in corpus.planted} == set(kinds.split())
    assert all((len(planted.value.encode()) < 6) == (planted.kind == "short") for planted in corpus.planted)
    assert not {"Young", "Rose", "YOUNG", "ROSE"} & {planted.value for planted in corpus.planted}
    assert {"Schmidt", "0012345", "Maria Schmidt", "Schmidt^Maria"} <= {planted.value for planted in corpus.planted}


@pytest.mark.parametrize("place", ["preamble", "meta", "private", "nested", "overlay", "tail", "case"])
def test_identities_are_planted_in_unusual_places(corpus: Corpus, place: str) -> None:
    present = {
        "preamble": lambda ds: ds.preamble.startswith(b"II*\0"),
        "meta": lambda ds: b"Maria Schmidt" in ds.file_meta.get("PrivateInformation", b""),
        "private": lambda ds: "Maria".encode("utf-16-le") in ds.get_item((0x0009, 0x1003)).value,
        "nested": lambda ds: _depth(ds) >= 4,
        "overlay": lambda ds: "Jürgen" in ds[0x6000, 0x4000].value,
        "tail": lambda ds: list(ds.keys())[-1] == 0xFFFCFFFC,
        "case": lambda ds: str(ds.PatientName).isupper(),
    }[place]
    found = 0
    for instance in corpus.instances:
        try:
            found += present(pydicom.dcmread(corpus.folder / instance.path))
        except (KeyError, AttributeError):
            continue
    assert found


def _depth(data_set: pydicom.Dataset) -> int:
    nested = [item for element in data_set if element.VR == "SQ" for item in element.value]
    return 1 + max(map(_depth, nested)) if nested else 0


def test_the_pixels_of_every_image_decode_and_show_something(corpus: Corpus) -> None:
    for instance in corpus.instances:
        if instance.modality in ("SR", "RTSTRUCT"):
            continue
        pixels = pixel_array(corpus.folder / instance.path)
        assert pixels.std() > 1, instance.path


def test_text_is_drawn_above_the_ultrasound_region(corpus: Corpus) -> None:
    drawn = [instance for instance in corpus.instances if instance.modality == "US" and instance.shows_text]
    assert drawn
    for instance in drawn:
        header = pydicom.dcmread(corpus.folder / instance.path)
        top = header.SequenceOfUltrasoundRegions[0].RegionLocationMinY0
        frames = header.pixel_array.reshape(-1, header.Rows, header.Columns, 3)
        assert all(frame[:top].max() > 200 for frame in frames)


def test_the_structure_set_refers_to_each_slice_of_its_study(corpus: Corpus) -> None:
    (study,) = [study for study in corpus.studies if "RTSTRUCT" in study.modalities]
    (structures,) = [instance for instance in study.instances if instance.modality == "RTSTRUCT"]
    data_set = pydicom.dcmread(corpus.folder / structures.path)
    series = data_set.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    referenced = {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence}
    assert referenced == {instance.sop_instance_uid for instance in study.instances if instance.modality == "CT"}


def test_persons_have_two_ids_and_studies_share_an_accession_number(corpus: Corpus) -> None:
    ids = {}
    for study in corpus.studies:
        ids.setdefault(study.patient_name, set()).add(study.patient_id)
    assert max(map(len, ids.values())) == 2
    numbers = [study.accession_number for study in corpus.studies]
    assert len(set(numbers)) < len(numbers)


def test_a_slot_builds_alone_what_it_builds_in_the_corpus(corpus: Corpus) -> None:
    slot = next(slot for slot in slots(SMALL, 96, 1) if slot.kind == "pt")
    alone = build(slot)
    (path,) = [i.path for i in corpus.instances if i.sop_instance_uid == slot.instance_uid]
    assert alone.PixelData == pydicom.dcmread(corpus.folder / path).PixelData


def test_the_cohort_names_every_study_and_one_that_does_not_exist(corpus: Corpus, tmp_path: Path) -> None:
    write_cohort(corpus, tmp_path / "cohort.csv")
    with (tmp_path / "cohort.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames) == COHORT_COLUMNS
    held = {study.study_instance_uid for study in corpus.studies}
    assert {row["StudyInstanceUID"] for row in rows} == held | {ABSENT_STUDY_INSTANCE_UID}
    assert ABSENT_STUDY_INSTANCE_UID not in held
