"""Forked processes that take chunks of files, so that one that dies takes one file with it and no other.

Fork, not spawn: a process starts in a millisecond, with everything imported. The caller must have one thread only."""

import gc
import marshal
import mmap
import os
import resource
import select
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import DicomAssetsError, RetryLater, from_os_error

#: Address space of a process, bytes: a file that asks for more ends that process, not the machine.
_MEMORY = 8 << 30
#: CPU seconds that a process may spend on one file.
_FILE_SECONDS = 300
_LENGTH_BYTES = 8
#: Values in tuples of results, such as UIDs, that a process keeps before it sends them.
_MOST_VALUES = 10_000

Chunk = Sequence[bytes]
#: Made in each process from its number; takes a name and gives a tuple of plain values.
MakeWorker = Callable[[int], Callable[[bytes], tuple]]


@dataclass
class _Process:
    """done: names of the chunk whose results came."""

    pid: int
    tasks: BinaryIO
    results: BinaryIO
    chunk: Chunk = ()
    done: int = 0


class FolderPool:
    """`with FolderPool(workers, make_worker) as pool: for results, died in pool.map(chunks): ...`"""

    def __init__(self, workers: int, make_worker: MakeWorker) -> None:
        self._workers, self._make_worker = workers, make_worker
        self._processes: dict[int, _Process] = {}
        self._forked = 0
        self._positions = memoryview(mmap.mmap(-1, 8 * workers)).cast("q")  # in its chunk, of each process

    def __enter__(self) -> "FolderPool":
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        for slot in tuple(self._processes):
            self._bury(slot)

    def map(self, chunks: Iterable[Chunk]) -> Iterator[tuple[list[tuple], list[bytes]]]:
        """(results, names of files that ended their process), for chunks or parts of them as they are done.

        A file whose process dies is tried once more, alone. Raises the coded error of a worker that raised one."""
        waiting, again, suspects = iter(chunks), [], set()
        poll = select.poll()
        idle = list(range(self._workers))
        while True:
            while idle and (chunk := again.pop() if again else next(waiting, None)) is not None:
                self._give(idle.pop(), chunk, poll)
            if not any(process.chunk for process in self._processes.values()):
                return
            for handle, _event in poll.poll():
                slot = next(s for s, process in self._processes.items() if process.results.fileno() == handle)
                process = self._processes[slot]
                answer = _receive(process.results)
                if answer is not None:
                    code, results = answer
                    if code:
                        raise RetryLater(code)
                    process.done += len(results)
                    if process.done == len(process.chunk):
                        process.chunk = ()
                        idle.append(slot)
                    if idle and not again and (chunk := next(waiting, None)) is not None:
                        self._give(idle.pop(), chunk, poll)  # before the caller looks at the results
                    yield results, []
                    continue
                poll.unregister(handle)
                self._bury(slot)
                if not process.chunk:  # it is idle, and replaced when its turn comes
                    continue
                idle.append(slot)
                position = max(self._positions[slot], process.done)
                suspect = process.chunk[position]
                rest = [*process.chunk[process.done : position], *process.chunk[position + 1 :]]
                if rest:
                    again.append(rest)
                if suspect in suspects:
                    yield [], [suspect]
                else:
                    suspects.add(suspect)
                    again.append([suspect])

    def _give(self, slot: int, chunk: Chunk, poll: select.poll) -> None:
        if slot not in self._processes:
            self._fork(slot)
            poll.register(self._processes[slot].results, select.POLLIN)
        process = self._processes[slot]
        process.chunk, process.done = chunk, 0
        self._positions[slot] = 0
        with suppress(BrokenPipeError):  # it died, and the poll tells
            _send(process.tasks, chunk)

    def _fork(self, slot: int) -> None:
        task_end, tasks = os.pipe()
        results, result_end = os.pipe()
        number, self._forked = self._forked, self._forked + 1
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                for process in self._processes.values():
                    process.tasks.close(), process.results.close()
                os.close(tasks), os.close(results)
                self._work(number, slot, parent, os.fdopen(task_end, "rb", 0), os.fdopen(result_end, "wb", 0))
            finally:
                os._exit(1)
        os.close(task_end), os.close(result_end)
        self._processes[slot] = _Process(pid, os.fdopen(tasks, "wb", 0), os.fdopen(results, "rb", 0))

    def _work(self, number: int, slot: int, parent: int, tasks: BinaryIO, results: BinaryIO) -> None:
        """In the child, until the parent is gone or closes the pipe."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
        _limit_memory()
        gc.freeze()  # what was imported is not looked through again: a twentieth of the time
        do = None
        while (chunk := _receive(tasks)) is not None:
            code, done, values = "", [], 0
            try:
                do = do or self._make_worker(number)
                for position, name in enumerate(chunk):
                    if os.getppid() != parent:
                        return
                    self._positions[slot] = position
                    signal.setitimer(signal.ITIMER_PROF, _FILE_SECONDS)  # a file that takes longer ends the process
                    done.append(tuple(do(name)))
                    values += sum([len(value) for value in done[-1] if type(value) is tuple])
                    if values > _MOST_VALUES and position < len(chunk) - 1:
                        _send(results, (code, done))
                        done, values = [], 0
            except DicomAssetsError as error:
                code = error.code
            except OSError as error:
                code = from_os_error(error).code
            signal.setitimer(signal.ITIMER_PROF, 0)
            _send(results, (code, done))

    def _bury(self, slot: int) -> None:
        process = self._processes.pop(slot)
        process.tasks.close(), process.results.close()
        os.waitpid(process.pid, 0)


def _limit_memory() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _send(pipe: BinaryIO, message: object) -> None:
    content = marshal.dumps(message)
    rest = memoryview(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
    while rest:
        rest = rest[pipe.write(rest) :]


def _receive(pipe: BinaryIO) -> object | None:
    """The next message, or None where the other end is gone, in the middle of a message too. pipe: without a buffer, in
    which the beginning of another message would escape the poll."""
    length = _read(pipe, _LENGTH_BYTES)
    content = length and _read(pipe, int.from_bytes(length, "big"))
    return marshal.loads(content) if content else None


def _read(pipe: BinaryIO, size: int) -> bytearray | None:
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        count = pipe.readinto(rest)
        if not count:
            return None
        rest = rest[count:]
    return content
