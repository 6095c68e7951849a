"""Blocks of a JPEG frame are blanked and nothing else changes, as other decoders see it."""

import io
import random

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.jpeg_blocks import blank_blocks
from dicom_assets.pixels.jpeg_huffman import HuffmanTable
from dicom_assets.pixels.jpeg_markers import Damaged, NotBlankable

from .jpeg_writer import JpegWriter, segment

_GREY, _FULL, _HALF, _QUARTER = [(1, 1)], [(1, 1)] * 3, [(2, 1), (1, 1), (1, 1)], [(2, 2), (1, 1), (1, 1)]
_TALL, _FOURTH, _UNEVEN = [(1, 2), (1, 1), (1, 1)], [(4, 1), (1, 1), (1, 1)], [(2, 2), (2, 1), (1, 2)]
_TOGETHER, _APART, _TWO_SCANS = [(0, 1, 2)], [(0,), (1,), (2,)], [(0,), (1, 2)]


def writer(factors=_GREY, scans=((0,),), rows=75, columns=101, most=60, density=0.2, **others) -> JpegWriter:
    """Random blocks whose samples stay away from both ends of the range."""
    random_numbers = np.random.default_rng(7)
    shape = (-(-rows // 8) + 8, -(-columns // 8) + 8, 64)
    planes = []
    for _ in factors:
        plane = random_numbers.integers(-3, 4, shape) * (random_numbers.random(shape) < density)
        plane[..., 0] = random_numbers.integers(-most // 2, most // 2, shape[:2])
        planes.append(plane)
    return JpegWriter(planes, rows, columns, factors, scans, **others)


def decoded(stream: bytes) -> np.ndarray:
    """(rows, columns) or (rows, columns, components), components as coded. Warnings of the decoder are errors."""
    colour = len(np.asarray(Image.open(io.BytesIO(stream))).shape) > 2
    space = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"} if colour else {}
    return imagecodecs.jpeg8_decode(stream, **space).astype(int)


def mask(boxes, shape) -> np.ndarray:
    inside = np.zeros(shape[:2], bool)
    for box in boxes:
        inside[box.top : box.bottom, box.left : box.right] = True
    return inside


@pytest.mark.parametrize("interval", [0, 1, 5])
@pytest.mark.parametrize(
    ("factors", "scans"),
    [
        (_GREY, [(0,)]),
        (_FULL, _TOGETHER),
        (_HALF, _TOGETHER),
        (_QUARTER, _TOGETHER),
        (_TALL, _TOGETHER),
        (_FOURTH, _TOGETHER),
        (_UNEVEN, _TOGETHER),
        (_FULL, _APART),
        (_QUARTER, _APART),
        (_HALF, _TWO_SCANS),
        (_UNEVEN, _APART),
    ],
)
def test_boxes_are_background_and_all_else_stays(factors, scans, interval):
    stream = writer(factors, scans, interval=interval).stream()
    boxes = [Box(20, 9, 43, 30), Box(90, 60, 400, 400), Box(0, 66, 5, 67), Box(500, 1, 600, 2)]
    blanked, changed = blank_blocks(stream, boxes)
    before, after = decoded(stream), decoded(blanked)
    black = [0] if len(factors) == 1 else [0, 128, 128]
    assert (after.reshape(75, 101, -1)[mask(boxes, before.shape)] == black).all()
    outside = ~mask(changed, before.shape)
    assert outside.sum() > 1000
    assert (before[outside] == after[outside]).all()
    assert len(changed) == 3
    assert blank_blocks(blanked, boxes)[0] == blanked


@pytest.mark.parametrize("background", [0, 77, 255])
def test_background_is_the_one_asked_for(background):
    for step in (3, 16):
        stream = writer(step=step, most=60).stream()
        after = decoded(blank_blocks(stream, [Box(8, 8, 16, 16)], [background])[0])
        assert np.abs(after[8:16, 8:16] - background).max() <= (0 if background != 77 else step // 16)


@pytest.mark.parametrize(("precision", "step", "most"), [(12, 16, 900), (12, 300, 40), (8, 260, 3)])
def test_extended_process(precision, step, most):
    stream = writer(precision=precision, step=step, most=most, density=0.02).stream()
    blanked, (changed,) = blank_blocks(stream, [Box(20, 9, 43, 30)])
    decode = imagecodecs.jpeg_decode
    before, after = decode(stream), decode(blanked)
    outside = ~mask([changed], before.shape)
    assert before.std() > 10
    assert (before[outside] == after[outside]).all()
    assert (after[9:30, 20:43] == 0).all()


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "examples_ybr_color.dcm"])
def test_real_frames(name):
    dataset = pydicom.dcmread(get_testdata_file(name))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
    box = Box(10, 12, dataset.Columns // 2, 60)
    blanked, changed = blank_blocks(frame, [box])
    before, after = imagecodecs.jpeg_decode(frame), imagecodecs.jpeg_decode(blanked)
    assert before.shape[:2] == (dataset.Rows, dataset.Columns)
    outside = ~mask(changed, before.shape)
    assert (before[outside] == after[outside]).all()
    inside = after[mask([box], after.shape)]
    assert (inside == inside[0]).all()


def test_symbols_that_the_tables_lack_are_added():
    coefficients = np.ones(
        (4, 4, 64), int
    )  # no block ends before its last coefficient; all DC differences but one are 0
    stream = JpegWriter([coefficients], 32, 32, _GREY, [(0,)]).stream()
    blanked, _ = blank_blocks(stream, [Box(8, 8, 16, 16)])
    before, after = decoded(stream), decoded(blanked)
    assert (after[8:16, 8:16] == 0).all()
    after[8:16, 8:16] = before[8:16, 8:16]
    assert (before == after).all()


def test_a_full_table_gains_no_symbol():
    table = HuffmanTable(bytes([1] * 16), bytes(range(1, 17)))
    assert table.code(16) == "1" * 15 + "0"
    with pytest.raises(NotBlankable):
        table.code(0)


def test_no_strip_of_blended_pixels_is_left_at_the_edge():
    stream = writer(_QUARTER, _TOGETHER, rows=49, columns=66).stream()  # units end at 48 and 64
    blanked, (changed,) = blank_blocks(stream, [Box(20, 20, 62, 46)])
    assert changed == Box(14, 14, 66, 49)
    inside = decoded(blanked)[18:, 18:]
    assert (inside == [0, 128, 128]).all()


def test_without_a_box_the_image_stays():
    stream = writer(_HALF, _TOGETHER, interval=3).stream()
    assert blank_blocks(stream, []) == (stream, [])


def test_comments_thumbnails_and_what_stands_behind_are_left_out():
    thumbnail = b"JFIF\0\1\2\0\0\1\0\1\2\2" + b"DOE" * 4
    kept = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0") + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    hidden = b"".join([
        segment(0xE0, thumbnail),
        segment(0xE1, b"Exif\0\0DOE"),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\1DOE"),
        segment(0xFE, b"DOE^JOHN"),
        b"\xff\xff" + segment(0xE2, b"DOE"),
    ])  # fmt: skip
    frame = writer(_FULL, _TOGETHER, before_scans=hidden).stream() + b"DOE\0"
    blanked, _ = blank_blocks(frame, [])
    assert b"DOE" not in blanked
    assert blanked == writer(_FULL, _TOGETHER, before_scans=kept).stream()


def _with_marker(stream: bytes, old: int, new: int) -> bytes:
    return stream.replace(bytes((0xFF, old)), bytes((0xFF, new)), 1)


def test_other_processes_are_not_blankable():
    stream = writer().stream()
    progressive = io.BytesIO()
    Image.new("L", (16, 16)).save(progressive, "JPEG", progressive=True)
    others = [progressive.getvalue(), stream + stream]
    others += [_with_marker(stream, 0xC0, marker) for marker in (0xC2, 0xC3, 0xC5, 0xC9, 0xCC, 0xDE)]
    for other in others:
        with pytest.raises(NotBlankable):
            blank_blocks(other, [])


def test_damaged_streams_are_refused():
    whole = writer(_HALF, _TOGETHER, interval=5)
    stream = whole.stream()
    restart = stream.index(b"\xff\xd1")
    end = len(stream) - 2
    broken = {
        "cut short": stream[: end - 40],
        "cut short, but for its end": stream[: end - 40] + b"\xff\xd9",
        "more data than units": stream[:end] + b"\x55\xaa\xff\xd9",
        "no end": stream[:end],
        "no beginning": stream[2:],
        "empty": b"",
        "restart markers out of order": stream[:restart] + b"\xff\xd2" + stream[restart + 2 :],
        "a restart interval is missing": stream[:restart] + stream[stream.index(b"\xff\xd2") :],
        "a component is missing": writer(_FULL, _APART[:2]).stream(),
        "a component comes twice": writer(_FULL, [*_APART, (1,)]).stream(),
        "no quantization": _with_marker(stream, 0xDB, 0xFE),
        "no codes": _with_marker(stream, 0xC4, 0xFE),
        "no frame": _with_marker(stream, 0xC0, 0xFE),
        "units of more than 10 blocks": writer([(2, 2), (2, 2), (2, 2)], _TOGETHER).stream(),
    }
    for name, frame in broken.items():
        with pytest.raises(Damaged):
            blank_blocks(frame, [])
            pytest.fail(name)


def test_a_giant_image_of_few_bytes_is_refused_before_it_is_laid_out():
    stream = writer(rows=8, columns=8).stream()
    frame = stream.replace(b"\x08\x00\x08\x00\x08\x01", b"\x08\xff\xff\xff\xff\x01")
    assert frame != stream
    with pytest.raises(Damaged):
        blank_blocks(frame, [Box(0, 0, 8, 8)])


def test_mutated_streams_end_in_an_error_or_in_a_whole_image():
    chance = random.Random(5)
    streams = [
        writer(_QUARTER, _TOGETHER, rows=24, columns=40, interval=2).stream(),
        writer(_FULL, _APART, rows=24, columns=24).stream(),
        writer(rows=24, columns=40, precision=12, most=900).stream(),
    ]
    boxes = [Box(4, 4, 20, 12)]
    whole = 0
    for number in range(900):
        frame = bytearray(streams[number % len(streams)])
        for _ in range(chance.choice((1, 1, 2, 8))):
            place = chance.randrange(len(frame))
            match chance.randrange(4):
                case 0:
                    frame[place] ^= 1 << chance.randrange(8)
                case 1:
                    frame[place] = chance.choice((0, 0xFF, chance.randrange(256)))
                case 2:
                    del frame[place : place + chance.randrange(1, 9)]
                case _:
                    frame[place:place] = frame[chance.randrange(len(frame)) :][: chance.randrange(1, 9)]
        try:
            blanked, _ = blank_blocks(bytes(frame), boxes)
        except (Damaged, NotBlankable):
            continue
        whole += 1
        assert blank_blocks(blanked, boxes)[0] == blanked
    assert 0 < whole < 900
