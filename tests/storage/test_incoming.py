"""What arrives: durable under its name or not there, each content once, and never in a folder that has been taken."""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput, DicomAssetsError, RetryLater
from dicom_assets.storage import arriving as arriving_file
from dicom_assets.storage import incoming as module
from dicom_assets.storage.incoming import Incoming, Kept, WaitingStudy, claim, instances_in, waiting_studies
from dicom_assets.storage.instance_header import identity_of
from tests.storage.arriving import CT, LITTLE_ENDIAN, STUDY, data_set, file_name, incoming_at, push, study_key
from tests.support.waiting import wait_for

_SECONDS = 60
#: Two elements, the second of a VR that there is not
_STRANGE = b"\x08\0\x08\0CS\x02\0AB\x08\0\x09\0??\0\0"


@pytest.fixture
def incoming(tmp_path: Path) -> Iterator[Incoming]:
    with incoming_at(tmp_path / "incoming").opened() as opened:
        yield opened


def waiting(incoming: Incoming) -> WaitingStudy:
    (study,) = waiting_studies(incoming.folder)
    return study


def names(folder: Path) -> list[str]:
    return [path.name for path in instances_in(folder)]


def test_what_came_is_the_data_set_behind_a_header_of_our_own(incoming: Incoming) -> None:
    kept = push(incoming, "1.2.1")
    assert kept == Kept(study_key(STUDY), file_name("1.2.1"), is_new=True)
    content = (incoming.folder / kept.study_key / kept.file).read_bytes()
    assert content.endswith(data_set("1.2.1")) and content[128:132] == b"DICM"
    assert list((incoming.folder / ".arriving").glob("*/*")) == []


def test_the_same_bytes_are_there_once(incoming: Incoming) -> None:
    first, again = push(incoming, "1.2.1"), push(incoming, "1.2.1")
    assert (again.file, again.is_new) == (first.file, False)
    assert names(incoming.folder / first.study_key) == [first.file]


def test_other_bytes_of_an_instance_are_kept_beside_the_first(incoming: Incoming) -> None:
    first = push(incoming, "1.2.1")
    other, again = push(incoming, "1.2.1", more=b"others"), push(incoming, "1.2.1", more=b"others")
    assert other.is_new and not again.is_new and other.file == again.file != first.file
    assert other.file.startswith(Path(first.file).stem + "-")
    contents = {path.read_bytes()[-6:] for path in instances_in(incoming.folder / first.study_key)}
    assert len(contents) == 2 and b"others" in contents


@pytest.mark.parametrize(
    ("uid", "data", "code"),
    [
        ("1.2.1", b"", "INSTANCE_UNREADABLE"),
        ("1.2.1", b"\x08\0\x18\0UI\xff\x7f1.2.1", "INSTANCE_UNREADABLE"),
        ("1.2.1", data_set("1.2.1", study=""), "INSTANCE_WITHOUT_STUDY"),
        ("1.2.1", data_set("1.2.1", study="../../evil"), "INSTANCE_WITHOUT_STUDY"),
        ("1.2.1", data_set("1.2.2"), "INSTANCE_NOT_AS_ANNOUNCED"),
    ],
)
def test_what_is_no_such_instance_leaves_nothing(incoming: Incoming, uid: str, data: bytes, code: str) -> None:
    arriving = incoming.begin(CT, uid, LITTLE_ENDIAN)
    arriving.write(data)
    with pytest.raises(BadInput) as caught:
        arriving.keep()
    assert caught.value.code == code
    assert waiting_studies(incoming.folder) == [] and list((incoming.folder / ".arriving").glob("*/*")) == []


@pytest.mark.parametrize("uid", ["", "../../tmp/evil", "1.2\n", "1" * 65])
def test_a_malformed_uid_is_not_begun(incoming: Incoming, uid: str) -> None:
    with pytest.raises(BadInput, match="UID_MALFORMED"):
        incoming.begin(CT, uid, LITTLE_ENDIAN)


def test_what_breaks_off_leaves_nothing(incoming: Incoming) -> None:
    arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
    arriving.write(data_set("1.2.1"))
    arriving.discard()
    assert waiting_studies(incoming.folder) == [] and list((incoming.folder / ".arriving").glob("*/*")) == []


def test_nothing_is_begun_once_only_the_reserve_is_left(tmp_path: Path) -> None:
    with incoming_at(tmp_path, reserve=1 << 60).opened() as incoming, pytest.raises(RetryLater, match="DISK_FULL"):
        incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)


def test_a_large_one_is_refused_on_its_way_once_only_the_reserve_is_left(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving_file, "_LOOK_BYTES", 1000)
    arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
    incoming._reserve = 1 << 60
    with pytest.raises(RetryLater, match="DISK_FULL"):
        arriving.write(bytes(2000))
    arriving.discard()
    assert list((incoming.folder / ".arriving").glob("*/*")) == []


def test_a_file_that_cannot_grow_is_an_error_with_a_code_and_leaves_nothing(incoming: Incoming) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(DicomAssetsError, match="DISK_FULL"):
            arriving.write(bytes(5000))
        arriving.discard()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        with pytest.raises(DicomAssetsError, match="DISK_FULL"):
            incoming.begin(CT, "1.2.2", LITTLE_ENDIAN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((incoming.folder / ".arriving").glob("*/*")) == []


def test_a_slow_transfer_keeps_its_study_unsettled(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where pydicom has to find the study, which reads from the file's beginning."""
    monkeypatch.setattr(arriving_file, "_LOOK_SECONDS", 0.0)
    kept = push(incoming, "1.2.1")
    folder = incoming.folder / kept.study_key
    for uid, data in (("1.2.2", data_set("1.2.2")), ("1.2.3", _STRANGE + data_set("1.2.3"))):
        os.utime(folder, (1, 1))
        arriving = incoming.begin(CT, uid, LITTLE_ENDIAN)
        for at in range(0, len(data), 50):
            arriving.write(data[at : at + 50])
        arriving.write(bytes(100_000))
        touched = folder.stat().st_mtime
        content = Path(arriving._path).read_bytes()
        assert content.endswith(data + bytes(100_000))
        arriving.discard()
        assert touched > 1 or uid == "1.2.3"


def test_a_study_of_which_nothing_was_kept_goes_away_by_itself(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(arriving_file, "_LOOK_SECONDS", 0.0)
    arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
    arriving.write(data_set("1.2.1"))
    arriving.discard()
    assert not claim(waiting(incoming), tmp_path / "taken")
    assert waiting_studies(incoming.folder) == [] and not (tmp_path / "taken").exists()


def test_a_study_settles_by_time_or_by_its_senders_count(incoming: Incoming) -> None:
    key = push(incoming, "1.2.1").study_key
    incoming.declare_complete(key, 2)
    study = waiting(incoming)
    assert not study.is_settled(study.changed_at + 9, 10) and study.is_settled(study.changed_at + 10, 10)
    push(incoming, "1.2.2")
    study = waiting(incoming)
    assert study.is_complete and study.is_settled(study.changed_at, 10)
    push(incoming, "1.2.3")
    assert not waiting(incoming).is_complete


def test_a_count_for_a_study_that_is_not_there_says_nothing(incoming: Incoming) -> None:
    incoming.declare_complete(study_key(STUDY), 2)
    assert waiting_studies(incoming.folder) == []


def test_what_has_changed_since_it_was_seen_is_not_claimed(incoming: Incoming, tmp_path: Path) -> None:
    push(incoming, "1.2.1")
    seen = waiting(incoming)
    os.utime(seen.folder, (seen.changed_at + 1, seen.changed_at + 1))
    assert not claim(seen, tmp_path / "taken")
    assert claim(waiting(incoming), tmp_path / "taken") and names(tmp_path / "taken") == [file_name("1.2.1")]
    assert not claim(seen, tmp_path / "again")
    push(incoming, "1.2.2")
    assert names(waiting(incoming).folder) == [file_name("1.2.2")]


def test_the_name_of_a_folder_that_somebody_else_made_is_on_disk_first(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made it may have been killed before that."""
    synced = []
    monkeypatch.setattr(module, "fsync_folder", synced.append)
    (incoming.folder / study_key(STUDY)).mkdir()
    push(incoming, "1.2.1")
    push(incoming, "1.2.2")
    assert synced == [incoming.folder]


def test_leftovers_of_the_dead_are_cleared_and_not_those_of_the_living(tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    ready = multiprocessing.get_context("fork").Event()
    dead = multiprocessing.get_context("fork").Process(target=_hold, args=(folder, ready))
    dead.start()
    assert ready.wait(_SECONDS)
    with incoming_at(folder).opened() as first:
        arriving = first.begin(CT, "1.2.1", LITTLE_ENDIAN)
        assert len(list((folder / ".arriving").iterdir())) == 2
        dead.kill()
        dead.join()
        with incoming_at(folder).opened():
            assert len(list((folder / ".arriving").iterdir())) == 2  # this one's, and the first one's
            arriving.write(data_set("1.2.1"))
            assert arriving.keep().is_new
    assert list((folder / ".arriving").iterdir()) == []


def _hold(folder: Path, ready: object) -> None:
    with incoming_at(folder).opened() as incoming:
        incoming.begin(CT, "1.2.9", LITTLE_ENDIAN).write(bytes(1000))
        ready.set()
        time.sleep(_SECONDS)


def test_an_instance_that_is_kept_is_told(incoming: Incoming) -> None:
    told = []
    incoming.on_kept = lambda *what: told.append(what)
    kept = push(incoming, "1.2.1")
    assert told == [(CT, "1.2.1", kept)]


def test_an_unfinished_file_that_somebody_deletes_is_an_error_and_no_endless_loop(incoming: Incoming) -> None:
    arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
    arriving.write(data_set("1.2.1"))
    Path(arriving._path).unlink()
    with pytest.raises(RetryLater, match="FILE_OPERATION_FAILED"):
        arriving.keep()


def test_processes_that_publish_while_another_claims_lose_nothing(tmp_path: Path) -> None:
    """Each of four pushes the same 60 instances of 3 studies, and a content of its own of each tenth."""
    folder, taken = tmp_path / "incoming", tmp_path / "raw"
    taken.mkdir()
    fork = multiprocessing.get_context("fork")
    pushers = [fork.Process(target=_push_all, args=(folder, number)) for number in range(4)]
    for pusher in pushers:
        pusher.start()
    claims = 0
    while any(pusher.is_alive() for pusher in pushers) or waiting_studies(folder):
        for study in waiting_studies(folder):
            claims += claim(study, taken / f"{claims}-{study.study_key}")
    for pusher in pushers:
        pusher.join()
        assert pusher.exitcode == 0
    assert claims > 3
    everything = {one for number in range(4) for one in _all(number)}
    contents = {path: path.read_bytes() for path in taken.glob("*/*.dcm")}
    for path, content in contents.items():
        uid = identity_of(path).sop_instance_uid
        assert content.endswith(
            tuple(data_set(uid, _study_of(uid)[0], more=more) for one, more in everything if one == uid)
        )
        assert path.parent.name.endswith(_study_of(uid)[1]) and path.name.startswith(Path(file_name(uid)).stem)
    assert len(set(contents.values())) == len(everything)
    each = Counter((path.parent, content) for path, content in contents.items())
    assert set(each.values()) == {1}
    assert list(folder.glob("*/*")) == []


def _study_of(uid: str) -> tuple[str, str]:
    study = f"{STUDY}.{int(uid.rpartition('.')[2]) % 3}"
    return study, study_key(study)


def _all(number: int) -> Iterator[tuple[str, bytes]]:
    for index in range(60):
        yield f"1.2.{index}", b""
        if index % 10 == 0:
            yield f"1.2.{index}", b"content %d" % number


def _push_all(folder: Path, number: int) -> None:
    with incoming_at(folder).opened() as incoming:
        for uid, more in _all(number):
            push(incoming, uid, study=_study_of(uid)[0], more=more)


def test_threads_that_keep_the_same_instance_at_once_have_it_once(incoming: Incoming) -> None:
    kept: list[Kept] = []
    together = threading.Barrier(8)

    def keep() -> None:
        arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
        arriving.write(data_set("1.2.1"))
        together.wait(_SECONDS)
        kept.append(arriving.keep())

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: not any(thread.is_alive() for thread in threads), _SECONDS)
    assert sorted(one.is_new for one in kept) == [False] * 7 + [True]
    assert names(waiting(incoming).folder) == [file_name("1.2.1")]
