"""The pool: a task that kills its worker costs itself and no other, and no exception text comes back."""

import os
import resource
import signal

import pytest

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.workflow import parallel
from dicom_assets.workflow.parallel import map_studies


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


def test_each_task_has_its_outcome_in_order() -> None:
    done = []
    tasks = ["a", "crash", "b", "bug", "bad", "memory", "c"]
    outcomes = map_studies(work, tasks, 2, lambda: done.append(1))
    assert [outcome.task for outcome in outcomes] == tasks
    assert [outcome.result or outcome.code for outcome in outcomes] == [
        "A", "WORKER_CRASHED", "B", "INTERNAL_ERROR", "UNREADABLE", "WORKER_CRASHED", "C"
    ]  # fmt: skip
    assert outcomes[3].detail.startswith("ValueError at ")
    assert "Quillfeather" not in repr(outcomes)
    assert len(done) == len(tasks)


def test_a_full_disk_is_the_machines_error_and_no_studys() -> None:
    with pytest.raises(RetryLater, match="DISK_FULL"):
        map_studies(work, ["a", "full"], 2, lambda: None)


def test_a_study_has_a_limit_of_time() -> None:
    (outcome,) = map_studies(work, ["limits"], 1, lambda: None)
    assert 0 < int(outcome.result) <= parallel._STUDY_SECONDS + 60


def test_nothing_to_do_is_done() -> None:
    assert map_studies(work, [], 2, lambda: None) == []
