"""What is handed over ends in incoming, once and whole; what does not is counted, and never silently left out."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.storage.incoming import Incoming, instances_in, waiting_studies
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow import take
from dicom_assets.workflow.upload import Upload, check_paths, upload
from tests.storage.arriving import STUDY, data_set, file_name, incoming_at, push, study_key
from tests.support.handed import IMAGES, STUDIES, copy_medium, make_zip, medium_entries, part10

OTHER_STUDY = f"{STUDY}.7"


@contextmanager
def no_progress(_what: str, _total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    return incoming_at(tmp_path / "incoming")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


def uploaded(incoming: Incoming, *paths: Path) -> Upload:
    return upload(paths, incoming, no_progress)


def counts(done: Upload) -> dict[str, int]:
    names = ("taken", "already_here", "conflicting", "not_dicom", "missing")
    found = {name: getattr(done.tally, name) for name in names} | dict(done.tally.refused)
    return {name: count for name, count in found.items() if count}


def settled(incoming: Incoming) -> set[str]:
    return {study.study_key for study in waiting_studies(incoming.folder) if study.is_complete}


def test_an_instance_is_kept_as_its_data_set_is_and_the_file_stays_as_it_was(incoming: Incoming, given: Path) -> None:
    file = given / "some name.dcm"
    file.write_bytes(b"a name in the preamble".ljust(128) + part10("1.2.1")[128:])
    before = file.read_bytes()
    assert counts(uploaded(incoming, file)) == {"taken": 1}
    (kept,) = instances_in(incoming.folder / study_key(STUDY))
    assert kept.name == file_name("1.2.1") and kept.read_bytes() == part10("1.2.1")
    assert file.read_bytes() == before


def test_what_a_sender_pushed_and_what_is_uploaded_are_the_same_bytes(incoming: Incoming, given: Path) -> None:
    with incoming.opened():
        push(incoming, "1.2.1")
    (given / "meta of others").write_bytes(part10("1.2.1")[:132] + data_set("1.2.1"))
    (given / "bare").write_bytes(data_set("1.2.1"))
    assert counts(uploaded(incoming, given)) == {"already_here": 2}


def test_a_study_of_which_all_was_taken_settles_at_once(incoming: Incoming, given: Path) -> None:
    for number in range(3):
        (given / f"{number}").write_bytes(part10(f"1.2.{number}"))
    (given / "again").write_bytes(part10("1.2.0"))
    (given / "other").write_bytes(part10("1.2.9", OTHER_STUDY))
    done = uploaded(incoming, given)
    assert counts(done) == {"taken": 4, "already_here": 1}
    assert settled(incoming) == done.complete == {study_key(STUDY), study_key(OTHER_STUDY)}


def test_a_study_that_has_more_than_was_uploaded_does_not(incoming: Incoming, given: Path) -> None:
    with incoming.opened():
        push(incoming, "1.2.7")
    (given / "one").write_bytes(part10("1.2.1"))
    uploaded(incoming, given)
    assert settled(incoming) == set()


def test_a_cut_file_is_refused_and_its_study_is_not_said_to_be_complete(incoming: Incoming, given: Path) -> None:
    (given / "1").write_bytes(part10("1.2.1"))
    (given / "2").write_bytes(part10("1.2.2", more=b"pixels" * 9)[:-5])
    (given / "3").write_bytes(part10("1.2.3", OTHER_STUDY))
    done = uploaded(incoming, given)
    assert counts(done) == {"taken": 2, "FILE_CUT_SHORT": 1}
    assert done.tally.places == [("path 1, file 2", "FILE_CUT_SHORT")]
    assert settled(incoming) == done.complete == {study_key(OTHER_STUDY)}


def test_after_a_refusal_of_an_unknown_study_none_is_said_to_be_complete(incoming: Incoming, given: Path) -> None:
    (given / "1").write_bytes(part10("1.2.1"))
    (given / "2").write_bytes(bytes(128) + b"DICM" + b"garbage" * 30)
    assert counts(uploaded(incoming, given)) == {"taken": 1, "FILE_DAMAGED": 1}
    assert settled(incoming) == set()


def test_other_content_under_a_uid_is_kept_beside_the_first(incoming: Incoming, given: Path) -> None:
    (given / "1").write_bytes(part10("1.2.1"))
    (given / "2").write_bytes(part10("1.2.1", more=b"others"))
    assert counts(uploaded(incoming, given)) == {"taken": 1, "conflicting": 1}
    assert len(instances_in(incoming.folder / study_key(STUDY))) == 2
    assert counts(uploaded(incoming, given)) == {"already_here": 1, "conflicting": 1}
    assert len(instances_in(incoming.folder / study_key(STUDY))) == 2


def test_links_and_devices_are_passed_over_and_said(incoming: Incoming, given: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(part10("1.2.1"))
    (given / "link").symlink_to(tmp_path / "elsewhere")
    (given / "folder link").symlink_to(tmp_path)
    os.mkfifo(given / "pipe")
    (given / "read me.txt").write_text("no DICOM")
    (given / "empty").touch()
    done = uploaded(incoming, given)
    assert counts(done) == {"not_dicom": 2}
    assert done.passed_over == {"LINK_NOT_FOLLOWED": 2, "NOT_A_FILE": 1}


def test_a_zip_is_unpacked_and_a_zip_in_it_and_no_further(incoming: Incoming, given: Path, tmp_path: Path) -> None:
    third = make_zip(tmp_path / "3.zip", {"deep": part10("1.2.3")})
    second = make_zip(tmp_path / "2.zip", {"x": part10("1.2.2"), "more.zip": third.read_bytes()})
    make_zip(given / "1.zip", {"a/b": part10("1.2.1"), "a/": b"", "in.zip": second.read_bytes(), "read me": b"text"})
    done = uploaded(incoming, given)
    assert counts(done) == {"taken": 2, "not_dicom": 1, "ZIP_NESTED": 1}
    assert done.tally.places == [("path 1, file 1, entry 2, entry 2", "ZIP_NESTED")]
    assert [path.name for path in (incoming.folder / ".arriving").iterdir()] == []


def test_of_a_damaged_zip_the_good_entries_are_taken(incoming: Incoming, given: Path) -> None:
    first, second = part10("1.2.1"), part10("1.2.2", OTHER_STUDY)
    path = make_zip(given / "some.zip", {"1": first, "2": second}, 0)
    content = bytearray(path.read_bytes())
    content[content.index(first) + len(first) - 1] ^= 0xFF
    path.write_bytes(content)
    done = uploaded(incoming, path)
    assert counts(done) == {"taken": 1, "ZIP_ENTRY_DAMAGED": 1}
    assert settled(incoming) == set()


def test_names_in_a_zip_lead_nowhere(incoming: Incoming, given: Path, tmp_path: Path) -> None:
    names = ["../../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "a/../../evil"]
    make_zip(given / "some.zip", {name: part10(f"1.2.{number}") for number, name in enumerate(names)})
    assert counts(uploaded(incoming, given)) == {"taken": len(names)}
    assert [path for path in tmp_path.rglob("*") if "evil" in path.name] == []


@pytest.mark.parametrize("way", ["folder", "its DICOMDIR", "ZIP", "lower case"])
def test_a_whole_medium_is_complete(incoming: Incoming, given: Path, way: str) -> None:
    if way == "ZIP":
        path = make_zip(given / "medium.zip", {f"cd/{name}": content for name, content in medium_entries().items()})
    else:
        copy_medium(given / "cd")
        path = given / "cd" / "DICOMDIR" if way == "its DICOMDIR" else given
    if way == "lower case":
        for folder in list((given / "cd").iterdir()):
            folder.rename(folder.with_name(folder.name.lower()))
    done = uploaded(incoming, path)
    assert counts(done) == {"taken": IMAGES}
    assert len(settled(incoming)) == STUDIES


@pytest.mark.parametrize("way", ["folder", "ZIP"])
def test_what_a_dicomdir_names_and_is_not_there_is_missing(incoming: Incoming, given: Path, way: str) -> None:
    files = copy_medium(given / "cd")
    files[0].unlink()
    files[-1].write_bytes(b"")  # there, and no image
    path = given
    if way == "ZIP":
        there = {str(one.relative_to(given)): one.read_bytes() for one in given.rglob("*") if one.is_file()}
        path = make_zip(given / "medium.zip", there)
    done = uploaded(incoming, path)
    assert counts(done) == {"taken": IMAGES - 2, "not_dicom": 1, "missing": 2}
    assert len(settled(incoming)) == STUDIES - 2


def test_a_file_of_a_medium_that_came_under_another_name_is_not_missing(incoming: Incoming, given: Path) -> None:
    files = copy_medium(given / "cd")
    files[0].rename(files[0].with_name("renamed.dcm"))
    assert counts(uploaded(incoming, given)) == {"taken": IMAGES}


def test_a_dicomdir_that_cannot_be_read_is_refused(incoming: Incoming, given: Path) -> None:
    copy_medium(given / "cd")
    (given / "cd" / "DICOMDIR").write_bytes(b"not one")
    assert counts(uploaded(incoming, given)) == {"taken": IMAGES, "MEDIA_UNREADABLE": 1}
    assert settled(incoming) == set()


def test_a_file_that_changes_while_it_is_read_is_refused(
    incoming: Incoming, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = given / "1"
    file.write_bytes(part10("1.2.1"))
    identify = take.identify

    def identify_late(*arguments: object) -> object:
        found = identify(*arguments)
        with file.open("r+b") as writer:
            writer.write(b"x")
        return found

    monkeypatch.setattr(take, "identify", identify_late)
    assert counts(uploaded(incoming, file)) == {"FILE_CHANGED": 1}
    assert waiting_studies(incoming.folder) == []


def test_a_full_disk_ends_the_run_and_the_next_one_completes(tmp_path: Path, given: Path) -> None:
    for number in range(3):
        (given / f"{number}").write_bytes(part10(f"1.2.{number}"))
    with pytest.raises(RetryLater, match="DISK_FULL"):
        uploaded(incoming_at(tmp_path / "incoming", reserve=1 << 60), given)
    assert counts(uploaded(incoming_at(tmp_path / "incoming"), given)) == {"taken": 3}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(incoming: Incoming, given: Path) -> None:
    (given / "1").write_bytes(part10("1.2.1"))
    (given / "1").chmod(0)
    assert counts(uploaded(incoming, given)) == {"NO_PERMISSION": 1}


def test_only_what_is_there_and_not_ours_can_be_given(tmp_path: Path) -> None:
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    zones.incoming.mkdir(parents=True)
    (tmp_path / "given").mkdir()
    check_paths([tmp_path / "given"], zones)
    for path in (tmp_path / "absent", tmp_path, zones.restricted, zones.incoming):
        with pytest.raises(BadInput, match="UPLOAD_WHAT"):
            check_paths([tmp_path / "given", path], zones)
