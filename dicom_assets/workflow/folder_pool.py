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

Chunk = Sequence[bytes]
#: Made in each process from its number; takes a name and gives a tuple of plain values.
MakeWorker = Callable[[int], Callable[[bytes], tuple]]


@dataclass
class _Process:
    pid: int
    tasks: BinaryIO
    results: BinaryIO
    chunk: Chunk = ()


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
        """(results, names of files that ended their process), for one chunk after the other as they are done.

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
                idle.append(slot)
                if answer is not None:
                    code, results = answer
                    process.chunk = ()
                    if code:
                        raise RetryLater(code)
                    if not again and (chunk := next(waiting, None)) is not None:
                        self._give(idle.pop(), chunk, poll)  # before the caller looks at the results
                    yield results, []
                    continue
                poll.unregister(handle)
                self._bury(slot)
                position = self._positions[slot]
                suspect, rest = process.chunk[position], [*process.chunk[:position], *process.chunk[position + 1 :]]
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
        process.chunk = chunk
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
                self._work(number, slot, parent, os.fdopen(task_end, "rb"), os.fdopen(result_end, "wb", 0))
            finally:
                os._exit(1)
        os.close(task_end), os.close(result_end)
        self._processes[slot] = _Process(pid, os.fdopen(tasks, "wb", 0), os.fdopen(results, "rb"))

    def _work(self, number: int, slot: int, parent: int, tasks: BinaryIO, results: BinaryIO) -> None:
        """In the child, until the parent is gone or closes the pipe."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
        _limit_memory()
        gc.freeze()  # what was imported is not looked through again: a twentieth of the time
        do = None
        while (chunk := _receive(tasks)) is not None:
            code, done = "", []
            try:
                do = do or self._make_worker(number)
                for position, name in enumerate(chunk):
                    if os.getppid() != parent:
                        return
                    self._positions[slot] = position
                    signal.setitimer(signal.ITIMER_PROF, _FILE_SECONDS)  # a file that takes longer ends the process
                    done.append(tuple(do(name)))
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
    """The next message, or None where the other end is gone, in the middle of a message too."""
    length = pipe.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    content = pipe.read(int.from_bytes(length, "big"))
    return marshal.loads(content) if len(content) == int.from_bytes(length, "big") else None
