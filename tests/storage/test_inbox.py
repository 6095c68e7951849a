"""The hand-over from a receiver to a run that waits: what the run has made durable is gone, all else has arrived."""

import contextlib
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_assets.errors import RetryLater
from dicom_assets.storage.inbox import Inbox, announced, is_announced, return_unclaimed
from dicom_assets.storage.incoming import Incoming, instances_in, waiting_studies
from dicom_assets.storage.instance_header import identity_of
from tests.storage.arriving import CT, LITTLE_ENDIAN, STUDY, data_set, file_name, incoming_at, push, study_key

_SECONDS = 60
_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def incoming(tmp_path: Path) -> Iterator[Incoming]:
    with incoming_at(tmp_path / "incoming").opened() as opened:
        yield opened


def inbox_of(incoming: Incoming) -> Inbox:
    return Inbox(incoming.folder, study_key(STUDY))


def arrived(incoming: Incoming) -> list[str]:
    return sorted(path.name for study in waiting_studies(incoming.folder) for path in instances_in(study.folder))


def left(incoming: Incoming) -> list[Path]:
    return list((incoming.folder / ".awaited").iterdir())


def test_a_receiver_is_announced_while_it_lives(tmp_path: Path) -> None:
    assert not is_announced(tmp_path, 11112)
    ready = _FORK.Event()
    receiver = _FORK.Process(target=_announce, args=(tmp_path, ready))
    receiver.start()
    assert ready.wait(_SECONDS)
    assert is_announced(tmp_path, 11112) and not is_announced(tmp_path, 104)
    receiver.kill()
    receiver.join()
    assert not is_announced(tmp_path, 11112)


def _announce(folder: Path, ready: object) -> None:
    with announced(folder, 11112):
        ready.set()
        time.sleep(_SECONDS)


def test_only_what_the_run_took_and_cleared_is_gone(incoming: Incoming) -> None:
    with inbox_of(incoming) as inbox:
        inbox.open()
        push(incoming, "1.2.1")
        push(incoming, "1.2.2")
        push(incoming, "1.2.3", study=f"{STUDY}.5")
        first, second = sorted(inbox.delivered(), key=lambda one: one.sop_instance_uid)
        assert (first.sop_class_uid, first.sop_instance_uid, first.transfer_syntax_uid) == (CT, "1.2.1", LITTLE_ENDIAN)
        assert b"".join(first.pieces()) == data_set("1.2.1") and b"".join(second.pieces()) == data_set("1.2.2")
        inbox.take(first)
        inbox.clear()
        assert arrived(incoming) == [file_name("1.2.3")], "of another study"
        assert list(inbox.delivered()) == []
    assert arrived(incoming) == sorted([file_name("1.2.2"), file_name("1.2.3")])
    assert left(incoming) == []


def test_what_was_taken_and_not_made_durable_has_arrived(incoming: Incoming) -> None:
    with pytest.raises(RetryLater), inbox_of(incoming) as inbox:
        inbox.open()
        push(incoming, "1.2.1")
        (one,) = inbox.delivered()
        inbox.take(one)
        raise RetryLater("DISK_FULL")
    assert arrived(incoming) == [file_name("1.2.1")]


def test_an_instance_that_comes_again_after_it_was_cleared_is_delivered_again(incoming: Incoming) -> None:
    with inbox_of(incoming) as inbox:
        inbox.open()
        for more in (b"", b"other"):
            push(incoming, "1.2.1", more=more)
            (one,) = inbox.delivered()
            assert b"".join(one.pieces()) == data_set("1.2.1", more=more)
            inbox.take(one)
            inbox.clear()
    assert arrived(incoming) == []


def test_what_is_returned_meets_what_is_there(incoming: Incoming) -> None:
    push(incoming, "1.2.1")
    push(incoming, "1.2.2")
    with inbox_of(incoming) as inbox:
        inbox.open()
        push(incoming, "1.2.1")
        other = push(incoming, "1.2.2", more=b"other")
        assert other.is_new
    folder = incoming.folder / study_key(STUDY)
    assert len(arrived(incoming)) == 3
    contents = [path.read_bytes() for path in instances_in(folder)]
    assert len(set(contents)) == 3
    assert {identity_of(path).sop_instance_uid for path in instances_in(folder)} == {"1.2.1", "1.2.2"}


def test_one_that_is_on_its_way_is_a_sign_of_life(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_assets.storage.arriving._LOOK_SECONDS", 0.0)
    with inbox_of(incoming) as inbox:
        inbox.open()
        os.utime(incoming.folder / ".awaited" / study_key(STUDY), (1, 1))
        assert inbox.has_stirred() and not inbox.has_stirred()
        arriving = incoming.begin(CT, "1.2.1", LITTLE_ENDIAN)
        arriving.write(data_set("1.2.1"))
        assert inbox.has_stirred()
        arriving.discard()
    assert waiting_studies(incoming.folder) == []


def test_two_runs_do_not_wait_for_one_study(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_assets.storage.inbox._LOOKS", 0.1)
    with inbox_of(incoming) as first, inbox_of(incoming) as second:
        first.open()
        with pytest.raises(RetryLater, match="RECEIVER_PORT_BUSY"):
            second.open()
        push(incoming, "1.2.1")
        assert [one.sop_instance_uid for one in first.delivered()] == ["1.2.1"]


def test_a_lock_that_receivers_look_at_all_the_time_is_had(incoming: Incoming) -> None:
    stop = _FORK.Event()
    lookers = [_FORK.Process(target=_look, args=(incoming.folder, stop)) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            with inbox_of(incoming) as inbox:
                inbox.open()
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def _look(folder: Path, stop: object) -> None:
    with incoming_at(folder).opened() as incoming:
        while not stop.is_set():
            push(incoming, "1.2.1")


def test_what_a_killed_run_left_arrives(incoming: Incoming) -> None:
    ready = _FORK.Event()
    run = _FORK.Process(target=_wait, args=(incoming.folder, ready))
    run.start()
    assert ready.wait(_SECONDS)
    push(incoming, "1.2.1")
    return_unclaimed(incoming.folder)
    assert arrived(incoming) == [], "it is waited for"
    run.kill()
    run.join()
    push(incoming, "1.2.2")
    assert arrived(incoming) == [file_name("1.2.2")]
    return_unclaimed(incoming.folder)
    assert arrived(incoming) == sorted([file_name("1.2.1"), file_name("1.2.2")])
    assert left(incoming) == []


def test_what_a_killed_run_left_is_delivered_to_the_next(incoming: Incoming) -> None:
    ready = _FORK.Event()
    run = _FORK.Process(target=_wait, args=(incoming.folder, ready))
    run.start()
    assert ready.wait(_SECONDS)
    push(incoming, "1.2.1")
    run.kill()
    run.join()
    with inbox_of(incoming) as inbox:
        inbox.open()
        assert [one.sop_instance_uid for one in inbox.delivered()] == ["1.2.1"]
    assert arrived(incoming) == [file_name("1.2.1")]


def _wait(folder: Path, ready: object) -> None:
    with Inbox(folder, study_key(STUDY)) as inbox:
        inbox.open()
        ready.set()
        time.sleep(_SECONDS)


def test_nothing_is_lost_between_runs_that_come_and_go_and_are_killed(tmp_path: Path) -> None:
    """Two processes push; runs take what they find, each for a moment, and every third is killed."""
    folder, taken = tmp_path / "incoming", tmp_path / "taken"
    taken.mkdir()
    pushers = [_FORK.Process(target=_push_all, args=(folder, number)) for number in range(2)]
    for pusher in pushers:
        pusher.start()
    moments, runs = random.Random(5), 0
    while any(pusher.is_alive() for pusher in pushers):
        runs += 1
        run = _FORK.Process(target=_take_all, args=(folder, taken, runs % 3 == 0))
        run.start()
        if runs % 3 == 0:
            time.sleep(moments.uniform(0, 0.03))
            run.kill()
        run.join()
    return_unclaimed(folder)
    assert all(pusher.exitcode == 0 for pusher in pushers)
    found = {path.name for path in taken.iterdir()} | {
        path.name for study in waiting_studies(folder) for path in instances_in(study.folder)
    }
    assert found == {file_name(f"1.2.{number}.{index}") for number in range(2) for index in range(150)}
    assert list(taken.iterdir()), "some were to be taken"


def _push_all(folder: Path, number: int) -> None:
    with incoming_at(folder).opened() as incoming:
        for index in range(150):
            push(incoming, f"1.2.{number}.{index}")


def _take_all(folder: Path, taken: Path, is_slow: bool) -> None:
    with Inbox(folder, study_key(STUDY)) as inbox:
        inbox.open()
        for _ in range(3):
            for one in inbox.delivered():
                with contextlib.suppress(FileExistsError):
                    os.link(one.path, taken / one.path.name)
                inbox.take(one)
            inbox.clear()
            time.sleep(0.01 * (1 + is_slow))
