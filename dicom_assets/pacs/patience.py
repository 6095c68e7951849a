"""How long a peer may keep us waiting. One clock for all connections that serve one request."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RetryLater
from .archive import Timeouts

#: Bytes that count as progress: a peer that sends a byte now and then moves, and gets nowhere.
_SOME_BYTES = 4096


class Patience:
    """The clock runs within answering() and negotiating(). Threads may share it: each field is written at once.

    moved_at: when the last byte came, progressed_at: the last that was of use, on time.monotonic()'s clock. stop: once
    true, waiting ends with PACS_STALLED. lasting: seconds from now on after which it ends in any case, at ends_at.
    """

    def __init__(self, timeouts: Timeouts, lasting: float = float("inf")) -> None:
        self.timeouts = timeouts
        self.moved_at = self.progressed_at = time.monotonic()
        self.ends_at = self.moved_at + lasting
        self.stop = False
        self._bytes = 0
        self._first = self._then = timeouts.acse
        self._progress = timeouts.acse

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within it an answer is awaited: first_response seconds for its beginning, stall seconds between its parts,
        no_progress seconds between those parts that bring something."""
        limits = self.timeouts
        with self._allowing(
            limits.first_response, limits.stall, max(limits.no_progress, limits.first_response, limits.stall)
        ):
            yield

    @contextmanager
    def negotiating(self) -> Iterator[None]:
        """Within it an association is requested or released: acse seconds in all."""
        with self._allowing(self.timeouts.acse, self.timeouts.acse, self.timeouts.acse):
            yield

    def moved(self, count: int = 0) -> None:
        """Bytes came, on whatever connection; so many of them were content, and not the protocol's own."""
        self.moved_at = time.monotonic()
        self._first = self._then
        self._bytes += count
        if self._bytes >= _SOME_BYTES:
            self.progressed()

    def progressed(self) -> None:
        """Something new came: an answer, an instance, a good part of one, a count."""
        self.moved_at = self.progressed_at = time.monotonic()
        self._bytes = 0

    def left(self) -> float:
        """Seconds that may be waited, more than 0. Raises RetryLater("PACS_STALLED")."""
        now = time.monotonic()
        left = min(self.moved_at + self._first, self.progressed_at + self._progress, self.ends_at) - now
        if self.stop or left <= 0:
            raise RetryLater("PACS_STALLED")
        return left

    @contextmanager
    def _allowing(self, first: float, then: float, progress: float) -> Iterator[None]:
        before = self._first, self._then, self._progress
        self._start(first, then, progress)
        try:
            yield
        finally:
            self._start(*before)

    def _start(self, first: float, then: float, progress: float) -> None:
        self.moved_at = self.progressed_at = time.monotonic()
        self._bytes = 0
        self._first, self._then, self._progress = first, then, progress
