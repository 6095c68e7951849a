"""The Storage SCP of `dicom-assets receive`: C-STORE, C-ECHO, and storage commitment where it is given one.

Who is told 0x0000 may delete what was sent: it is said when the store has made the instance durable, and not before.
"""

import threading
from collections import Counter

from ..errors import BadInput, DicomAssetsError
from .archive import Timeouts
from .association import Association, Context
from .commands import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Command, response
from .commitment_scp import COMMITMENT_MODEL, Commitment
from .contexts import VERIFICATION, PushedClasses
from .doorkeeper import Rules
from .intake import Arrival, Store
from .listener import Listener, Place

#: Of associations that others open: first_response is how long they may be quiet between two messages.
TIMEOUTS = Timeouts(acse=15, first_response=300, stall=60, no_progress=300)

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


class Service:
    """Open from its making until close(). store: is called by many threads at a time. stored: instances that were
    acknowledged. refused: code -> instances that were not.

    Raises RetryLater("RECEIVER_PORT_BUSY"), BadInput("PACS_TLS_FILES").
    """

    def __init__(self, place: Place, rules: Rules, store: Store, commitment: Commitment | None = None) -> None:
        self.stored = 0
        self.refused: Counter[str] = Counter()
        self._store, self._commitment = store, commitment
        self._lock = threading.Lock()
        self._closing = False
        classes = PushedClasses(VERIFICATION, *([COMMITMENT_MODEL] if commitment else []))
        self._listener = Listener(place, rules, classes, self._serve)

    @property
    def turned_away(self) -> Counter[str]:
        """Code -> associations that were rejected."""
        return self._listener.turned_away

    def close(self, seconds: float) -> None:
        """As Listener.close()."""
        self._closing = True
        self._listener.close(seconds)

    def _serve(self, association: Association) -> None:
        while not self._closing:
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
        try:
            if command.has_data:
                association.stream(reception.write)
        except BaseException:
            reception.abandon()
            raise
        failure = reception.finish()
        with self._lock:
            if failure is None:
                self.stored += 1
            else:
                self.refused[failure.code] += 1
        if failure is None:
            association.send_command(context, response(command, _SUCCESS))
        else:
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
