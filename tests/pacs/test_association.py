"""The protocol, PDU by PDU: what must be understood is, what brings nothing has an end, and nothing is sent that a peer
cannot take."""

import io
import time
from collections.abc import Callable

import pytest

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.pacs import queries
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.commands import encode, response
from dicom_assets.pacs.contexts import GET_MODEL
from dicom_assets.pacs.queries import open_queries
from dicom_assets.pacs.query import identifier
from dicom_assets.pacs.requestor import open_association
from dicom_assets.pacs.retrieve import RetrieveReport, retrieve_instances
from dicom_assets.pacs.wire import ABORT, MAXIMUM_PDU_LENGTH, P_DATA, RELEASE_RP, RELEASE_RQ
from tests.pacs.conftest import HASTY, PATIENT
from tests.pacs.peers import LITTLE_ENDIAN, STUDY, Kept, keeping, wanted
from tests.pacs.scripted import CT, Peer, data_set, found, fragment, got, scripted, storing

#: Patient with silence, and not with what brings nothing.
BUSTLE = Timeouts(connect=5, acse=2, first_response=1.5, stall=1.5, no_progress=1.5)
#: Seconds for which a peer goes on that brings nothing; who waited for its end would hear that it hung up.
_LONG = 25


def retrieve(archive: Archive, count: int, kept: list[Kept]) -> RetrieveReport:
    return retrieve_instances(archive, STUDY, wanted(count), keeping(kept.append), level="STUDY")


def ask_twice(archive: Archive) -> list[int]:
    """How many answers came to each of two queries."""
    with open_queries(archive) as ask:
        return [len(ask(identifier("STUDY", StudyInstanceUID=STUDY))) for _ in range(2)]


def test_messages_come_in_whatever_fragments() -> None:
    statuses = []

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        context_id = peer.context(CT)
        for number in range(2):
            command, data = encode(storing(number)), data_set(number)
            singly = [fragment(context_id, 1, command[at : at + 1]) for at in range(len(command))]
            in_threes = [fragment(context_id, 0, data[at : at + 3]) for at in range(0, len(data), 3)]
            peer.send(P_DATA, b"")
            peer.send(P_DATA, b"".join((*singly, fragment(context_id, 3, b""), *in_threes[:5])))
            peer.send(P_DATA, b"".join((*in_threes[5:], fragment(context_id, 2, b""))))
            statuses.append(peer.hear().status)
        # two messages and the final response in one PDU
        more = [
            fragment(context_id, 3, encode(storing(number))) + fragment(context_id, 2, data_set(number))
            for number in (2, 3)
        ]
        peer.send(P_DATA, b"".join(more) + fragment(peer.context(GET_MODEL), 3, encode(got(0x0000))))
        statuses.extend(peer.hear().status for _ in range(2))
        peer.pdu()

    kept: list[Kept] = []
    with scripted(script, PATIENT) as archive:
        report = retrieve(archive, 4, kept)
    assert (report.instances, report.reason, statuses) == (4, "", [0, 0, 0, 0])
    assert [each.data for each in kept] == [data_set(number) for number in range(4)]


def _pending(peer: Peer) -> None:
    peer.say(got(0xFF00, NumberOfRemainingSuboperations=2))


def _empty_fragments(peer: Peer) -> None:
    peer.send(P_DATA, fragment(peer.context(CT), 0, b"") * 100)


@pytest.mark.parametrize("nothing", [_pending, _empty_fragments])
def test_what_brings_nothing_has_an_end(nothing: Callable[[Peer], None]) -> None:
    """However many bytes it is; the archive hangs up long after."""

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.store(0)
        if nothing is _empty_fragments:
            peer.send(P_DATA, fragment(peer.context(CT), 3, encode(storing(1))))
        end = time.monotonic() + _LONG
        while time.monotonic() < end:
            nothing(peer)
            time.sleep(0.01)

    kept: list[Kept] = []
    with scripted(script, BUSTLE) as archive:
        report = retrieve(archive, 2, kept)
    assert (report.instances, report.reason) == (1, "PACS_STALLED")


def test_a_command_of_endless_empty_fragments_is_no_command() -> None:
    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        while True:
            peer.send(P_DATA, fragment(peer.context(CT), 1, b"") * 1000)

    with scripted(script, PATIENT) as archive:
        report = retrieve(archive, 1, [])
    assert (report.instances, report.reason) == (0, "PACS_UNREADABLE_ANSWER")


def test_a_release_is_not_awaited_while_the_archive_talks_on() -> None:
    ended = []

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.store(0)
        peer.say(got(0x0000))
        assert peer.pdu()[0] == RELEASE_RQ
        end = time.monotonic() + _LONG
        try:
            while time.monotonic() < end:
                peer.send(P_DATA, fragment(peer.context(CT), 0, bytes(8000)))
                time.sleep(0.01)
        except OSError:
            ended.append("by us")

    with scripted(script, BUSTLE) as archive:
        report = retrieve(archive, 1, [])
    assert (report.instances, report.reason, ended) == (1, "", ["by us"])


@pytest.mark.parametrize("both_release", [True, False])
def test_releases_that_collide_and_an_abort_instead_of_one(both_release: bool) -> None:
    heard = []

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.store(0)
        peer.say(got(0x0000))
        heard.append(peer.pdu()[0])
        if both_release:
            peer.send(RELEASE_RQ, bytes(4))
            heard.append(peer.pdu()[0])
            peer.send(RELEASE_RP, bytes(4))
        else:
            peer.send(ABORT, bytes(4))
        heard.append(peer.socket.recv(1))

    with scripted(script, PATIENT) as archive:
        report = retrieve(archive, 1, [])
    assert (report.instances, report.reason) == (1, "")
    assert heard == ([RELEASE_RQ, RELEASE_RP, b""] if both_release else [RELEASE_RQ, b""])


@pytest.mark.parametrize("maximum", [0, 8, 64, 65, 4097, 0x7FFFFFFF, 0xFFFFFFFF])
def test_no_pdu_is_larger_than_the_peer_takes_nor_of_odd_length(maximum: int) -> None:
    """Some peers say that they take 4 GB; nothing is read for that in one piece."""
    sizes, size = [], 2_000 if maximum == 8 else 300_000

    def script(peer: Peer) -> None:
        peer.negotiate(maximum)
        peer.say(response(peer.hear(), 0x0000))
        sizes.extend(peer.sizes)
        peer.pdu()

    with scripted(script, PATIENT) as archive, open_association(archive, [(CT, [LITTLE_ENDIAN])]) as association:
        context = association.context_for(CT)
        assert association.store(context, CT, "1.2.3", io.BytesIO(bytes(size)), 0, size).status == 0x0000
    assert max(sizes) <= min(maximum or MAXIMUM_PDU_LENGTH, MAXIMUM_PDU_LENGTH)
    assert all(each % 2 == 0 for each in sizes)


@pytest.mark.parametrize("then", ["abort", "silence", "go on"])
def test_a_query_that_was_cancelled_is_capped_however_the_archive_takes_it(
    then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_MOST_STUDIES", 10)
    monkeypatch.setattr(queries, "_CANCEL_SECONDS", 0.2)

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        for _ in range(11):
            peer.say(found(0xFF00), data_set(0))
        peer.hear()
        if then == "abort":
            peer.send(ABORT, bytes(4))
        while then == "go on":
            peer.say(found(0xFF00), data_set(0))
        peer.pdu()

    with scripted(script, HASTY) as archive, pytest.raises(BadInput, match="PACS_QUERY_CAPPED"):
        ask_twice(archive)


def test_late_answers_to_an_earlier_query_are_dropped() -> None:
    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.say(found(0xFF00), data_set(0))
        peer.say(found(0x0000))
        peer.say(found(0xFF00), data_set(1))
        peer.hear()
        peer.say(found(0x0000))
        peer.say(found(0xFF00, 2), data_set(2))
        peer.say(found(0xFF00, 2), data_set(3))
        peer.say(found(0x0000, 2))
        peer.pdu()

    with scripted(script, PATIENT) as archive:
        assert ask_twice(archive) == [1, 2]


def test_an_answer_to_what_was_never_asked_ends_the_query() -> None:
    """Dropped, it would make a short list."""

    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.say(found(0xFF00), data_set(0))
        peer.say(found(0xFF00, 7), data_set(1))
        peer.say(found(0x0000))
        peer.pdu()

    with scripted(script, PATIENT) as archive, pytest.raises(RetryLater, match="PACS_UNREADABLE_ANSWER"):
        ask_twice(archive)


def test_queries_go_on_over_a_new_association_where_the_archive_releases_each() -> None:
    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.say(found(0xFF00), data_set(0))
        peer.say(found(0x0000))
        peer.send(RELEASE_RQ, bytes(4))
        peer.pdu()

    with scripted(script, PATIENT) as archive:
        assert ask_twice(archive) == [1, 1]


def test_data_that_no_command_announced_end_the_association() -> None:
    def script(peer: Peer) -> None:
        peer.negotiate()
        peer.hear()
        peer.send(P_DATA, fragment(peer.context(CT), 2, data_set(0)))
        peer.pdu()

    with scripted(script, PATIENT) as archive:
        report = retrieve(archive, 1, [])
    assert (report.instances, report.reason) == (0, "PACS_UNREADABLE_ANSWER")
