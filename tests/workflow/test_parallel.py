"""The pool: a task that kills its worker costs itself and no other, and no exception text comes back."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.workflow import parallel
from dicom_assets.workflow.parallel import Call, Steps, map_studies, parts_of
from tests.support.waiting import wait_for


def work(task: str) -> str:
    if task == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "memory":
        return str(len(bytearray(64 << 30)))
    if task == "bug":
        raise ValueError("Quillfeather^Ottoline")
    if task == "bad":
        raise BadInput("UNREADABLE")
    if task == "full":
        raise OSError(28, "No space left on device")
    if task == "limits":
        return str(resource.getrlimit(resource.RLIMIT_CPU)[0])
    return task.upper()


def steps(task: str) -> Steps[str]:
    (result,) = yield [Call(work, task)]
    return result


def test_each_task_has_its_outcome_in_order() -> None:
    done = []
    tasks = ["a", "crash", "b", "bug", "bad", "memory", "c"]
    outcomes = map_studies(steps, tasks, 2, lambda: done.append(1))
    assert [outcome.task for outcome in outcomes] == tasks
    assert [outcome.result or outcome.code for outcome in outcomes] == [
        "A", "WORKER_CRASHED", "B", "INTERNAL_ERROR", "UNREADABLE", "WORKER_CRASHED", "C"
    ]  # fmt: skip
    assert outcomes[3].detail.startswith("ValueError at ")
    assert "Quillfeather" not in repr(outcomes)
    assert len(done) == len(tasks)


def test_a_full_disk_is_the_machines_error_and_no_studys() -> None:
    with pytest.raises(RetryLater, match="DISK_FULL"):
        map_studies(steps, ["a", "full"], 2, lambda: None)


def test_a_call_has_a_limit_of_time() -> None:
    (outcome,) = map_studies(steps, ["limits"], 1, lambda: None)
    assert 0 < int(outcome.result) <= parallel._CALL_SECONDS + 60


def test_nothing_to_do_is_done() -> None:
    assert map_studies(steps, [], 2, lambda: None) == []


def joined(words: list[str]) -> str:
    return " ".join(words)


def in_parts(task: str) -> Steps[str]:
    """Each word by itself, wherever; then all of them, in their order."""
    assert (yield []) == []
    words = yield [Call(work, word) for word in task.split()]
    (sentence,) = yield [Call(joined, words)]
    return sentence


def test_a_step_gets_the_results_of_the_one_before_in_order() -> None:
    tasks = [" ".join(f"word{number}" for number in range(count)) for count in (40, 0, 1)]
    outcomes = map_studies(in_parts, tasks, 3, lambda: None)
    assert [outcome.result for outcome in outcomes] == [task.upper() for task in tasks]


def test_one_part_that_fails_is_its_studys_failure_and_no_others() -> None:
    outcomes = map_studies(in_parts, ["a b", "c bad d crash", "crash e", "f g"], 2, lambda: None)
    assert [(outcome.result, outcome.code) for outcome in outcomes] == [
        ("A B", ""), (None, "UNREADABLE"), (None, "WORKER_CRASHED"), ("F G", "")
    ]  # fmt: skip


def fails_here(task: str) -> Steps[str]:
    yield [Call(work, task)]
    raise BadInput("UNREADABLE")


def test_what_fails_between_calls_is_the_studys_too() -> None:
    (outcome,) = map_studies(fails_here, ["a"], 1, lambda: None)
    assert (outcome.result, outcome.code) == (None, "UNREADABLE")


def meet(folder: str) -> int:
    """Waits for another process that does the same."""
    (Path(folder) / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(Path(folder).iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid()


def meeting(folder: str) -> Steps[list[int]]:
    return (yield [Call(meet, folder)] * 2)


def test_parts_of_one_study_are_worked_on_side_by_side(tmp_path: Path) -> None:
    (outcome,) = map_studies(meeting, [str(tmp_path)], 2, lambda: None)
    assert len({*outcome.result, os.getpid()}) == 3


def waiting_alone(folder: str) -> Steps[list[int]]:
    return (yield [Call(meet, folder)])


def is_there(process: int) -> bool:
    """Running, and not only waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from dicom_assets.workflow.parallel import map_studies\n"
        "from tests.workflow.test_parallel import waiting_alone\n"
        f"map_studies(waiting_alone, [{str(tmp_path)!r}], 1, lambda: None)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    wait_for(lambda: any(tmp_path.iterdir()), 60)
    (worker,) = (int(path.name) for path in tmp_path.iterdir())
    server = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_there(worker) and not is_there(server), 60)


@pytest.mark.parametrize("count", [0, 1, 64, 65, 1000])
def test_parts_are_all_there_is_in_order(count: int) -> None:
    assert [number for part in parts_of(range(count)) for number in part] == list(range(count))


def test_a_part_holds_no_more_than_it_may_but_for_one_that_is_larger() -> None:
    mb = 1 << 20
    assert parts_of([20 * mb, 12 * mb, mb, 90 * mb, mb], lambda size: size) == [
        [20 * mb, 12 * mb],
        [mb],
        [90 * mb],
        [mb],
    ]
