"""The circuit breaker of an archive: one that is down is left alone for a while, by all processes and machines.

    closed     associations come about; their failures in a row are counted
    open       after three in a row: nobody asks, for a pause
    half-open  the pause is over: one process calls. It answers: closed. It fails: open, for twice the pause

The state lies in a small file that every process reads, `restricted/ledger/archives/<number>.json`.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..errors import BadInput, DicomAssetsError, Refused, RetryLater
from ..pacs.archive import Archive
from ..pacs.echo import echo
from ..pacs.qido import echo_dicomweb
from ..storage.atomic import exclusive_lock, write_file
from ..storage.zones import Zones

#: No association came about, and it was not for our name: the archive is down, or takes no more.
DOWN = {"PACS_UNREACHABLE", "PACS_HOST_UNKNOWN", "PACS_PORT_CLOSED", "PACS_TIMEOUT", "PACS_BUSY"}

_FAILURES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 900.0  #: seconds


@dataclass(frozen=True)
class _State:
    """address: digest of where the archive is; another address begins anew. until: seconds since 1970, 0 while closed.
    pause: seconds, of the current or last opening."""

    address: str
    failures: int = 0
    until: float = 0
    pause: float = 0


def call(archive: Archive) -> None:
    """C-ECHO, or a small query where it is asked by DICOMweb. Raises the coded error that says what is wrong."""
    by_web = archive.dicomweb_url and (archive.retrieve == "dicomweb" or not archive.host)
    (echo_dicomweb if by_web else echo)(archive)


class Breaker:
    """folder: of the files that hold the state. probe: raises where the archive does not answer."""

    def __init__(self, folder: Path, archive: Archive, probe: Callable[[Archive], object] = call) -> None:
        self._archive, self._probe = archive, probe
        self._path = folder / f"{archive.name}.json"
        where = f"{archive.host}|{archive.port}|{archive.dicomweb_url}"
        self._address = hashlib.sha256(where.encode()).hexdigest()[:16]

    @property
    def opened_until(self) -> datetime | None:
        """None while it is closed. May have passed: then the next one that comes tries."""
        until = self._read().until
        return datetime.fromtimestamp(until, UTC) if until else None

    def admit(self) -> None:
        """Before an association. Raises RetryLater("PACS_BREAKER_OPEN") while the archive is left alone."""
        state = self._read()
        if not state.until:
            return
        if time.time() < state.until:
            raise RetryLater("PACS_BREAKER_OPEN")
        try:
            with exclusive_lock(self._path.with_suffix(".lock")):  # one tries, for the others it is still open
                self._try()
        except (Refused, RetryLater):
            raise RetryLater("PACS_BREAKER_OPEN") from None

    def _try(self) -> None:
        """An archive that answers closes the breaker, also where it answers that it does not know us."""
        try:
            self._probe(self._archive)
        except DicomAssetsError as error:
            self.note(error)
            raise
        self.note(None)

    def note(self, error: DicomAssetsError | None) -> None:
        """How an association ended, None for well. Two processes that note at once may count one failure too few."""
        state = self._read()
        if error is not None and error.code == "PACS_BREAKER_OPEN":
            return
        if error is None or error.code not in DOWN:
            if state.failures or state.until:
                self._write(_State(self._address))
            return
        state = replace(state, failures=state.failures + 1)
        if state.failures >= _FAILURES:
            pause = min(2 * state.pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            state = replace(state, pause=pause, until=time.time() + pause * random.uniform(0.75, 1.25))
        self._write(state)

    def _read(self) -> _State:
        """A file that another version or a mistaken hand wrote counts as none."""
        try:
            state = _State(**json.loads(self._path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return _State(self._address)
        return state if state.address == self._address else _State(self._address)

    def _write(self, state: _State) -> None:
        write_file(self._path, json.dumps(asdict(state)).encode())


def breaker_folder(zones: Zones) -> Path:
    return zones.restricted / "ledger" / "archives"


def all_left_alone(folder: Path, archives: tuple[Archive, ...]) -> datetime | None:
    """Until when, where every archive is left alone; else None. One whose pause is over is tried for it."""
    until = []
    for archive in archives:
        breaker = Breaker(folder, archive)
        try:
            breaker.admit()
        except RetryLater:
            until.append(breaker.opened_until or datetime.now(UTC))
        except BadInput:
            return None  # it answers, and says what is wrong to whoever runs the batch
        else:
            return None
    return min(until)
