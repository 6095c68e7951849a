"""Ends an association on which nothing moves. Progress is bytes received, so that one large instance is no stall."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom import evt

from .archive import Timeouts
from .sockets import answer_at_once, cut, keep_answers, limit_reads

#: Seconds between two looks at the clock.
_TICK = 0.05
#: Seconds that an orderly A-ABORT gets before the connection is cut under it.
_GRACE = 2.0


class Watch:
    """One association's clock; pass `handlers` to pynetdicom when it is opened.

    connected: the TCP connection stood. stalled: this watch ended the wait. moved_at: on time.monotonic()'s clock.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.connected = False
        self.stalled = False
        self.handlers = [(evt.EVT_CONN_OPEN, self._on_connection), (evt.EVT_DATA_RECV, self._on_data)]
        self._timeouts = timeouts
        self._association = None
        self._closed = threading.Event()
        # Seconds allowed now, and after the next byte; None: nothing is awaited.
        self._allowed: float | None = None
        self._allowed_then: float | None = None
        self.moved_at = time.monotonic()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within it an answer is awaited: first_response seconds for its beginning, stall seconds between its parts."""
        self._await(self._timeouts.first_response, self._timeouts.stall)
        try:
            yield
        finally:
            self._allowed = None

    @contextmanager
    def negotiating(self) -> Iterator[None]:
        """Within it pynetdicom's own ACSE timeout rules; this one only frees a thread that hangs in half a PDU."""
        self._await(self._timeouts.acse + _GRACE, self._timeouts.acse + _GRACE)
        try:
            yield
        finally:
            self._allowed = None

    def moved(self) -> None:
        """Something came, on this association or on one that belongs to it."""
        self.moved_at = time.monotonic()
        if self._allowed is not None:
            self._allowed = self._allowed_then

    def stop_waiting(self) -> None:
        """The next wait for a DIMSE message ends as if none had come; pynetdicom then aborts the association."""
        if self._association is not None:
            self._association.dimse.msg_queue.put((None, None))

    def close(self) -> None:
        """Called when the association has ended, or has to have ended by now."""
        self._closed.set()
        if self._association is not None:
            self._association.dul.join(_GRACE)
            if self._association.dul.is_alive():
                cut(self._association)

    def _await(self, first: float, then: float) -> None:
        self.moved_at = time.monotonic()
        self._allowed_then = then
        self._allowed = first

    def _on_connection(self, event: evt.Event) -> None:
        self.connected = True
        self._association = event.assoc
        keep_answers(event.assoc)
        answer_at_once(event.assoc)
        limit_reads(event.assoc, self._timeouts.stall)
        threading.Thread(target=self._run, name="association-watch", daemon=True).start()

    def _on_data(self, _event: evt.Event) -> None:
        self.moved()

    def _run(self) -> None:
        while not self._closed.wait(_TICK):
            allowed = self._allowed
            if allowed is not None and time.monotonic() - self.moved_at > allowed:
                self.stalled = True
                self.stop_waiting()
                if not self._closed.wait(_GRACE):
                    cut(self._association)
                return
