"""RLE frames: blanked inside, byte for byte the same where no box is, and never longer than their geometry."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless

from dicom_assets.errors import BadInput
from dicom_assets.pixels import rle
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.encapsulated import Frames
from dicom_assets.pixels.layout import Layout
from dicom_assets.pixels.redact import blank
from dicom_assets.pixels.splice import OwnFile
from tests.pixels.own_files import colour, dataset, encapsulated

CHANCE = np.random.default_rng(2)
ROWS, COLUMNS, BOX = 40, 333, Box(10, 7, 300, 20)  # rows of more than 128 columns: several packets
WITHIN = np.zeros((ROWS, COLUMNS), bool)
WITHIN[7:20, 10:300] = True
GREY = Layout(2, 3, 1, 1, 8, 8, 7, False, "MONOCHROME2", False)


def stored(path: Path, made: FileDataset, pixels: np.ndarray) -> Path:
    """By pydicom's encoder."""
    made.PixelData = pixels.tobytes()
    made.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    made.save_as(path, enforce_file_format=True)
    return path


def picture(shape: tuple[int, ...], kind: str, low: int, high: int) -> np.ndarray:
    """Noise, with even stretches in it."""
    values = CHANCE.integers(low, high, shape, kind)
    values[..., 100:250, :] = low + 7
    values[..., 3:25, :, :] = np.where(CHANCE.random(values[..., 3:25, :, :].shape) < 0.5, low + 3, low + 4)
    return values


@pytest.mark.parametrize("kind", ["u1", "<u2", "<i2"])
def test_grey(tmp_path: Path, kind: str) -> None:
    bits, signed = np.dtype(kind).itemsize * 8, np.dtype(kind).kind == "i"
    before = picture((ROWS, COLUMNS, 1), kind, -200 if signed else 2, 100)[..., 0]
    made = dataset(ROWS, COLUMNS, BitsAllocated=bits, BitsStored=bits, PixelRepresentation=int(signed))
    blanked = blank(stored(tmp_path / "a.dcm", made, before), tmp_path / "b.dcm", [BOX])
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    assert (after[~WITHIN] == before[~WITHIN]).all()
    assert (after[WITHIN] == before[~WITHIN].min()).all()
    assert (blanked.how, blanked.boxes) == ("rle", (BOX,))


@pytest.mark.parametrize(("photometric", "black"), [("RGB", [0, 0, 0]), ("YBR_FULL", [0, 128, 128])])
def test_colour_and_frames_without_a_box(tmp_path: Path, photometric: str, black: list[int]) -> None:
    before = picture((3, ROWS, COLUMNS, 3), "u1", 1, 255)
    made = dataset(ROWS, COLUMNS, NumberOfFrames=3, **colour(photometric))
    source = stored(tmp_path / "a.dcm", made, before)
    blank(source, tmp_path / "b.dcm", [Box(10, 7, 300, 20, frame=1)])
    after = pixel_array(tmp_path / "b.dcm", raw=True)
    expected = before.copy()
    expected[1][WITHIN] = black
    assert (after == expected).all()
    with OwnFile(source) as one, OwnFile(tmp_path / "b.dcm") as other:
        old, new = Frames(one, 3), Frames(other, 3)
        assert [old.read(number) == new.read(number) for number in range(3)] == [True, False, True]
    subprocess.run(["dcmdrle", tmp_path / "b.dcm", tmp_path / "c.dcm"], check=True, capture_output=True)
    assert (pixel_array(tmp_path / "c.dcm", raw=True) == expected).all()


def test_rows_without_a_box_keep_their_packets(tmp_path: Path) -> None:
    """As another encoder wrote them: here, every byte by itself, which is allowed and not what ours would do."""
    before = picture((ROWS, COLUMNS, 1), "u1", 2, 100)[..., 0]
    packets = b"".join(bytes((0, value)) for value in before.tobytes())
    frame = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + packets
    made = dataset(ROWS, COLUMNS, BitsAllocated=8, BitsStored=8)
    blank(encapsulated(tmp_path / "a.dcm", made, [frame]), tmp_path / "b.dcm", [BOX])
    with OwnFile(tmp_path / "b.dcm") as file:
        after = Frames(file, 1).read(0)
    assert after[: 64 + 2 * 7 * COLUMNS] == frame[: 64 + 2 * 7 * COLUMNS]
    assert after.rstrip(b"\0").endswith(frame[64 + 2 * 20 * COLUMNS :].rstrip(b"\0"))
    assert len(after) < len(frame) - 2 * 13 * 290


def test_packets_that_go_over_the_end_of_a_row(tmp_path: Path) -> None:
    """Forbidden by G.3.1, and written by some."""
    packets = bytes((257 - 100, 9)) * (ROWS * COLUMNS // 100) + bytes((257 - ROWS * COLUMNS % 100, 9))
    frame = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + packets
    made = dataset(ROWS, COLUMNS, BitsAllocated=8, BitsStored=8, PhotometricInterpretation="MONOCHROME1")
    made.PixelPaddingValue = 255
    blank(encapsulated(tmp_path / "a.dcm", made, [frame]), tmp_path / "b.dcm", [BOX])
    assert (pixel_array(tmp_path / "b.dcm", raw=True) == np.where(WITHIN, 255, 9)).all()


def test_overlay_bits_are_cleared(tmp_path: Path) -> None:
    before = CHANCE.integers(0, 1 << 16, (ROWS, COLUMNS), "<u2")
    source = stored(tmp_path / "a.dcm", dataset(ROWS, COLUMNS, BitsStored=12), before)
    assert blank(source, tmp_path / "b.dcm", [], overlay_bits=True).how == "rle"
    subprocess.run(["dcmdrle", tmp_path / "b.dcm", tmp_path / "c.dcm"], check=True, capture_output=True)
    with OwnFile(tmp_path / "c.dcm") as file:  # as the bytes are, unused bits included
        assert (np.frombuffer(file.value(0x7FE00010), "<u2").reshape(ROWS, COLUMNS) == before & 0x0FFF).all()


def frame_of(packets: bytes, segments: int = 1, first: int = 64) -> bytes:
    return segments.to_bytes(4, "little") + first.to_bytes(4, "little") + bytes(56) + packets


SIX = bytes((257 - 6, 5))


def test_a_frame_that_fits_is_read() -> None:
    for packets in (SIX, SIX + b"\0", b"\x80" + SIX, bytes((5, 5, 5, 5, 5, 5, 5))):
        assert rle.frame_samples(frame_of(packets), GREY).tolist() == [[[5]] * 3] * 2


@pytest.mark.parametrize(
    "frame",
    [
        frame_of(bytes((257 - 7, 5))),
        frame_of(bytes((257 - 5, 5))),
        frame_of(bytes((129, 5)) * 1000),
        frame_of(bytes((9, 5, 5, 5, 5, 5, 5))),
        frame_of(SIX + b"DOE"),
        frame_of(b""),
        frame_of(SIX, segments=2),
        frame_of(SIX, segments=0),
        frame_of(SIX, first=66),
        frame_of(SIX)[:40],
        b"",
    ],
)
def test_what_is_longer_or_shorter_than_its_geometry_is_refused(frame: bytes) -> None:
    with pytest.raises(BadInput, match="RLE_MALFORMED"):
        rle.frame_samples(frame, GREY)
