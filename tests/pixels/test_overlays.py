"""Overlay planes that de-identification keeps: shown to the detector, and cleared where a box is."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.pixels import pack_bits

from dicom_assets.errors import Refused
from dicom_assets.pixels.boxes import ALL_FRAMES, Box
from dicom_assets.pixels.overlays import overlay_planes
from dicom_assets.pixels.redact import blank
from tests.pixels.own_files import dataset, native

DRAWN = np.random.default_rng(3).integers(0, 2, (9, 13), "u1")


def image(frames: int = 1, **attributes: object) -> FileDataset:
    return dataset(9, 13, NumberOfFrames=frames, **attributes)


def draw(made: FileDataset, bits: np.ndarray, origin: tuple[int, int] = (1, 1), first_frame: int = 0) -> FileDataset:
    """bits: (rows, columns) or (frames, rows, columns). origin: row and column, counted from 1."""
    made.add_new(0x60020010, "US", bits.shape[-2])
    made.add_new(0x60020011, "US", bits.shape[-1])
    if bits.ndim == 3:
        made.add_new(0x60020015, "IS", bits.shape[0])
        made.add_new(0x60020051, "US", first_frame)
    made.add_new(0x60020040, "CS", "R")
    made.add_new(0x60020050, "SS", list(origin))
    made.add_new(0x60020100, "US", 1)
    made.add_new(0x60020102, "US", 0)
    made.add_new(0x60023000, "OW", pack_bits(bits))
    return made


def blanked(tmp_path: Path, made: FileDataset, boxes: list[Box]) -> np.ndarray:
    pixels = np.ones((int(made.NumberOfFrames), 9, 13), "<u2")
    blank(native(tmp_path / "a.dcm", made, pixels), tmp_path / "b.dcm", boxes)
    return dcmread(tmp_path / "b.dcm").overlay_array(0x6002)


def test_a_plane_is_shown_where_it_lies() -> None:
    (plane,) = overlay_planes(draw(image(frames=4), DRAWN, origin=(-2, 5)))
    assert (plane.frame, plane.top, plane.left) == (ALL_FRAMES, -3, 4)
    assert (plane.picture == DRAWN * 255).all()


def test_frames_of_a_plane_belong_to_frames_of_the_image() -> None:
    planes = list(overlay_planes(draw(image(frames=4), np.stack([DRAWN, DRAWN * 0, DRAWN]), first_frame=2)))
    assert [plane.frame for plane in planes] == [1, 3]  # one that draws nothing is not shown


def test_boxes_are_cleared_and_the_rest_stays(tmp_path: Path) -> None:
    after = blanked(tmp_path, draw(image(), DRAWN), [Box(3, 2, 8, 6)])
    expected = DRAWN.copy()
    expected[2:6, 3:8] = 0
    assert (after == expected).all()


def test_an_origin_moves_the_box_and_what_is_outside_the_image_goes(tmp_path: Path) -> None:
    after = blanked(tmp_path, draw(image(), DRAWN, origin=(3, -1)), [Box(0, 0, 4, 5)])
    expected = DRAWN.copy()
    expected[7:] = expected[:, :2] = 0  # the image's first row is the plane's row -2, its first column the third
    expected[:3, 2:6] = 0
    assert (after == expected).all()


def test_a_box_of_one_frame_clears_that_frame_alone(tmp_path: Path) -> None:
    made = draw(image(frames=4), np.stack([DRAWN, DRAWN, DRAWN]), first_frame=2)
    after = blanked(tmp_path, made, [Box(0, 0, 13, 9, frame=2)])
    assert (after == np.stack([DRAWN, DRAWN * 0, DRAWN])).all()


def test_a_plane_over_all_frames_is_cleared_by_a_box_of_any(tmp_path: Path) -> None:
    assert not blanked(tmp_path, draw(image(frames=4), DRAWN), [Box(0, 0, 13, 9, frame=2)]).any()


def test_a_plane_with_fewer_bits_than_it_says_is_refused(tmp_path: Path) -> None:
    made = draw(image(), DRAWN)
    made[0x60020010].value = 90
    with pytest.raises(Refused, match="OVERLAY_NOT_CLEANABLE"):
        list(overlay_planes(made))
    with pytest.raises(Refused, match="OVERLAY_NOT_CLEANABLE"):
        blanked(tmp_path, made, [])
