"""Processes that serve associations beside the one that listens: in one process Python does one thing at a time.

What has to be one for all stays with the listener: the door, the limits, TLS. An association that has been let in is
lent, with its socket, to the process that serves fewest. The listener keeps a duplicate of the socket, by which it can
cut the connection, and is told ten times a second what has happened.
"""

import multiprocessing
import pickle
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from ..errors import DicomAssetsError
from .archive import Timeouts
from .association import Association, Context
from .conversation import Conversation, Tally
from .patience import Patience
from .wire import Connection

#: Seconds between two reports, and in which a process has to end
_TICK, _END = 0.1, 10.0
#: Bytes of a message between the processes
_LARGEST = 1 << 20
#: Things worth telling that go into one report
_TOLD = 500


@dataclass(frozen=True)
class _Lent:
    """An association that is lent. ends_at: on time.monotonic()'s clock, which is that of all processes."""

    number: int
    contexts: Mapping[int, Context]
    maximum: int
    peer: str
    calling_ae_title: str
    timeouts: Timeouts
    ends_at: float


@dataclass(frozen=True)
class _State:
    """Of a lent association, as its doorkeeper has to know it."""

    progressed_at: float
    is_waiting: bool
    is_between_messages: bool
    has_spoken: bool


@dataclass(frozen=True)
class _Report:
    states: Mapping[int, _State] = field(default_factory=dict)
    ended: tuple[int, ...] = ()
    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    told: tuple = ()


@dataclass(frozen=True)
class Station:
    """What a process of the crew works with. told: what has happened in it that the listener's process is to be told;
    it is emptied from its beginning."""

    conversation: Conversation
    told: list


class Crew:
    """From its making until close(). To be made before any thread, socket or lock: the processes are forks. station: of
    a process, as long as that lives. tell: called, one at a time, with what they tell."""

    def __init__(
        self, size: int, station: Callable[[], AbstractContextManager[Station]], tell: Callable[..., object]
    ) -> None:
        self.tally = Tally()
        self._tell = tell
        self._lock = threading.Lock()
        self._numbers = 0
        self._mates: list[_Mate] = []
        for _ in range(size):
            self._mates.append(_Mate(station, [mate.control for mate in self._mates]))
        self._readers = [threading.Thread(target=self._read, args=(mate,), daemon=True) for mate in self._mates]

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def serve(self, association: Association) -> bool:
        """To its end. False, and nothing done, where it cannot be lent: TLS cannot, and somebody has to be there."""
        over = threading.Event()
        with self._lock:
            mate = min(self._mates, key=lambda mate: len(mate.serves), default=None)
            if mate is None or not association.connection.is_plain():
                return False
            self._numbers += 1
            number = self._numbers
            mate.serves[number] = association, over
        lent = _Lent(
            number,
            association.contexts,
            association.maximum,
            association.peer,
            association.calling_ae_title,
            association.patience.timeouts,
            association.patience.ends_at,
        )
        association.dismiss = association.abort
        try:
            socket.send_fds(mate.control, [pickle.dumps(lent)], [association.connection.fileno()])
        except OSError:
            self._lose(mate)
        over.wait()
        return True

    def close(self) -> None:
        """To be called when nothing is lent any more."""
        for mate in list(self._mates):
            with suppress(OSError):
                mate.control.shutdown(socket.SHUT_WR)
            mate.process.join(_END)
            mate.process.kill()
        for reader in self._readers:
            reader.join(_END)

    def _read(self, mate: "_Mate") -> None:
        with suppress(OSError, EOFError):
            while message := mate.control.recv(_LARGEST):
                self._note(mate, pickle.loads(message))
        self._lose(mate)
        mate.control.close()

    def _note(self, mate: "_Mate", report: _Report) -> None:
        self.tally.add(report.stored, report.refused)
        for number, state in report.states.items():
            if number in mate.serves:
                association, _ = mate.serves[number]
                association.patience.progressed_at = state.progressed_at
                association.connection.is_waiting = state.is_waiting
                association.is_between_messages = state.is_between_messages
                association.has_spoken = state.has_spoken
        for number in report.ended:
            if number in mate.serves:
                _, over = mate.serves.pop(number)
                over.set()
        with self._lock:
            for one in report.told:
                self._tell(*one)

    def _lose(self, mate: "_Mate") -> None:
        """It is there no more; the connections that it had are cut by those who wait for their end."""
        with self._lock:
            if mate in self._mates:
                self._mates.remove(mate)
            serves, mate.serves = mate.serves, {}
        for _, over in serves.values():
            over.set()


class _Mate:
    """A process, from the outside. serves: number -> association, and what tells that it is over."""

    def __init__(
        self, station: Callable[[], AbstractContextManager[Station]], not_its_own: list[socket.socket]
    ) -> None:
        self.serves: dict[int, tuple[Association, threading.Event]] = {}
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        context = multiprocessing.get_context("fork")
        self.process = context.Process(
            target=_work, args=(theirs, station, [*not_its_own, self.control]), name="receiving", daemon=True
        )
        self.process.start()
        theirs.close()


def _work(
    control: socket.socket, station: Callable[[], AbstractContextManager[Station]], not_ours: list[socket.socket]
) -> None:
    """A process, from the inside; it ends when the listener does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the listener is told, and tells
    for one in not_ours:
        one.close()
    with suppress(DicomAssetsError, OSError), station() as ours:  # without it the listener serves alone
        _Work(control, ours).run()


class _Work:
    def __init__(self, control: socket.socket, station: Station) -> None:
        self._control, self._station = control, station
        self._serves: dict[int, Association] = {}
        self._ended: list[int] = []
        self._states: Mapping[int, _State] = {}
        self._lock = threading.Lock()
        control.settimeout(_TICK)

    def run(self) -> None:
        for message, descriptor in self._messages():
            threading.Thread(target=self._serve, args=(pickle.loads(message), descriptor), daemon=True).start()
        for association in list(self._serves.values()):
            association.connection.close()

    def _messages(self) -> Iterator[tuple[bytes, int]]:
        while True:
            with suppress(TimeoutError):
                message, descriptors, _, _ = socket.recv_fds(self._control, _LARGEST, 1)
                if not message:
                    return
                yield message, descriptors[0]
            with suppress(OSError):
                self._report()

    def _serve(self, lent: _Lent, descriptor: int) -> None:
        patience = Patience(lent.timeouts, lent.ends_at - time.monotonic())
        connection = Connection(socket.socket(fileno=descriptor), patience)
        association = Association(connection, lent.contexts, lent.maximum, lent.peer, lent.calling_ae_title)
        with self._lock:
            self._serves[lent.number] = association
        try:
            with suppress(DicomAssetsError, OSError):  # it has ended, one way or the other
                self._station.conversation.hold(association)
        finally:
            association.abort()
            with self._lock:
                del self._serves[lent.number]
                self._ended.append(lent.number)
            with suppress(OSError):
                self._report()

    def _report(self) -> None:
        """Where there is anything to be said; what could not be said is said next time."""
        with self._lock:
            states = {number: _state_of(association) for number, association in self._serves.items()}
            changed = {number: state for number, state in states.items() if self._states.get(number) != state}
            told, ended = self._station.told[:_TOLD], tuple(self._ended)
            stored, refused = self._station.conversation.tally.taken()
            if not (changed or ended or told or stored or refused):
                return
            try:
                self._control.send(pickle.dumps(_Report(changed, ended, stored, refused, tuple(told))))
            except OSError:
                self._station.conversation.tally.add(stored, refused)
                raise
            self._states = states
            del self._station.told[: len(told)], self._ended[: len(ended)]


def _state_of(association: Association) -> _State:
    return _State(
        association.patience.progressed_at,
        association.connection.is_waiting,
        association.is_between_messages,
        association.has_spoken,
    )
