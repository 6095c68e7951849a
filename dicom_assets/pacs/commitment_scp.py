"""Storage commitment, push model, as SCP (PS3.4 annex J): do we vouch for what a peer has stored with us?

The report follows the response over the same association, or goes over one of our own to peers whose address is known:
many devices take it only that way. Nothing is remembered: a peer that gets no report asks again.
"""

import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..errors import DicomAssetsError
from .answers import text
from .archive import Archive
from .association import Association, Context
from .commands import N_ACTION_RQ, N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP, Command, response
from .contexts import UNCOMPRESSED
from .datasets import decoded, encoded
from .requestor import open_association

COMMITMENT_MODEL = "1.2.840.10008.1.20.1"
_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2

# PS3.7 10.1.4.1.10: status of the response
_SUCCESS, _NO_SUCH_ACTION, _NO_SUCH_CLASS, _NO_SUCH_INSTANCE = 0x0000, 0x0123, 0x0118, 0x0112
_INVALID_ARGUMENT, _RESOURCE_LIMITATION = 0x0115, 0x0213
# PS3.3 C.14.1.1: reasons in the report
_PROCESSING_FAILURE, _NO_SUCH_OBJECT, _CLASS_INSTANCE_CONFLICT = 0x0110, 0x0112, 0x0119

#: Bytes of a request, which then names some 15,000 instances
_LARGEST_REQUEST = 2 << 20
#: Reports on their way to peers at a time, and seconds before each attempt at one
_REPORTS, _ATTEMPTS = 16, (0.0, 5.0, 30.0)
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class _Transaction:
    """references: SOPClassUID, SOPInstanceUID."""

    uid: str
    references: tuple[tuple[str, str], ...]


class Commitment:
    """held: the SOPClassUIDs, empty where unknown, of those of these SOPInstanceUIDs that are durable with us; may
    raise DicomAssetsError. on_complete: told the SOPInstanceUIDs of a transaction all of which are. peers: by AE title,
    to whom reports go over an association of our own. Threads may share it."""

    def __init__(
        self,
        held: Callable[[Sequence[str]], Mapping[str, str]],
        on_complete: Callable[[Sequence[str]], object] = lambda _uids: None,
        peers: Mapping[str, Archive] | None = None,
    ) -> None:
        self._held, self._on_complete, self._peers = held, on_complete, peers or {}
        # One at a time, whoever asks: a large request takes memory, a search takes the disk.
        self._reading, self._searching = threading.Lock(), threading.Lock()
        self._reports = threading.BoundedSemaphore(_REPORTS)

    def handles(self, command: Command) -> bool:
        """It asks for commitment, or takes note of our report."""
        return command.field in (N_ACTION_RQ, N_EVENT_REPORT_RSP)

    def answer(self, association: Association, context: Context, command: Command) -> None:
        """The rest of a message whose command has been read, and what follows from it."""
        data = _read(association) if command.has_data else b""
        if command.field == N_EVENT_REPORT_RSP:
            return
        peer = self._peers.get(association.calling_ae_title)
        with self._reading:
            status, transaction = _understood(context, command, data)
        if peer is not None and transaction is not None and not self._reports.acquire(blocking=False):
            status, transaction = _RESOURCE_LIMITATION, None
        association.send(context, _response(command, status))
        if transaction is None:
            return
        if peer is None:
            event, report = self._report(transaction)
            association.send(context, event, encoded(report, context.transfer_syntax))
        else:
            threading.Thread(target=self._report_to, args=(peer, transaction), name="reporting", daemon=True).start()

    def _report(self, transaction: _Transaction) -> tuple[Command, Dataset]:
        uids = [uid for _, uid in transaction.references]
        with self._searching:
            try:
                held = self._held(uids)
                reasons = [_why_failed(reference, held) for reference in transaction.references]
            except DicomAssetsError:
                reasons = [_PROCESSING_FAILURE] * len(uids)
            if not any(reasons):
                with suppress(DicomAssetsError):
                    self._on_complete(uids)
        return _event(_SOME_FAILED if any(reasons) else _ALL_COMMITTED), _content(transaction, reasons)

    def _report_to(self, peer: Archive, transaction: _Transaction) -> None:
        try:
            event, report = self._report(transaction)
            for seconds in _ATTEMPTS:
                time.sleep(seconds)
                with suppress(DicomAssetsError):
                    _tell(peer, event, report)
                    return
        finally:
            self._reports.release()


def _read(association: Association) -> bytes:
    """The message's data set; empty where it is larger than we take."""
    pieces: list[bytes] = []
    size = 0

    def keep(piece: memoryview) -> None:
        nonlocal size
        size += len(piece)
        if size <= _LARGEST_REQUEST:
            pieces.append(bytes(piece))
        else:
            pieces.clear()

    association.stream(keep)
    return b"".join(pieces)


def _understood(context: Context, command: Command, data: bytes) -> tuple[int, _Transaction | None]:
    """Status, and what is asked for where that is success."""
    if context.abstract_syntax != COMMITMENT_MODEL or command.text("RequestedSOPClassUID") != COMMITMENT_MODEL:
        return _NO_SUCH_CLASS, None
    if command.text("RequestedSOPInstanceUID") != _INSTANCE:
        return _NO_SUCH_INSTANCE, None
    if command.number("ActionTypeID") != _REQUEST_COMMITMENT:
        return _NO_SUCH_ACTION, None
    if command.has_data and not data:
        return _RESOURCE_LIMITATION, None
    try:
        asked = decoded(data, context.transfer_syntax)
        transaction = _Transaction(text(asked, "TransactionUID") or "", _references(asked))
    except DicomAssetsError:
        return _INVALID_ARGUMENT, None
    uids = (transaction.uid, *(uid for reference in transaction.references for uid in reference))
    if not transaction.references or not all(map(_UID.fullmatch, uids)):
        return _INVALID_ARGUMENT, None
    return _SUCCESS, transaction


def _references(asked: Dataset) -> tuple[tuple[str, str], ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(
                (text(item, "ReferencedSOPClassUID") or "", text(item, "ReferencedSOPInstanceUID") or "")
                for item in asked.get("ReferencedSOPSequence") or ()
            )
        except DicomAssetsError:
            raise
        except Exception:
            # pydicom reads a sequence when it is asked for, and gives up in many ways.
            return ()


def _why_failed(reference: tuple[str, str], held: Mapping[str, str]) -> int:
    """A reason, or 0."""
    sop_class_uid, sop_instance_uid = reference
    if sop_instance_uid not in held:
        return _NO_SUCH_OBJECT
    return 0 if held[sop_instance_uid] in ("", sop_class_uid) else _CLASS_INSTANCE_CONFLICT


def _content(transaction: _Transaction, reasons: Sequence[int]) -> Dataset:
    """PS3.4 table J.3-2."""
    report, committed, failed = Dataset(), [], []
    report.TransactionUID = transaction.uid
    for (sop_class_uid, sop_instance_uid), reason in zip(transaction.references, reasons, strict=True):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        if reason:
            item.FailureReason = reason
        (failed if reason else committed).append(item)
    if committed:
        report.ReferencedSOPSequence = committed
    if failed:
        report.FailedSOPSequence = failed
    return report


def _response(to: Command, status: int) -> Command:
    names = {"AffectedSOPClassUID": COMMITMENT_MODEL, "AffectedSOPInstanceUID": _INSTANCE}
    return response(to, status, ActionTypeID=to.number("ActionTypeID") or 0, **names)


def _event(kind: int) -> Command:
    return Command(
        {
            "AffectedSOPClassUID": COMMITMENT_MODEL,
            "AffectedSOPInstanceUID": _INSTANCE,
            "CommandField": N_EVENT_REPORT_RQ,
            "MessageID": 1,
            "CommandDataSetType": 1,
            "EventTypeID": kind,
        }
    )


def _tell(peer: Archive, event: Command, report: Dataset) -> None:
    """Over an association of our own, in which we are SCP (PS3.4 J.3.1). Raises DicomAssetsError."""
    with open_association(peer, [(COMMITMENT_MODEL, UNCOMPRESSED)], [COMMITMENT_MODEL]) as association:
        context = next(iter(association.contexts.values()))
        with association.patience.answering():
            association.send(context, event, encoded(report, context.transfer_syntax))
            while True:
                _, command = association.next_command()
                if command.has_data:
                    association.data()
                if command.field == N_EVENT_REPORT_RSP:
                    return
