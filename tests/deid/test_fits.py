"""Does an encoded value fit its VR and VM?"""

import time

import pytest

from dicom_assets.deid.dictionary import tag_of, vr_of
from dicom_assets.deid.fits import checker, fits, has_form


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("Rows", b"\x00\x02", True), ("Rows", b"\x00\x02\x00\x02", False), ("Rows", b"\x00", False),
        ("Rows", b"", True),
        ("PixelSpacing", b"0.5\\0.5 ", True), ("PixelSpacing", b"0.5", False), ("PixelSpacing", b"0.5\\Quill", False),
        ("SliceThickness", b"5.00000000000000000001", True), ("SliceThickness", b"1" * 33, False),
        ("SliceThickness", b" -1.5e-3 ", True), ("SliceThickness", b"5 mm", False), ("InstanceNumber", b"12 ", True),
        ("InstanceNumber", b"1234567890123", False), ("ImageType", b"ORIGINAL\\PRIMARY\\AXIAL ", True),
        ("Modality", b"ct", False), ("Modality", b"CT\\MR", False), ("Modality", b"CT\0", True),
        ("ImageType", b"ORIGINAL", False), ("StudyDate", b"20190411", True), ("StudyDate", b"2019-04-11", False),
        ("StudyTime", b"093011.123456", True), ("StudyTime", b"Quill", False), ("PatientAge", b"071Y", True),
        ("PatientAge", b"71", False), ("AcquisitionDateTime", b"20190411093000.5+0100", True),
        ("SOPClassUID", b"1.2.840\0", True), ("SOPClassUID", b"1.2.84O", False), ("SoftwareVersions", b"a\\b", True),
        ("StudyDescription", b"a\\b", False), ("StudyDescription", b"x" * 64 + b" " * 9, True),
        ("StudyDescription", b"x" * 65, False), ("StudyDescription", "é".encode() * 64, True),
        ("TextValue", b"a\\b", True), ("TimezoneOffsetFromUTC", b"+0100", True),
        ("TimezoneOffsetFromUTC", b"Quill", False), ("AcquisitionMatrix", b"\x00\x01" * 4, True),
        ("AcquisitionMatrix", b"\x00\x01" * 3, False), ("ContourData", b"1\\2\\3\\4\\5\\6", True),
        ("ContourData", b"1\\2\\3\\4", False), ("RedPaletteColorLookupTableData", b"\x00" * 6, True),
    ],
)  # fmt: skip
def test_a_value_fits_its_vr_and_vm(keyword: str, value: bytes, expected: bool) -> None:
    tag = tag_of(keyword)
    assert fits(tag, vr_of(tag), value) is expected


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("DS", b"1\\2\\3", True),
        ("DS", b"Quill", False),
        ("US", b"\0\1\0\1", True),
        ("US", b"\0", False),
        ("LO", b"x", True),
    ],
)
def test_of_a_private_element_the_form_is_known_and_not_the_number(vr: str, value: bytes, expected: bool) -> None:
    assert has_form(vr, value) is expected


def test_there_is_no_check_of_what_has_no_form() -> None:
    with pytest.raises(KeyError):
        checker(tag_of("ReferencedSeriesSequence"), "SQ")
    with pytest.raises(KeyError):
        has_form("UN", b"x")


@pytest.mark.parametrize("value", [b" " * 200_000 + b"\\" + b"A " * 100_000, b"\0 " * 100_000 + b"a", b"\\" * 200_000])
def test_no_value_makes_the_check_slow(value: bytes) -> None:
    started = time.perf_counter()
    for keyword in ("ImageType", "SoftwareVersions", "ContourData"):
        fits(tag_of(keyword), vr_of(tag_of(keyword)), value)
    assert time.perf_counter() - started < 1
