"""What a file is that somebody hands us is told by its bytes, with and without preamble and file meta information."""

import struct
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from dicom_assets.errors import BadInput
from dicom_assets.storage.instance_files import FileSource
from dicom_assets.storage.instance_header import Identity, file_meta
from dicom_assets.storage.loose_files import Kind, UnusableFile, identify, look_at
from tests.storage.arriving import CT, LITTLE_ENDIAN, STUDY, data_set
from tests.support.handed import MEDIUM, part10

_IMPLICIT = "1.2.840.10008.1.2"
_BEGINNING = bytes(128) + b"DICM"


def _implicit(uid: str) -> bytes:
    values = [(8, 0x16, CT), (8, 0x18, uid), (0x20, 0x0D, STUDY), (0x20, 0x0E, f"{STUDY}.0")]
    padded = [(group, number, value.encode() + b"\0" * (len(value) % 2)) for group, number, value in values]
    return b"".join(struct.pack("<HHL", group, number, len(value)) + value for group, number, value in padded)


def told(tmp_path: Path, content: bytes) -> Identity | None:
    path = tmp_path / "handed"
    path.write_bytes(content)
    with path.open("rb", buffering=0) as file:
        source = FileSource(file.fileno())
        return identify(source, look_at(source.beginning, source.size), tmp_path)


def refused(tmp_path: Path, content: bytes) -> UnusableFile:
    with pytest.raises(UnusableFile) as caught:
        told(tmp_path, content)
    return caught.value


@pytest.mark.parametrize(
    ("content", "syntax"),
    [
        (part10("1.2.1"), LITTLE_ENDIAN),
        (data_set("1.2.1"), LITTLE_ENDIAN),
        (_implicit("1.2.1"), _IMPLICIT),
        (part10("1.2.1")[132:], LITTLE_ENDIAN),  # without preamble
        (part10("1.2.1")[:132] + part10("1.2.1")[144:], LITTLE_ENDIAN),  # without group length
        (_BEGINNING + struct.pack("<HH2sH", 2, 2, b"UI", 4) + b"1.2\0" + data_set("1.2.1"), LITTLE_ENDIAN),
        (_BEGINNING + struct.pack("<HHL", 2, 0x10, 18) + b"1.2.840.10008.1.2\0" + _implicit("1.2.1"), _IMPLICIT),
        (file_meta(CT, "1.2.9", LITTLE_ENDIAN) + data_set("1.2.1"), LITTLE_ENDIAN),  # the data set decides
    ],
    ids=["part 10", "bare", "bare implicit", "no preamble", "no length", "no syntax", "implicit meta", "other UID"],
)
def test_an_instance_is_told_by_its_data_set(tmp_path: Path, content: bytes, syntax: str) -> None:
    identity = told(tmp_path, content)
    assert identity == Identity(STUDY, f"{STUDY}.0", "1.2.1", CT, syntax, is_cut=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "handed"]


@pytest.mark.parametrize("name", ["ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "MR_small_bigendian.dcm"])
def test_real_files_of_every_byte_order_are_told(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, Path(get_testdata_file(name)).read_bytes()) is not None


@pytest.mark.parametrize(
    "content", [b"", b"x", b"plain text " * 99, b"\x89PNG\r\n\x1a\n" * 40, b"\x08\0" * 500, bytes(9999)]
)
def test_what_is_no_dicom_is_nothing(tmp_path: Path, content: bytes) -> None:
    assert look_at(content, len(content)).kind is Kind.OTHER or told(tmp_path, content) is None


def test_zip_and_dicomdir_are_told_apart() -> None:
    directory = (MEDIUM / "DICOMDIR").read_bytes()
    assert look_at(directory, len(directory)).kind is Kind.DIRECTORY
    assert look_at(b"PK\3\4" + bytes(200), 204).kind is Kind.ZIP
    in_preamble = b"PK\3\4".ljust(128, b"\0") + part10("1.2.1")[128:]
    assert look_at(in_preamble, len(in_preamble)).kind is Kind.INSTANCE


@pytest.mark.parametrize(
    ("content", "code", "study"),
    [
        (part10("1.2.1", more=b"pixels" * 20)[:-3], "FILE_CUT_SHORT", STUDY),
        (part10("1.2.1")[:300], "FILE_CUT_SHORT", ""),
        (file_meta(CT, "1.2.1", LITTLE_ENDIAN), "FILE_CUT_SHORT", ""),
        (bytes(128) + b"DICM" + b"garbage" * 99, "FILE_DAMAGED", ""),
        (part10("not a UID"), "FILE_WITHOUT_UIDS", STUDY),
        (part10("1.2.1", study=""), "FILE_WITHOUT_UIDS", ""),
        (part10("1.2.1", study="no UID"), "FILE_WITHOUT_UIDS", ""),
        (part10("../../etc/passwd"), "FILE_WITHOUT_UIDS", STUDY),
    ],
)
def test_a_damaged_instance_is_refused_with_its_study_where_that_is_known(
    tmp_path: Path, content: bytes, code: str, study: str
) -> None:
    error = refused(tmp_path, content)
    assert (error.code, error.study_instance_uid) == (code, study)
    assert isinstance(error, BadInput)


def test_every_cut_of_a_file_is_noticed(tmp_path: Path) -> None:
    whole = Path(get_testdata_file("MR_small.dcm")).read_bytes()
    for end in range(140, len(whole) - 1, 487):
        assert refused(tmp_path, whole[:end]).code in ("FILE_CUT_SHORT", "FILE_DAMAGED")
