"""Whatever becomes of a peer's bytes on their way: a coded error, no thread that crashes, no short list, and nothing
kept that is not whole.

STREAM_MUTANTS=3000 python -m pytest -q tests/torture/test_damaged_streams.py
"""

import contextlib
import io
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.commands import response
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.intake import Intake
from dicom_assets.pacs.patience import Patience
from dicom_assets.pacs.queries import open_queries
from dicom_assets.pacs.query import identifier
from dicom_assets.pacs.receive import open_receiver
from dicom_assets.pacs.requestor import open_association
from dicom_assets.pacs.retrieve import retrieve_instances
from dicom_assets.pacs.wire import RELEASE_RP
from tests.pacs.conftest import HASTY, PATIENT
from tests.pacs.peers import LITTLE_ENDIAN, STUDY, Kept, keeping, wanted
from tests.pacs.scripted import CT, Peer, data_set, found, got, scripted
from tests.support.ports import free_port

MUTANTS = int(os.environ.get("STREAM_MUTANTS", "15"))
_COUNT = 3
#: Half of all damage is done to the first bytes: negotiation and first command.
_BEGINNING = 600
_MORE = bytes(5000)


def sends(peer: Peer) -> None:
    peer.negotiate()
    peer.hear()
    for number in range(_COUNT):
        peer.say(found(0xFF00), data_set(number))
    peer.say(found(0x0000))
    peer.pdu()
    peer.send(RELEASE_RP, bytes(4))


def gives(peer: Peer) -> None:
    peer.negotiate()
    peer.hear()
    for number in range(_COUNT):
        peer.store(number)
    peer.say(got(0x0000))
    peer.pdu()
    peer.send(RELEASE_RP, bytes(4))


def takes(peer: Peer) -> None:
    peer.negotiate()
    for _ in range(_COUNT):
        peer.say(response(peer.hear(), 0x0000))
    peer.pdu()
    peer.send(RELEASE_RP, bytes(4))


def query(archive: Archive) -> int:
    with open_queries(archive) as ask:
        return len(ask(identifier("IMAGE", StudyInstanceUID=STUDY)))


def retrieve(archive: Archive) -> dict[str, bytes]:
    kept: list[Kept] = []
    retrieve_instances(archive, STUDY, wanted(_COUNT), keeping(kept.append), level="STUDY")
    return {each.sop_instance_uid: each.data for each in kept}


def push(archive: Archive) -> None:
    with open_association(archive, [(CT, [LITTLE_ENDIAN])]) as association:
        for number in range(_COUNT):
            content, uid = data_set(number, _MORE), f"{STUDY}.2.{number}"
            association.store(association.context_for(CT), CT, uid, io.BytesIO(content), 0, len(content), number + 1)


def recorded(script: Callable[[Peer], None], call: Callable[[Archive], object]) -> tuple[Peer, object]:
    """What went over the wire, both ways, and what the call gave, while nothing was damaged."""
    peers = []

    def note(peer: Peer) -> None:
        peers.append(peer)
        script(peer)

    with scripted(note, PATIENT) as archive:
        result = call(archive)
    return peers[0], result


def mutants(stream: bytes) -> Iterator[tuple[bytes, bool]]:
    """Damaged streams, and whether each is the stream's beginning."""
    rng = random.Random(stream)
    for _ in range(MUTANTS):
        at = rng.randrange(rng.choice((len(stream), min(len(stream), _BEGINNING))))
        some = rng.choice((1, 2, 4, 6, 12, 100))
        yield from (
            (stream[:at], True),
            (stream[:at] + bytes((stream[at] ^ 1 << rng.randrange(8),)) + stream[at + 1 :], False),
            (stream[:at] + rng.randbytes(some) + stream[at + some :], False),
            (stream[:at] + rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff")) + stream[at + 4 :], False),
            (stream[:at] + stream[at + some :], False),
            (stream[: at + some] + stream[at:], False),
        )


@contextmanager
def replaying(damaged: list[bytes]) -> Iterator[Archive]:
    """An archive that says damaged[0] and hangs up."""

    def script(peer: Peer) -> None:
        peer.socket.recv(1 << 16)
        peer.socket.sendall(damaged[0])
        peer.socket.shutdown(socket.SHUT_WR)
        while peer.socket.recv(1 << 16):
            pass

    with scripted(script, HASTY) as archive:
        yield archive


def test_a_damaged_answer_to_a_query_is_an_error_or_the_whole_list() -> None:
    peer, count = recorded(sends, query)
    said = [b""]
    with replaying(said) as archive:
        for said[0], is_cut in mutants(bytes(peer.said)):
            with contextlib.suppress(DicomAssetsError):
                assert query(archive) == count or not is_cut
    assert count == _COUNT


def test_of_a_damaged_retrieval_only_whole_instances_are_kept() -> None:
    peer, whole = recorded(gives, retrieve)
    said = [b""]
    with replaying(said) as archive:
        for said[0], is_cut in mutants(bytes(peer.said)):
            with contextlib.suppress(DicomAssetsError):
                assert retrieve(archive).items() <= whole.items() or not is_cut
    assert len(whole) == _COUNT


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_of_what_is_pushed_in_a_damaged_stream_only_whole_instances_are_kept() -> None:
    peer, _ = recorded(takes, push)
    whole = {f"{STUDY}.2.{number}": data_set(number, _MORE) for number in range(_COUNT)}
    kept: list[Kept] = []
    port = free_port()
    archive = Archive("127.0.0.1", port, "RECEIVER", "DICOM_ASSETS", receiver_port=port, timeouts=PATIENT)
    intake = Intake(STUDY, None, keeping(kept.append), level="STUDY")
    with open_receiver(archive, intake, (), Patience(PATIENT)):
        for said, is_cut in mutants(bytes(peer.heard)):
            kept.clear()
            with socket.create_connection(("127.0.0.1", port)) as sender, contextlib.suppress(OSError):
                sender.settimeout(60)
                sender.sendall(said)
                sender.shutdown(socket.SHUT_WR)
                while sender.recv(1 << 16):
                    pass
            assert not is_cut or all(whole[each.sop_instance_uid] == each.data for each in kept)
        kept.clear()
        push(archive)
        assert {each.sop_instance_uid: each.data for each in kept} == whole
        echo(archive)
