"""Who may come in, and who has to make room."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.archive import Archive, Timeouts, Tls
from dicom_assets.pacs.commands import encode
from dicom_assets.pacs.doorkeeper import Rules
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.listener import Place
from dicom_assets.pacs.service import TIMEOUTS, Service
from dicom_assets.pacs.wire import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA
from tests.pacs.conftest import PATIENT
from tests.pacs.peers import keeping
from tests.support.certificates import Certificates, make_certificates
from tests.support.ports import free_port
from tests.support.raw_peer import CT_CONTEXT, RawPeer, asking, data_set, fragment, pdu, storing
from tests.support.waiting import wait_for

OPEN = Rules(associations=50, associations_a_peer=50)
#: Far longer than a test; who is cut is cut for another reason.
LONG = replace(TIMEOUTS, acse=300)
#: PS3.8 table 9-21: result, source, reason
TOO_MANY = (2, 3, 2)


@contextmanager
def guarded(
    rules: Rules, timeouts: Timeouts = LONG, seconds: float = float("inf"), tls: Tls | None = None
) -> Iterator[int]:
    """The port of a service that drops what it takes."""
    port = free_port()
    service = Service(Place("127.0.0.1", port, tls, timeouts, seconds), rules, keeping())
    try:
        yield port
    finally:
        service.close(0)


def rejection(answer: tuple[int, bytes]) -> tuple[int, ...]:
    kind, body = answer
    assert kind == ASSOCIATE_RJ
    return tuple(body[1:])


def networks(*names: str) -> tuple[ipaddress.IPv4Network, ...]:
    return tuple(map(ipaddress.ip_network, names))


def with_byte(body: bytes, at: int, value: int) -> bytes:
    return body[:at] + bytes((value,)) + body[at + 1 :]


@pytest.mark.parametrize(
    ("rules", "said", "expected"),
    [
        ({"called_ae_title": "DICOM_ASSETS"}, asking(called="ANY-SCP"), (1, 1, 7)),
        ({"called_ae_title": "DICOM_ASSETS"}, asking(called="dicom_assets"), (1, 1, 7)),
        ({"calling_ae_titles": frozenset({"CT1", "CT2"})}, asking(calling="CT3"), (1, 1, 3)),
        ({"calling_ae_titles": frozenset({"CT1", "CT2"})}, asking(calling=""), (1, 1, 3)),
        ({"networks": networks("192.0.2.0/24")}, asking(), (1, 1, 1)),
        ({"networks": (ipaddress.ip_network("::/0"),)}, asking(), (1, 1, 1)),
        ({}, asking().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"), (1, 1, 2)),
        ({}, with_byte(asking(), 1, 2), (1, 2, 2)),
    ],
    ids=["called", "case", "calling", "no title", "address", "other family", "application context", "version"],
)
def test_each_refusal_says_why(rules: dict, said: bytes, expected: tuple[int, ...]) -> None:
    with guarded(replace(OPEN, **rules)) as port, RawPeer(port) as peer:
        assert rejection(peer.associate(said)) == expected
        assert peer.until_the_end() == []


@pytest.mark.parametrize(
    "rules",
    [
        {"called_ae_title": "DICOM_ASSETS"},
        {"calling_ae_titles": frozenset({"SENDER", "CT2"})},
        {"networks": networks("192.0.2.0/24", "127.0.0.1")},
    ],
)
def test_who_is_listed_may_come_in(rules: dict) -> None:
    with guarded(replace(OPEN, **rules)) as port, RawPeer(port) as peer:
        assert peer.associated().echo() == 0x0000


def test_no_address_has_more_associations_than_its_share() -> None:
    rules = replace(OPEN, associations_a_peer=2, quiet_seconds=300)
    with guarded(rules) as port, RawPeer(port) as first, RawPeer(port) as second, RawPeer(port) as third:
        for peer in (first, second):
            assert peer.associated().echo() == 0x0000
        assert rejection(third.associate()) == TOO_MANY
        with RawPeer(port, source="127.0.0.2") as another:
            assert another.associated().echo() == 0x0000
        assert first.echo() == second.echo() == 0x0000
        first.socket.close()
        wait_for(lambda: comes_in(port), 60)


def test_all_together_have_no_more_than_the_limit() -> None:
    with ExitStack() as peers:
        port = peers.enter_context(guarded(replace(OPEN, associations=2, quiet_seconds=300)))
        sources = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
        first, second, third = (peers.enter_context(RawPeer(port, source)) for source in sources)
        for peer in (first, second):
            assert peer.associated().echo() == 0x0000
        assert rejection(third.associate()) == TOO_MANY


def comes_in(port: int) -> bool:
    with RawPeer(port) as peer:
        return peer.associate()[0] == ASSOCIATE_AC


def test_where_there_is_no_room_the_one_that_was_quiet_longest_goes() -> None:
    with ExitStack() as peers:
        port = peers.enter_context(guarded(replace(OPEN, associations_a_peer=3, quiet_seconds=0.5)))
        idle, stalled, busy, newcomer, another = (peers.enter_context(RawPeer(port)) for _ in range(5))
        idle.associated()
        time.sleep(0.5)
        stalled.associated().socket.sendall(pdu(P_DATA, fragment(CT_CONTEXT, 3, encode(storing("1.2")))))
        time.sleep(0.5)
        busy.associated()
        for _ in range(10):
            time.sleep(0.1)
            assert busy.echo() == 0x0000
        assert newcomer.associated().echo() == 0x0000
        assert idle.until_the_end() == []
        assert another.associated().echo() == 0x0000
        assert stalled.until_the_end() == []
        assert busy.echo() == newcomer.echo() == 0x0000


def test_who_has_not_brought_a_message_yet_goes_first() -> None:
    with ExitStack() as peers:
        port = peers.enter_context(guarded(replace(OPEN, associations_a_peer=2, quiet_seconds=300, fresh_seconds=0.1)))
        known, fresh, newcomer = (peers.enter_context(RawPeer(port)) for _ in range(3))
        assert known.associated().echo() == 0x0000
        fresh.associated()
        time.sleep(0.3)
        assert newcomer.associated().echo() == 0x0000
        assert fresh.until_the_end() == []
        assert known.echo() == 0x0000
        with RawPeer(port) as another:
            assert rejection(another.associate()) == TOO_MANY


def test_a_dripping_sender_has_to_make_room() -> None:
    """It moves, and gets nowhere."""
    stop = threading.Event()
    with guarded(replace(OPEN, associations_a_peer=1, quiet_seconds=0.5)) as port, RawPeer(port) as dripping:
        dripping.associated().socket.sendall(
            pdu(P_DATA, fragment(CT_CONTEXT, 3, encode(storing("1.2")))) + pdu(P_DATA, b"", 100_000)
        )

        def drip() -> None:
            try:
                while not stop.wait(0.02):
                    dripping.socket.send(b"\0")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            wait_for(lambda: comes_in(port), 60)
        finally:
            stop.set()
            thread.join()


def test_who_waits_for_us_is_not_quiet() -> None:
    """The disk is slow, and nobody but we are to blame."""
    reached, durable = threading.Event(), threading.Event()

    def slow_disk(_: object) -> None:
        reached.set()
        assert durable.wait(60)

    port = free_port()
    rules = replace(OPEN, associations_a_peer=1, quiet_seconds=0.1)
    service = Service(Place("127.0.0.1", port, None, LONG), rules, keeping(slow_disk))
    try:
        with RawPeer(port) as waiting, RawPeer(port) as newcomer:
            waiting.associated().say(storing("1.2"), data_set("1.2"))
            assert reached.wait(60)
            time.sleep(0.5)
            assert rejection(newcomer.associate()) == TOO_MANY
            durable.set()
            assert waiting.answer().status == 0x0000
    finally:
        durable.set()
        service.close(0)


def test_who_stands_at_the_door_shuts_nobody_out() -> None:
    """Of those from the address that crowds it the first one goes."""
    with guarded(replace(OPEN, at_the_door=8)) as port, RawPeer(port, "127.0.0.2") as slow:
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(30)]
        try:
            for sock in crowd[:15]:
                sock.sendall(pdu(ASSOCIATE_RQ, asking())[:50])
            with RawPeer(port) as honest:
                assert honest.associated().echo() == 0x0000
            assert crowd[0].recv(10) == b""
            assert slow.associated().echo() == 0x0000
        finally:
            for sock in crowd:
                sock.close()


def test_a_negotiation_has_its_time_in_all() -> None:
    body = pdu(ASSOCIATE_RQ, asking())
    with guarded(OPEN, replace(TIMEOUTS, acse=1)) as port, RawPeer(port) as dripping, pytest.raises(OSError):
        for at in range(len(body)):
            dripping.socket.sendall(body[at : at + 1])
            time.sleep(0.1)


def test_an_association_has_its_time_in_all() -> None:
    with guarded(OPEN, seconds=1) as port, RawPeer(port) as peer:
        peer.associated()
        kinds = [P_DATA]
        while kinds[-1] == P_DATA and len(kinds) < 200:
            time.sleep(0.1)
            with suppress(ConnectionError):
                peer.say(storing("1.2"), data_set("1.2"))
            kinds.append(peer.hear()[0])
        assert kinds[1] == P_DATA
        assert kinds[-1] in (ABORT, 0)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def calling(port: int, tls: Tls | None) -> Archive:
    return Archive("127.0.0.1", port, "DICOM_ASSETS", "SENDER", timeouts=PATIENT, tls=tls)


def test_tls_is_mutual(certificates: Certificates) -> None:
    ours = Tls(certificates.authority, certificates.archive)
    with guarded(OPEN, tls=ours) as port:
        echo(calling(port, certificates.tls))
        for stranger in (None, Tls(certificates.authority, None), Tls(certificates.authority, certificates.strangers)):
            with pytest.raises(DicomAssetsError):
                echo(calling(port, stranger))
        echo(calling(port, certificates.tls))


def test_a_handshake_has_its_time_in_all_and_its_place_at_the_door(certificates: Certificates) -> None:
    ours = Tls(certificates.authority, certificates.archive)
    with guarded(replace(OPEN, at_the_door=4), tls=ours) as port:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(12)]
        try:
            for sock in silent:
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
            echo(calling(port, certificates.tls))
            assert silent[0].recv(10) == b""
        finally:
            for sock in silent:
                sock.close()
    with guarded(OPEN, replace(TIMEOUTS, acse=1), tls=ours) as port, RawPeer(port) as peer:
        peer.socket.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert peer.until_the_end() == []
