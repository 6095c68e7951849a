import io
import struct
from pathlib import Path

import pydicom
import pytest

from dicom_assets.pacs.part10 import LARGEST_HEAD, NotPart10, read_head

FILES = sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("[CMJOR]*.dcm"))
EXPLICIT = "1.2.840.10008.1.2.1"


def element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"OB", b"UN"):
        return struct.pack("<HH2s2xI", 2, number, vr, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def file_of(*meta: bytes, data: bytes = b"\x08\0\x05\0CS\x02\0AB" + b"\0" * 8) -> bytes:
    return b"\0" * 128 + b"DICM" + b"".join(meta) + data


USUAL = (
    element(0, b"UL", struct.pack("<I", 9999)),  # a group length that lies
    element(1, b"OB", b"\0\1"),
    element(2, b"UI", b"1.2.3\0"),
    element(3, b"UI", b"1.2.3.4 "),
    element(16, b"UI", EXPLICIT.encode() + b"\0"),
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_meta_is_read_as_pydicom_reads_it(path: Path) -> None:
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        with pytest.raises(NotPart10):
            read_head(content)
        return
    stream = io.BytesIO(content)
    pydicom.filereader.read_preamble(stream, force=False)
    meta = pydicom.filereader._read_file_meta_info(stream)
    head = read_head(content)
    assert head.sop_class_uid == meta.get("MediaStorageSOPClassUID", "")
    assert head.sop_instance_uid == meta.get("MediaStorageSOPInstanceUID", "")
    assert head.transfer_syntax_uid == meta.get("TransferSyntaxUID", "")
    assert head.data_at == stream.tell()


def test_it_asks_for_more_until_the_data_set_begins() -> None:
    content = file_of(*USUAL)
    answers = [read_head(content[:length]) for length in range(len(content) + 1)]
    first = next(number for number, answer in enumerate(answers) if answer is not None)
    assert first <= len(content) - 18 + 12
    assert set(answers[first:]) == {read_head(content)}
    assert read_head(content).data_at == len(content) - 18


@pytest.mark.parametrize(
    "content",
    [
        b"<html>" + b" " * 200,
        b"\0" * 200,
        file_of(element(1, b"OB", b"\0" * LARGEST_HEAD)),
        file_of(*[element(2, b"UI", b"1.2")] * 10_000),
        file_of(struct.pack("<HH2s2xI", 2, 1, b"OB", 0xFFFFFFFF)),
    ],
)
def test_what_is_no_dicom_file_or_has_an_endless_head_is_refused(content: bytes) -> None:
    with pytest.raises(NotPart10):
        read_head(content)
