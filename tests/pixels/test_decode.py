"""Two families of decoders read the same numbers, and neither is asked where the header cannot be true."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicom_assets.errors import BadInput
from dicom_assets.pixels.code_streams import CodeStream, code_stream_of
from dicom_assets.pixels.decode import open_frames

from .images import COLUMNS, NATIVE, RLE, ROWS, Layout, jpeg, stored_values, write

_GREY, _TWELVE, _SIGNED_TWELVE = Layout(), Layout(allocated=16, stored=12), Layout("MONOCHROME2", 16, 12, signed=True)
_SIXTEEN, _SIGNED = Layout(allocated=16, stored=16), Layout(allocated=16, stored=16, signed=True)
_RGB, _RGB_PLANAR, _HALF = Layout("RGB"), Layout("RGB", planar=True), Layout("YBR_FULL_422")
_RCT = Layout("YBR_RCT")
_LOSSLESS = [
    *((NATIVE, layout) for layout in (Layout(allocated=1, stored=1), _GREY, _SIGNED_TWELVE, _RGB, _RGB_PLANAR)),
    *((RLE, layout) for layout in (_GREY, _SIGNED, Layout(allocated=32, stored=32), _RGB_PLANAR)),
    *((jpeg(57), layout) for layout in (_TWELVE, _RGB)),
    *((jpeg(70), layout) for layout in (_GREY, _SIXTEEN, _SIGNED)),
    *((jpeg(80), layout) for layout in (_GREY, _SIXTEEN, _SIGNED, _RGB)),
    *((jpeg(90), layout) for layout in (_TWELVE, _SIGNED_TWELVE, _SIGNED, _RCT)),
    *((jpeg(201), layout) for layout in (_SIGNED, _RCT)),
    (jpeg(202), _SIXTEEN),
]
_ENCAPSULATED = [RLE, *map(jpeg, (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.dcm"


def _name(value: object) -> str:
    if isinstance(value, Layout):
        return f"{value.photometric}-{'s' * value.signed}{value.stored}{'-planar' * value.planar}"
    return str(value).removeprefix("1.2.840.10008.1.2.")


@pytest.mark.parametrize("family", ["first", "second"])
@pytest.mark.parametrize(("syntax", "layout"), _LOSSLESS, ids=_name)
def test_what_was_stored_is_read(syntax: str, layout: Layout, family: str, path: Path) -> None:
    write(path, syntax, layout, frames=3)
    frames = open_frames(path, family)
    assert (frames.count, frames.rows, frames.columns, frames.samples) == (3, ROWS, COLUMNS, layout.samples)
    for index, stored in enumerate(stored_values(layout, 3)):
        read = frames.frame(index)
        assert read.dtype == stored.dtype and np.array_equal(read, stored)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *((name, 0) for name in ("OBXXXX1A_expb_2frame.dcm", "MR_small_bigendian.dcm", "SC_rgb_expb_16bit_2frame.dcm")),
        *((name, 0) for name in ("SC_ybr_full_422_uncompressed.dcm", "liver_expb_1frame.dcm", "liver.dcm")),
        *((name, 0) for name in ("image_dfl.dcm", "rtdose_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm", "bad_sequence.dcm")),
        *((name, 0) for name in ("J2K_pixelrep_mismatch.dcm", "GDCMJ2K_TextGBR.dcm", "JPEG2000.dcm", "US1_J2KI.dcm")),
        *((name, 0) for name in ("JPEG-LL.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm")),
        *((name, 1) for name in ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "JPGExtended.dcm")),
    ],
)
def test_both_families_read_real_files_alike(name: str, most: int) -> None:
    """most: by which two decoders of a discrete cosine transformation differ."""
    first, second = (open_frames(Path(get_testdata_file(name)), family) for family in ("first", "second"))
    for index in range(first.count):
        one, other = first.frame(index), second.frame(index)
        assert one.dtype == other.dtype and one.shape == other.shape
        assert np.abs(one.astype(np.int64) - other).max() <= most


@pytest.mark.parametrize("family", ["first", "second"])
@pytest.mark.parametrize("syntax", [NATIVE, RLE])
def test_unused_bits_are_left_out(syntax: str, family: str, path: Path) -> None:
    write(path, syntax, _SIGNED)
    dataset = pydicom.dcmread(path)
    dataset.BitsStored, dataset.HighBit = 10, 12  # three bits below, three above
    dataset.save_as(path)
    frames, whole = open_frames(path, family), stored_values(_SIGNED, 1)[0]
    assert np.array_equal(frames.words(0), whole)
    shifted = (whole.astype(np.int64) >> 3) & 0x3FF
    assert np.array_equal(frames.frame(0), np.where(shifted > 0x1FF, shifted - 0x400, shifted))


@pytest.mark.parametrize("family", ["first", "second"])
@pytest.mark.parametrize(
    ("table", "fragments"), [("none", 1), ("basic", 1), ("extended", 1), ("basic", 3), ("none", 3)]
)
def test_frames_are_found(table: str, fragments: int, family: str, path: Path) -> None:
    write(path, jpeg(90), _GREY, frames=3, table=table, fragments=fragments)
    frames = open_frames(path, family)
    stored = stored_values(_GREY, 3)
    assert all(np.array_equal(frames.frame(index), stored[index]) for index in (2, 0, 1))
    with pytest.raises(IndexError):
        frames.frame(3)


@pytest.mark.parametrize("syntax", _ENCAPSULATED, ids=_name)
def test_a_header_that_is_not_true(syntax: str, path: Path) -> None:
    write(path, syntax, _GREY, frames=2)
    dataset = pydicom.dcmread(path)
    assert _code(path, "first") == _code(path, "second") == ""
    for keyword, value in (
        *(("Rows", 2 * ROWS), ("Rows", 0), ("Columns", COLUMNS - 1), ("NumberOfFrames", 4), ("NumberOfFrames", -1)),
        *(("SamplesPerPixel", 3), ("BitsStored", 9), ("BitsAllocated", 12)),
    ):
        if syntax == RLE and keyword in ("Rows", "Columns") and value:
            continue  # its header tells no size
        true = dataset[keyword].value
        setattr(dataset, keyword, value)
        dataset.save_as(path)
        assert _code(path, "first") == _code(path, "second") == "PIXELS_NOT_DECODABLE"
        setattr(dataset, keyword, true)


@pytest.mark.parametrize("family", ["first", "second"])
def test_native_pixels_that_are_too_few(family: str, path: Path) -> None:
    write(path, NATIVE, _GREY, frames=2)
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 3
    dataset.save_as(path)
    assert _code(path, family) == "PIXELS_NOT_DECODABLE"
    write(path, NATIVE, _GREY)
    path.write_bytes(path.read_bytes()[:-2])
    assert _code(path, family) == "PIXELS_NOT_DECODABLE"


def test_one_family_reads_what_the_other_does_not() -> None:
    twelve_bits = Path(get_testdata_file("JPEG-lossy.dcm"))
    with pytest.raises(BadInput, match="PIXELS_NOT_DECODABLE"):
        open_frames(twelve_bits, "first").frame(0)
    seen = open_frames(twelve_bits, "second").frame(0)
    assert np.ptp(seen) and np.array_equal(open_frames(twelve_bits).frame(0), seen)


@pytest.mark.parametrize("family", ["first", "second"])
def test_a_data_set_whose_syntax_nobody_names(family: str, path: Path) -> None:
    write(path, NATIVE, _SIXTEEN)
    dataset = pydicom.dcmread(path)
    del dataset.file_meta, dataset.preamble
    dataset.save_as(path, enforce_file_format=False, implicit_vr=True, little_endian=True)
    assert np.array_equal(open_frames(path, family).frame(0), stored_values(_SIXTEEN, 1)[0])


@pytest.mark.parametrize("syntax", [NATIVE, RLE, jpeg(70), jpeg(90)], ids=_name)
def test_more_than_any_detector_has(syntax: str, path: Path) -> None:
    write(path, syntax, _GREY)
    dataset = pydicom.dcmread(path)
    dataset.Rows = dataset.Columns = 0xFFFF
    dataset.save_as(path)
    assert _code(path, "first") == _code(path, "second") == "PIXELS_TOO_LARGE"


@pytest.mark.parametrize("syntax", _ENCAPSULATED, ids=_name)
def test_a_code_stream_that_is_none(syntax: str, path: Path) -> None:
    write(path, syntax, _GREY)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.PixelData[:16] + bytes(len(dataset.PixelData) - 24) + dataset.PixelData[-8:]
    dataset.save_as(path)
    assert _code(path, "first") == _code(path, "second") == "PIXELS_NOT_DECODABLE"


def test_code_streams_say_what_they_hold() -> None:
    header = bytes.fromhex("ff4fff51002900000000010000000080000000000000000000000100000000800000000000000000")
    assert code_stream_of(header) is None
    siz = header + bytes.fromhex("0001 8b0101") + bytes.fromhex("ff52000c00020001010504044001")
    assert code_stream_of(siz) == CodeStream(128, 256, 1, 12, signed=True, transformed=True)
    jpeg_ls = bytes.fromhex("ffd8 ffe8000800000001ffd8 fff7000b0c0010002001011100")
    assert code_stream_of(jpeg_ls) == CodeStream(16, 32, 1, 12)
    for broken in (b"", b"\xff\xd8", b"\xff\xd8\xff\xda\0\2\0\0", siz[:50], b"\xff\xd8" + b"\xff\xe0\0\0" * 9):
        assert code_stream_of(broken) is None


def _code(path: Path, family: str) -> str:
    """Empty where every frame is read."""
    try:
        frames = open_frames(path, family)
        for index in range(frames.count):
            frames.frame(index)
    except BadInput as error:
        return error.code
    return ""


@pytest.mark.parametrize("family", ["first", "second"])
def test_colour_of_every_pixel_under_a_name_that_says_half_of_it(path: Path, family: str) -> None:
    write(path, NATIVE, Layout("YBR_FULL"))
    before = open_frames(path, family).frame(0)
    dataset = pydicom.dcmread(path)
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.save_as(path)
    assert np.array_equal(open_frames(path, family).frame(0), before)
