"""Pixels whose encoded bytes are the same are not decoded twice: the verdict must be the one that decoding gives."""

import io
from collections.abc import Callable

import pytest
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset

from dicom_assets.deid.residual import pieces_of
from dicom_assets.workflow.pixel_identity import compare_pixels, have_the_same_bytes, unchanged_pixels
from tests.support.hand_deidentified import as_bytes

TEMPLATES = tuple(
    f"{name}.dcm"
    for name in (
        "CT_small MR_small_implicit MR_small_bigendian MR_small_RLE JPEG2000 SC_rgb_jpeg_dcmtk liver_1frame image_dfl "
        "examples_palette SC_rgb_rle_2frame test-SR rtdose"
    ).split()
)
UNCHANGED: dict[str, Callable[[FileDataset], object]] = {
    "nothing": lambda ds: None,
    "a name": lambda ds: setattr(ds, "PatientName", "P-1"),
    "no patient": lambda ds: ds.pop("PatientID", None),
    "a word on time": lambda ds: setattr(ds, "LongitudinalTemporalInformationModified", "REMOVED"),
}


def put(keyword: str, value: object) -> Callable[[FileDataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def another_byte(ds: FileDataset) -> None:
    ds.PixelData = ds.PixelData[:-2] + bytes(255 - byte for byte in ds.PixelData[-2:])


CHANGED: dict[str, Callable[[FileDataset], object]] = {
    "a pixel": another_byte,
    "no pixels": lambda ds: ds.pop("PixelData"),
    "more pixels": lambda ds: setattr(ds, "PixelData", ds.PixelData + bytes(1000)),
    "bits stored": put("BitsStored", 12),
    "sign": lambda ds: setattr(ds, "PixelRepresentation", 1 - ds.PixelRepresentation),
    "photometric interpretation": put("PhotometricInterpretation", "MONOCHROME1"),
    "a palette": lambda ds: ds.add_new(0x00281201, "OW", bytes(512)),
    "frames": put("NumberOfFrames", 2),
}


def original(template: str) -> FileDataset:
    return dcmread(get_testdata_file(template))


def compared(before: bytes, after: bytes) -> tuple[bool, tuple[str, str], tuple[str, str]]:
    """Whether the bytes are the same, what is said of the output alone, and what of both."""
    output = dcmread(io.BytesIO(after))
    same = have_the_same_bytes(pieces_of(before), before, pieces_of(after), after)
    return same, unchanged_pixels(output), compare_pixels(dcmread(io.BytesIO(before)), output)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("change", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_the_same_bytes_are_known_and_judged_as_by_decoding(template: str, change: Callable) -> None:
    output = original(template)
    change(output)
    same, alone, both = compared(as_bytes(original(template)), as_bytes(output))
    assert same == (output.file_meta.TransferSyntaxUID != uid.DeflatedExplicitVRLittleEndian)
    assert alone == both


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_whatever_makes_other_pixels_is_no_more_the_same(change: Callable) -> None:
    output = original("CT_small.dcm")
    change(output)
    same, _, both = compared(as_bytes(original("CT_small.dcm")), as_bytes(output))
    assert not same
    assert both != ("", "") or change is CHANGED["photometric interpretation"]  # which is compared elsewhere


def test_implicit_and_explicit_are_the_same_bytes_and_big_endian_is_not() -> None:
    before = as_bytes(original("MR_small_implicit.dcm"))
    for syntax, is_same in ((uid.ExplicitVRLittleEndian, True), (uid.ExplicitVRBigEndian, False)):
        file = io.BytesIO()
        original("MR_small.dcm").save_as(file, enforce_file_format=True)
        output = dcmread(io.BytesIO(file.getvalue()))
        if not is_same:
            output = original("MR_small_bigendian.dcm")
        assert output.file_meta.TransferSyntaxUID == syntax
        assert compared(before, as_bytes(output))[0] is is_same


def test_bytes_after_the_data_set_leave_it_to_decoding() -> None:
    encoded = as_bytes(original("CT_small.dcm"))
    before = pieces_of(encoded)
    assert not have_the_same_bytes(before, encoded, pieces_of(encoded + b"tail!"), encoded + b"tail!")
