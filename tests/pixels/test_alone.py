"""What a code stream carries beside its pixels goes, in every frame that is cleaned; what ends too early is damaged."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicom_assets.errors import BadInput
from dicom_assets.pixels.alone import alone, is_padded
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.proof import prove
from dicom_assets.pixels.redact import blank

from .own_files import colour, dataset, encapsulated

codecs = pytest.importorskip("imagecodecs")

HIDDEN = b"DOE^JANE"
GREY = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
BASELINE, LOSSLESS, JPEG_LS, JPEG_2000 = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 70, 80, 90))


def jpeg() -> bytes:
    file = BytesIO()
    Image.fromarray(GREY).save(file, "JPEG")
    return file.getvalue()


ENCODED: dict[str, Callable[[], bytes]] = {
    BASELINE: jpeg,
    LOSSLESS: lambda: bytes(codecs.jpeg8_encode(GREY, lossless=True, predictor=1)),
    JPEG_LS: lambda: bytes(codecs.jpegls_encode(GREY)),
    JPEG_2000: lambda: bytes(codecs.jpeg2k_encode(GREY, codecformat="j2k", reversible=True)),
}


def with_segment(code: bytes, marker: int, content: bytes) -> bytes:
    at = 2 if code[1] == 0xD8 else 4 + int.from_bytes(code[4:6])  # behind SOI, or SIZ
    return code[:at] + bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content + code[at:]


@pytest.mark.parametrize("syntax", ENCODED)
def test_a_frame_without_a_box_loses_what_it_carries_too(syntax: str, tmp_path: Path) -> None:
    code = ENCODED[syntax]()
    markers = (0x64,) if syntax == JPEG_2000 else (0xFE, 0xE1)
    for marker in markers:
        code = with_segment(code, marker, b"\0\1" + HIDDEN)
    made = dataset(48, 64, BitsAllocated=8, BitsStored=8, BurnedInAnnotation="NO")
    source = encapsulated(tmp_path / "a.dcm", made, [code + HIDDEN, code + HIDDEN], syntax)
    redacted = blank(source, tmp_path / "b.dcm", [])
    assert (redacted.how, redacted.boxes) == ("header only", ())
    assert HIDDEN not in (tmp_path / "b.dcm").read_bytes()
    assert prove(source, tmp_path / "b.dcm", []) == []
    assert {"TEXT_BESIDE_PIXELS", "PIXELS_NOT_DECODABLE"} & {*prove(source, source, [])}
    blank(source, tmp_path / "c.dcm", [Box(8, 8, 24, 24, frame=1)])
    assert HIDDEN not in (tmp_path / "c.dcm").read_bytes()


@pytest.mark.parametrize("syntax", ENCODED)
def test_a_code_stream_to_its_end_and_no_other(syntax: str) -> None:
    code = ENCODED[syntax]()
    bare = alone(code + b"\0", syntax)
    assert alone(bare, syntax) == bare and is_padded(bare + b"\0\0", bare) and not is_padded(bare + HIDDEN, bare)
    for end in (0, 2, 30, len(bare) // 2, len(bare) - 2, len(bare) - 1):
        with pytest.raises(BadInput):
            alone(bare[:end], syntax)
    with pytest.raises(BadInput, match="PIXEL_DATA_MALFORMED"):
        alone(bare + bare, syntax)


def test_the_header_of_rle_holds_nothing_else(tmp_path: Path) -> None:
    segment = bytes(codecs.packbits_encode(GREY))
    frame = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + HIDDEN.ljust(56, b"\0") + segment
    made = dataset(48, 64, BitsAllocated=8, BitsStored=8)
    source = encapsulated(tmp_path / "a.dcm", made, [frame + b"\0" * (len(frame) % 2)])
    blank(source, tmp_path / "b.dcm", [])
    assert HIDDEN not in (tmp_path / "b.dcm").read_bytes() and prove(source, tmp_path / "b.dcm", []) == []


def test_a_box_of_one_block_is_looked_into(tmp_path: Path) -> None:
    """At the edge of a box decoders blend colours; what is left of a small one still counts."""
    file = BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG", subsampling=1)
    made = dataset(48, 64, **colour("YBR_FULL_422"), BurnedInAnnotation="NO")
    source = encapsulated(tmp_path / "a.dcm", made, [file.getvalue()], BASELINE)
    assert "TEXT_NOT_BLANKED" in prove(source, source, [Box(16, 8, 32, 16)])
    done = blank(source, tmp_path / "b.dcm", [Box(17, 9, 30, 15)])
    assert prove(source, tmp_path / "b.dcm", done.boxes) == []
