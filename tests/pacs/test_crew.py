"""Associations that other processes serve."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicom_assets.errors import RetryLater
from dicom_assets.pacs.commands import encode
from dicom_assets.pacs.conversation import Conversation
from dicom_assets.pacs.crew import Crew, Station
from dicom_assets.pacs.doorkeeper import Rules
from dicom_assets.pacs.listener import Place
from dicom_assets.pacs.service import TIMEOUTS, Service
from dicom_assets.pacs.wire import ABORT, ASSOCIATE_RJ, P_DATA
from tests.pacs.peers import keeping
from tests.support.ports import free_port
from tests.support.raw_peer import CT, CT_CONTEXT, RawPeer, data_set, fragment, pdu, storing
from tests.support.waiting import wait_for

OPEN = Rules(associations=50, associations_a_peer=50)
UID = "1.2.826.0.1.3680043.10.1337.79.1"


@dataclass
class Crewed:
    """folder: each instance that is kept leaves its process's ID there. told: what the processes told."""

    port: int
    service: Service
    folder: Path
    told: list[tuple]

    def pids(self) -> list[int]:
        return [int(path.name.partition("-")[0]) for path in self.folder.iterdir()]


@contextmanager
def crewed(folder: Path, rules: Rules = OPEN, size: int = 2) -> Iterator[Crewed]:
    @contextmanager
    def station() -> Iterator[Station]:
        told: list[tuple] = []

        def keep(kept: object) -> None:
            if kept.sop_instance_uid.endswith(".0"):
                raise RetryLater("DISK_FULL")
            (folder / f"{os.getpid()}-{kept.sop_instance_uid}").write_bytes(kept.data)
            told.append((kept.sop_class_uid, kept.sop_instance_uid))

        yield Station(Conversation(keeping(keep)), told)

    told: list[tuple] = []
    port = free_port()
    crew = Crew(size, station, lambda *one: told.append(one))
    crew.start()
    service = Service(Place("127.0.0.1", port, None, TIMEOUTS), rules, keeping(), crew=crew)
    try:
        yield Crewed(port, service, folder, told)
    finally:
        service.close(0)
        crew.close()


def test_associations_are_dealt_out_and_counted_together(tmp_path: Path) -> None:
    content = data_set(UID) + bytes(300_000)
    with crewed(tmp_path) as ours, RawPeer(ours.port) as first, RawPeer(ours.port) as second:
        for number, peer in enumerate((first.associated(), second.associated()), 1):
            assert peer.status(storing(f"{UID}.{number}"), content) == 0x0000
            assert peer.echo() == 0x0000
        assert first.status(storing(f"{UID}.0"), content) == 0xA700
        assert len(set(ours.pids())) == 2
        assert os.getpid() not in ours.pids()
        assert {path.read_bytes() for path in tmp_path.iterdir()} == {content}
        wait_for(lambda: ours.service.tally.stored == 2 and ours.service.tally.refused == {"DISK_FULL": 1}, 60)
        assert sorted(ours.told) == [(CT, f"{UID}.1"), (CT, f"{UID}.2")]


def test_limits_hold_over_all_processes(tmp_path: Path) -> None:
    rules = replace(OPEN, associations_a_peer=3, quiet_seconds=300)
    with crewed(tmp_path, rules) as ours, RawPeer(ours.port) as late:
        peers = [RawPeer(ours.port) for _ in range(3)]
        try:
            for peer in peers:
                assert peer.associated().echo() == 0x0000
            # ... which the listener hears of a little later
            wait_for(lambda: all(each.has_spoken for each in lent(ours)), 60)
            kind, body = late.associate()
            assert (kind, tuple(body[1:])) == (ASSOCIATE_RJ, (2, 3, 2))
            peers[0].socket.close()
            wait_for(lambda: comes_in(ours.port), 60)
        finally:
            for peer in peers:
                peer.socket.close()


def lent(ours: Crewed) -> list:
    return [visitor.association for visitor in ours.service._listener._door.everybody() if visitor.association]


def comes_in(port: int) -> bool:
    with RawPeer(port) as peer:
        return peer.associate()[0] != ASSOCIATE_RJ


def test_who_stalls_in_another_process_has_to_make_room(tmp_path: Path) -> None:
    with crewed(tmp_path, replace(OPEN, associations_a_peer=1)) as ours, RawPeer(ours.port) as stalled:
        stalled.associated().socket.sendall(pdu(P_DATA, fragment(CT_CONTEXT, 3, encode(storing(UID)))))
        wait_for(lambda: comes_in(ours.port), 60)
        assert stalled.until_the_end() == []


def test_a_process_that_dies_takes_its_associations_along_and_no_others(tmp_path: Path) -> None:
    with crewed(tmp_path) as ours, RawPeer(ours.port) as first, RawPeer(ours.port) as second:
        assert first.associated().status(storing(f"{UID}.1"), data_set(f"{UID}.1")) == 0x0000
        (pid,) = ours.pids()
        assert second.associated().status(storing(f"{UID}.2"), data_set(f"{UID}.2")) == 0x0000
        os.kill(pid, signal.SIGKILL)
        assert first.until_the_end() in ([ABORT], [])
        assert second.echo() == 0x0000
        for _ in range(4):
            with RawPeer(ours.port) as another:
                assert another.associated().echo() == 0x0000


def test_without_any_process_the_listener_serves(tmp_path: Path) -> None:
    with crewed(tmp_path) as ours, RawPeer(ours.port) as first, RawPeer(ours.port) as second:
        for number, peer in enumerate((first, second), 1):
            assert peer.associated().status(storing(f"{UID}.{number}"), data_set(f"{UID}.{number}")) == 0x0000
        for pid in ours.pids():
            os.kill(pid, signal.SIGKILL)
        assert first.until_the_end() in ([ABORT], [])
        assert second.until_the_end() in ([ABORT], [])
        with RawPeer(ours.port) as third:
            assert third.associated().status(storing(f"{UID}.3"), data_set(f"{UID}.3")) == 0x0000


@pytest.mark.parametrize("seconds", [0, 60])
def test_at_the_end_all_processes_have_ended(tmp_path: Path, seconds: int) -> None:
    with crewed(tmp_path) as ours, RawPeer(ours.port) as idle:
        assert idle.associated().status(storing(f"{UID}.1"), data_set(f"{UID}.1")) == 0x0000
        pids = ours.pids()
        wait_for(lambda: ours.service.tally.stored == 1, 60)
        ours.service.close(seconds)
        assert idle.until_the_end() in ([ABORT], [])
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
