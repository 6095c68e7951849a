"""One pool of processes over studies: the only place where work is spread over cores.

What is done to a study is written as steps, a generator that runs here: it yields calls that may be made side by side,
in any process, and is sent their results in order; what it returns is the study's. So a batch of one large study
employs every core too, and what can only be said of a whole study has its place.

Processes are forked from a server that has imported what they need: they start in milliseconds, with every stage again.
"""

import gc
import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from ..errors import DicomAssetsError, RetryLater, from_os_error
from ..quiet import describe_bug, silence_libraries
from ..storage.vault import Keys, open_vault, opened_vaults

_LOG = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")
Instance = TypeVar("Instance")
Call = partial  #: of a module-level function; it and its result pickle
Steps = Generator[Sequence[Call], list[Any], Result]

#: Imported by the server that processes are forked from; `__main__` is what multiprocessing has it import by itself.
_PRELOADED = ["__main__", "dicom_assets.workflow.preloaded"]
#: Address space of a worker, bytes: a file that makes a decoder ask for more ends that worker, not the machine.
_WORKER_MEMORY = 8 << 30
#: CPU seconds that a worker may spend on one call; a decoder that runs for ever ends that worker.
_CALL_SECONDS = 3600
#: Instances, and their bytes, that a call has to do with: some tenths of a second. The same for any number of workers.
_INSTANCES, _BYTES = 64, 32 << 20
_CRASHED = "WORKER_CRASHED"
#: Errors of the machine, not of a study: the stage stops with them.
_OF_THE_MACHINE = {"DISK_FULL", "NO_PERMISSION", "FILE_OPERATION_FAILED"}


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """result, or the reason code of why there is none (detail: type and place of a bug, never a value)."""

    task: Task
    result: Result | None
    code: str = ""
    detail: str = ""


def parts_of(
    instances: Iterable[Instance], size_of: Callable[[Instance], int] = lambda _: 0
) -> list[Sequence[Instance]]:
    """Instances of one study, cut into what one call has to do with. size_of: bytes of one."""
    parts: list[list[Instance]] = []
    bytes_of_last = 0
    for instance in instances:
        size = size_of(instance)
        if not parts or len(parts[-1]) == _INSTANCES or bytes_of_last + size > _BYTES:
            parts.append([])
            bytes_of_last = 0
        parts[-1].append(instance)
        bytes_of_last += size
    return parts


def map_studies(
    steps: Callable[[Task], Steps[Result]], tasks: Sequence[Task], workers: int, done: Callable[[], object]
) -> list[Outcome[Task, Result]]:
    """The steps of each task, one study a task; outcomes in the order of tasks. done: called after each study.

    A study fails with its first call that fails. A call that kills its worker is made once more alone, then has the
    code WORKER_CRASHED; no other study suffers. Raises RetryLater for errors of the machine (full disk), after the
    calls under way have ended."""

    def ended(study: _Study) -> None:
        if study.outcome.detail:
            _LOG.error("%s: %s", study.outcome.code, study.outcome.detail)
        if study.outcome.code in _OF_THE_MACHINE:
            raise RetryLater(study.outcome.code)
        done()

    studies = [_Study(task, steps(task)) for task in tasks]
    line = _Line(studies, ended)
    while suspects := _work_until_a_crash(line, workers):
        for call in suspects:
            with _pool(1) as pool:
                call.study.take(call, _answer(pool.submit(_limited, call.call)))
        line.settle()
    return [study.outcome for study in studies]


class _Waiting(NamedTuple):
    """A call that is to be made. position: among those of its step."""

    study: "_Study"
    position: int
    call: Call


#: What a call gave: result, reason code, detail, as in Outcome
_Answer = tuple[Any, str, str]


class _Study(Generic[Task, Result]):
    """One study in work. waiting: its calls that nobody makes yet."""

    def __init__(self, task: Task, steps: Steps[Result]) -> None:
        self._task, self._steps = task, steps
        self._results: list[Any] | None = None
        self._left = 0  # calls of this step without a result
        self.waiting: deque[_Waiting] = deque()
        self.outcome: Outcome[Task, Result] | None = None

    def advance(self) -> None:
        """To the next step that has calls, or to the outcome."""
        while not self._left and self.outcome is None:
            calls, code, detail = _guarded(self._next_step)
            if code:
                self._fail(code, detail)
            elif calls is not None:
                self._results, self._left = [None] * len(calls), len(calls)
                self.waiting.extend(_Waiting(self, position, call) for position, call in enumerate(calls))

    def _next_step(self) -> Sequence[Call] | None:
        try:
            return self._steps.send(self._results)
        except StopIteration as end:
            self.outcome = Outcome(self._task, end.value)
            return None

    def take(self, call: _Waiting, answer: _Answer) -> None:
        result, code, detail = answer
        if code:
            self._fail(code, detail)
        elif self.outcome is None:
            self._results[call.position] = result
            self._left -= 1
            self.advance()

    def _fail(self, code: str, detail: str) -> None:
        self._steps.close()
        self.waiting.clear()
        self.outcome = self.outcome or Outcome(self._task, None, code, detail)


class _Line:
    """Calls in the order of studies. A study begins when the ones before it have no more calls waiting, so that few are
    in work at a time and a crash leaves little half done. ended: called with each study that has its outcome."""

    def __init__(self, studies: Sequence[_Study], ended: Callable[[_Study], None]) -> None:
        self._coming, self._ended = iter(studies), ended
        self._in_work: list[_Study] = []

    def next(self) -> _Waiting | None:
        """None where there is none now; there may be one when the results of others are in."""
        study = next((study for study in self._in_work if study.waiting), None)
        while study is None or not study.waiting:
            study = next(self._coming, None)
            if study is None:
                return None
            study.advance()
            self._in_work.append(study)
        return study.waiting.popleft()

    def settle(self) -> None:
        for study in [study for study in self._in_work if study.outcome is not None]:
            self._in_work.remove(study)
            self._ended(study)


def _work_until_a_crash(line: _Line, workers: int) -> list[_Waiting]:
    """The calls that were under way when a process died: one of them is to blame. Empty where everything is done."""
    under_way: dict[Future, _Waiting] = {}
    suspects: list[_Waiting] = []
    with _pool(workers) as pool:
        while True:
            while not suspects and len(under_way) < 2 * workers and (call := line.next()) is not None:
                try:
                    under_way[pool.submit(_limited, call.call)] = call
                except BrokenProcessPool:
                    suspects.append(call)
            line.settle()
            if not under_way:
                return suspects
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                call, answer = under_way.pop(future), _answer(future)
                if answer[1] == _CRASHED:
                    suspects.append(call)
                else:
                    call.study.take(call, answer)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    # An interrupt from the terminal goes to all processes; this one ends the others. They inherit what is blocked here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(opened_vaults(),))


def _answer(future: Future) -> _Answer:
    try:
        return future.result()
    except BrokenProcessPool:
        return None, _CRASHED, ""
    except Exception as error:  # the result could not be pickled
        return None, "INTERNAL_ERROR", describe_bug(error)


def _start_worker(vaults: Mapping[Path, Keys]) -> None:
    silence_libraries()
    for root, keys in vaults.items():
        open_vault(root, keys)
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_MEMORY, _WORKER_MEMORY))
    gc.freeze()  # what was imported is not looked through again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing beside the run that takes over."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _limited(call: Call) -> _Answer:
    """In the worker."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _CALL_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    return _guarded(call)


def _guarded(call: Callable[[], Result]) -> _Answer:
    """Exceptions do not cross to the parent: their texts would be pickled with them."""
    try:
        return call(), "", ""
    except DicomAssetsError as error:
        return None, error.code, ""
    except FileNotFoundError:
        return None, "ORIGINAL_UNREADABLE", ""
    except OSError as error:
        return None, from_os_error(error).code, ""
    except MemoryError:
        return None, _CRASHED, ""
    except Exception as error:
        return None, "INTERNAL_ERROR", describe_bug(error)
