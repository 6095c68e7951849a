"""A place to send to: a real Storage SCP on loopback, that may also list, vouch, refuse and hang up."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseServer

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
)
from pynetdicom.transport import ThreadedAssociationServer

from dicom_assets.demo.associations import MENDED
from dicom_assets.pacs.archive import Archive, Timeouts
from tests.support.ports import free_port

EXPLICIT_LITTLE, JPEG_BASELINE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
_SUCCESS, _PENDING = 0x0000, 0xFF00
_COMMITTED, _SOME_FAILED = 1, 2
_INSTANCE = "1.2.840.10008.1.20.1.1"

#: What a destination does with one instance, by its UID: a status, or None to hang up instead of an answer.
Answers = Callable[[str], int | None]


@dataclass
class Destination:
    """held: SOPInstanceUID -> data set as it came. seen: the UIDs of all requests to store, in order. classes,
    syntaxes: what is accepted. lists: C-FIND is offered. vouches: storage commitment is offered; what it does not hold
    has failed. forgets: what it acknowledges and does not keep."""

    answers: Answers = lambda _uid: _SUCCESS
    classes: Sequence[str] = (CTImageStorage, MRImageStorage)
    syntaxes: Sequence[str] = (EXPLICIT_LITTLE,)
    lists: bool = False
    vouches: bool = False
    forgets: set[str] = field(default_factory=set)
    held: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    associations: int = 0
    asked_to_vouch: list[str] = field(default_factory=list)
    port: int = 0

    def archive(self) -> Archive:
        timeouts = Timeouts(connect=5, acse=5, first_response=20, stall=20)
        names = ("127.0.0.1", self.port, "ELSEWHERE", "DICOM_ASSETS")
        return Archive(*names, receiver_port=free_port(), timeouts=timeouts)

    @contextmanager
    def running(self) -> Iterator["Destination"]:
        ae = AE("ELSEWHERE")
        ae.require_called_aet = True
        for sop_class in self.classes:
            ae.add_supported_context(sop_class, list(self.syntaxes))
        if self.lists:
            ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        if self.vouches:
            ae.add_supported_context(StorageCommitmentPushModel)
        handlers = [
            MENDED,
            (evt.EVT_ACCEPTED, self._count),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_N_ACTION, self._vouch),
        ]
        server = ae.make_server(("127.0.0.1", self.port), evt_handlers=handlers, server_class=ThreadedAssociationServer)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.port = server.socket.getsockname()[1]
        try:
            yield self
        finally:
            BaseServer.shutdown(server)
            server.server_close()
            thread.join()
            for association in server.active_associations:
                association.abort()

    def _count(self, _event: evt.Event) -> None:
        self.associations += 1

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.seen.append(uid)
        status = self.answers(uid)
        if status is None:
            event.assoc.abort()
            return 0xC000
        if uid not in self.forgets and (status == _SUCCESS or status >> 12 == 0xB):
            self.held[uid] = event.request.DataSet.getvalue()
        return status

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        """Lists all that it holds, whatever was asked: an archive that ignores the other keys."""
        for uid in list(self.held):
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.SOPInstanceUID = "IMAGE", uid
            yield _PENDING, answer

    def _vouch(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        report.ReferencedSOPSequence, report.FailedSOPSequence = [], []
        for item in asked.ReferencedSOPSequence:
            self.asked_to_vouch.append(str(item.ReferencedSOPInstanceUID))
            if item.ReferencedSOPInstanceUID in self.held:
                report.ReferencedSOPSequence.append(item)
            else:
                item.FailureReason = 0x0112  # no such object instance
                report.FailedSOPSequence.append(item)
        kind = _SOME_FAILED if report.FailedSOPSequence else _COMMITTED
        if not report.FailedSOPSequence:
            del report.FailedSOPSequence
        self.report(event, report, kind)
        return _SUCCESS, None

    def report(self, event: evt.Event, report: Dataset, kind: int) -> None:
        """Over the same association, once the request is answered."""
        arguments = (report, kind, StorageCommitmentPushModel, _INSTANCE)
        threading.Timer(0.05, event.assoc.send_n_event_report, arguments).start()
