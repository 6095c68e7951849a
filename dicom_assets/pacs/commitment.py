"""Storage commitment, push model, as SCU (PS3.4 annex J): does the destination vouch for what it stored?

Reports are taken over the association of the request, and while that lasts and a little longer over one that the
destination opens to our receiver's port, if that is free. What comes later finds nobody: the next delivery asks again.
"""

import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from ..errors import BadInput, DicomAssetsError, RetryLater
from .answers import text
from .archive import Archive
from .association import Association, Context
from .commands import N_ACTION_RQ, N_EVENT_REPORT_RQ, Command, response
from .contexts import UNCOMPRESSED, VERIFICATION
from .datasets import decoded, encoded
from .patience import Patience
from .receive import Receiver
from .requestor import open_association

_MODEL, _INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2
#: References in one transaction: some 100 kB.
_REFERENCES = 1000
#: Seconds that a report may take over the association of the request, and after that over one of the destination's own.
_REPORT_SECONDS, _AFTERWARDS_SECONDS = 5.0, 5.0


@dataclass(frozen=True)
class Commitment:
    """SOPInstanceUIDs that the destination vouches for, and those that it says it does not hold. offered: it has the
    service. Of what is in neither it has said nothing."""

    offered: bool
    committed: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


def ask_for_commitment(destination: Archive, instances: Sequence[tuple[str, str]]) -> Commitment:
    """instances: (SOPClassUID, SOPInstanceUID) of what the destination has stored. Raises as open_association."""
    committed: set[str] = set()
    failed: set[str] = set()
    try:
        for start in range(0, len(instances), _REFERENCES):
            part = instances[start : start + _REFERENCES]
            asked = {uid for _, uid in part}
            report = _ask(destination, part)
            committed |= report.committed & asked
            failed |= report.failed & asked
    except BadInput as error:
        if error.code != "PACS_NO_COMMON_CONTEXT":
            raise
        return Commitment(offered=False)
    return Commitment(True, frozenset(committed), frozenset(failed))


class _Transaction:
    """One request and its report, by whatever association that comes."""

    def __init__(self) -> None:
        self.uid = f"2.25.{uuid.uuid4().int}"
        self.reported = threading.Event()
        self.report = Commitment(offered=True)

    def take(self, association: Association, context: Context, command: Command, data: bytes) -> None:
        """Answer an N-EVENT-REPORT and keep it, if it is ours. What it names twice, as held and as failed, has
        failed."""
        kind = command.number("EventTypeID") or 0
        association.send(context, response(command, 0x0000, EventTypeID=kind))
        report = decoded(data, context.transfer_syntax)
        if text(report, "TransactionUID") == self.uid and kind in (_ALL_COMMITTED, _SOME_FAILED):
            failed = _named(report, "FailedSOPSequence")
            self.report = Commitment(True, _named(report, "ReferencedSOPSequence") - failed, failed)
            self.reported.set()


@contextmanager
def _listening(destination: Archive, patience: Patience, transaction: _Transaction) -> Iterator[bool]:
    """False where the port is in use, or TLS has no certificate of ours."""

    def answer(association: Association, context: Context, command: Command) -> None:
        data = association.data() if command.has_data else b""
        if command.field == N_EVENT_REPORT_RQ:
            transaction.take(association, context, command, data)
            patience.stop = transaction.reported.is_set()
        else:
            association.send(context, response(command, 0x0000))

    try:
        receiver = Receiver(destination, answer, frozenset((_MODEL, VERIFICATION)), patience)
    except DicomAssetsError:
        yield False
        return
    try:
        yield True
    finally:
        receiver.close()


def _ask(destination: Archive, instances: Sequence[tuple[str, str]]) -> Commitment:
    """One transaction."""
    timeouts = destination.timeouts
    patience = Patience(replace(timeouts, stall=min(timeouts.stall, _REPORT_SECONDS)))
    transaction = _Transaction()
    with ExitStack() as afterwards:
        with open_association(destination, [(_MODEL, UNCOMPRESSED)], patience=patience) as association:
            listens = afterwards.enter_context(_listening(destination, patience, transaction))
            try:
                with patience.answering():
                    taken = _request(association, instances, transaction)
            except RetryLater:
                taken = True  # or so we hope: the report has come by the other way, or is late
            patience.stop = False
        if taken and listens:
            transaction.reported.wait(_AFTERWARDS_SECONDS)
    return transaction.report


def _request(association: Association, instances: Sequence[tuple[str, str]], transaction: _Transaction) -> bool:
    """N-ACTION, its response, and the report, which may come before that. False where the request is refused. Raises
    RetryLater where the report does not come over this association."""
    context, message_id = association.context_for(_MODEL), 1
    references = encoded(_references(transaction.uid, instances), context.transfer_syntax)
    association.send(context, _action(message_id), references)
    answered = False
    while not answered or not transaction.reported.is_set():
        received_in, command = association.next_command()
        data = association.data() if command.has_data else b""
        if command.field == N_EVENT_REPORT_RQ:
            transaction.take(association, received_in, command, data)
        elif command.number("MessageIDBeingRespondedTo") == message_id:
            answered = True
            if command.status != 0x0000:
                return False
    return True


def _action(message_id: int) -> Command:
    return Command(
        {
            "RequestedSOPClassUID": _MODEL,
            "RequestedSOPInstanceUID": _INSTANCE,
            "CommandField": N_ACTION_RQ,
            "MessageID": message_id,
            "CommandDataSetType": 1,
            "ActionTypeID": _REQUEST_COMMITMENT,
        }
    )


def _references(transaction: str, instances: Sequence[tuple[str, str]]) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        dataset.ReferencedSOPSequence.append(item)
    return dataset


def _named(report: Dataset, sequence: str) -> frozenset[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return frozenset(text(item, "ReferencedSOPInstanceUID") or "" for item in report.get(sequence) or ())
        except Exception:
            # pydicom reads a sequence when it is asked for, and gives up in many ways.
            raise RetryLater("PACS_UNREADABLE_ANSWER") from None
