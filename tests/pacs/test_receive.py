"""Our receiver under peers that are honest, hostile or broken; and the rate that it keeps."""

import io
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pynetdicom import AE, build_context

from dicom_assets.demo.associations import MENDED
from dicom_assets.errors import RetryLater
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.contexts import VERIFICATION
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.intake import Arrival, Intake, Store
from dicom_assets.pacs.patience import Patience
from dicom_assets.pacs.receive import open_receiver
from dicom_assets.pacs.requestor import open_association
from tests.pacs.conftest import HASTY, PATIENT
from tests.pacs.peers import LITTLE_ENDIAN, STUDY, Kept, instance, keeping
from tests.support.ports import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
_HEADER = struct.Struct("<HH2sH")


def ours(timeouts: Timeouts = PATIENT) -> Archive:
    """An archive whose C-MOVE would bring instances to our receiver; here they are pushed."""
    return Archive("127.0.0.1", 1, "RECEIVER", "DICOM_ASSETS", receiver_port=free_port(), timeouts=timeouts)


@contextmanager
def receiving(store: Store, timeouts: Timeouts = PATIENT, rate: float = 0, level: str = "STUDY") -> Iterator[Archive]:
    """How a peer sees the receiver: host, port, titles."""
    archive = ours(timeouts)
    intake = Intake(STUDY, None if level == "STUDY" else ["1.2.3"], store, level=level, instances_per_second=rate)
    with open_receiver(archive, intake, (), Patience(PATIENT)):
        yield replace(archive, port=archive.receiver_port, timeouts=PATIENT)


def data_set(pixels: int = 0, study: str = STUDY) -> bytes:
    """StudyInstanceUID and so many bytes of pixel data, Explicit VR Little Endian."""
    uid = study.encode() + b"\0" * (len(study) % 2)
    return _HEADER.pack(0x0020, 0x000D, b"UI", len(uid)) + uid + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, pixels)


def store(peer: Archive, uid: str, content: bytes) -> int:
    with open_association(peer, [(CT, [LITTLE_ENDIAN])]) as association:
        context = association.context_for(CT)
        return association.store(context, CT, uid, io.BytesIO(content), 0, len(content)).status


def test_what_is_pushed_comes_byte_for_byte() -> None:
    kept: list[Kept] = []
    content = data_set(300_000) + bytes(range(250)) * 1200
    with receiving(keeping(kept.append)) as peer:
        assert store(peer, "1.2.3", content) == 0x0000
    assert [(each.sop_instance_uid, each.transfer_syntax_uid) for each in kept] == [("1.2.3", LITTLE_ENDIAN)]
    assert kept[0].data == content


@pytest.mark.parametrize("uid", ["../../evil", "/etc/passwd", "", "1.2.3\\4", "1" * 65])
def test_a_name_that_is_no_uid_is_refused(uid: str) -> None:
    kept: list[Kept] = []
    with receiving(keeping(kept.append)) as peer:
        assert store(peer, uid, data_set()) == 0xC000
        assert store(peer, "1.2.3", data_set()) == 0x0000
    assert len(kept) == 1


def test_another_study_and_an_empty_data_set_are_refused() -> None:
    kept: list[Kept] = []
    with receiving(keeping(kept.append)) as peer:
        assert store(peer, "1.2.3", data_set(study=f"{STUDY}9")) == 0xC000
        assert store(peer, "1.2.3", b"") == 0xC000
        assert store(peer, "1.2.3", b"\xff" * 40) == 0xC000
    assert kept == []


def test_pynetdicom_and_c_echo_are_served() -> None:
    kept: list[Kept] = []
    with receiving(keeping(kept.append)) as peer:
        echo(peer)
        contexts = [build_context(VERIFICATION), build_context(CT, [LITTLE_ENDIAN])]
        association = AE().associate("127.0.0.1", peer.port, contexts=contexts, evt_handlers=[MENDED])
        assert association.send_c_echo().Status == 0x0000
        assert association.send_c_store(instance(0)).Status == 0x0000
        association.release()
        assert association.is_released
    assert len(kept) == 1


def test_an_instance_that_breaks_off_leaves_nothing() -> None:
    ended: list[str] = []

    class Counting:
        def write(self, _piece: bytes) -> None:
            if not ended:
                ended.append("write")

        def keep(self) -> None:
            ended.append("keep")

        def discard(self) -> None:
            ended.append("discard")

    class Breaking(io.BytesIO):
        """Stops giving after some 400 kB, for good."""

        def read(self, count: int = -1) -> bytes:
            if self.tell() < 400_000:
                return super().read(count)
            while "write" not in ended:
                time.sleep(0.01)
            return b""

    content = data_set(1 << 20) + bytes(1 << 20)
    with (
        receiving(lambda *_: Counting()) as peer,
        pytest.raises(RetryLater, match="FILE_OPERATION_FAILED"),
        open_association(peer, [(CT, [LITTLE_ENDIAN])]) as opened,
    ):
        opened.store(opened.context_for(CT), CT, "1.2.3", Breaking(content), 0, len(content))
    assert ended == ["write", "discard"]


def test_a_large_instance_takes_no_memory() -> None:
    class Dropped:
        size = 0

        def write(self, piece: bytes | memoryview) -> None:
            Dropped.size += len(piece)

        def keep(self) -> None:
            pass

        def discard(self) -> None:
            pass

    class Endless(io.RawIOBase):
        def seek(self, *_: int) -> int:
            return 0

        def read(self, count: int = -1) -> bytes:
            return bytes(count)

    size = 200 << 20
    with receiving(lambda *_: Dropped(), level="IMAGE") as peer:
        tracemalloc.start()
        try:
            with open_association(peer, [(CT, [LITTLE_ENDIAN])]) as association:
                status = association.store(association.context_for(CT), CT, "1.2.3", Endless(), 0, size).status
                assert (status, Dropped.size) == (0x0000, size)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + bytes(64),
        b"\x04\x00\xff\xff\xff\xff" + bytes(64),
        b"\x01\x00\x00\x00\x00\x44" + bytes(68),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    ],
    ids=["http", "4 GB negotiation", "data first", "nothing in it", "tls", "abort"],
)
def test_what_is_no_request_for_an_association_ends_the_connection(said: bytes) -> None:
    with receiving(keeping()) as peer, socket.create_connection(("127.0.0.1", peer.port), timeout=20) as sender:
        sender.sendall(said)
        try:
            while sender.recv(4096):
                pass
        except ConnectionError:
            pass
        assert_still_serving(peer)


def test_stalled_and_dripping_peers_do_not_shut_out_others() -> None:
    """Within the time for a negotiation each of them is gone, however it drips."""
    with receiving(keeping(), HASTY) as peer:
        mute = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(20)]
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.1):
                for each in mute[:10]:
                    try:
                        each.send(b"\x01")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert_still_serving(peer)
            for each in mute:
                each.settimeout(30)
                try:
                    while each.recv(4096):
                        pass
                except ConnectionError:
                    pass
        finally:
            stop.set()
            thread.join()
            for each in mute:
                each.close()


def assert_still_serving(peer: Archive) -> None:
    echo(peer)


def test_the_rate_is_kept() -> None:
    """The only thing that is timed here is that it is not faster."""
    kept: list[float] = []

    class Noting:
        def write(self, _piece: bytes) -> None:
            pass

        def keep(self) -> None:
            kept.append(time.monotonic())

        def discard(self) -> None:
            pass

    def taking(*_: str) -> Arrival:
        return Noting()

    with receiving(taking, rate=20) as peer, open_association(peer, [(CT, [LITTLE_ENDIAN])]) as association:
        context, content = association.context_for(CT), data_set()
        for number in range(6):
            answer = association.store(context, CT, f"1.2.{number}", io.BytesIO(content), 0, len(content), number + 1)
            assert answer.status == 0x0000
    assert kept[-1] - kept[0] >= 0.2
