"""Peers that stall, drip, lie about lengths or about names, against `dicom-assets receive` with its default settings:

HOSTILE_SECONDS=60 HOSTILE_SOCKETS=200 python -m pytest -q -s tests/torture/test_hostile_peers.py
"""

import contextlib
import os
import selectors
import socket
import statistics
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_assets.pacs.commands import encode
from dicom_assets.pacs.wire import ABORT, ASSOCIATE_AC, ASSOCIATE_RQ, P_DATA
from tests.support.raw_peer import CT, CT_CONTEXT, STUDY, RawPeer, asking, data_set, fragment, pdu, storing
from tests.support.receiver import Receiver, running_receiver

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "3"))
SOCKETS = int(os.environ.get("HOSTILE_SOCKETS", "60"))
#: Seconds between two bytes of one that drips, and until one that was cut off comes again
_DRIP, _AGAIN = 0.2, 1.0
#: Bytes by which our memory may grow
_GROWTH = 32 << 20
#: Seconds in which an honest peer is answered, at worst in one of twenty tries
_PROMPT = 2.0

_REQUEST = pdu(ASSOCIATE_RQ, asking())
_STORE = pdu(P_DATA, fragment(CT_CONTEXT, 3, encode(storing("1.2.3"))))
_PART = pdu(P_DATA, fragment(CT_CONTEXT, 0, data_set("1.2.3") + bytes(10_000)))
#: What a peer says before it stalls, and what it then drips
BEGINNINGS = (
    (b"", b""),
    (b"", _REQUEST),
    (_REQUEST[:100], b""),
    (_REQUEST[:100], _REQUEST[100:]),
    (_REQUEST, b""),
    (_REQUEST + _STORE[:30], _STORE[30:]),
    (_REQUEST + _STORE, b""),
    (_REQUEST + _STORE + _PART, b""),
    (_REQUEST + _STORE + _PART, pdu(P_DATA, fragment(CT_CONTEXT, 0, bytes(100_000)))),
    (_REQUEST + _STORE + _PART, pdu(P_DATA, b"") * 1000),
)


class Crowd:
    """So many sockets that stall or drip; one that is cut off comes again."""

    def __init__(self, port: int, size: int) -> None:
        self._port, self.cut_off = port, 0
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._due: list[tuple[float, int]] = [(0.0, kind % len(BEGINNINGS)) for kind in range(size)]
        self._dripping: dict[socket.socket, Iterator[int]] = {}
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _run(self) -> None:
        drip_at = 0.0
        while not self._stop.is_set():
            self._come()
            for key, _ in self._selector.select(0.05):
                self._hear(key.fileobj, key.data)
            if time.monotonic() >= drip_at:
                drip_at = time.monotonic() + _DRIP
                for sock, content in list(self._dripping.items()):
                    with contextlib.suppress(OSError):
                        sock.send(bytes((next(content, 0),)))

    def _come(self) -> None:
        now = time.monotonic()
        due, self._due = [kind for at, kind in self._due if at <= now], [one for one in self._due if one[0] > now]
        for kind in due:
            said, drip = BEGINNINGS[kind]
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            with contextlib.suppress(OSError):
                sock.sendall(said)
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, kind)
            if drip:
                self._dripping[sock] = iter(drip)

    def _hear(self, sock: socket.socket, kind: int) -> None:
        """What it is told does not matter, but that it is cut off does."""
        with contextlib.suppress(OSError):
            if sock.recv(4096):
                return
        self.cut_off += 1
        self._selector.unregister(sock)
        self._dripping.pop(sock, None)
        sock.close()
        self._due.append((time.monotonic() + _AGAIN, kind))


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """At the end it lives, has not grown, and holds what honest peers have stored and nothing else."""
    with running_receiver(tmp_path_factory.mktemp("site")) as running:
        assert stored(running.port, "1.2.1", element_of(1 << 19)) == 0x0000
        before, first = running.memory(), running.arrived()
        yield running
        growth = running.memory("VmHWM") - before
        print(f"memory of the receiver: {before >> 20} MB, at most {growth >> 20} MB more")
        assert stored(running.port, "1.2.2") == 0x0000
        (second,) = set(running.arrived()) - set(first)
        assert set(running.arrived()) == {*first, second}
        assert running.unfinished() == []
        assert growth < _GROWTH
        assert "INTERNAL_ERROR" not in running.said()


def stored(port: int, uid: str, more: bytes = b"", study: str = STUDY) -> int | None:
    """The status of C-STORE of one instance."""
    with RawPeer(port) as peer:
        return peer.associated().status(storing(uid), data_set(uid, study=study) + more)


def element_of(length: int, content: int | None = None, vr: bytes = b"OB", group: int = 0x7FE1) -> bytes:
    """A private element that claims so many bytes, and has so many zeros; as many, if content is None."""
    return struct.pack("<HH2sHI", group, 0x1010, vr, 0, length) + bytes(length if content is None else content)


def test_an_honest_peer_is_answered_soon_while_others_stall_and_drip(receiver: Receiver) -> None:
    """Of the same address as they. Who is not answered at once is counted with the time until the next try is."""
    took = []
    with Crowd(receiver.port, SOCKETS) as crowd:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            started = time.monotonic()
            while not is_answered(receiver.port):
                assert time.monotonic() - started < 60, "it is shut out"
                time.sleep(0.1)
            took.append(time.monotonic() - started)
            time.sleep(0.05)
        assert stored(receiver.port, "1.2.1", element_of(1 << 19)) == 0x0000
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    print(f"{SOCKETS} sockets for {SECONDS:.0f} s, cut off {crowd.cut_off} times; C-ECHO {len(took)} times:", end=" ")
    print(f"median {statistics.median(took) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, at most {max(took) * 1000:.0f} ms")
    assert p95 < _PROMPT


def is_answered(port: int) -> bool:
    with RawPeer(port) as peer:
        kind, _ = peer.associate()
        return kind == ASSOCIATE_AC and peer.echo() == 0x0000


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (b"", pdu(ASSOCIATE_RQ, asking(), 0xFFFFFFFF)),
        (b"", pdu(P_DATA, b"", 0xFFFFFFFF)),
        (_REQUEST, pdu(P_DATA, b"", 0xFFFFFFFF)),
        (_REQUEST, pdu(P_DATA, fragment(CT_CONTEXT, 3, b"", 0xFFFFFFFF), 1 << 20)),
        (_REQUEST, pdu(P_DATA, fragment(CT_CONTEXT, 1, bytes(100_000)))),
        (_REQUEST, pdu(P_DATA, fragment(CT_CONTEXT, 3, b"\0\0\0\0\xff\xff\xff\xff" + bytes(64)))),
        (_REQUEST + _STORE, pdu(P_DATA, b"", 0xFFFFFFFF)),
        (_REQUEST + _STORE, pdu(P_DATA, fragment(CT_CONTEXT, 0, b"", 0xFFFFFFFF), 1 << 20)),
        (_REQUEST, pdu(5, b"", 0xFFFFFFFF)),
        (_REQUEST, pdu(9, b"", 0xFFFFFFFF)),
    ],
    ids=[
        "association of 4 GB",
        "data before the association",
        "PDU of 4 GB",
        "fragment of 4 GB",
        "endless command",
        "command element of 4 GB",
        "PDU of 4 GB in an instance",
        "fragment of 4 GB in an instance",
        "release of 4 GB",
        "unknown PDU of 4 GB",
    ],
)
def test_who_lies_about_a_length_is_cut_off(receiver: Receiver, before: bytes, said: bytes) -> None:
    """However much it sends after that."""
    with RawPeer(receiver.port) as peer:
        peer.socket.sendall(before + said)
        with pytest.raises(ConnectionError):
            for _ in range(1024):
                peer.socket.sendall(bytes(1 << 18))
        assert set(peer.until_the_end()) <= {ASSOCIATE_AC, ABORT}
    assert is_answered(receiver.port)


@pytest.mark.parametrize(
    "content",
    [
        element_of(0xFFFFFFFE, 64, group=0x0009),
        element_of(0xFFFFFFFF, 50 << 20, group=0x0009),
        element_of(0xFFFFFFFF, 50 << 20, b"UN", group=0x0009),
        struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 500_000,
        struct.pack("<HH2sH", 8, 0x16, b"UI", 0xFFFF) + bytes(100),
        zlib.compress(data_set("1.2.3") + bytes(300 << 20))[2:-4],
        os.urandom(1 << 20),
    ],
    ids=["4 GB", "undefined length", "unknown, undefined length", "nested", "UID of 64 kB", "inflates", "noise"],
)
def test_a_data_set_that_lies_is_refused(receiver: Receiver, content: bytes) -> None:
    with RawPeer(receiver.port) as peer:
        assert peer.associated().status(storing("1.2.3"), b"") == 0xC000
        peer.socket.sendall(_STORE)
        for start in range(0, len(content), 100_000):
            piece = content[start : start + 100_000]
            control = 2 if start + 100_000 >= len(content) else 0
            peer.socket.sendall(pdu(P_DATA, fragment(CT_CONTEXT, control, piece)))
        assert peer.answer().status == 0xC000
        assert peer.echo() == 0x0000


def test_deflate_is_not_accepted(receiver: Receiver) -> None:
    with RawPeer(receiver.port) as peer:
        kind, body = peer.associate(asking([(CT, ["1.2.840.10008.1.2.1.99"])]))
        assert (kind, body[body.index(b"\x21\x00", 68) + 6]) == (ASSOCIATE_AC, 4)
        peer.say(storing("1.2.3"), data_set("1.2.3"))
        assert peer.until_the_end() == [ABORT]


_NAMES = [
    "../../../../tmp/evil",
    "/etc/passwd",
    "..",
    ".",
    "1.2/../3",
    "1.2\\3",
    "1.2\n3",
    "1" * 65,
    "%2e%2e",
]


@pytest.mark.parametrize("name", _NAMES)
def test_names_that_are_paths_are_refused(receiver: Receiver, name: str) -> None:
    before = everything(receiver)
    assert stored(receiver.port, name) == 0x0117
    assert stored(receiver.port, "1.2.3", study=name) == 0xC000
    assert everything(receiver) == before


def everything(receiver: Receiver) -> set[Path]:
    return set(receiver.site.folder.rglob("*"))


def test_many_associations_with_large_requests(receiver: Receiver) -> None:
    """Each fills what a negotiation may have, and stops before its end."""
    body = asking() + struct.pack(">BxH", 0x99, 60_000) + bytes(60_000)
    peers = [RawPeer(receiver.port) for _ in range(SOCKETS)]
    try:
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.socket.sendall(pdu(ASSOCIATE_RQ, body + bytes(180_000))[:-1])
        assert is_answered(receiver.port)
    finally:
        for peer in peers:
            peer.socket.close()
