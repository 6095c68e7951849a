"""Which frames are looked at, and what the texts hold of the patient's values."""

import numpy as np
import pytest
from pydicom import Dataset

from dicom_assets.demo.projections import draw_lines, ultrasound_sector
from dicom_assets.pixels.boxes import ALL_FRAMES, Box
from dicom_assets.pixels.found import text_in
from dicom_assets.pixels.severity import holds, own_values, own_values_in


class Frames:
    """Frames in memory, as a reader of a file gives them."""

    def __init__(self, *pictures: np.ndarray) -> None:
        self._pictures = pictures
        self.count, (self.rows, self.columns) = len(pictures), pictures[0].shape[:2]
        self.samples = pictures[0].shape[2] if pictures[0].ndim == 3 else 1
        self.header = Dataset()
        self.header.PhotometricInterpretation = "MONOCHROME2" if self.samples == 1 else "RGB"

    def frame(self, index: int) -> np.ndarray:
        return self._pictures[index]


def sector(phase: float = 0.0) -> np.ndarray:
    return ultrasound_sector(1, 128, 160, phase)


def written(picture: np.ndarray, *lines: str) -> np.ndarray:
    return draw_lines(picture, lines, 14)


def found(*pictures: np.ndarray) -> list[Box]:
    frames = Frames(*pictures)
    return text_in(frames, frames.header)


def test_a_box_holds_the_text_with_some_pixels_round_it():
    blank = np.zeros((100, 200), np.uint8)
    picture = written(blank, "DOE^JANE")
    (box,) = found(picture)
    rows, columns = np.nonzero(picture)
    assert box.frame == ALL_FRAMES and box.source == "detected"
    assert box.left <= columns.min() - 2 and box.right >= columns.max() + 3
    assert box.top <= rows.min() - 2 and box.bottom >= rows.max() + 3


def test_an_image_without_text_has_no_boxes():
    assert found(sector()) == []


def test_of_few_frames_each_has_its_own_boxes():
    assert [box.frame for box in found(sector(), written(sector(), "DOE^JANE"), sector())] == [1]


def test_text_over_a_loop_is_one_box_for_all_frames():
    frames = Frames(*(written(sector(step / 5), "DOE^JANE") for step in range(5)))
    (box,) = text_in(frames, frames.header)
    assert box.frame == ALL_FRAMES


def test_dark_text_over_a_loop_is_found():
    loop = [255 - written(sector(step / 5), "DOE^JANE") for step in range(5)]
    assert [box.frame for box in found(*loop)] == [ALL_FRAMES]


def test_text_that_only_one_frame_of_a_loop_shows_is_found():
    loop = [sector(step / 5) for step in range(5)]
    loop[1] = written(loop[1], "DOE^JANE")
    assert any(box.left < 20 and box.top < 10 and box.frame in (1, ALL_FRAMES) for box in found(*loop))


def test_a_name_in_the_pixels_is_counted_once_and_other_texts_are_not():
    frames = Frames(written(np.zeros((100, 240), np.uint8), "DOE^JANE", "LEFT KIDNEY"))
    header = Dataset()
    header.PatientName = "Doe^Jane"
    boxes = text_in(frames, frames.header)
    assert len(boxes) == 2
    assert own_values_in(frames, boxes, header) == 1
    assert own_values_in(frames, boxes, Dataset()) == 0


@pytest.fixture
def patient() -> Dataset:
    header = Dataset()
    header.PatientName = "Müller-Lüdenscheidt^Ève^^Dr"
    header.PatientID = "A-2041.77"
    header.OtherPatientNames = ["Li^Na", "Kowalska^J"]
    header.PatientBirthDate = "19700321"
    header.InstitutionName = "Sankt Example Hospital"
    return header


@pytest.mark.parametrize(
    "text",
    [
        "MULLER", "name: Lüdenscheidt", "EVE", "kowalska", "ID A204177", "A2041 77", "2I.03.I970", "1970/03/21",
        "03-21-70", "21 Mar 1970", "SANKT EXAMPLE HOSPITAL Ward 3",
    ],
)  # fmt: skip
def test_a_value_is_recognised_however_it_is_printed(patient, text):
    assert holds(text, own_values(patient))


@pytest.mark.parametrize("text", ["", "LEFT", "evening", "Hospital", "1971-03-21", "li", "Dr. no", "12 cm", "A2041"])
def test_what_is_not_the_patients_is_not_counted(patient, text):
    assert not holds(text, own_values(patient))


def test_text_in_one_frame_between_others_of_another_kind_is_found():
    """The largest and the least of all frames are as even as these."""
    dark, bright = np.zeros((96, 160), np.uint8), np.full((96, 160), 255, np.uint8)
    page = written(np.full((96, 160), 128, np.uint8), "DOE^JANE")
    assert {box.frame for box in found(*[dark] * 6, bright, *[dark] * 6, page, *[dark] * 6)} == {13}


def test_text_that_a_palette_does_not_show_is_found_in_its_indices():
    indices = np.where(written(np.zeros((96, 160), np.uint8), "DOE^JANE") > 100, 2, 1).astype(np.uint8)
    indices[80:] = np.arange(160)  # a ramp, so that the picture shows something
    frames = Frames(indices)
    frames.header.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        entries = np.arange(256, dtype=np.uint8)
        entries[1:3] = 0
        setattr(frames.header, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(frames.header, f"{colour}PaletteColorLookupTableData", entries.tobytes())
    frames.header.set_original_encoding(False, True)
    assert any(box.top < 30 for box in text_in(frames, frames.header))
