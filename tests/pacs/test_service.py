"""What our Storage SCP answers, and when."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dicom_assets.errors import BadInput, DicomAssetsError, Refused, RetryLater
from dicom_assets.pacs.association import Association, Context
from dicom_assets.pacs.commands import C_FIND_RQ, N_ACTION_RQ, Command, cancel, encode, request, response
from dicom_assets.pacs.commitment_scp import COMMITMENT_MODEL
from dicom_assets.pacs.doorkeeper import Rules
from dicom_assets.pacs.intake import Arrival, Store
from dicom_assets.pacs.listener import Place
from dicom_assets.pacs.service import TIMEOUTS, Service
from dicom_assets.pacs.wire import ABORT, ASSOCIATE_AC, P_DATA
from tests.pacs.peers import Kept, keeping
from tests.support.ports import free_port
from tests.support.raw_peer import (
    CT,
    CT_CONTEXT,
    ECHO_CONTEXT,
    LITTLE_ENDIAN,
    RawPeer,
    asking,
    data_set,
    fragment,
    pdu,
    storing,
)

UID = "1.2.826.0.1.3680043.10.1337.79.1"
MANY = Rules(associations=100, associations_a_peer=100)


@contextmanager
def serving(store: Store, commitment: object = None) -> Iterator[tuple[int, Service]]:
    """Its port, and itself."""
    port = free_port()
    service = Service(Place("127.0.0.1", port, None, TIMEOUTS), MANY, store, commitment)
    try:
        yield port, service
    finally:
        service.close(0)


class Failing:
    """A store that raises an error at one step. ended: how its instance ended."""

    def __init__(self, error: DicomAssetsError, step: str) -> None:
        self.error, self.step, self.ended = error, step, ""

    def __call__(self, *_: str) -> "Failing":
        return self._step("begin")

    def write(self, _piece: memoryview) -> None:
        self._step("write")

    def keep(self) -> None:
        self.ended = "kept"
        self._step("keep")

    def discard(self) -> None:
        self.ended = "discarded"

    def _step(self, name: str) -> "Failing":
        if name == self.step:
            raise self.error
        return self


def test_what_is_pushed_comes_byte_for_byte_and_is_counted() -> None:
    kept: list[Kept] = []
    content = data_set(UID) + bytes(range(250)) * 2000
    with serving(keeping(kept.append)) as (port, service), RawPeer(port) as peer:
        assert peer.associated().status(storing(UID), content) == 0x0000
        assert peer.echo() == 0x0000
        assert service.tally.stored == 1
    assert [(each.sop_class_uid, each.sop_instance_uid, each.transfer_syntax_uid) for each in kept] == [
        (CT, UID, LITTLE_ENDIAN)
    ]
    assert kept[0].data == content


def test_success_is_said_after_the_instance_is_durable_and_not_before() -> None:
    reached, durable = threading.Event(), threading.Event()

    def slow_disk(_kept: Kept) -> None:
        reached.set()
        assert durable.wait(60)

    with serving(keeping(slow_disk)) as (port, _), RawPeer(port) as peer:
        peer.associated().say(storing(UID), data_set(UID))
        assert reached.wait(60)
        peer.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            peer.answer()
        durable.set()
        peer.socket.settimeout(30)
        assert peer.answer().status == 0x0000


@pytest.mark.parametrize("step", ["begin", "write", "keep"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RetryLater("DISK_FULL"), 0xA700),
        (BadInput("UID_MALFORMED"), 0x0117),
        (BadInput("INSTANCE_NOT_AS_ANNOUNCED"), 0xA900),
        (BadInput("INSTANCE_UNREADABLE"), 0xC000),
        (BadInput("INSTANCE_WITHOUT_STUDY"), 0xC000),
        (RetryLater("FILE_OPERATION_FAILED"), 0x0110),
        (BadInput("NO_PERMISSION"), 0x0110),
        (Refused("KEY_FILE_MISSING"), 0x0110),
    ],
)
def test_what_is_not_kept_is_answered_with_the_status_that_says_why(
    error: DicomAssetsError, status: int, step: str
) -> None:
    store = Failing(error, step)
    with serving(store) as (port, service), RawPeer(port) as peer:
        peer.associated().say(storing(UID), data_set(UID) + bytes(300_000))
        answer = peer.answer()
        assert (answer.status, answer.text("ErrorComment")) == (status, error.code)
        store.step = ""
        assert peer.status(storing(UID), data_set(UID)) == 0x0000  # on the same association
        assert (service.tally.stored, service.tally.refused) == (1, {error.code: 1})


def test_an_instance_of_another_class_than_that_of_its_context_is_refused() -> None:
    kept: list[Kept] = []
    mr = "1.2.840.10008.5.1.4.1.1.4"
    with serving(keeping(kept.append)) as (port, _), RawPeer(port) as peer:
        assert peer.associated().status(storing(UID, sop_class=mr), data_set(UID, sop_class=mr)) == 0x0122
        assert peer.echo() == 0x0000
    assert kept == []


@pytest.mark.parametrize("written", [0, 200_000])
def test_an_instance_that_breaks_off_leaves_nothing(written: int) -> None:
    store = Failing(BadInput("UNREADABLE_FILE"), "")
    gone = threading.Event()
    store.discard = gone.set
    with serving(store) as (port, service):
        with RawPeer(port) as peer:
            peer.associated()
            command = fragment(CT_CONTEXT, 3, encode(storing(UID)))
            peer.socket.sendall(pdu(P_DATA, command + fragment(CT_CONTEXT, 0, bytes(written))))
        assert gone.wait(60)
        assert (service.tally.stored, store.ended) == (0, "")


def test_other_services_are_answered_with_unrecognized_operation() -> None:
    with serving(keeping()) as (port, _), RawPeer(port) as peer:
        peer.associated()
        for field in (C_FIND_RQ, N_ACTION_RQ, 0x0140):
            asked = request(field, 7, CT, has_data=True)
            assert peer.status(asked, bytes(50_000)) == 0x0211
        assert peer.status(request(0x0010, 8, CT, has_data=False)) == 0x0211
        assert peer.echo() == 0x0000


def test_what_asks_for_no_answer_gets_none() -> None:
    with serving(keeping()) as (port, _), RawPeer(port) as peer:
        peer.associated().say(cancel(1))
        peer.say(response(storing(UID), 0x0000))
        assert peer.echo() == 0x0000


def test_storage_commitment_is_offered_where_somebody_answers_it() -> None:
    class Answering:
        def handles(self, command: Command) -> bool:
            return command.field == N_ACTION_RQ

        def answer(self, association: Association, context: Context, command: Command) -> None:
            assert (association.peer, association.calling_ae_title) == ("127.0.0.1", "SENDER")
            assert association.data() == b"transaction."
            association.send_command(context, response(command, 0x0000))

    proposals = asking([(COMMITMENT_MODEL, [LITTLE_ENDIAN])])
    action = Command({"CommandField": N_ACTION_RQ, "MessageID": 5, "CommandDataSetType": 1})
    with serving(keeping(), Answering()) as (port, _), RawPeer(port) as peer:
        assert peer.associate(proposals)[0] == ASSOCIATE_AC
        assert peer.status(action, b"transaction.") == 0x0000
    with serving(keeping()) as (port, _), RawPeer(port) as peer:
        kind, body = peer.associate(proposals)
        assert (kind, result(body)) == (ASSOCIATE_AC, 3)


@pytest.mark.parametrize(
    ("sop_class", "syntax", "expected"),
    [
        (CT, LITTLE_ENDIAN, 0),
        ("1.2.840.10008.5.1.4.1.1.999.7", LITTLE_ENDIAN, 0),  # of a later edition
        (CT, "1.2.840.10008.1.2.4.203", 0),
        (CT, "1.2.840.10008.1.2.1.99", 4),  # deflated
        (CT, "1.2.840.10008.1.2.4.95", 4),  # JPIP referenced deflate
        (CT, "1.2.840.10008.1.2.8.1", 4),  # deflated image frame
        ("1.3.12.2.1107.5.9.1", LITTLE_ENDIAN, 3),  # private
        ("1.2.840.10008.5.1.4.1.2.2.1", LITTLE_ENDIAN, 3),  # a query model
        ("", LITTLE_ENDIAN, 3),
    ],
)
def test_which_contexts_are_accepted(sop_class: str, syntax: str, expected: int) -> None:
    with serving(keeping()) as (port, _), RawPeer(port) as peer:
        kind, body = peer.associate(asking([(sop_class, [syntax])]))
    assert (kind, result(body)) == (ASSOCIATE_AC, expected)


def result(body: bytes) -> int:
    """Of the first presentation context of an A-ASSOCIATE-AC (PS3.8 table 9-18)."""
    return body[body.index(b"\x21\x00", 68) + 6]


@pytest.mark.parametrize(
    "said",
    [
        pdu(P_DATA, b"", 0xFFFFFFFF),
        pdu(P_DATA, fragment(CT_CONTEXT, 3, b"x" * 40, length=400)),
        pdu(P_DATA, fragment(CT_CONTEXT, 3, b"x" * 40, length=0xFFFFFFFF)),
        pdu(P_DATA, fragment(CT_CONTEXT, 3, b"", length=1)),
        pdu(P_DATA, fragment(77, 3, encode(storing(UID)))),
        pdu(P_DATA, fragment(CT_CONTEXT, 2, b"data first")),
        pdu(P_DATA, fragment(CT_CONTEXT, 3, b"\0\0\0\0\xff\xff\xff\xff" + bytes(64))),
        pdu(P_DATA, fragment(CT_CONTEXT, 3, encode(storing(UID))) + fragment(ECHO_CONTEXT, 2, b"elsewhere")),
        b"".join(pdu(P_DATA, fragment(CT_CONTEXT, 1, bytes(60_000))) for _ in range(2)),
        pdu(0x05, b"", 0xFFFFFFFF),
        pdu(0x01, asking()),
        pdu(0x99, b""),
    ],
    ids=[
        "PDU of 4 GB",
        "fragment longer than its PDU",
        "fragment of 4 GB",
        "fragment shorter than its header",
        "context that was not accepted",
        "data set without a command",
        "command element of 4 GB",
        "data set in another context",
        "command of 120 kB",
        "release of 4 GB",
        "another request",
        "unknown PDU",
    ],
)
def test_who_breaks_the_protocol_is_cut_off_and_others_are_not(said: bytes) -> None:
    with serving(keeping()) as (port, service), RawPeer(port) as peer, RawPeer(port) as honest:
        honest.associated()
        peer.associated().socket.sendall(said)
        assert peer.until_the_end() in ([ABORT], [])  # what was not read may cost it the A-ABORT
        assert honest.status(storing(UID), data_set(UID)) == 0x0000
        assert service.tally.stored == 1


def test_at_the_end_an_instance_on_its_way_still_comes_in() -> None:
    kept: list[Kept] = []
    begun = threading.Event()
    content = data_set(UID) + bytes(1000)

    def store(*uids: str) -> Arrival:
        begun.set()
        return keeping(kept.append)(*uids)

    with serving(store) as (port, service), RawPeer(port) as idle, RawPeer(port) as busy:
        idle.associated()
        busy.associated()
        command = fragment(CT_CONTEXT, 3, encode(storing(UID)))
        busy.socket.sendall(pdu(P_DATA, command + fragment(CT_CONTEXT, 0, content[:100])))
        assert begun.wait(60)
        closing = threading.Thread(target=service.close, args=(60,))
        closing.start()
        try:
            assert idle.until_the_end() == [ABORT]
            busy.socket.sendall(pdu(P_DATA, fragment(CT_CONTEXT, 2, content[100:])))
            assert busy.answer().status == 0x0000
            assert busy.until_the_end() == [ABORT]
        finally:
            closing.join()
    assert kept[0].data == content
