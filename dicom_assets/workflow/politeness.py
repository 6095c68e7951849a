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
from ..pacs.echo import echo
from ..settings.hours import Hours
from .breaker import Breaker

_LONGEST_SLEEP = 30.0  #: seconds; clocks may be set, and a laptop may sleep


class Turn(Protocol):
    """Who may talk to archives at this moment; over all processes and machines, as the pool `pacs` says."""

    def take(self) -> None:
        """Waits until it is ours. Where it is already, it is given up to somebody more urgent, and taken again."""

    def give_up(self) -> None: ...


class _NoTurns:
    def take(self) -> None: ...

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

    def before(self, archive: Archive) -> None:
        """To be called before each study's conversation. Waits for the archive's hours and for our turn. Raises
        RetryLater("PACS_BREAKER_OPEN") where the archive is left alone because it was down."""
        self._wait_for_hours()
        self.turn.take()
        if self.breakers is not None:
            Breaker(self.breakers, archive).admit()

    @contextmanager
    def talking_to(self, archive: Archive) -> Iterator[None]:
        """before(), and how the block ended is remembered of the archive."""
        self.before(archive)
        try:
            yield
        except DicomAssetsError as error:
            self._note(archive, error)
            raise
        self._note(archive, None)

    def greet(self, archives: Sequence[Archive]) -> None:
        """C-ECHO to the first archive that answers, also to one that is left alone: somebody who starts a run by hand
        has seen to it. Raises the first one's error where none answers."""
        self._wait_for_hours()
        self.turn.take()
        errors = []
        for archive in archives:
            try:
                echo(archive)
            except DicomAssetsError as error:
                self._note(archive, error)
                errors.append(error)
            else:
                return self._note(archive, None)
        raise errors[0]

    def _note(self, archive: Archive, error: DicomAssetsError | None) -> None:
        if self.breakers is not None:
            Breaker(self.breakers, archive).note(error)

    def _wait_for_hours(self) -> None:
        said = False
        while self.hours is not None and not self.hours.is_open(now := datetime.now(UTC)):
            opening = self.hours.next_opening(now)
            if not said:
                self.turn.give_up()
                self.say(f"waiting for the archive's hours: they begin {self.hours.describe(opening)}")
                said = True
            time.sleep(min((opening - now).total_seconds(), _LONGEST_SLEEP))
