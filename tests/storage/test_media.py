"""A DICOMDIR tells which files there should be, however it is encoded; a damaged one is refused and harms nothing."""

import random
import struct
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput
from dicom_assets.storage import media
from dicom_assets.storage.instance_files import FileSource
from dicom_assets.storage.media import Media, Reference, is_directory, plain, references
from tests.support.handed import IMAGES, MEDIUM, STUDIES

_META = bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 2, b"UI", 20) + b"1.2.840.10008.1.3.10"
_META += struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
#: The sequence of records, of undefined length
_RECORDS = b"\4\0\x20\x12SQ\0\0\xff\xff\xff\xff"


def read(path: Path) -> list[Reference]:
    with path.open("rb", buffering=0) as file:
        return references(FileSource(file.fileno()))


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "name", ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd", "DICOMDIR-reordered", "DICOMDIR-nooffset"]
)
def test_every_file_is_named_with_its_study(name: str) -> None:
    found = read(MEDIUM / name)
    assert len(found) == IMAGES and len({one.study_instance_uid for one in found}) == STUDIES
    assert all((MEDIUM / one.name.upper()).is_file() for one in found)
    assert {one.study_instance_uid[:4] for one in found} == {"1.3."}


def test_files_that_no_link_leads_to_are_named_without_their_study() -> None:
    found = read(MEDIUM / "DICOMDIR-nopatient")
    assert len(found) == IMAGES and "" in {one.study_instance_uid for one in found}


def test_what_did_not_come_is_missing_unless_it_is_here_under_another_name() -> None:
    medium = Media()
    with (MEDIUM / "DICOMDIR").open("rb", buffering=0) as file:
        medium.add("cd/dicomdir", FileSource(file.fileno()))
    names = sorted(medium.names)
    assert names[0].startswith("cd/77654033/")
    assert [one.name for one in medium.missing(set(names[1:]), lambda _: False)] == names[:1]
    assert medium.missing(set(names[1:]), lambda one: one.name == names[0]) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("CD/IMAGES/IM1", "cd/images/im1"), ("images\\IM1;1", "images/im1"), ("DICOMDIR.;1", "dicomdir")],
)
def test_names_are_compared_as_media_have_them(name: str, expected: str) -> None:
    assert plain(name) == expected


def test_a_directory_is_known_by_its_name() -> None:
    assert is_directory(plain("a/DICOMDIR")) and is_directory(plain("dicomdir;1"))
    assert not is_directory(plain("DICOMDIR/IM1")) and not is_directory(plain("MYDICOMDIR"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no DICOM at all" * 20,
        _META + _RECORDS,
        _META + _RECORDS + b"\xfe\xff\0\xe0\xff\xff\xff\xff\x88\0\0\2SQ\0\0\xff\xff\xff\xff" * 99,
        _META + b"\4\0\x20\x12SQ\0\0\xf0\xff\xff\xff" + b"\xfe\xff\0\xe0\x08\0\0\0\4\0\0\x14UL\4\0",
        (MEDIUM / "DICOMDIR").read_bytes()[:5000],
    ],
    ids=["empty", "text", "no items", "nested too deeply", "longer than the file", "cut short"],
)
def test_one_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput, match="MEDIA_UNREADABLE"):
        read(written(tmp_path, content))


def test_damage_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    seed = random.Random(5)
    whole, outcomes = (MEDIUM / "DICOMDIR").read_bytes(), set()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[seed.randrange(330, len(damaged))] = seed.choice((0, 255, seed.randrange(256)))
        try:
            outcomes.add(len(read(written(tmp_path, bytes(damaged)))) <= IMAGES)
        except BadInput as error:
            outcomes.add(error.code)
    assert outcomes == {True, "MEDIA_UNREADABLE"}


def test_a_directory_of_too_many_records_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_MOST_RECORDS", 1000)
    record = b"\xfe\xff\0\xe0\x0c\0\0\0\4\0\0\x14UL\4\0\0\0\0\0"
    count = 1001
    content = _META + b"\4\0\x20\x12SQ\0\0" + struct.pack("<L", count * len(record)) + record * count
    with pytest.raises(BadInput, match="MEDIA_UNREADABLE"):
        read(written(tmp_path, content))
