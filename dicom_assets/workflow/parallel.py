"""One process pool over studies: the only place where work is spread over cores."""

import logging
import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import DicomAssetsError, RetryLater, from_os_error
from ..quiet import describe_bug, silence_libraries

_LOG = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Address space of a worker, bytes: a file that makes a decoder ask for more ends that worker, not the machine.
_WORKER_MEMORY = 8 << 30
#: CPU seconds that a worker may spend on one study; a decoder that runs for ever ends that worker.
_STUDY_SECONDS = 3600
#: Errors of the machine, not of a study: the stage stops with them.
_OF_THE_MACHINE = {"DISK_FULL", "NO_PERMISSION", "FILE_OPERATION_FAILED"}


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """result, or the reason code of why there is none (detail: type and place of a bug, never a value)."""

    task: Task
    result: Result | None
    code: str = ""
    detail: str = ""


def map_studies(
    fn: Callable[[Task], Result], tasks: Sequence[Task], workers: int, done: Callable[[], None]
) -> list[Outcome[Task, Result]]:
    """fn over tasks, one study a task, in the order of tasks. fn: a module-level function; tasks and results pickle.

    A task that kills its worker is tried once more alone, then has the code WORKER_CRASHED; no other task suffers.
    Raises RetryLater or BadInput for errors of the machine (full disk), after the tasks under way have ended."""
    outcomes = _run(fn, dict(enumerate(tasks)), min(workers, len(tasks)), done)
    for number, task in enumerate(tasks):
        if outcomes[number].code == "WORKER_CRASHED":
            outcomes |= _run(fn, {number: task}, 1, lambda: None)
    ordered = [outcomes[number] for number in range(len(tasks))]
    for outcome in ordered:
        if outcome.detail:
            _LOG.error("%s: %s", outcome.code, outcome.detail)
        if outcome.code in _OF_THE_MACHINE:
            raise RetryLater(outcome.code)
    return ordered


def _run(
    fn: Callable[[Task], Result], tasks: dict[int, Task], workers: int, done: Callable[[], None]
) -> dict[int, Outcome[Task, Result]]:
    if not tasks:
        return {}
    outcomes = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),)) as pool:
        futures: dict[Future, int] = {}
        for number, task in tasks.items():
            try:
                futures[pool.submit(_guarded, fn, task)] = number
            except BrokenProcessPool:
                outcomes[number] = Outcome(task, None, "WORKER_CRASHED")
        for future in as_completed(futures):
            number = futures[future]
            try:
                result, code, detail = future.result()
                outcomes[number] = Outcome(tasks[number], result, code, detail)
            except BrokenProcessPool:
                outcomes[number] = Outcome(tasks[number], None, "WORKER_CRASHED")
            done()
    return outcomes


def _start_worker(parent: int) -> None:
    silence_libraries()
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_MEMORY, _WORKER_MEMORY))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A worker whose parent was killed must not go on writing beside the run that takes over."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _guarded(fn: Callable[[Task], Result], task: Task) -> tuple[Result | None, str, str]:
    """Exceptions do not cross to the parent: their texts would be pickled with them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _STUDY_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    try:
        return fn(task), "", ""
    except DicomAssetsError as error:
        return None, error.code, ""
    except FileNotFoundError:
        return None, "ORIGINAL_UNREADABLE", ""
    except OSError as error:
        return None, from_os_error(error).code, ""
    except MemoryError:
        return None, "WORKER_CRASHED", ""
    except Exception as error:
        return None, "INTERNAL_ERROR", describe_bug(error)
