"""When a stage talks to an archive: in its hours, one at a time, and not while it is down."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from ..errors import DicomAssetsError
from ..pacs.archive import Archive
from ..settings.hours import Hours
from .breaker import Breaker, call

_LONGEST_SLEEP = 30.0  #: seconds; clocks may be set, and a laptop may sleep


def nothing() -> None: ...


class Turn(Protocol):
    """Who may talk to archives at this moment; over all processes and machines, as the pool `pacs` says."""

    def take(self, hang_up: Callable[[], object] = nothing) -> None:
        """Waits until it is ours. Where it is already, it is given up to somebody more urgent, after hang_up, and taken
        again."""

    def give_up(self) -> None: ...


class _NoTurns:
    def take(self, hang_up: Callable[[], object] = nothing) -> None: ...

    def give_up(self) -> None: ...


#: For a process that is alone
NO_TURNS = _NoTurns()


def say_on_stderr(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass(frozen=True)
class Politeness:
    """breakers: folder of their state; None: no archive is ever left alone. hours: None for what is urgent. say: takes
    a sentence on why it waits; once for each wait."""

    breakers: Path | None = None
    hours: Hours | None = None
    turn: Turn = NO_TURNS
    say: Callable[[str], object] = say_on_stderr

    @contextmanager
    def talking_to(self, archive: Archive, hang_up: Callable[[], object] = nothing) -> Iterator[None]:
        """Round each study's conversation. Before it, waits for the archive's hours and for our turn; how the block
        ended is remembered of the archive. Raises RetryLater("PACS_BREAKER_OPEN") where it is left alone because it was
        down. hang_up: ends associations that the caller keeps open between conversations; called before others get the
        turn."""
        self._wait_for_hours(hang_up)
        self.turn.take(hang_up)
        if self.breakers is not None:
            Breaker(self.breakers, archive).admit()
        try:
            yield
        except DicomAssetsError as error:
            self._note(archive, error)
            raise
        self._note(archive, None)

    def greet(self, archives: Sequence[Archive]) -> None:
        """A call to the first archive that answers, also to one that is left alone: somebody who starts a run by hand
        has seen to it. Raises the first one's error where none answers."""
        self._wait_for_hours(nothing)
        self.turn.take()
        errors = []
        for archive in archives:
            try:
                call(archive)
            except DicomAssetsError as error:
                self._note(archive, error)
                errors.append(error)
            else:
                return self._note(archive, None)
        raise errors[0]

    def _note(self, archive: Archive, error: DicomAssetsError | None) -> None:
        if self.breakers is not None:
            Breaker(self.breakers, archive).note(error)

    def _wait_for_hours(self, hang_up: Callable[[], object]) -> None:
        said = False
        while self.hours is not None and not self.hours.is_open(now := datetime.now(UTC)):
            opening = self.hours.next_opening(now)
            if not said:
                hang_up()
                self.turn.give_up()
                self.say(f"waiting for the archive's hours: they begin {self.hours.describe(opening)}")
                said = True
            time.sleep(min((opening - now).total_seconds(), _LONGEST_SLEEP))
