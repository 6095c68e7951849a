"""C-MOVE while another process of ours has the receiver's port: what it takes from the network is collected here."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from .intake import STORED, Intake
from .patience import Patience

#: Seconds between two looks at the inbox
_TICK = 0.05


class Delivered(Protocol):
    """An instance that has come; its UIDs and its data set as on the wire."""

    @property
    def sop_class_uid(self) -> str: ...

    @property
    def sop_instance_uid(self) -> str: ...

    @property
    def transfer_syntax_uid(self) -> str: ...

    def pieces(self) -> Iterable[memoryview]: ...


class Inbox(Protocol):
    """Where the instances of one study appear. Methods may raise DicomAssetsError; one thread at a time uses it."""

    def is_served(self, port: int) -> bool:
        """Another process of ours receives at the port."""

    def open(self) -> None:
        """From now on the study's instances come here, and not to where all others go."""

    def has_stirred(self) -> bool:
        """Something has come since this was asked last, or is on its way."""

    def delivered(self) -> Iterable[Delivered]:
        """What has not been handed out before."""

    def take(self, one: Delivered) -> None:
        """It is kept elsewhere; the inbox goes on with what nobody takes."""


class Collector:
    """Hands what is delivered to the intake, which admits or refuses it as if it came from the network itself."""

    def __init__(self, inbox: Inbox, intake: Intake, patience: Patience) -> None:
        self._inbox, self._intake, self._patience = inbox, intake, patience
        self._is_idle = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="collecting", daemon=True)
        self._thread.start()

    def is_idle(self) -> bool:
        """There was nothing new when it looked last."""
        return self._is_idle

    def close(self) -> None:
        """All that has come till now is collected afterwards."""
        self._closing.set()
        self._thread.join()

    def _collect(self) -> None:
        is_last = False
        while not is_last and self._intake.failure is None:
            is_last = self._closing.wait(_TICK)
            self._intake.guarded(self._look)

    def _look(self) -> None:
        if self._inbox.has_stirred():
            self._is_idle = False
            self._patience.progressed()
        is_idle = True
        for one in self._inbox.delivered():
            is_idle = self._is_idle = False
            self._hand_over(one)
        self._is_idle = is_idle

    def _hand_over(self, one: Delivered) -> None:
        reception = self._intake.begin(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
        try:
            for piece in one.pieces():
                reception.write(piece)
                self._patience.moved(len(piece))
        except BaseException:
            reception.abandon()
            raise
        if reception.finish() == STORED:
            self._inbox.take(one)
        self._patience.progressed()


@contextmanager
def collecting(inbox: Inbox, intake: Intake, patience: Patience) -> Iterator[Collector]:
    """From an open inbox; afterwards all is collected that had come by the end of the block. Raises as Inbox.open()."""
    inbox.open()
    collector = Collector(inbox, intake, patience)
    try:
        yield collector
    finally:
        collector.close()
