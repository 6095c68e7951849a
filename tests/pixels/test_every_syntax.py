"""Each transfer syntax with each layout of pixels that it can have: blanked inside, the same outside, and a file that
other programs open as before."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels import iter_pixels

from dicom_assets.pixels.boxes import Box, of_frame
from dicom_assets.pixels.proof import prove
from dicom_assets.pixels.redact import blank
from dicom_assets.workflow import conformance

from ..support.programs import needs, run
from .images import BLACK_ENTRY, COLUMNS, NATIVE, RLE, ROWS, TEXT, Layout, jpeg, write

_BIT, _GREY, _INVERSE = Layout(allocated=1, stored=1), Layout(), Layout("MONOCHROME1")
_TWELVE, _INVERSE_TWELVE = Layout(allocated=16, stored=12), Layout("MONOCHROME1", 16, 12)
_SIXTEEN, _SIGNED = Layout(allocated=16, stored=16), Layout(allocated=16, stored=16, signed=True)
_SIGNED_TWELVE, _LONG = Layout(allocated=16, stored=12, signed=True), Layout(allocated=32, stored=32)
_PALETTE, _PALETTE_16 = Layout("PALETTE COLOR"), Layout("PALETTE COLOR", 16, 8)
_RGB, _RGB_PLANAR = Layout("RGB"), Layout("RGB", planar=True)
_FULL, _FULL_PLANAR, _HALF = Layout("YBR_FULL"), Layout("YBR_FULL", planar=True), Layout("YBR_FULL_422")
_RCT, _ICT = Layout("YBR_RCT"), Layout("YBR_ICT")

_LOSSLESS = [_GREY, _INVERSE, _TWELVE, _SIXTEEN, _PALETTE, _RGB]
_LAYOUTS = {
    NATIVE: [
        *(_BIT, _GREY, _INVERSE, _TWELVE, _INVERSE_TWELVE, _SIXTEEN, _SIGNED, _SIGNED_TWELVE, _LONG),
        *(_PALETTE, _PALETTE_16, _RGB, _RGB_PLANAR, _FULL, _FULL_PLANAR, _HALF),
    ],
    RLE: [_GREY, _INVERSE, _TWELVE, _SIXTEEN, _SIGNED, _LONG, _PALETTE, _PALETTE_16, _RGB_PLANAR, _FULL_PLANAR],
    jpeg(50): [_GREY, _INVERSE, _RGB, _FULL, _HALF],
    jpeg(51): [_GREY, _TWELVE, _INVERSE_TWELVE],
    jpeg(57): _LOSSLESS,
    jpeg(70): _LOSSLESS,
    jpeg(80): _LOSSLESS,
    jpeg(81): [_GREY, _TWELVE, _RGB],
    jpeg(90): [*_LOSSLESS, _SIGNED, _SIGNED_TWELVE, _RCT],
    jpeg(91): [_GREY, _INVERSE, _SIXTEEN, _SIGNED, _ICT, _RGB],
    jpeg(201): [_GREY, _SIXTEEN, _SIGNED, _RCT, _RGB],
    jpeg(202): [_GREY, _SIXTEEN, _RCT],
    jpeg(203): [_GREY, _SIXTEEN, _ICT],
}
_JPEG_2000 = [jpeg(number) for number in (90, 91, 201, 202, 203)]
_BOXES = [Box(*TEXT), Box(50, 30, 61, 41, frame=1), Box(60, 45, 900, 900, frame=7)]


def _name(syntax: str, layout: Layout) -> str:
    kind = f"{layout.photometric}-{'s' * layout.signed}{layout.stored}in{layout.allocated}{'-planar' * layout.planar}"
    return f"{syntax.removeprefix('1.2.840.10008.')}-{kind}".replace(" ", "_")


def _frames(path: Path) -> list[np.ndarray]:
    """As stored, without a change of colour space."""
    dataset = pydicom.dcmread(path)
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and dataset.file_meta.TransferSyntaxUID == NATIVE:
        pairs = np.frombuffer(dataset.PixelData, np.uint8).reshape(-1, ROWS, COLUMNS // 2, 4)
        return list(pairs[..., [0, 2, 3, 1, 2, 3]].reshape(-1, ROWS, COLUMNS, 3).astype(np.int64))
    return [frame.astype(np.int64) for frame in iter_pixels(path, raw=True)]


def _check_pixels(source: Path, target: Path, frames: int, effective: tuple[Box, ...]) -> None:
    before, after = _frames(source), _frames(target)
    assert len(before) == len(after) == frames
    header = pydicom.dcmread(source, stop_before_pixels=True)
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old.shape == new.shape
        outside = np.ones((ROWS, COLUMNS), bool)
        for box in of_frame(effective, number):
            outside[box.top : box.bottom, box.left : box.right] = False
        assert outside.sum() > ROWS * COLUMNS // 8
        assert (old[outside] == new[outside]).all()
        for box in of_frame(_BOXES[:2], number):
            inside = new[box.top : box.bottom, box.left : box.right]
            assert (inside == inside[0, 0]).all()
            _check_background(header, old[outside], inside[0, 0])


def _check_background(header: pydicom.Dataset, outside: np.ndarray, value: np.ndarray) -> None:
    match header.PhotometricInterpretation:
        case "MONOCHROME1":
            assert value >= outside.max()
        case "MONOCHROME2":
            assert value <= outside.min()
        case "PALETTE COLOR":
            assert value == BLACK_ENTRY
        case "YBR_FULL" | "YBR_FULL_422":
            assert value.tolist() == [0, 128, 128]
        case _:
            assert value.tolist() == [0, 0, 0]


def _check_header(source: Path, target: Path, syntax_changed: str) -> None:
    before, after = (pydicom.dcmread(path) for path in (source, target))
    assert after.BurnedInAnnotation == "NO"
    assert [item.CodeValue for item in after.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    old, new = before.file_meta.TransferSyntaxUID, after.file_meta.TransferSyntaxUID
    assert syntax_changed == ("" if old == new else f"{old}>{new}")
    may_differ = {"PixelData", "BurnedInAnnotation", "DeidentificationMethodCodeSequence"}
    may_differ |= {"ExtendedOffsetTable", "ExtendedOffsetTableLengths"}
    may_differ |= {"PhotometricInterpretation", "PlanarConfiguration"} if syntax_changed else set()
    names = before.PhotometricInterpretation, after.PhotometricInterpretation
    if "YBR_ICT" in names:  # that name belongs to colour that is encoded with loss
        assert names == ("YBR_ICT", "YBR_RCT")
        may_differ.add("PhotometricInterpretation")
    kept = {element.keyword for element in before} - may_differ
    assert {element.keyword for element in after} - may_differ == kept
    assert all(before[keyword] == after[keyword] for keyword in kept)


def _drawing_program(path: Path) -> str | None:
    """dcmtk's, for images of the file's syntax; it has none for JPEG 2000."""
    syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    if syntax in (jpeg(80), jpeg(81)):
        return "dcml2pnm"
    return None if syntax in _JPEG_2000 else "dcmj2pnm"


def _is_drawn(path: Path) -> bool:
    return run(_drawing_program(path), "--all-frames", path, path.with_name("drawn")).returncode == 0


def _conformance_errors(path: Path) -> set[str]:
    done = subprocess.run([conformance.program(), "-new", path], capture_output=True, text=True, check=False)
    return {line for line in done.stderr.splitlines() if re.match("Error", line)}


_ALL = [(syntax, layout) for syntax, layouts in _LAYOUTS.items() for layout in layouts]


@needs("dcmdump", "dcmj2pnm", "dcml2pnm")
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("syntax", "layout"), _ALL, ids=[_name(*one) for one in _ALL])
def test_layouts(syntax, layout, frames, tmp_path):
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    write(source, syntax, layout, frames)
    redacted = blank(source, target, _BOXES)
    assert not redacted.syntax
    _check_pixels(source, target, frames, redacted.boxes)
    _check_header(source, target, redacted.syntax)
    assert prove(source, target, redacted.boxes) == []
    if frames == 3:
        dumped = run("dcmdump", "-q", "+L", target)
        assert dumped.returncode == 0
        assert "E:" not in dumped.stdout
        assert not _drawing_program(target) or _is_drawn(target)
        assert _conformance_errors(target) <= _conformance_errors(source)


@pytest.mark.parametrize("syntax", _LAYOUTS)
def test_whole_images(syntax, tmp_path):
    """As the label of a slide is blanked."""
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    for layout in (_LAYOUTS[syntax][0], _LAYOUTS[syntax][-1]):
        write(source, syntax, layout, frames=2)
        redacted = blank(source, target, [Box(0, 0, COLUMNS, ROWS)])
        assert redacted.boxes == (Box(0, 0, COLUMNS, ROWS),)
        assert all((frame == frame[0, 0]).all() for frame in _frames(target))
        assert prove(source, target, redacted.boxes) == []


def _ways() -> Iterator[tuple[str, str, int]]:
    """Syntax, table, fragments of a frame; one only of RLE (PS3.5 A.4.2) and with an Extended Offset Table (PS3.3
    C.7.6.3.1.8)."""
    for syntax in _LAYOUTS.keys() - {NATIVE}:
        yield from ((syntax, table, 1) for table in ("none", "basic", "extended"))
        if syntax != RLE:
            yield from ((syntax, table, 2) for table in ("none", "basic"))


@pytest.mark.parametrize(("syntax", "table", "fragments"), sorted(_ways()))
def test_ways_of_finding_frames(syntax, table, fragments, tmp_path):
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    write(source, syntax, _GREY, frames=3, table=table, fragments=fragments)
    redacted = blank(source, target, _BOXES)
    _check_pixels(source, target, 3, redacted.boxes)
    _check_header(source, target, redacted.syntax)
    dataset = pydicom.dcmread(target)
    assert ("ExtendedOffsetTable" in dataset) == (table == "extended" and not redacted.syntax)


def test_the_programs_that_check_can_tell(tmp_path):
    """dcmtk does not draw what is broken, and dciodvfy has something against it."""
    path = tmp_path / "source.dcm"
    write(path, jpeg(70), _GREY)
    assert _is_drawn(path)
    errors = _conformance_errors(path)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3"])
    del dataset.BitsStored
    dataset.save_as(path)
    assert not _is_drawn(path)
    assert _conformance_errors(path) > errors
