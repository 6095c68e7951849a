"""The proof passes what blanking gives, whatever the encoding, and no file that is not that."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file

from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.decode import FrameReader
from dicom_assets.pixels.proof import prove
from dicom_assets.pixels.redact import blank

from .images import COLUMNS, NATIVE, RLE, TEXT, Layout, jpeg, write

_GREY, _TWELVE = Layout(), Layout("MONOCHROME1", 16, 12)
_SIGNED, _RGB, _RCT, _ICT = Layout(allocated=16, stored=16, signed=True), *map(Layout, ("RGB", "YBR_RCT", "YBR_ICT"))
_FULL, _HALF, _PALETTE = map(Layout, ("YBR_FULL", "YBR_FULL_422", "PALETTE COLOR"))
_CASES = [
    *((NATIVE, layout) for layout in (Layout(allocated=1, stored=1), _GREY, _TWELVE, _SIGNED, _RGB, _HALF, _PALETTE)),
    *((RLE, layout) for layout in (_GREY, _SIGNED, Layout("RGB", planar=True))),
    *((jpeg(50), layout) for layout in (_GREY, _RGB, _FULL, _HALF)),
    *((jpeg(51), layout) for layout in (_GREY, _TWELVE)),
    *((jpeg(70), layout) for layout in (_GREY, _TWELVE, _RGB)),
    *((jpeg(81), layout) for layout in (_GREY, _RGB)),
    *((jpeg(91), layout) for layout in (_GREY, _SIGNED, _ICT)),
    *((jpeg(203), layout) for layout in (_GREY, _ICT)),
    (jpeg(90), _RCT),
]
_BRIGHT = 220  # only what is written is
_BOXES = [Box(*TEXT), Box(50, 30, 61, 41, frame=1)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.dcm"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.dcm"


def _name(value: object) -> str:
    if isinstance(value, Layout):
        return f"{value.photometric}-{'s' * value.signed}{value.stored}"
    return str(value).removeprefix("1.2.840.10008.1.2.")


@pytest.mark.parametrize(("syntax", "layout"), _CASES, ids=_name)
def test_what_was_blanked_is_proved(syntax: str, layout: Layout, source: Path, target: Path) -> None:
    write(source, syntax, layout, frames=3)
    boxes = blank(source, target, _BOXES).boxes
    assert prove(source, target, boxes) == []
    nothing = Box(0, 0, 1, 1)
    assert "PIXELS_CHANGED" in prove(source, target, [nothing])
    assert "TEXT_NOT_BLANKED" in prove(source, source, boxes)


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm", "JPGExtended.dcm"])
def test_real_files_of_the_cosine_transformation(name: str, target: Path, source: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file(name))
    kept = Dataset()
    kept.update({element.tag: element for element in dataset if element.tag.group in (0x0028, 0x7FE0)})
    kept.file_meta = dataset.file_meta
    kept.SOPClassUID, kept.SOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    kept.save_as(source, enforce_file_format=True)
    boxes = blank(source, target, [Box(11, 13, 70, 47)]).boxes
    assert prove(source, target, boxes) == []
    assert prove(source, target, [Box(*(edge + 16 for edge in (11, 13, 70, 47)))])


def _shifted(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[-1:] + dataset.PixelData[:-1]


def _one_pixel(dataset: Dataset) -> None:
    encoded = bytearray(dataset.PixelData)
    encoded[-1] ^= 1
    dataset.PixelData = bytes(encoded)


def _one_pixel_inside(dataset: Dataset) -> None:
    encoded = bytearray(dataset.PixelData)
    encoded[TEXT[1] * dataset.Columns + TEXT[0] + 1] ^= 1
    dataset.PixelData = bytes(encoded)


def _a_frame_less(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 2


def _inverted(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _signed(dataset: Dataset) -> None:
    dataset.PixelRepresentation = 1


def _too_short(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-2]


def _burned_in(dataset: Dataset) -> None:
    dataset.BurnedInAnnotation = "YES"


def _no_method(dataset: Dataset) -> None:
    del dataset.DeidentificationMethodCodeSequence[1]


def _an_icon(dataset: Dataset) -> None:
    dataset.IconImageSequence = [Dataset()]


def _an_overlay(dataset: Dataset) -> None:
    bits = np.zeros((dataset.Rows, dataset.Columns), np.uint8)
    bits[TEXT[1] + 2, TEXT[0] + 2] = 1
    _overlay(dataset, np.packbits(bits, bitorder="little").tobytes())


def _overlay(dataset: Dataset, data: bytes) -> None:
    for element, vr, value in (
        *((0x0010, "US", dataset.Rows), (0x0011, "US", dataset.Columns), (0x0040, "CS", "G")),
        *((0x0050, "SS", [1, 1]), (0x0100, "US", 1), (0x0102, "US", 0), (0x3000, "OB", data + b"\0" * (len(data) % 2))),
    ):
        dataset.add_new((0x6000, element), vr, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *((change, "PIXELS_CHANGED") for change in (_shifted, _one_pixel)),
        (_one_pixel_inside, "TEXT_NOT_BLANKED"),
        *((change, "PIXEL_GEOMETRY_CHANGED") for change in (_a_frame_less, _inverted, _signed)),
        (_too_short, "PIXELS_NOT_DECODABLE"),
        *((change, "PIXEL_ATTRIBUTES_WRONG") for change in (_burned_in, _no_method, _an_icon)),
        (_an_overlay, "TEXT_NOT_BLANKED"),
    ],
)
def test_what_was_changed_besides(change: Callable[[Dataset], None], reason: str, source: Path, target: Path) -> None:
    write(source, NATIVE, _GREY, frames=3)
    boxes = blank(source, target, _BOXES).boxes
    dataset = pydicom.dcmread(target)
    change(dataset)
    dataset.save_as(target)
    assert reason in prove(source, target, boxes)


def test_another_palette(source: Path, target: Path) -> None:
    write(source, NATIVE, _PALETTE)
    boxes = blank(source, target, _BOXES[:1]).boxes
    dataset = pydicom.dcmread(target)
    dataset.RedPaletteColorLookupTableData = dataset.RedPaletteColorLookupTableData[::-1]
    dataset.save_as(target)
    assert prove(source, target, boxes) == ["PIXEL_GEOMETRY_CHANGED"]


def test_lossy_history_is_kept(source: Path, target: Path) -> None:
    write(source, jpeg(50), _GREY)
    dataset = pydicom.dcmread(source)
    dataset.LossyImageCompression = "01"
    dataset.save_as(source)
    boxes = blank(source, target, _BOXES[:1]).boxes
    assert prove(source, target, boxes) == []
    dataset = pydicom.dcmread(target)
    dataset.LossyImageCompression = "00"
    dataset.save_as(target)
    assert prove(source, target, boxes) == ["PIXEL_ATTRIBUTES_WRONG"]


@pytest.mark.parametrize("syntax", [NATIVE, RLE], ids=_name)
def test_an_overlay_in_unused_bits(syntax: str, source: Path, target: Path) -> None:
    """Bits 12 to 15 hold what an overlay without data of its own draws."""
    write(source, syntax, Layout(allocated=16, stored=16))
    dataset = pydicom.dcmread(source)
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.add_new((0x6000, 0x0102), "US", 12)
    dataset.save_as(source)
    left = blank(source, target, _BOXES[:1]).boxes
    assert prove(source, target, left) == ["OVERLAY_IN_PIXEL_DATA"]
    cleared = blank(source, target, _BOXES[:1], overlay_bits=True).boxes
    assert prove(source, target, cleared) == []


def test_what_is_still_seen(source: Path, target: Path) -> None:
    """A detector that sees bright pixels; it is not asked where a person has decided."""
    write(source, NATIVE, _GREY, frames=2)
    part = Box(TEXT[0], TEXT[1], TEXT[2] // 2, TEXT[3])

    def seen(frames: FrameReader, _header: Dataset) -> list[Box]:
        boxes = []
        for index in range(frames.count):
            rows, columns = np.nonzero(frames.frame(index) > _BRIGHT)
            if rows.size:
                edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                boxes.append(Box(*map(int, edges), index))
        return boxes

    some = blank(source, target, [part]).boxes
    assert prove(source, target, some, seen) == ["TEXT_LEFT_IN_PIXELS"]
    assert prove(source, target, some) == []
    whole = blank(source, target, [Box(0, 0, COLUMNS, TEXT[3])]).boxes
    assert prove(source, target, whole, seen) == []
    assert prove(source, target, whole, lambda _frames, _header: [Box(10, 6, 20, 10, frame=1)]) == []
    assert prove(source, target, whole, lambda _frames, _header: [Box(10, 6, 20, 40)]) == ["TEXT_LEFT_IN_PIXELS"]


def test_an_original_of_another_encoding(target: Path, source: Path) -> None:
    """Big endian and deflated originals, whose de-identified file is little endian."""
    write(source, NATIVE, _TWELVE)
    boxes = blank(source, target, _BOXES[:1]).boxes
    dataset = pydicom.dcmread(source)
    for syntax in (pydicom.uid.DeflatedExplicitVRLittleEndian, pydicom.uid.ImplicitVRLittleEndian):
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(source, implicit_vr=syntax.is_implicit_VR, little_endian=True)
        assert prove(source, target, boxes) == []
    assert prove(source, target, _BOXES[1:]) != []
    big = Dataset()
    big.update(pydicom.dcmread(target))
    big.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    big.file_meta = dataset.file_meta
    big.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    big.save_as(source, implicit_vr=False, little_endian=False)
    assert prove(source, target, boxes) == []
    assert prove(source, target, _BOXES[1:]) != []
