"""What a file says after its boxes were blanked, and which files nobody here can blank. The pixels of every syntax are
in test_every_syntax.py."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset

from dicom_assets.errors import BadInput, Refused
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.decode import open_frames
from dicom_assets.pixels.redact import EXPLICIT_LITTLE, Redacted, blank
from tests.pixels.own_files import METHODS, colour, dataset, encapsulated, native

BOX = Box(1, 1, 4, 3)
PIXELS = np.arange(48, dtype="<u2").reshape(6, 8)
JPEG, MPEG4 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.102"


def blanked(tmp_path: Path, made: FileDataset, boxes: list[Box]) -> FileDataset:
    blank(native(tmp_path / "a.dcm", made, PIXELS), tmp_path / "b.dcm", boxes)
    return pydicom.dcmread(tmp_path / "b.dcm")


def methods(made: FileDataset) -> list[str]:
    return [item.CodeValue for item in made.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize("boxes", [[], [BOX]])
def test_it_is_said_that_pixels_were_cleaned(tmp_path: Path, boxes: list[Box]) -> None:
    made = dataset(6, 8, BurnedInAnnotation="YES", ImageType=["DERIVED", "SECONDARY"], LossyImageCompression="01")
    written = blanked(tmp_path, made, boxes)
    assert written.BurnedInAnnotation == "NO"
    assert methods(written) == [METHODS[0], "113101", *METHODS[1:], "0123456789abcdef"]
    code = written.DeidentificationMethodCodeSequence[1]
    assert (code.CodingSchemeDesignator, code.CodeMeaning) == ("DCM", "Clean Pixel Data Option")
    unchanged = ("ImageType", "LossyImageCompression", "SOPInstanceUID", "Rows", "BitsStored")
    assert [written[keyword] for keyword in unchanged] == [made[keyword] for keyword in unchanged]
    assert written.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID


def test_it_is_said_once(tmp_path: Path) -> None:
    made = dataset(6, 8)
    made.DeidentificationMethodCodeSequence[1].CodeValue = "113101"
    assert methods(blanked(tmp_path, made, [BOX])) == methods(made)


def test_the_standards_code_is_not_said_of_a_profile_of_ones_own(tmp_path: Path) -> None:
    made = dataset(6, 8)
    del made.DeidentificationMethodCodeSequence[:-1]
    assert methods(blanked(tmp_path, made, [BOX])) == methods(made)


def test_what_is_no_longer_true_or_shows_the_image_as_it_was_goes(tmp_path: Path) -> None:
    icon = Dataset()
    icon.Rows = 64
    made = dataset(6, 8, SmallestImagePixelValue=0, LargestImagePixelValue=47, IconImageSequence=[icon])
    written = blanked(tmp_path, made, [BOX])
    assert not {"SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence"} & set(written.dir())
    assert blanked(tmp_path, made, []).LargestImagePixelValue == 47  # still true


def test_without_a_box_the_pixels_go_over_as_they_are(tmp_path: Path) -> None:
    source = native(tmp_path / "a.dcm", dataset(6, 8, PhotometricInterpretation="CMYK"), PIXELS)
    outside = [Box(8, 0, 20, 9), Box(0, 0, 8, 6, frame=1)]
    assert blank(source, tmp_path / "b.dcm", outside) == Redacted((), "", "header only")
    assert pydicom.dcmread(tmp_path / "b.dcm").PixelData == PIXELS.tobytes()


def test_boxes_are_told_as_far_as_they_are_in_the_image(tmp_path: Path) -> None:
    source = native(tmp_path / "a.dcm", dataset(6, 8), PIXELS)
    done = blank(source, tmp_path / "b.dcm", [Box(-3, 4, 99, 99, source="reviewer")])
    assert done.boxes == (Box(0, 4, 8, 6, source="reviewer"),)


def test_a_jpeg_keeps_its_syntax_and_tells_the_blocks(tmp_path: Path) -> None:
    path = get_testdata_file("SC_rgb_jpeg_dcmtk.dcm")
    done = blank(Path(path), tmp_path / "b.dcm", [Box(10, 10, 20, 20)])
    assert (done.how, done.syntax) == ("jpeg blocks", "")
    assert all(box.left <= 10 and box.top <= 10 and box.right >= 20 and box.bottom >= 20 for box in done.boxes)
    subprocess.run(["dcmj2pnm", tmp_path / "b.dcm", tmp_path / "b.pnm"], check=True, capture_output=True)


def progressive(picture: np.ndarray) -> bytes:
    """A process that has no place in this transfer syntax, and that decoders read all the same."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", progressive=True, quality=90)
    return stream.getvalue()


@pytest.mark.parametrize(("mode", "photometric"), [("RGB", "YBR_FULL_422"), ("L", "MONOCHROME2")])
def test_what_cannot_be_encoded_again_is_written_as_native_pixels(tmp_path: Path, mode: str, photometric: str) -> None:
    shape = (2, 33, 31, 3) if mode == "RGB" else (2, 33, 31)
    pictures = np.random.default_rng(4).integers(50, 200, shape, "u1")
    attributes = colour(photometric) if mode == "RGB" else {"BitsAllocated": 8, "BitsStored": 8}
    made = dataset(33, 31, **attributes)
    source = encapsulated(tmp_path / "a.dcm", made, [progressive(one) for one in pictures], JPEG, table="extended")
    done = blank(source, tmp_path / "b.dcm", [Box(3, 4, 20, 9, frame=1)])
    assert (done.how, done.syntax) == ("native", f"{JPEG}>{EXPLICIT_LITTLE}")
    before, after = open_frames(source), open_frames(tmp_path / "b.dcm")
    expected = np.stack([before.frame(0), before.frame(1)])
    expected[1, 4:9, 3:20] = (0, 128, 128) if mode == "RGB" else expected[1].min()
    changed = np.stack([after.frame(0), after.frame(1)])
    assert (changed[0] == expected[0]).all()
    outside = np.ones((33, 31), bool)
    outside[4:9, 3:20] = False
    assert (changed[1][outside] == expected[1][outside]).all()
    assert len(np.unique(changed[1][~outside].reshape(17 * 5, -1), axis=0)) == 1
    written = pydicom.dcmread(tmp_path / "b.dcm")
    assert written.PhotometricInterpretation == {"RGB": "YBR_FULL", "L": "MONOCHROME2"}[mode]
    assert "ExtendedOffsetTable" not in written
    assert ("PlanarConfiguration" in written) == (mode == "RGB")
    subprocess.run(["dcm2pnm", tmp_path / "b.dcm", tmp_path / "b.pnm"], check=True, capture_output=True)


@pytest.mark.parametrize("syntax", [MPEG4, "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.52"])
def test_video_and_all_that_is_unknown_is_refused(tmp_path: Path, syntax: str) -> None:
    source = encapsulated(tmp_path / "a.dcm", dataset(6, 8, **colour("YBR_FULL_422")), [b"any frame."], syntax)
    for boxes in ([], [BOX]):
        with pytest.raises(Refused, match="PIXELS_NOT_CLEANABLE"):
            blank(source, tmp_path / "b.dcm", boxes)


def test_overlay_bits_of_compressed_pixels_are_refused(tmp_path: Path) -> None:
    source = encapsulated(tmp_path / "a.dcm", dataset(6, 8, BitsStored=12), [b"any frame."], JPEG)
    with pytest.raises(Refused, match="OVERLAY_IN_PIXEL_DATA"):
        blank(source, tmp_path / "b.dcm", [], overlay_bits=True)


def test_an_object_without_pixels_is_refused(tmp_path: Path) -> None:
    dataset(6, 8).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(BadInput, match="PIXEL_DATA_MALFORMED"):
        blank(tmp_path / "a.dcm", tmp_path / "b.dcm", [BOX])


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_palette.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm"])
def test_dcmtk_shows_the_box_in_one_colour(tmp_path: Path, name: str) -> None:
    source = pydicom.dcmread(get_testdata_file(name))
    source.save_as(tmp_path / "a.dcm", enforce_file_format=True)  # with the group length that pydicom's lack
    blank(tmp_path / "a.dcm", tmp_path / "b.dcm", [Box(8, 8, 50, 40)])
    subprocess.run(["dcm2pnm", tmp_path / "b.dcm", tmp_path / "b.pnm"], check=True, capture_output=True)
    picture = np.asarray(Image.open(tmp_path / "b.pnm").convert("RGB"))
    assert len(np.unique(picture[8:40, 8:50].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1
