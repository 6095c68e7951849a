"""What is read of a retrieved instance, against pydicom on its own test files, cut files and hostile ones."""

import os
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import data
from pydicom.filereader import data_element_generator

from dicom_assets.storage.instance_header import DEFLATED, Identity, file_meta, length_of_meta, read_identity

_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_EXPLICIT, _IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def identity_of(path: Path) -> Identity | None:
    with path.open("rb") as file:
        return read_identity(file.fileno(), os.fstat(file.fileno()).st_size)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34", "2.25.214163093841279012917364710294583960417"])
def test_the_file_meta_that_is_written_is_what_the_standard_asks_for(uid: str) -> None:
    encoded = file_meta("1.2.840.10008.5.1.4.1.1.2", uid, _IMPLICIT)
    meta = pydicom.dcmread(BytesIO(encoded)).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == ("1.2.840.10008.5.1.4.1.1.2", uid)
    assert (meta.TransferSyntaxUID, meta.FileMetaInformationVersion) == (_IMPLICIT, b"\0\1")
    assert meta.ImplementationClassUID.is_valid
    assert meta.FileMetaInformationGroupLength == len(encoded) - 144
    assert length_of_meta(encoded) == len(encoded)
    assert encoded[:128] == b"\0" * 128


def test_of_every_bundled_file_it_says_what_pydicom_says() -> None:
    cut, compared = set(), 0
    for path in sorted(path for path in Path(data.__file__).parent.rglob("*") if path.is_file()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True)
                expected = tuple(str(header.get(keyword, "")).strip(" \0") for keyword in _KEYWORDS)
                header.file_meta.TransferSyntaxUID  # noqa: B018
            except (pydicom.errors.InvalidDicomError, AttributeError, ValueError):
                continue
            identity = identity_of(path)
        if path.name == "no_meta_group_length.dcm":
            assert identity is None  # not a header of ours
            continue
        assert identity is not None, path.name
        assert identity[:4] == expected, path.name
        assert identity.transfer_syntax_uid == header.file_meta.TransferSyntaxUID, path.name
        compared += 1
        if identity.is_cut:
            cut.add(path.name)
    assert compared > 150
    assert cut == {"MR_truncated.dcm", "rtplan_truncated.dcm"}


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"]
)
def test_a_file_that_ends_within_an_element_is_never_taken_for_a_whole_one(name: str, tmp_path: Path) -> None:
    path = next(Path(data.__file__).parent.rglob(name))
    content = path.read_bytes()
    start = length_of_meta(content[:1024])
    edges = {len(content) - 8}  # encapsulated pixel data without its delimiter is forgiven
    if name != "image_dfl.dcm":
        syntax = pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID
        elements = data_element_generator(BytesIO(content[start:]), syntax.is_implicit_VR, syntax.is_little_endian)
        edges |= {start + one.value_tell + one.length for one in elements if hasattr(one, "length")}
    for size in range(start + 1, len(content), max((len(content) - start) // 199, 1)):
        identity = identity_of(written(tmp_path / "cut.dcm", content[:size]))
        taken = identity is not None and not identity.is_cut and identity.study_instance_uid != ""
        # zeros behind an element are padding, and a big endian tag may begin with one
        assert not taken or size in edges or (size - 1 in edges and not content[size - 1])


def test_a_deflated_data_set_is_inflated_no_further_than_needed(tmp_path: Path) -> None:
    header = bytes.fromhex("20000d005549") + b"\6\0" + b"1.2.3\0" + bytes.fromhex("e07f10004f570000")
    bomb = header + (1 << 28).to_bytes(4, "little")
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = engine.compress(bomb) + b"".join(engine.compress(bytes(1 << 20)) for _ in range(256)) + engine.flush()
    identity = identity_of(written(tmp_path / "bomb.dcm", file_meta("1.2", "1.2.3", DEFLATED) + deflated))
    assert identity is not None
    assert identity.study_instance_uid == "1.2.3"


def test_nesting_without_end_is_given_up(tmp_path: Path) -> None:
    study = bytes.fromhex("20000d005549") + b"\6\0" + b"1.2.3\0"
    sequence = bytes.fromhex("300010005351 0000ffffffff feff00e0ffffffff".replace(" ", ""))
    identity = identity_of(
        written(tmp_path / "deep.dcm", file_meta("1.2", "1.2.3", _EXPLICIT) + study + sequence * 9999)
    )
    assert identity is None or identity.sop_instance_uid == ""


@pytest.mark.parametrize("content", [b"", b"DICM", bytes(200), bytes(128) + b"DICM" + bytes(100), b"x" * 5000])
def test_what_is_no_instance_has_no_identity(content: bytes, tmp_path: Path) -> None:
    identity = identity_of(written(tmp_path / "none.dcm", content))
    assert identity is None or identity.study_instance_uid == ""
