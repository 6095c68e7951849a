"""Ultrasound regions: what lies around them, and those that nobody should believe."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.regions import outside_of, outside_of_regions

data_store = pytest.importorskip("data_store")
PUBLIC = Path(data_store.__file__).parent / "data"


def region(left: int, top: int, right: int, bottom: int, spatial_format: int = 1) -> Dataset:
    data_set = Dataset()
    data_set.RegionLocationMinX0, data_set.RegionLocationMinY0 = left, top
    data_set.RegionLocationMaxX1, data_set.RegionLocationMaxY1 = right, bottom
    data_set.RegionSpatialFormat = spatial_format
    return data_set


def header(*regions: Dataset, rows: int = 100, columns: int = 200) -> Dataset:
    data_set = Dataset()
    data_set.Rows, data_set.Columns = rows, columns
    data_set.SequenceOfUltrasoundRegions = list(regions)
    return data_set


def covered(boxes: list[Box], rows: int, columns: int) -> np.ndarray:
    """How many boxes lie over each pixel."""
    image = np.zeros((rows, columns), int)
    for box in boxes:
        image[box.top : box.bottom, box.left : box.right] += 1
    return image


def test_what_is_around_is_covered_once_and_what_is_kept_not_at_all() -> None:
    random = np.random.default_rng(7)
    for _ in range(200):
        kept = []
        for _ in range(random.integers(0, 6)):
            (left, right), (top, bottom) = (np.sort(random.choice(size + 1, 2, replace=False)) for size in (30, 20))
            kept.append(Box(int(left), int(top), int(right), int(bottom)))
        expected = covered(kept, 20, 30) == 0
        boxes = outside_of(kept, 20, 30, "region")
        assert (covered(boxes, 20, 30) == expected).all()
        assert all(a != b for a, b in pairwise(boxes))


def test_one_region_leaves_four_sides() -> None:
    boxes = outside_of_regions(header(region(20, 10, 179, 89)))
    assert [box.text for box in boxes] == ["0,0,200,10", "0,10,20,90", "0,90,200,100", "180,10,200,90"]
    assert {box.source for box in boxes} == {"region"}


@pytest.mark.parametrize("spatial_format", [1, 2, 3, 4])
def test_measured_regions_are_kept(spatial_format: int) -> None:
    assert outside_of_regions(header(region(0, 0, 199, 99, spatial_format))) == []


@pytest.mark.parametrize("spatial_format", [0, 5, 77])
def test_graphics_and_regions_of_no_format_are_not(spatial_format: int) -> None:
    boxes = outside_of_regions(header(region(0, 0, 199, 79), region(0, 80, 199, 99, spatial_format)))
    assert [box.text for box in boxes] == ["0,80,200,100"]


@pytest.mark.parametrize(
    "regions",
    [
        (),
        (region(0, 0, 299, 99),),  # beyond the image
        (region(0, 0, 199, 102),),
        (region(20, 10, 19, 89),),
        (region(20, 10, 20, 89),),
        (region(20, 10, 24, 89),),  # too narrow
        (region(0, 0, 30, 20),),  # too little of the image
        (region(0, 0, 199, 99, 5),),
        (Dataset(),),
        (region(0, 0, 199, 99), region(0, 0, 900, 99)),
        tuple(region(0, 0, 199, 99) for _ in range(65)),
    ],
)
def test_regions_that_nobody_should_believe_are_none(regions: tuple[Dataset, ...]) -> None:
    assert outside_of_regions(header(*regions)) is None


def test_the_first_pixel_outside_is_taken_for_the_last_within() -> None:
    assert [box.text for box in outside_of_regions(header(region(0, 10, 200, 100)))] == ["0,0,200,10"]


def test_an_image_without_a_size_has_no_regions() -> None:
    data_set = header(region(0, 0, 9, 9))
    del data_set.Rows
    assert outside_of_regions(data_set) is None


@pytest.mark.parametrize(
    ("name", "blanked"),
    [
        ("OBXXXX1A.dcm", ["0,0,800,60", "0,60,120,519", "0,519,800,522", "0,522,176,577", "0,577,800,600"]),
        ("gdcm-US-ALOKA-16.dcm", ["0,0,640,24", "0,24,32,416", "0,416,640,480"]),
        ("US1_UNCI.dcm", None),
    ],
)
def test_public_files(name: str, blanked: list[str] | None) -> None:
    boxes = outside_of_regions(dcmread(PUBLIC / name, stop_before_pixels=True))
    assert (boxes if boxes is None else [box.text for box in boxes if box.left == 0]) == blanked
