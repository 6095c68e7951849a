import numpy as np
import pytest
from pydicom import Dataset

from dicom_assets.errors import BadInput
from dicom_assets.pixels.renderings import in_colour, renderings


def header(photometric: str, **elements) -> Dataset:
    made = Dataset()
    made.PhotometricInterpretation = photometric
    made.BitsStored = 8
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def with_palette(entries: np.ndarray, little_endian: bool = True) -> Dataset:
    """entries: (256, 3), 16 bits."""
    made = header("PALETTE COLOR")
    for at, colour in enumerate(("Red", "Green", "Blue")):
        data = entries[:, at].astype("<u2" if little_endian else ">u2").tobytes()
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", data)
    made.set_original_encoding(False, little_endian, None)
    return made


@pytest.fixture
def bright_square() -> np.ndarray:
    frame = np.zeros((40, 60), np.uint16)
    frame[10:20, 10:30] = 200
    return frame


def test_a_grey_frame_of_few_values_is_shown_once_over_its_whole_range(bright_square):
    (picture,) = renderings(bright_square, header("MONOCHROME2"))
    assert picture[15, 15] == 255 and picture[0, 0] == 0


def test_monochrome1_is_shown_with_its_least_value_white(bright_square):
    assert renderings(bright_square, header("MONOCHROME1"))[0][0, 0] == 255


def test_a_window_shows_what_the_whole_range_hides():
    frame = np.full((40, 60), 1000, np.int16)
    frame[10:20, 10:30] = 1010
    frame[30:, :] = 30_000
    windowed, whole = renderings(frame, header("MONOCHROME2", WindowCenter=1005, WindowWidth=10))
    assert np.ptp(windowed[5:25]) == 255
    assert np.ptp(whole[5:25]) < 16


def test_a_contradictory_window_is_not_used(bright_square):
    assert len(renderings(bright_square, header("MONOCHROME2", WindowCenter=[5, 6], WindowWidth=9))) == 1


def test_a_single_hot_pixel_does_not_darken_the_rest(bright_square):
    bright_square[0, 0] = 65_535
    assert any(np.ptp(picture[5:25].astype(int)) > 200 for picture in renderings(bright_square, header("MONOCHROME2")))


@pytest.mark.parametrize("little_endian", [True, False])
def test_a_palette_is_read_in_the_byte_order_of_its_file(little_endian):
    entries = np.zeros((256, 3))
    entries[7] = (65_280, 0, 0)
    frame = np.zeros((40, 60), np.uint8)
    frame[10:20, 10:30] = 7
    picture = renderings(frame, with_palette(entries, little_endian))[0]
    assert picture[15, 15].tolist() == [255, 0, 0] and picture[0, 0].tolist() == [0, 0, 0]


def test_a_palette_that_shows_nothing_is_not_believed():
    frame = np.zeros((40, 60), np.uint8)
    frame[10:20, 10:30] = 7
    assert renderings(frame, with_palette(np.zeros((256, 3))))[0].ndim == 2


def test_a_palette_of_unknown_form_leaves_the_indices(bright_square):
    assert in_colour(bright_square, header("PALETTE COLOR")) is bright_square


def test_rgb_is_not_converted_and_ybr_is():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[10:20, 10:30] = (255, 0, 0)
    assert renderings(frame, header("RGB"))[0][15, 15].tolist() == [255, 0, 0]
    frame[...] = (0, 128, 128)
    frame[10:20, 10:30] = (76, 85, 255)
    red, green, blue = renderings(frame, header("YBR_FULL_422"))[0][15, 15].tolist()
    assert red > 250 and green < 5 and blue < 5


def test_letters_as_light_as_their_ground_show_in_a_picture_of_one_channel():
    frame = np.full((40, 60, 3), (200, 60, 0), np.uint8)
    frame[10:20, 10:30] = (0, 162, 0)
    grey = [picture.astype(int) for picture in renderings(frame, header("RGB")) if picture.ndim == 2]
    assert any(abs(picture[15, 15] - picture[0, 0]) > 30 for picture in grey)


def test_a_grey_picture_in_colours_is_looked_at_once():
    frame = np.repeat(np.arange(240, dtype=np.uint8).reshape(1, 240, 1).repeat(40, 0), 3, 2)
    assert len(renderings(frame, header("RGB"))) == 1


def test_single_bits_are_black_and_white():
    frame = np.zeros((40, 60), np.uint8)
    frame[10:20, 10:30] = 1
    assert set(np.unique(renderings(frame, header("MONOCHROME2"))[0])) == {0, 255}


def test_a_frame_of_one_value_gives_one_black_picture():
    assert [picture.max() for picture in renderings(np.full((40, 60), 900, np.uint16), header("MONOCHROME2"))] == [0]


def test_values_that_are_no_numbers_are_shown_as_zero():
    frame = np.zeros((40, 60), np.float64)
    frame[10:20, 10:30] = 1.5
    frame[0, :] = np.inf
    frame[1, :] = np.nan
    assert renderings(frame, header("MONOCHROME2"))[0][15, 15] == 255


def test_pixels_that_differ_and_cannot_be_shown_are_an_error():
    frame = np.zeros((40, 60), np.uint16)
    frame.flat[:3] = 1
    frame.flat[100:111] = 60_000
    with pytest.raises(BadInput, match="PIXELS_NOT_SEEN"):
        renderings(frame, header("MONOCHROME2"))
