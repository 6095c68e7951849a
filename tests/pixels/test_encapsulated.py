"""Fragments to frames, and frames written with offset tables that are right."""

import resource
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames, parse_basic_offsets

from dicom_assets.errors import BadInput
from dicom_assets.pixels.encapsulated import Frames, write_frames
from dicom_assets.pixels.splice import OwnFile
from tests.pixels.own_files import dataset, encapsulated

JPEG = "1.2.840.10008.1.2.4.50"
FRAMES = [b"\xff\xd8\xff" + bytes([number]) * (4 * number + 3) + b"\xff\xd9" for number in range(4)]  # even


def frames_in(path: Path) -> list[bytes]:
    """By another reader, with the offset table that the file has."""
    read = pydicom.dcmread(path)
    extended = None
    if "ExtendedOffsetTable" in read:
        extended = (read.ExtendedOffsetTable, read.ExtendedOffsetTableLengths)
    return list(generate_frames(read.PixelData, number_of_frames=len(FRAMES), extended_offsets=extended))


@pytest.mark.parametrize(("table", "fragments"), [("", 1), ("basic", 1), ("extended", 1), ("basic", 2), ("", 2)])
def test_frames_are_found_and_written(tmp_path: Path, table: str, fragments: int) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), FRAMES, JPEG, table, fragments)
    new = tmp_path / "new.dcm"
    with OwnFile(path) as file:
        frames = Frames(file, len(FRAMES))
        assert [frames.read(number) for number in range(4)] == FRAMES
        write_frames(frames, new, {}, {1: b"\xff\xd8\xffnew frame", 3: b"\xff\xd8\xff."}.get)
    expected = [FRAMES[0], b"\xff\xd8\xffnew frame", FRAMES[2], b"\xff\xd8\xff."]
    assert frames_in(new) == [frame + b"\0" * (len(frame) % 2) for frame in expected]
    with OwnFile(new) as file:
        frames = Frames(file, len(FRAMES))
        assert [len(frames.extents(number)) for number in range(4)] == [fragments, 1, fragments, 1]
    written = pydicom.dcmread(new)
    assert len(parse_basic_offsets(written.PixelData)) == (4 if table == "basic" or fragments > 1 else 0)
    assert ("ExtendedOffsetTable" in written) == (table == "extended")


def test_a_frame_that_stays_goes_over_byte_for_byte(tmp_path: Path) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), FRAMES, JPEG, "basic", 2)
    with OwnFile(path) as file:
        write_frames(Frames(file, 4), tmp_path / "new.dcm", {}, lambda _number: None)
    assert (tmp_path / "new.dcm").read_bytes() == path.read_bytes()


def test_one_frame_may_have_many_fragments(tmp_path: Path) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), [bytes(range(200))], JPEG, fragments=7)
    with OwnFile(path) as file:
        assert Frames(file, 1).read(0) == bytes(range(200))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_where_frames_begin_is_not_guessed(tmp_path: Path, count: int) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), FRAMES, JPEG)
    with OwnFile(path) as file, pytest.raises(BadInput, match="PIXEL_DATA_MALFORMED"):
        Frames(file, count)


def test_a_basic_offset_table_that_points_between_fragments_is_not_believed(tmp_path: Path) -> None:
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), [frame[1:] + b"." for frame in FRAMES], JPEG, "basic", 2)
    content = path.read_bytes()
    at = content.index(b"\xfe\xff\x00\xe0\x10\0\0\0") + 8
    path.write_bytes(content[: at + 4] + b"\2" + content[at + 5 :])
    with OwnFile(path) as file, pytest.raises(BadInput, match="PIXEL_DATA_MALFORMED"):
        Frames(file, 4)


def test_a_hundred_thousand_frames_stay_in_flat_memory(tmp_path: Path) -> None:
    count, frame = 100_000, b"\xff\xd8\xff" + b"x" * 497
    path = encapsulated(tmp_path / "a.dcm", dataset(8, 8), [frame] * count, JPEG, "basic")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with OwnFile(path) as file:
        frames = Frames(file, count)
        write_frames(frames, tmp_path / "new.dcm", {}, lambda number: frame[:-2] if number % 1000 == 0 else None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB; the file has 50 MB
    with OwnFile(tmp_path / "new.dcm") as file:
        frames = Frames(file, count)
        assert [len(frames.read(number)) for number in (0, 1, 99_000, count - 1)] == [498, 500, 498, 500]
        element = file.elements[0x7FE00010]
        table = np.frombuffer(file.read(element.value + 8, element.value + 8 + 4 * count), "<u4")
        assert (np.diff(table) == 508 - 2 * (np.arange(count - 1) % 1000 == 0)).all()
