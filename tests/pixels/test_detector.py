"""The detector on small pictures; its rates on many are benchmarks/pixels."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dicom_assets.demo.anatomy import volume
from dicom_assets.demo.projections import chest_radiograph, hand_radiograph, ultrasound_sector
from dicom_assets.errors import BadInput
from dicom_assets.pixels.components import components
from dicom_assets.pixels.detector import TILE, Detector, tiles
from dicom_assets.pixels.lines import Found, in_lines, joined
from dicom_assets.pixels.models import session


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def write(picture: np.ndarray, text: str, at: tuple[int, int], size: int, fill) -> np.ndarray:
    """The ink's mask, bool (rows, columns); the text is drawn into picture."""
    image, ink = Image.fromarray(picture), Image.new("L", picture.shape[1::-1])
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(at, text, fill, font=font)
    ImageDraw.Draw(ink).text(at, text, 255, font=font)
    picture[...] = np.asarray(image)
    return np.asarray(ink) > 127


def share_in(found: list[Found], ink: np.ndarray) -> float:
    covered = np.zeros(ink.shape, bool)
    for one in found:
        covered[one.top : one.bottom, one.left : one.right] = True
    return float(covered[ink].mean())


def ground(kind: str) -> np.ndarray:
    noise = np.random.default_rng(1).normal(90, 15, (96, 224))
    return {
        "black": np.zeros((96, 224), np.uint8),
        "white": np.full((96, 224), 255, np.uint8),
        "noise": noise.clip(0, 255).astype(np.uint8),
        "ultrasound": ultrasound_sector(1, 96, 224),
    }[kind]


@pytest.mark.parametrize("size", [11, 32])
@pytest.mark.parametrize("kind", ["black", "white", "noise", "ultrasound"])
def test_a_line_of_text_lies_in_its_box(detector, kind, size):
    picture = ground(kind)
    ink = write(picture, "DOE^JANE 70", (8, 8), size, 0 if kind == "white" else 255)
    assert share_in(detector.boxes(picture), ink) > 0.98


def test_text_that_touches_the_edge_is_found(detector):
    picture = ground("black")
    ink = write(picture, "DOE^JANE 70", (0, 84), 12, 255)
    assert ink[-1].any() or ink[-2].any()
    assert share_in(detector.boxes(picture), ink) > 0.98


def test_text_that_runs_upwards_is_found(detector):
    picture = ground("black")
    ink = write(picture, "General Hospital", (30, 60), 14, 255)
    found = detector.boxes(np.ascontiguousarray(np.rot90(picture)))
    assert share_in(found, np.rot90(ink)) > 0.98


def test_coloured_text_on_a_coloured_ground_is_found(detector):
    picture = np.full((96, 224, 3), (20, 20, 120), np.uint8)
    ink = write(picture, "MRN 4471182", (30, 60), 16, (255, 160, 0))
    assert share_in(detector.boxes(picture), ink) > 0.98


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((64, 64), np.uint8),
        ground("noise"),
        (chest_radiograph(1, 320) * 255).astype(np.uint8),
        (hand_radiograph(2, 320) * 255).astype(np.uint8),
        ultrasound_sector(1, 320, 384),
        (volume("T1", 1, 8, 256, 256)[4].clip(0, 900) / 900 * 255).astype(np.uint8),
    ],
    ids=["empty", "noise", "chest", "hand", "ultrasound", "head"],
)
def test_anatomy_is_no_text(detector, picture):
    assert detector.boxes(picture) == []


def test_bars_of_a_phantom_are_no_text(detector):
    picture = np.full((120, 320), 50, np.uint8)
    for left in range(20, 300, 14):
        picture[40:70, left : left + 7] = 230
    assert detector.boxes(picture) == []


def test_what_is_too_short_to_be_sure_of_is_text_beside_text(detector):
    picture = ground("black")
    ink = write(picture, "4", (60, 40), 16, 255)
    assert detector.boxes(picture) == []
    write(picture, "Ward", (10, 40), 16, 255)
    assert share_in(detector.boxes(picture), ink) > 0.98


def test_text_that_is_known_is_not_found_again(detector):
    picture = ground("black")
    write(picture, "DOE^JANE 70", (8, 8), 16, 255)
    known = detector.boxes(picture)
    ink = write(picture, "MRN 4471182", (30, 60), 16, 255)
    (found,) = detector.boxes(picture, known)
    assert share_in([found], ink) > 0.98


@pytest.mark.parametrize("at", [TILE - 60, TILE - 20])
def test_text_where_tiles_meet_is_found_whole(detector, at):
    picture = np.zeros((64, TILE + 300), np.uint8)
    ink = write(picture, "Smith, Peter", (at, 20), 18, 255)
    assert share_in(detector.boxes(picture), ink) > 0.98


def test_tiles_hold_every_pixel_and_are_never_larger_than_agreed():
    picture = np.zeros((2000, 1500), np.uint8)
    seen = np.zeros(picture.shape, bool)
    for left, top, tile in tiles(picture, 0.5):
        assert max(tile.shape[:2]) <= TILE
        seen[top : top + 2 * tile.shape[0], left : left + 2 * tile.shape[1]] = True
    assert seen.all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 5, 3)])
def test_pictures_too_small_for_text_are_no_error(detector, shape):
    picture = np.zeros(shape, np.uint8)
    picture.flat[0] = 255
    assert detector.boxes(picture) == []


def test_a_model_that_is_not_there_is_named_as_a_missing_extra():
    with pytest.raises(BadInput, match="PIXELS_EXTRA_MISSING"):
        session("none.onnx")


def test_pixels_that_touch_are_one_component_also_at_corners():
    values = np.zeros((6, 9))
    values[0, 0] = values[1, 1] = values[2, 0] = 1.0
    values[4:6, 4:8] = 0.5
    first, second = components(values, 0.3)
    assert (first.left, first.top, first.width, first.height, first.area, first.mean) == (0, 0, 2, 3, 3, 1.0)
    assert (second.left, second.top, second.width, second.height, second.area, second.mean) == (4, 4, 4, 2, 8, 0.5)


def test_components_are_those_that_a_flood_fill_finds():
    values = (np.random.default_rng(3).random((40, 50)) > 0.6).astype(float)
    waiting, parts = {(int(y), int(x)) for y, x in np.argwhere(values)}, []
    while waiting:
        edge, part = [waiting.pop()], 0
        while edge:
            y, x = edge.pop()
            part += 1
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & waiting
            waiting -= near
            edge += near
        parts.append(part)
    assert sorted(part.area for part in components(values, 0.5)) == sorted(parts)


def test_a_line_within_something_large_stays_a_line():
    line, organ = Found(50, 50, 90, 60, 0.9, 4, 9), Found(0, 0, 200, 200, 0.9, 80, 2)
    assert joined([line, organ]) == [organ, line]


def test_a_box_of_a_turned_picture_is_turned_back():
    rows, columns = np.mgrid[:30, :50]
    aslant = (np.abs(rows - 3 - 0.5 * (columns - 12)) < 2) & (columns >= 12) & (columns < 40)
    here, turned = (box_round(values) for values in (aslant, np.rot90(aslant)))
    assert here.tilt == pytest.approx(27, abs=2)
    assert turned.tilt == pytest.approx(-63, abs=2)
    for one, other in ((turned.turned_back(50), here), (here.turned(50), turned)):
        assert (one.left, one.top, one.right, one.bottom) == (other.left, other.top, other.right, other.bottom)
        assert one.tilt == pytest.approx(other.tilt)


def box_round(values: np.ndarray) -> Found:
    (part,) = components(values.astype(float), 0.5)
    right, bottom = part.left + part.width, part.top + part.height
    return Found(part.left, part.top, right, bottom, part.mean, tilt=part.tilt)


def test_short_words_below_each_other_stay_two_lines():
    words = [Found(44, 132, 102, 154, 0.9, 8, 4), Found(44, 198, 104, 220, 0.9, 8, 4)]
    assert in_lines(words) == words


def test_pieces_of_a_line_are_put_together_and_lines_below_each_other_are_not():
    pieces = [Found(10, 10, 40, 22, 0.8, 4, 5), Found(48, 11, 90, 23, 0.9, 4, 6), Found(10, 30, 90, 42, 0.9, 4, 9)]
    assert [(one.left, one.top, one.right, one.bottom) for one in in_lines(pieces)] == [
        (10, 10, 90, 23),
        (10, 30, 90, 42),
    ]


@pytest.mark.parametrize("angle", [25, 45, 65, 115, 135, 160, 225])
@pytest.mark.parametrize("kind", ["black", "white"])
def test_text_that_runs_aslant_is_found(detector, kind, angle):
    picture = np.zeros((320, 320), np.uint8)
    write(picture, "DOE^JANE 1970", (80, 150), 22, 255)
    slanted = np.asarray(Image.fromarray(picture).rotate(angle, Image.Resampling.BICUBIC))
    shown = 255 - slanted if kind == "white" else slanted
    assert share_in(detector.boxes(shown), slanted > 127) > 0.98


def test_two_lines_aslant_stay_two_and_the_pieces_of_one_become_one():
    one, parallel = Found(0, 0, 200, 200, 0.9, 10, 26, 45), Found(40, 0, 240, 200, 0.9, 10, 26, 45)
    assert len(in_lines([one, parallel])) == 2
    next_piece, across = Found(205, 205, 305, 305, 0.9, 10, 13, 40), Found(205, 205, 305, 305, 0.9, 10, 13, -45)
    assert [(line.left, line.bottom) for line in in_lines([one, next_piece])] == [(0, 305)]
    assert len(in_lines([one, across])) == 2


def test_what_touches_has_the_tilt_of_its_longer_axis():
    rows, columns = np.mgrid[:100, :100]
    for slope, tilt in ((0.0, 0), (1.0, 45), (-1.0, -45), (0.5, 27), (np.inf, 90)):
        off = columns - 50 if slope == np.inf else (rows - 50 - slope * (columns - 50)) / np.hypot(1, slope)
        (part,) = components((np.abs(off) < 4).astype(float), 0.5)
        assert abs((part.tilt - tilt + 90) % 180 - 90) < 1
