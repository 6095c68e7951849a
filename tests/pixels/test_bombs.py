"""Small files that ask for all the memory there is, and broken code streams: each is a reason, and the process that
asked does not notice."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, generate_frames

from dicom_assets.errors import BadInput
from dicom_assets.pixels.cleaned import Plan
from dicom_assets.pixels.cleaner import Cleaner

REASONS = {
    *("PIXELS_TOO_LARGE", "PIXELS_NOT_DECODABLE", "PIXEL_DECODER_CRASHED", "PIXEL_DATA_MALFORMED"),
    *("RLE_MALFORMED", "JPEG_DAMAGED", "PIXEL_DATA_TRUNCATED"),
}
RLE, JPEG, LOSSLESS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
SMALL, LARGE, HUGE = 64, 20_000, 65_535
SOURCES = {
    RLE: "MR_small_RLE.dcm",
    JPEG: "SC_rgb_jpeg_dcmtk.dcm",
    LOSSLESS: "JPEG-LL.dcm",
    "1.2.840.10008.1.2.4.80": "MR_small_jpeg_ls_lossless.dcm",
    "1.2.840.10008.1.2.4.90": "MR_small_jp2klossless.dcm",
}
ASKED_SECONDS_GUARD = 100


@pytest.fixture(scope="module")
def cleaner() -> Iterator[Cleaner]:
    with Cleaner(most_seconds=ASKED_SECONDS_GUARD) as running:
        yield running


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def read(syntax: str) -> tuple[FileDataset, bytes]:
    """A file of this syntax, and its first frame's code stream."""
    dataset = pydicom.dcmread(get_testdata_file(SOURCES[syntax]))
    return dataset, next(generate_frames(dataset.PixelData, number_of_frames=1))


def with_size(code: bytes, side: int) -> bytes:
    """The code stream, saying that it has side x side pixels."""
    if code[:2] == b"\xff\x4f":  # SIZ: Xsiz, Ysiz behind its length and capabilities
        return code[:8] + struct.pack(">II", side, side) + code[16:]
    for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc3", b"\xff\xf7"):  # SOF: length, precision, lines, samples a line
        if (at := code.find(marker)) > 0:
            return code[: at + 5] + struct.pack(">HH", side, side) + code[at + 9 :]
    return code  # RLE says nothing


def assert_reason(cleaner: Cleaner, dataset: FileDataset, folder: Path) -> None:
    bomb, target = folder / "bomb.dcm", folder / "target.dcm"
    dataset.save_as(bomb)
    before = memory()
    with pytest.raises(BadInput) as raised:
        cleaner.clean(bomb, bomb, target, Plan("a test"))
    assert raised.value.code in REASONS
    assert not target.exists()
    assert memory() - before < 32 << 20


@pytest.mark.parametrize("side", [LARGE, HUGE])
@pytest.mark.parametrize("syntax", SOURCES)
def test_header_and_code_stream_that_agree_on_a_giant(cleaner: Cleaner, tmp_path: Path, syntax: str, side: int) -> None:
    dataset, code = read(syntax)
    dataset.Rows = dataset.Columns = side
    dataset.NumberOfFrames = 1
    dataset.PixelData = encapsulate([with_size(code, side)])
    assert_reason(cleaner, dataset, tmp_path)


@pytest.mark.parametrize("syntax", [syntax for syntax in SOURCES if syntax != RLE])
def test_a_code_stream_that_is_larger_than_the_header_says(cleaner: Cleaner, tmp_path: Path, syntax: str) -> None:
    dataset, code = read(syntax)
    dataset.PixelData = encapsulate([with_size(code, LARGE)])
    assert_reason(cleaner, dataset, tmp_path)


def rle_of_284_bytes(dataset: FileDataset) -> None:
    """One segment of runs, and a header that asks for 4 GB of them."""
    dataset.file_meta.TransferSyntaxUID = RLE
    dataset.Rows = dataset.Columns = HUGE
    dataset.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 10])


def native_of_a_giant(dataset: FileDataset) -> None:
    dataset.Rows = dataset.Columns = HUGE


def frames_without_end(dataset: FileDataset) -> None:
    dataset.NumberOfFrames = 2_147_483_647


def no_rows(dataset: FileDataset) -> None:
    dataset.Rows = 0


def many_samples(dataset: FileDataset) -> None:
    dataset.SamplesPerPixel = 65_535


def no_pixels(dataset: FileDataset) -> None:
    dataset.PixelData = b""


@pytest.mark.parametrize(
    "change", [rle_of_284_bytes, native_of_a_giant, frames_without_end, no_rows, many_samples, no_pixels]
)
def test_a_header_that_lies(cleaner: Cleaner, tmp_path: Path, change: Callable[[FileDataset], None]) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    change(dataset)
    assert_reason(cleaner, dataset, tmp_path)


@pytest.mark.parametrize("syntax", SOURCES)
@pytest.mark.parametrize("kept", [0.02, 0.5])
@pytest.mark.parametrize("boxes", [[], ["8,8,24,24"]])
def test_a_code_stream_that_is_cut_off(
    cleaner: Cleaner, tmp_path: Path, syntax: str, kept: float, boxes: list[str]
) -> None:
    """Also where decoders fill in what is missing, and nothing is blanked."""
    dataset, code = read(syntax)
    dataset.NumberOfFrames = 1
    dataset.PixelData = encapsulate([code[: int(len(code) * kept)]])
    bomb, target = tmp_path / "bomb.dcm", tmp_path / "target.dcm"
    dataset.save_as(bomb)
    with pytest.raises(BadInput) as raised:
        cleaner.clean(bomb, bomb, target, Plan.of_reviewer("a test", boxes, False))
    assert raised.value.code in REASONS
    assert not target.exists()
