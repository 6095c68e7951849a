"""What is said in an association with our Storage SCP: C-STORE, C-ECHO, and storage commitment where it is given one.

Who is told 0x0000 may delete what was sent: it is said when the store has made the instance durable, and not before.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field

from ..errors import BadInput, DicomAssetsError
from .association import Association, Context
from .commands import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Command, response
from .commitment_scp import Commitment
from .intake import Arrival, Store, fill

_SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110
_UNRECOGNIZED_OPERATION = 0x0211
_RESPONSE = 0x8000  #: in a command field: it answers a request
#: Why an instance is not taken -> the status that says so: PS3.4 table B.2-1, PS3.7 annex C. All else: 0x0110.
STATUS = {
    "DISK_FULL": 0xA700,  # out of resources
    "INSTANCE_NOT_AS_ANNOUNCED": 0xA900,  # data set does not match SOP class
    "INSTANCE_UNREADABLE": 0xC000,  # cannot understand
    "INSTANCE_WITHOUT_STUDY": 0xC000,
    "UID_MALFORMED": 0x0117,  # invalid object instance
    "SOP_CLASS_NOT_NEGOTIATED": 0x0122,  # SOP class not supported
}


@dataclass
class Tally:
    """stored: instances that were acknowledged. refused: code -> instances that were not. Threads may share it."""

    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, stored: int, refused: Counter[str]) -> None:
        with self._lock:
            self.stored += stored
            self.refused += refused

    def taken(self) -> tuple[int, Counter[str]]:
        """What it counted; it begins anew."""
        with self._lock:
            counted = self.stored, self.refused
            self.stored, self.refused = 0, Counter()
        return counted


class Conversation:
    """store, commitment: are used by many threads at a time. is_closing: once true, an association ends with the
    message that it is at."""

    def __init__(self, store: Store, commitment: Commitment | None = None) -> None:
        self.tally = Tally()
        self.is_closing = False
        self._store, self._commitment = store, commitment

    def hold(self, association: Association) -> None:
        """To its end, which it tells by raising RetryLater; returns where we end it."""
        while not self.is_closing:
            with association.patience.answering():
                self._answer(association, *association.next_command())

    def _answer(self, association: Association, context: Context, command: Command) -> None:
        if command.field == C_STORE_RQ:
            self._take(association, context, command)
        elif self._commitment is not None and self._commitment.handles(command):
            self._commitment.answer(association, context, command)
        else:
            if command.has_data:
                association.stream(lambda _: None)
            if command.field != C_CANCEL_RQ and not command.field & _RESPONSE:
                status = _SUCCESS if command.field == C_ECHO_RQ else _UNRECOGNIZED_OPERATION
                association.send_command(context, response(command, status))

    def _take(self, association: Association, context: Context, command: Command) -> None:
        reception = _Reception(self._store, context, command)
        fill(reception, association, command)
        failure = reception.finish()
        if failure is None:
            self.tally.add(1, Counter())
            association.send_command(context, response(command, _SUCCESS))
        else:
            self.tally.add(0, Counter([failure.code]))
            status = STATUS.get(failure.code, _PROCESSING_FAILURE)
            association.send_command(context, response(command, status, ErrorComment=failure.code))


class _Reception:
    """One instance while it comes in; once something has gone wrong the rest of it is read and dropped."""

    def __init__(self, store: Store, context: Context, command: Command) -> None:
        self._arrival: Arrival | None = None
        self._failure: DicomAssetsError | None = None
        sop_class_uid, sop_instance_uid = command.text("AffectedSOPClassUID"), command.text("AffectedSOPInstanceUID")
        if sop_class_uid != context.abstract_syntax:
            self._failure = BadInput("SOP_CLASS_NOT_NEGOTIATED")
            return
        try:
            self._arrival = store(sop_class_uid, sop_instance_uid, context.transfer_syntax)
        except DicomAssetsError as error:
            self._failure = error

    def write(self, piece: memoryview) -> None:
        if self._arrival is not None:
            try:
                self._arrival.write(piece)
            except DicomAssetsError as error:
                self._failure = error
                self.abandon()

    def finish(self) -> DicomAssetsError | None:
        """Why it is not kept; None where it is."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            try:
                arrival.keep()
            except DicomAssetsError as error:
                return error
        return self._failure

    def abandon(self) -> None:
        """Nothing of it stays."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.discard()
