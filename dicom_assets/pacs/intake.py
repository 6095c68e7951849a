"""What happens to an instance that arrives: admitted or not, streamed to the caller's store, answered with a status."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Protocol

from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from ..errors import DicomAssetsError
from .association import Association
from .commands import Command

# PS3.4 table B.2-1.
STORED = 0x0000
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

_STUDY_INSTANCE_UID = Tag(0x0020, 0x000D)
_UID = re.compile(r"[0-9.]{1,64}")
#: Bytes of a data set in which its StudyInstanceUID is looked for: first in few, where it nearly always stands.
_FIRST_LOOK, _HEAD = 1 << 13, 1 << 20
#: Seconds of one sleep while the rate is kept; meanwhile nobody may take us, or the peer, for dead.
_NAP = 0.5


class Arrival(Protocol):
    """One instance on its way to disk. Exactly one of keep() and discard() ends it. Each may raise DicomAssetsError."""

    def write(self, piece: bytes | memoryview) -> object:
        """Bytes of the data set as they were encoded on the wire, without file meta."""

    def keep(self) -> None:
        """It is whole."""

    def discard(self) -> None:
        """Nothing of it stays."""


class Sink(Protocol):
    """What takes a data set as it comes."""

    def write(self, piece: memoryview) -> None: ...

    def abandon(self) -> None:
        """It did not come to its end."""


def fill(sink: Sink, association: Association, command: Command) -> None:
    """The data set of a message whose command has been read; where it breaks off nothing of it stays."""
    try:
        if command.has_data:
            association.stream(sink.write)
    except BaseException:
        sink.abandon()
        raise


#: Takes up one instance: SOPClassUID, SOPInstanceUID as the peer gave them, unpadded, and transfer syntax. Called, as
#: keep() and discard() are, by one thread at a time; write() of different instances by several.
Store = Callable[[str, str, str], Arrival]


class Intake:
    """Takes the instances of one study.

    wanted: SOPInstanceUIDs that are awaited, None where nobody knows. level: at which they were asked for; at IMAGE
    only wanted ones are let in, else any instance of the study (it may have grown since it was listed, and what we
    have already comes again). failure: what the store raised first; after it nothing is let in, and on_failure has been
    called once. on_wait: called now and then while the rate is kept.
    """

    def __init__(
        self,
        study_instance_uid: str,
        wanted: Iterable[str] | None,
        store: Store,
        *,
        level: str,
        instances_per_second: float = 0,
    ) -> None:
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_wait: Callable[[], None] = lambda: None
        self.stored: set[str] = set()
        self._study_instance_uid = study_instance_uid
        self._wanted = None if wanted is None else frozenset(wanted)
        self._any_of_study = level != "IMAGE" or wanted is None
        self._store = store
        self._lock = threading.Lock()
        self._pause = 1 / instances_per_second if instances_per_second > 0 else 0.0
        self._next_at = 0.0

    def begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> "Reception":
        """To be ended by finish() or abandon(). Never raises: what goes wrong shows in the status."""
        is_wanted = self._wanted is not None and sop_instance_uid in self._wanted
        admitted = is_wanted or (self._any_of_study and _UID.fullmatch(sop_instance_uid) is not None)
        arrival = None
        if admitted:
            with self._lock:
                if self.failure is None:
                    arrival = self.guarded(lambda: self._store(sop_class_uid, sop_instance_uid, transfer_syntax_uid))
        return Reception(self, arrival, sop_instance_uid, None if is_wanted else _Head(transfer_syntax_uid))

    def has_all(self) -> bool:
        """Every wanted instance has been stored; False where nobody knows which are wanted."""
        return self._wanted is not None and self._wanted <= self.stored

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def guarded(self, action: Callable[[], Arrival | None]) -> Arrival | None:
        """What action gives; its failure is kept for raise_failure()."""
        try:
            return action()
        except BaseException as error:
            if self.failure is None:
                self.failure = error
                self.on_failure()
            return None

    def end(self, arrival: Arrival, sop_instance_uid: str, study_instance_uid: str | None) -> int:
        """Keep it or not. study_instance_uid: of what was let in for its study; None where it is awaited by name."""
        with self._lock:
            if study_instance_uid not in (None, self._study_instance_uid):
                self.guarded(arrival.discard)
                return CANNOT_UNDERSTAND
            self.guarded(arrival.keep)
            if self.failure is None:
                self.stored.add(sop_instance_uid)
        if self.failure is not None:
            return self.refusal()
        self._keep_rate()
        return STORED

    def refusal(self) -> int:
        is_full = isinstance(self.failure, DicomAssetsError) and self.failure.code == "DISK_FULL"
        return OUT_OF_RESOURCES if is_full else CANNOT_UNDERSTAND

    def discard(self, arrival: Arrival) -> None:
        with self._lock:
            self.guarded(arrival.discard)

    def _keep_rate(self) -> None:
        """Where the instances come faster than is allowed, the answer waits, and the archive with it."""
        if not self._pause:
            return
        with self._lock:
            self._next_at = until = max(self._next_at, time.monotonic()) + self._pause
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NAP))
            self.on_wait()


class Reception:
    """One instance while it comes in. arrival None: it is read and dropped. head: where its study has to be found."""

    def __init__(
        self, intake: Intake, arrival: Arrival | None, sop_instance_uid: str, head: "_Head | None" = None
    ) -> None:
        self._intake, self._arrival, self._uid, self._head = intake, arrival, sop_instance_uid, head
        self._size = 0

    def write(self, piece: memoryview) -> None:
        self._size += len(piece)
        arrival = self._arrival
        if arrival is None:
            return
        if self._head is not None:
            self._head.add(piece)
        failed_before = self._intake.failure is not None
        self._intake.guarded(lambda: arrival.write(piece))
        if self._intake.failure is not None and not failed_before:
            self.abandon()

    def finish(self) -> int:
        """The status to answer with."""
        arrival, self._arrival = self._arrival, None
        if arrival is None:
            return self._intake.refusal()
        if not self._size or self._intake.failure is not None:
            self._intake.discard(arrival)
            return self._intake.refusal()
        return self._intake.end(arrival, self._uid, None if self._head is None else self._head.study_instance_uid())

    def abandon(self) -> None:
        """It did not come to its end."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            self._intake.discard(arrival)


class _Head:
    """The beginning of a data set, in which its study is looked for."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._syntax = transfer_syntax_uid
        self._bytes = bytearray()
        self._study = ""

    def add(self, piece: memoryview) -> None:
        before = len(self._bytes)
        if self._study or before == _HEAD:
            return
        self._bytes += piece[: _HEAD - before]
        if before < _FIRST_LOOK <= len(self._bytes):
            self._study = _study_of(bytes(self._bytes[:_FIRST_LOOK]), self._syntax)

    def study_instance_uid(self) -> str:
        """Empty where it cannot be read."""
        return self._study or _study_of(bytes(self._bytes), self._syntax)


def _study_of(head: bytes, transfer_syntax_uid: str) -> str:
    """StudyInstanceUID in the beginning of a data set; empty where it cannot be read."""
    syntax = UID(transfer_syntax_uid)
    try:
        header = read_dataset(
            BytesIO(head),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > _STUDY_INSTANCE_UID,
            specific_tags=[_STUDY_INSTANCE_UID],
        )
        element = header.get_item(_STUDY_INSTANCE_UID)
        return "" if element is None else (element.value or b"").decode("ascii").strip(" \0")
    except Exception:
        # Whatever a damaged header makes pydicom raise, the answer is the same: not an instance that was asked for.
        return ""
