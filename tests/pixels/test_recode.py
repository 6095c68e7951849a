"""Frames blanked by decoding and encoding again: both families of decoders see the same pixels outside of the boxes."""

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from dicom_assets.errors import BadInput
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.code_streams import code_stream_of
from dicom_assets.pixels.decode import open_frames
from dicom_assets.pixels.encapsulated import Frames
from dicom_assets.pixels.fill import background_of
from dicom_assets.pixels.jpeg_markers import NotBlankable
from dicom_assets.pixels.layout import layout_of
from dicom_assets.pixels.recode import recoded
from dicom_assets.pixels.splice import OwnFile

from .images import TEXT, Layout, jpeg, write

_GREY, _TWELVE = Layout(), Layout("MONOCHROME1", 16, 12)
_SIXTEEN, _SIGNED = Layout(allocated=16, stored=16), Layout(allocated=16, stored=16, signed=True)
_SIGNED_TWELVE, _RGB, _RCT = Layout(allocated=16, stored=12, signed=True), Layout("RGB"), Layout("YBR_RCT")
_CASES = [
    *((jpeg(57), layout) for layout in (_GREY, _TWELVE, _SIXTEEN, _SIGNED, _RGB)),
    *((jpeg(70), layout) for layout in (_GREY, _TWELVE, _SIXTEEN, _SIGNED, _RGB)),
    *((jpeg(80), layout) for layout in (_GREY, _TWELVE, _SIXTEEN, _SIGNED, _RGB)),
    *((jpeg(81), layout) for layout in (_GREY, _SIXTEEN, _RGB)),
    *((jpeg(90), layout) for layout in (_GREY, _TWELVE, _SIXTEEN, _SIGNED, _SIGNED_TWELVE, _RGB, _RCT)),
    *((jpeg(91), layout) for layout in (_GREY, _TWELVE, _SIGNED, _SIGNED_TWELVE, _RGB)),
    *((jpeg(201), layout) for layout in (_GREY, _SIXTEEN, _SIGNED, _RGB, _RCT)),
    *((jpeg(202), layout) for layout in (_GREY, _SIGNED, _RCT)),
    *((jpeg(203), layout) for layout in (_GREY, _SIXTEEN, _RGB)),
]
_BOX = Box(*TEXT)


def _blanked(path: Path, boxes: list[Box]) -> tuple[bytes, bytes]:
    """The first frame as it is encoded, and recoded."""
    with OwnFile(path) as file:
        layout = layout_of(file)
        frame = Frames(file, layout.frames).read(0)
        return frame, recoded(frame, file.syntax, layout, boxes, background_of(file, layout))


def _with(frame: bytes, source: Path, target: Path) -> Path:
    dataset = pydicom.dcmread(source)
    dataset.PixelData = encapsulate([frame])
    dataset.save_as(target)
    return target


def _name(value: object) -> str:
    if isinstance(value, Layout):
        return f"{value.photometric}-{'s' * value.signed}{value.stored}"
    return str(value).removeprefix("1.2.840.10008.1.2.")


@pytest.mark.parametrize(("syntax", "layout"), _CASES, ids=_name)
def test_only_the_box_is_another(syntax: str, layout: Layout, tmp_path: Path) -> None:
    source = tmp_path / "source.dcm"
    write(source, syntax, layout)
    old, new = _blanked(source, [_BOX])
    target = _with(new, source, tmp_path / "target.dcm")
    before = open_frames(source).frame(0)
    box = np.s_[_BOX.top : _BOX.bottom, _BOX.left : _BOX.right]
    for family in ("first", "second"):
        after = open_frames(target, family).frame(0).copy()
        assert (after[box] == after[_BOX.top, _BOX.left]).all() and (after[box] != before[box]).any()
        after[box] = before[box]
        assert after.dtype == before.dtype and np.array_equal(after, before)
    assert code_stream_of(new) == code_stream_of(old)


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KR.dcm",
        "JPEG-LL.dcm",
        "MR2_J2KR.dcm",
        "GDCMJ2K_TextGBR.dcm",
        "JPEG2000.dcm",
        "J2K_pixelrep_mismatch.dcm",
    ],
)
def test_real_files(name: str, tmp_path: Path) -> None:
    source = Path(get_testdata_file(name))
    dataset = pydicom.dcmread(source)
    for element in list(dataset):  # as the engine writes: no undefined lengths but that of the pixels
        if element.VR == "SQ" or element.tag.is_private:
            del dataset[element.tag]
    dataset.save_as(tmp_path / "source.dcm")
    _old, new = _blanked(tmp_path / "source.dcm", [_BOX])
    after = open_frames(_with(new, source, tmp_path / "target.dcm"), "second").frame(0)
    before = open_frames(source).frame(0)
    box = np.s_[_BOX.top : _BOX.bottom, _BOX.left : _BOX.right]
    assert (after[box] == after[_BOX.top, _BOX.left]).all()
    after[box] = before[box]
    assert np.array_equal(after, before)


def test_the_fill_is_the_background(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    for layout, least in ((_SIGNED_TWELVE, True), (_TWELVE, False)):
        write(path, jpeg(90), layout)
        _old, new = _blanked(path, [_BOX])
        after = open_frames(_with(new, path, tmp_path / "after.dcm")).frame(0)
        assert after[_BOX.top, _BOX.left] == (after.min() if least else after.max())


def test_what_a_transfer_syntax_asks_of_its_code_streams(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    write(path, jpeg(202), _RCT)
    _old, new = _blanked(path, [_BOX])
    style = new.index(b"\xff\x52")
    assert new[style + 5] == 2 and b"\xff\x55" in new  # RPCL, with tile-part lengths
    assert new[style + 13] == 1  # reversible
    for number in (57, 70):
        write(path, jpeg(number), _RGB)
        _old, new = _blanked(path, [_BOX])
        scan = new.index(b"\xff\xda")
        assert new[scan + 5 + 2 * new[scan + 4]] == 1  # its predictor
        assert b"\xff\xc3" in new[:scan]
    for number in (80, 81):
        write(path, jpeg(number), _RGB)
        _old, new = _blanked(path, [_BOX])
        scan = new.index(b"\xff\xda")
        near, interleave = new[scan + 5 + 2 * new[scan + 4] :][:2]
        assert (near, interleave) == (0, 2) and b"\xff\xe8" not in new[:scan]
    write(path, jpeg(91), _GREY)
    _old, new = _blanked(path, [_BOX])
    assert new[new.index(b"\xff\x52") + 13] == 1


def test_noise_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    write(path, jpeg(80), _SIXTEEN)
    dataset = pydicom.dcmread(path)
    from imagecodecs import jpegls_encode

    noise = np.random.default_rng(1).integers(0, 1 << 16, (dataset.Rows, dataset.Columns), np.uint16)
    dataset.PixelData = encapsulate([jpegls_encode(noise, out=4 * noise.nbytes)])
    dataset.save_as(path)
    _old, new = _blanked(path, [Box(0, 0, 1, 1)])
    assert len(new) > noise.nbytes


def test_colour_that_is_called_transformed_and_is_not(tmp_path: Path) -> None:
    write(tmp_path / "image.dcm", jpeg(91), Layout("RGB"))
    dataset = pydicom.dcmread(tmp_path / "image.dcm")
    dataset.PhotometricInterpretation = "YBR_ICT"
    dataset.save_as(tmp_path / "image.dcm")
    with pytest.raises(NotBlankable):
        _blanked(tmp_path / "image.dcm", [_BOX])


def test_what_is_not_encoded_here(tmp_path: Path) -> None:
    write(tmp_path / "image.dcm", jpeg(50), _GREY)
    with pytest.raises(NotBlankable):
        _blanked(tmp_path / "image.dcm", [_BOX])


@pytest.mark.parametrize("number", [80, 201])
def test_a_precision_that_no_encoder_here_knows(number: int, tmp_path: Path) -> None:
    """Twelve bits, said by the code stream itself."""
    path = tmp_path / "image.dcm"
    write(path, jpeg(number), _TWELVE)
    with OwnFile(path) as file:
        layout = layout_of(file)
        frame = bytearray(Frames(file, 1).read(0))
        background = background_of(file, layout)
    if number == 80:
        frame[frame.index(b"\xff\xf7") + 4] = 12
    else:
        frame[frame.index(b"\xff\x51") + 40] = 11
    assert code_stream_of(bytes(frame)).bits == 12
    with pytest.raises(NotBlankable):
        recoded(bytes(frame), jpeg(number), layout, [_BOX], background)


def test_a_background_that_the_code_stream_cannot_hold(tmp_path: Path) -> None:
    """Eight bits in the code stream, twelve in the header, whose padding value needs more than eight."""
    path = tmp_path / "image.dcm"
    write(path, jpeg(90), _GREY)
    dataset = pydicom.dcmread(path)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.save_as(path)
    _old, new = _blanked(path, [_BOX])
    assert code_stream_of(new).bits == 8
    dataset.add_new("PixelPaddingValue", "US", 0xFFF)
    dataset.save_as(path)
    with pytest.raises(NotBlankable):
        _blanked(path, [_BOX])


def test_damage_is_told_from_it(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    write(path, jpeg(90), _GREY)
    dataset = pydicom.dcmread(path)
    siz = dataset.PixelData.index(b"\xff\x4f\xff\x51")
    encoded = bytearray(dataset.PixelData)
    encoded[siz + 8 : siz + 12] = struct.pack(">I", 7)
    dataset.PixelData = bytes(encoded)
    dataset.save_as(path)
    with pytest.raises(BadInput, match="PIXELS_NOT_DECODABLE"):
        _blanked(path, [_BOX])
