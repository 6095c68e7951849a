"""Storage commitment, push model, as SCU (PS3.4 annex J): does the destination vouch for what it stored?

Only reports that come over the association of the request are waited for. A destination that sends them later, over an
association of its own, has nobody to send them to; its instances stay stored, and not committed.
"""

import uuid
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from ..errors import BadInput, RetryLater
from .answers import text
from .archive import Archive
from .association import Association, open_association
from .commands import N_ACTION_RQ, N_EVENT_REPORT_RQ, Command, response
from .contexts import UNCOMPRESSED
from .datasets import decoded, encoded
from .patience import Patience

_MODEL, _INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2
#: References in one request: some 100 kB.
_REFERENCES = 1000
#: Seconds for a report after the request was taken: who sends it over the same association sends it soon.
_REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class Commitment:
    """SOPInstanceUIDs that the destination vouches for, and those that it says it does not hold. offered: it has the
    service. Of what is in neither it has said nothing."""

    offered: bool
    committed: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


def ask_for_commitment(destination: Archive, instances: Sequence[tuple[str, str]]) -> Commitment:
    """instances: (SOPClassUID, SOPInstanceUID) of what the destination has stored. What ends the conversation early
    leaves the rest unsaid. Raises as open_association."""
    timeouts = destination.timeouts
    patience = Patience(replace(timeouts, stall=min(timeouts.stall, _REPORT_SECONDS)))
    committed: set[str] = set()
    failed: set[str] = set()
    try:
        with open_association(destination, [(_MODEL, UNCOMPRESSED)], patience=patience) as association:
            for number, start in enumerate(range(0, len(instances), _REFERENCES), 1):
                part = instances[start : start + _REFERENCES]
                try:
                    with patience.answering():
                        report = _ask(association, part, number)
                except RetryLater:
                    break
                asked = {uid for _, uid in part}
                committed |= report.committed & asked
                failed |= report.failed & asked
    except BadInput as error:
        if error.code != "PACS_NO_COMMON_CONTEXT":
            raise
        return Commitment(offered=False)
    return Commitment(True, frozenset(committed), frozenset(failed))


def _ask(association: Association, instances: Sequence[tuple[str, str]], message_id: int) -> Commitment:
    """One transaction: N-ACTION, its response, and the report, which may come before that."""
    context = association.context_for(_MODEL)
    transaction = f"2.25.{uuid.uuid4().int}"
    association.send(
        context, _action(message_id), encoded(_references(transaction, instances), context.transfer_syntax)
    )
    report = None
    answered = False
    while report is None or not answered:
        received_in, command = association.next_command()
        data = association.data() if command.has_data else b""
        if command.field == N_EVENT_REPORT_RQ:
            association.send(received_in, response(command, 0x0000, EventTypeID=command.number("EventTypeID") or 0))
            report = _read_report(command, data, received_in.transfer_syntax, transaction) or report
        elif command.number("MessageIDBeingRespondedTo") == message_id:
            answered = True
            if command.status != 0x0000:
                return Commitment(offered=True)
    return report


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


def _read_report(command: Command, data: bytes, transfer_syntax: str, transaction: str) -> Commitment | None:
    """None where it is of another transaction, or of no kind that the standard knows. What it names twice, as held and
    as failed, has failed."""
    report = decoded(data, transfer_syntax)
    if text(report, "TransactionUID") != transaction:
        return None
    if command.number("EventTypeID") not in (_ALL_COMMITTED, _SOME_FAILED):
        return None
    failed = _named(report, "FailedSOPSequence")
    return Commitment(True, _named(report, "ReferencedSOPSequence") - failed, failed)


def _named(report: Dataset, sequence: str) -> frozenset[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return frozenset(text(item, "ReferencedSOPInstanceUID") or "" for item in report.get(sequence) or ())
        except Exception:
            # pydicom reads a sequence when it is asked for, and gives up in many ways.
            raise RetryLater("PACS_UNREADABLE_ANSWER") from None
