"""Native pixels of every layout: blanked inside, the same outside, by arrays that are decoded otherwise."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import pack_bits, pixel_array

from dicom_assets.errors import BadInput, Refused
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.redact import blank
from tests.pixels.own_files import colour, dataset, native

CHANCE = np.random.default_rng(1)
BOX = Box(3, 2, 8, 6)
WITHIN = np.zeros((9, 13), bool)
WITHIN[2:6, 3:8] = True


def samples(low: int, high: int, kind: str, shape: tuple[int, ...] = (9, 13)) -> np.ndarray:
    """The lowest and highest value within the box, a bit less outside."""
    values = CHANCE.integers(low + 5, high - 5, shape, kind, endpoint=True)
    values[2, 3], values[2, 4] = low, high
    return values


@pytest.mark.parametrize(
    ("allocated", "stored", "high", "signed"),
    [(8, 8, 7, 0), (8, 7, 6, 0), (8, 8, 7, 1), (16, 16, 15, 0), (16, 12, 11, 0), (16, 12, 11, 1), (16, 16, 15, 1),
     (32, 32, 31, 0), (32, 32, 31, 1)],
)  # fmt: skip
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_grey_becomes_the_background_of_what_stays(
    tmp_path: Path, allocated: int, stored: int, high: int, signed: int, photometric: str
) -> None:
    low = -(1 << stored - 1) if signed else 0
    kind = f"<{'i' if signed else 'u'}{allocated // 8}"
    before = samples(low, low + (1 << stored) - 1, kind)
    made = dataset(
        9, 13, BitsAllocated=allocated, BitsStored=stored, HighBit=high, PixelRepresentation=signed,
        PhotometricInterpretation=photometric,
    )  # fmt: skip
    blanked = blank(native(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    stays = before[~WITHIN]
    assert (after[~WITHIN] == stays).all()
    assert (after[WITHIN] == (stays.max() if photometric == "MONOCHROME1" else stays.min())).all()
    assert (blanked.boxes, blanked.how, blanked.syntax) == ((BOX,), "native", "")


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(("photometric", "black"), [("RGB", [0, 0, 0]), ("YBR_FULL", [0, 128, 128])])
def test_colour_becomes_black(tmp_path: Path, planar: int, photometric: str, black: list[int]) -> None:
    shape = (2, 3, 9, 13) if planar else (2, 9, 13, 3)
    before = CHANCE.integers(1, 255, shape, "u1")
    made = dataset(9, 13, NumberOfFrames=2, **colour(photometric, planar))
    blank(native(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    expected = np.moveaxis(before, 1, -1) if planar else before
    assert (after[:, ~WITHIN] == expected[:, ~WITHIN]).all()
    assert (after[:, WITHIN] == black).all()


def test_two_pixels_that_share_their_colour_are_blanked_together(tmp_path: Path) -> None:
    before = CHANCE.integers(1, 255, (9, 7, 4), "u1")  # Y Y CB CR
    made = dataset(9, 14, **colour("YBR_FULL_422"))
    blanked = blank(native(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    assert blanked.boxes == (Box(2, 2, 8, 6),)
    after = np.frombuffer(dcmread(tmp_path / "b.dcm").PixelData, "u1").reshape(9, 7, 4)
    assert (after[2:6, 1:4] == [0, 0, 128, 128]).all()
    expected = before.copy()
    expected[2:6, 1:4] = after[2:6, 1:4]
    assert (after == expected).all()


def test_one_bit_pixels_whose_frames_do_not_begin_with_a_byte(tmp_path: Path) -> None:
    before = CHANCE.integers(0, 2, (5, 9, 13), "u1")
    made = dataset(9, 13, BitsAllocated=1, BitsStored=1, NumberOfFrames=5)
    boxes = [Box(3, 2, 8, 6, frame=1), Box(0, 8, 13, 9, frame=3)]
    blank(native(tmp_path / "a.dcm", made, pack_bits(before)), tmp_path / "b.dcm", boxes)
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    expected = before.copy()
    expected[1][WITHIN] = expected[3, 8] = 0
    assert (after == expected).all()


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floats(tmp_path: Path, keyword: str, kind: str) -> None:
    before = CHANCE.normal(0, 1, (9, 13)).astype(kind)
    before[0, 0], before[0, 1], before[3, 4] = np.nan, -np.inf, -100
    made = dataset(9, 13, **{keyword: before.tobytes()})
    for absent in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(made, absent)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    blank(tmp_path / "a.dcm", tmp_path / "b.dcm", [BOX])
    after = np.frombuffer(dcmread(tmp_path / "b.dcm")[keyword].value, kind).reshape(9, 13)
    stays = before[~WITHIN]
    assert np.array_equal(after[~WITHIN], stays, equal_nan=True)
    assert (after[WITHIN] == stays[np.isfinite(stays)].min()).all()


@pytest.mark.parametrize(("padding", "kept"), [(-2000, True), (-40000, False)])
def test_the_padding_value_is_the_background_where_pixels_can_have_it(tmp_path: Path, padding: int, kept: bool) -> None:
    before = samples(-1000, 3000, "<i2")
    made = dataset(9, 13, PixelRepresentation=1)
    made.add_new(0x00280120, "SS" if kept else "SL", padding)
    blank(native(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    assert (after[WITHIN] == (padding if kept else before[~WITHIN].min())).all()


def test_an_image_that_is_blanked_whole_is_black(tmp_path: Path) -> None:
    made = dataset(9, 13, PixelRepresentation=1, BitsStored=12)
    blank(native(tmp_path / "a.dcm", made, samples(-2048, 2047, "<i2")), tmp_path / "b.dcm", [Box(0, 0, 99, 99)])
    assert (pixel_array(tmp_path / "b.dcm", raw=True) == -2048).all()


@pytest.mark.parametrize("signed", [0, 1])
def test_overlay_bits_are_cleared_everywhere_and_pixels_stay(tmp_path: Path, signed: int) -> None:
    """Pixels in bits 4 to 13; text in the bits below and above them."""
    low = -512 if signed else 0
    values = CHANCE.integers(low, low + 1024, (9, 13), "<i2")
    hidden = CHANCE.integers(0, 1 << 16, (9, 13), "<u2") & 0xC00F
    words = ((values << 4).view("<u2") & 0x3FF0) | hidden
    made = dataset(9, 13, BitsStored=10, HighBit=13, PixelRepresentation=signed)
    source = native(tmp_path / "a.dcm", made, words)
    assert blank(source, tmp_path / "b.dcm", [], overlay_bits=True).how == "native"
    after = np.frombuffer(dcmread(tmp_path / "b.dcm").PixelData, "<i2").reshape(9, 13)
    assert (after == values << 4).all()  # with the sign above negative values, so that every reader has them right
    blank(source, tmp_path / "c.dcm", [BOX])  # not asked for: left alone outside the box
    after = np.frombuffer(dcmread(tmp_path / "c.dcm").PixelData, "<u2").reshape(9, 13)
    assert (after[~WITHIN] == words[~WITHIN]).all()
    assert (after[WITHIN] & 0xF == 0).all()


def test_many_frames_stay_in_flat_memory(tmp_path: Path) -> None:
    source = native(tmp_path / "a.dcm", dataset(512, 512, NumberOfFrames=100), np.zeros((100, 512, 512), "<u2"))
    tracemalloc.start()
    try:
        blank(source, tmp_path / "b.dcm", [Box(3, 2, 300, 60)])
        assert tracemalloc.get_traced_memory()[1] < 4 << 20  # the file has 50 MB, a frame half of one
    finally:
        tracemalloc.stop()


LUTS = {  # red, green and blue are alike; index 2 + 3 is darkest
    "words": ([200, 90, 80, 1, 50, 60], None),
    "segments": (None, [0, 2, 200, 90, 1, 4, 0]),  # discrete: 200 90; linear in four steps to 0
}


@pytest.mark.parametrize("way", LUTS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gets_the_index_that_shows_black(tmp_path: Path, way: str, bits: int) -> None:
    words, segments = LUTS[way]
    first, kind = 2, "<u2" if bits == 16 or words else "u1"
    made = dataset(9, 13, PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8)
    for number in (1, 2, 3):
        made.add_new(0x00281100 + number, "US", [6, first, bits])
        encoded = np.array(words or segments, kind).tobytes()
        made.add_new((0x00281200 if words else 0x00281220) + number, "OW", encoded + b"\0" * (len(encoded) % 2))
    before = CHANCE.integers(6, 8, (9, 13), "u1")
    blank(native(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    assert (pixel_array(tmp_path / "b.dcm", raw=True)[WITHIN] == first + (3 if words else 5)).all()


@pytest.mark.parametrize("photometric", ["PALETTE COLOR", "CMYK", "HSV", ""])
def test_where_nobody_knows_what_black_is_nothing_is_blanked(tmp_path: Path, photometric: str) -> None:
    made = dataset(9, 13, PhotometricInterpretation=photometric)
    source = native(tmp_path / "a.dcm", made, np.ones((9, 13), "<u2"))
    with pytest.raises(Refused, match="PIXELS_NOT_CLEANABLE"):
        blank(source, tmp_path / "b.dcm", [BOX])


@pytest.mark.parametrize(
    "lie", [{"BitsStored": 17}, {"HighBit": 3}, {"Rows": 0}, {"BitsAllocated": 12}, {"NumberOfFrames": 3}]
)
def test_a_geometry_that_contradicts_itself_is_refused(tmp_path: Path, lie: dict[str, int]) -> None:
    source = native(tmp_path / "a.dcm", dataset(9, 13, **{"HighBit": 15, **lie}), np.ones((9, 13), "<u2"))
    with pytest.raises(BadInput):
        blank(source, tmp_path / "b.dcm", [BOX])
