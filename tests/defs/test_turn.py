"""The pool `pacs`: one at a time talks to archives, over all processes; nobody waits for the dead."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.defs.instance import open_instance
from dicom_assets.defs.processes import is_gone, this_process
from dicom_assets.defs.turn import POOL, PRIORITY, PoolTurn
from tests.support.waiting import wait_for

_GUARD = 60  #: seconds


@dg.op
def nothing() -> None: ...


@dg.job
def a_job() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with open_instance(tmp_path / "home") as opened:
        yield opened


def turn_of(
    instance: dg.DagsterInstance, priority: int = 0, say: Callable[[str], object] = lambda _text: None
) -> PoolTurn:
    run = instance.create_run_for_job(a_job, tags={PRIORITY: str(priority)}, status=dg.DagsterRunStatus.STARTED)
    return PoolTurn(instance, run, "raw_dicom", say)


@contextmanager
def waiting(instance: dg.DagsterInstance, turn: PoolTurn, then: Callable[[], object]) -> Iterator[threading.Thread]:
    """A thread that takes the turn, calls `then` and gives it up; seen to wait before the block begins."""

    def work() -> None:
        with turn:
            turn.take()
            then()

    before = len(unassigned(instance))
    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: len(unassigned(instance)) > before, _GUARD)
    yield thread
    thread.join(timeout=_GUARD)
    assert not thread.is_alive()


def unassigned(instance: dg.DagsterInstance) -> list:
    pending = instance.event_log_storage.get_concurrency_info(POOL).pending_steps
    return [step for step in pending if step.assigned_timestamp is None]


def test_the_second_waits_says_so_once_and_follows(instance: dg.DagsterInstance) -> None:
    order, said = ["first"], []
    first, second = turn_of(instance), turn_of(instance, say=said.append)
    first.take()
    with waiting(instance, second, lambda: order.append("second")):
        wait_for(lambda: bool(said), _GUARD)
        first.take()  # it has it already, and nobody more urgent waits
        order.append("first again")
        first.give_up()
    assert order == ["first", "first again", "second"]
    assert said == ["waiting for the archive: another batch retrieves"]
    assert instance.event_log_storage.get_concurrency_info(POOL).pending_steps == []


def test_between_two_studies_it_steps_aside_for_what_is_urgent(instance: dg.DagsterInstance) -> None:
    order, said = [], []
    usual, urgent = turn_of(instance, say=said.append), turn_of(instance, priority=10)
    usual.take()
    with (
        waiting(instance, turn_of(instance), lambda: order.append("another usual one")),
        waiting(instance, urgent, lambda: order.append("urgent")),
    ):
        usual.take()
        order.append("usual")
        usual.give_up()
    assert order[0] == "urgent"
    assert sorted(order) == ["another usual one", "urgent", "usual"]
    assert said[0] == "stepping aside for a more urgent batch"


def test_nobody_waits_for_a_process_that_was_killed(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """One that had its turn, and one that was next."""
    first, second = (_other_process(tmp_path) for _ in range(2))
    wait_for(lambda: len(instance.event_log_storage.get_concurrency_run_ids()) == 2, _GUARD)
    for process in (first, second):
        process.kill()
        process.wait()
    with turn_of(instance) as ours:
        ours.take()
        (slot,) = instance.event_log_storage.get_concurrency_info(POOL).claimed_slots
        assert slot.run_id == ours._run.run_id


def _other_process(tmp_path: Path) -> subprocess.Popen:
    code = (
        "import time, pathlib, tests.defs.test_turn as t\n"
        f"with t.open_instance(pathlib.Path({str(tmp_path / 'home')!r})) as instance:\n"
        "    t.turn_of(instance).take(); time.sleep(600)"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])


def test_many_that_come_in_the_same_moment_are_never_two_at_a_time(instance: dg.DagsterInstance) -> None:
    turns = [turn_of(instance) for _ in range(6)]
    inside, most, together = [], [], threading.Barrier(len(turns))

    def work(turn: PoolTurn) -> None:
        together.wait(timeout=_GUARD)
        for _ in range(2):
            with turn:
                turn.take()
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.01)
                inside.pop()

    with ThreadPoolExecutor(len(turns)) as pool:
        for done in [pool.submit(work, turn) for turn in turns]:
            done.result(timeout=_GUARD)
    assert max(most) == 1
    assert len(most) == 2 * len(turns)


def test_waiting_leaves_the_processor_to_others(instance: dg.DagsterInstance) -> None:
    spent: list[float] = []
    first, second = turn_of(instance), turn_of(instance)
    first.take()
    with waiting(instance, second, lambda: spent.append(time.thread_time())):
        time.sleep(1.5)
        first.give_up()
    assert spent[0] < 0.75


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    ours = this_process()
    assert not is_gone(ours)
    assert is_gone(ours + "0")
    assert not is_gone("another-host:1:1")
    assert not is_gone("")
