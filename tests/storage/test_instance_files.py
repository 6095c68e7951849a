"""Reading one file and writing one: every byte of every part, on every path, or an error that tells whose fault."""

import errno
import os
import random
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput
from dicom_assets.storage.instance_files import FileSource, write_parts

CONTENT = random.Random(7).randbytes(300_000)
#: Bytes between ranges at hand, across the end of what is at hand, and behind it, up to the end of the file
PARTS = (
    b"head", range(10, 20), b"", range(30, 30), b"x" * 70_000, range(65_000, 66_000), range(5, 6),
    range(100_000, 250_001), b"-", range(299_999, 300_000),
)  # fmt: skip
EXPECTED = b"".join(CONTENT[part.start : part.stop] if isinstance(part, range) else part for part in PARTS)


def written(path: Path, parts: tuple[bytes | range, ...]) -> bytes:
    source = os.open(path, os.O_RDONLY)
    target = os.open(path.with_name("target"), os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        write_parts(FileSource(source), parts, target)
        return os.pread(target, 1_000_000, 0)
    finally:
        os.close(source), os.close(target)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(CONTENT)
    return tmp_path / "source"


def test_parts_come_out_whole(path: Path) -> None:
    assert written(path, PARTS) == EXPECTED


def test_where_the_kernel_cannot_copy_it_is_read_and_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: int) -> int:
        raise OSError(errno.EXDEV, "")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    assert written(path, PARTS) == EXPECTED


def test_short_copies_and_short_writes_are_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, write, calls = os.copy_file_range, os.write, []

    def some(source: int, target: int, count: int, start: int) -> int:
        calls.append(count)
        if len(calls) > 2:
            raise OSError(errno.EINVAL, "")
        return copy(source, target, min(count, 1000), start)

    monkeypatch.setattr(os, "copy_file_range", some)
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, content[:777]))
    assert written(path, PARTS) == EXPECTED


def test_a_source_that_has_become_shorter_is_said(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    source = FileSource(handle)
    os.truncate(path, 200_000)
    target = os.open(path.with_name("target"), os.O_RDWR | os.O_CREAT)
    for read in (lambda: source.read(190_000, 210_000), lambda: write_parts(source, (range(300_000),), target)):
        with pytest.raises(BadInput, match="UNREADABLE_FILE"):
            read()
    os.close(handle), os.close(target)


def test_reading_beyond_the_end_gives_what_is_there(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    source = FileSource(handle)
    assert source.size == len(CONTENT)
    assert source.read(299_000, 400_000) == CONTENT[299_000:]
    assert source.read(60_000, 70_000) == CONTENT[60_000:70_000]
    assert source.read(5, 9) == CONTENT[5:9]
    assert source.read(400_000, 400_010) == b""
    os.close(handle)


def test_a_target_that_cannot_be_written_is_no_fault_of_the_source(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        written(path, PARTS)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BadInput, match="NOT_A_FILE"):
        FileSource(handle)
    os.close(handle)
