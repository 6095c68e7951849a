"""Do we vouch for what peers have stored? Asked by our own SCU, by pynetdicom, by a real Orthanc, and by nonsense."""

import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, StorageCommitmentPushModel

from dicom_assets.errors import RetryLater
from dicom_assets.pacs import commitment_scp
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.commands import N_ACTION_RQ, NO_DATA_SET, Command, response
from dicom_assets.pacs.commitment import Commitment as Said
from dicom_assets.pacs.commitment import ask_for_commitment
from dicom_assets.pacs.commitment_scp import Commitment
from dicom_assets.pacs.contexts import UNCOMPRESSED
from dicom_assets.pacs.datasets import decoded, encoded
from dicom_assets.pacs.doorkeeper import Rules
from dicom_assets.pacs.listener import Place
from dicom_assets.pacs.requestor import open_association
from dicom_assets.pacs.service import Service
from tests.pacs.peers import keeping
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.waiting import wait_for

CT, MR, MODEL = str(CTImageStorage), str(MRImageStorage), str(StorageCommitmentPushModel)
INSTANCE = f"{MODEL}.1"
#: Of the last one's class nothing is known any more.
HELD = {"2.25.1": CT, "2.25.2": CT, "2.25.3": ""}
_SECONDS = 60
#: SOPInstanceUID -> FailureReason, 0 where committed
Reasons = dict[str, int]
Held = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass
class Ours:
    """Our receiver. completed: what on_complete was told."""

    port: int
    completed: list[list[str]] = field(default_factory=list)

    def archive(self, calling_ae_title: str = "MODALITY") -> Archive:
        return Archive("127.0.0.1", self.port, "DICOM_ASSETS", calling_ae_title, receiver_port=free_port())

    def asked(
        self,
        data: Dataset | bytes,
        title: str = "MODALITY",
        *,
        waits: bool = True,
        context_of: str = MODEL,
        **changed: str | int,
    ) -> tuple[int, Reasons | None]:
        """The status of the answer and, where that is success and the report is waited for, what it says. changed:
        elements of the command."""
        with open_association(self.archive(title), [(MODEL, UNCOMPRESSED), (CT, UNCOMPRESSED)]) as association:
            context = association.context_for(context_of)
            content = data if isinstance(data, bytes) else encoded(data, context.transfer_syntax)
            command = {
                "RequestedSOPClassUID": MODEL,
                "RequestedSOPInstanceUID": INSTANCE,
                "CommandField": N_ACTION_RQ,
                "MessageID": 7,
                "CommandDataSetType": 1 if content else NO_DATA_SET,
                "ActionTypeID": 1,
            }
            association.send(context, Command(command | changed), content)
            _, answer = association.next_command()
            assert answer.number("MessageIDBeingRespondedTo") == 7
            if answer.status != 0x0000 or not waits:
                association.abort()
                return answer.status, None
            context, event = association.next_command()
            report = decoded(association.data(), context.transfer_syntax)
            association.send_command(context, response(event, 0x0000))
            return answer.status, reasons_in(event.number("EventTypeID"), report)


def reasons_in(kind: int, report: Dataset) -> Reasons:
    committed, failed = report.get("ReferencedSOPSequence", []), report.get("FailedSOPSequence", [])
    assert kind == (2 if failed else 1) and report.TransactionUID == "2.25.99"
    said = {item.ReferencedSOPInstanceUID: 0 for item in committed}
    return said | {item.ReferencedSOPInstanceUID: item.FailureReason for item in failed}


def _held(uids: Sequence[str]) -> Mapping[str, str]:
    return {uid: HELD[uid] for uid in uids if uid in HELD}


@contextlib.contextmanager
def vouching(held: Held = _held, peers: Mapping[str, Archive] | None = None, port: int = 0) -> Iterator[Ours]:
    ours = Ours(port or free_port())
    commitment = Commitment(held, lambda uids: ours.completed.append(list(uids)), peers)
    place = Place("127.0.0.1", ours.port, None, Timeouts(acse=30, stall=30))
    service = Service(place, Rules(20, 20), keeping(), commitment)
    try:
        yield ours
    finally:
        service.close(0)


def references(*pairs: tuple[str, str], transaction: str = "2.25.99") -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for sop_class, uid in pairs:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        asked.ReferencedSOPSequence.append(item)
    return asked


def test_our_own_scu_is_told_what_is_held_and_what_is_not() -> None:
    with vouching() as ours:
        asked = [(CT, uid) for uid in (*HELD, "2.25.9")]
        said = ask_for_commitment(ours.archive(), asked)
        assert said == Said(True, frozenset(HELD), frozenset({"2.25.9"}))
        assert ours.completed == []


def test_who_names_only_what_is_held_has_said_that_this_is_all() -> None:
    with vouching() as ours:
        said = ask_for_commitment(ours.archive(), [(CT, uid) for uid in HELD])
        assert said == Said(True, frozenset(HELD), frozenset())
        assert ours.completed == [list(HELD)]


def test_a_report_says_why() -> None:
    with vouching() as ours:
        asked = references((CT, "2.25.1"), (MR, "2.25.2"), (MR, "2.25.3"), (CT, "2.25.9"))
        assert ours.asked(asked) == (0x0000, {"2.25.1": 0, "2.25.2": 0x0119, "2.25.3": 0, "2.25.9": 0x0112})


def test_where_nobody_can_look_everything_has_failed() -> None:
    def held(_uids: Sequence[str]) -> Mapping[str, str]:
        raise RetryLater("FILE_OPERATION_FAILED")

    with vouching(held) as ours:
        assert ours.asked(references((CT, "2.25.1"))) == (0x0000, {"2.25.1": 0x0110})
        assert ours.completed == []


def _without_transaction() -> Dataset:
    asked = references((CT, "2.25.1"))
    del asked.TransactionUID
    return asked


#: Of undefined length: they go deeper and deeper
_SEQUENCE, _ITEM = b"\x08\0\x99\x11SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\0\xe0\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("asked", "changed", "status"),
    [
        (references((CT, "2.25.1")), {"ActionTypeID": 2}, 0x0123),
        (references((CT, "2.25.1")), {"RequestedSOPInstanceUID": "2.25.5"}, 0x0112),
        (references((CT, "2.25.1")), {"RequestedSOPClassUID": CT}, 0x0118),
        (references((CT, "2.25.1")), {"context_of": CT}, 0x0118),
        (references(), {}, 0x0115),
        (references((CT, "")), {}, 0x0115),
        (references((CT, "2.25.1"), transaction=""), {}, 0x0115),
        (_without_transaction(), {}, 0x0115),
        (b"", {}, 0x0115),
        (b"nonsense", {}, 0x0115),
        ((_SEQUENCE + _ITEM) * 5000, {}, 0x0115),
        (bytes(3 << 20), {}, 0x0213),
    ],
)
def test_what_cannot_be_a_request_is_answered(asked: Dataset | bytes, changed: dict, status: int) -> None:
    with vouching() as ours:
        assert ours.asked(asked, **changed) == (status, None)
        assert ours.asked(references((CT, "2.25.1"))) == (0x0000, {"2.25.1": 0})


class Reports:
    """Those that a pynetdicom peer takes. answers: parts of its own that it has sent since the first."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, Dataset]] = []
        self.answers = 0

    def handlers(self) -> list[tuple]:
        return [(evt.EVT_N_EVENT_REPORT, self._take), (evt.EVT_PDU_SENT, self._count)]

    def reasons(self) -> Reasons:
        ((kind, report),) = self.taken
        return reasons_in(kind, report)

    def _take(self, event: evt.Event) -> tuple[int, None]:
        self.taken.append((event.event_type, event.event_information))
        return 0x0000, None

    def _count(self, event: evt.Event) -> None:
        self.answers += bool(self.taken) and isinstance(event.pdu, P_DATA_TF)


def test_pynetdicom_is_told() -> None:
    reports, ae = Reports(), AE("MODALITY")
    ae.add_requested_context(StorageCommitmentPushModel)
    action = N_ACTION()
    action.MessageID, action.ActionTypeID = 7, 1
    action.RequestedSOPClassUID, action.RequestedSOPInstanceUID = MODEL, INSTANCE
    action.ActionInformation = BytesIO(encoded(references((CT, "2.25.1"), (CT, "2.25.9")), UNCOMPRESSED[1]))
    with vouching() as ours:
        association = ae.associate("127.0.0.1", ours.port, evt_handlers=reports.handlers())
        # Without waiting for the answer, which its two threads now and then take from each other.
        association.dimse.send_msg(action, association.accepted_contexts[0].context_id)
        wait_for(lambda: reports.answers, _SECONDS)
        association.release()
    assert reports.reasons() == {"2.25.1": 0, "2.25.9": 0x0112}


def test_a_peer_that_leaves_before_the_report_harms_nobody() -> None:
    search_ends = threading.Event()

    def held(uids: Sequence[str]) -> Mapping[str, str]:
        assert search_ends.wait(_SECONDS)
        return _held(uids)

    with vouching(held) as ours:
        assert ours.asked(references((CT, "2.25.1")), waits=False) == (0x0000, None)
        search_ends.set()
        assert ours.asked(references((CT, "2.25.1"))) == (0x0000, {"2.25.1": 0})


@contextlib.contextmanager
def listening(reports: Reports, port: int, *, answers_roles: bool = True) -> Iterator[None]:
    """A peer that takes reports over associations of ours only."""
    ae = AE("MODALITY")
    roles = {"scu_role": True, "scp_role": True} if answers_roles else {}
    ae.add_supported_context(StorageCommitmentPushModel, **roles)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=reports.handlers())
    try:
        yield
    finally:
        server.shutdown()


def at(port: int) -> dict[str, Archive]:
    return {"MODALITY": Archive("127.0.0.1", port, "MODALITY", "DICOM_ASSETS")}


@pytest.mark.parametrize("answers_roles", [True, False])
def test_a_peer_of_known_address_is_told_over_an_association_of_ours(answers_roles: bool) -> None:
    reports, port = Reports(), free_port()
    with listening(reports, port, answers_roles=answers_roles), vouching(peers=at(port)) as ours:
        assert ours.asked(references((CT, "2.25.1")), waits=False) == (0x0000, None)
        wait_for(lambda: reports.answers, _SECONDS)
        assert reports.reasons() == {"2.25.1": 0}
        assert ours.asked(references((CT, "2.25.2")), "ANOTHER") == (0x0000, {"2.25.2": 0})


def test_a_peer_that_is_away_is_told_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment_scp, "_ATTEMPTS", (0.0, *[0.2] * 300))
    reports, port = Reports(), free_port()
    with vouching(peers=at(port)) as ours:
        ours.asked(references((CT, "2.25.1")), waits=False)
        wait_for(lambda: ours.completed, _SECONDS)
        with listening(reports, port):
            wait_for(lambda: reports.answers, _SECONDS)
    assert reports.reasons() == {"2.25.1": 0}


def test_more_reports_than_may_be_on_their_way_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment_scp, "_REPORTS", 1)
    search_ends = threading.Event()

    def held(uids: Sequence[str]) -> Mapping[str, str]:
        assert search_ends.wait(_SECONDS)
        return _held(uids)

    reports, port = Reports(), free_port()
    with listening(reports, port), vouching(held, at(port)) as ours:
        statuses = [ours.asked(references((CT, "2.25.1")), waits=False)[0] for _ in range(2)]
        assert statuses == [0x0000, 0x0213]
        search_ends.set()
        wait_for(lambda: reports.answers, _SECONDS)


@needs("Orthanc")
def test_a_real_orthanc_is_told(tmp_path: Path) -> None:
    """It takes reports over associations of ours only."""
    with running_orthanc(tmp_path) as orthanc:
        peer = Archive("127.0.0.1", orthanc.dicom_port, orthanc.ae_title, "DICOM_ASSETS")
        with vouching(peers={orthanc.ae_title: peer}, port=orthanc.receiver_port):
            assert _said_to(orthanc, ["2.25.1", "2.25.2"]) == ("Success", set())
            assert _said_to(orthanc, ["2.25.1", "2.25.9"]) == ("Failure", {"2.25.9"})


def _said_to(orthanc: Orthanc, uids: list[str]) -> tuple[str, set[str]]:
    """Status, and which have failed."""
    body = {"DicomInstances": [{"SOPClassUID": CT, "SOPInstanceUID": uid} for uid in uids], "Timeout": 30}
    url = f"http://127.0.0.1:{orthanc.http_port}/modalities/ours/storage-commitment"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=_SECONDS) as answer:
        path = json.loads(answer.read())["Path"].lstrip("/")
    wait_for(lambda: json.loads(orthanc.rest(path))["Status"] != "Pending", _SECONDS)
    said = json.loads(orthanc.rest(path))
    return said["Status"], {one["SOPInstanceUID"] for one in said.get("Failures", [])}
