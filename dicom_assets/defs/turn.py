"""Whose turn it is to talk to archives: the slots of Dagster's pool `pacs`, one unless the instance says otherwise.

They are claimed here, at the first question of a stage, and not by Dagster when a step begins (`pool=`). Its own claim
keeps a processor busy while it waits in an in-process run (Dagster 1.13), looks again after up to 15 seconds only, and
holds the slot for a step that has nothing to ask. And a stage can step aside between two studies for an urgent one.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import dagster as dg

from ..workflow.politeness import nothing
from .processes import TURN_PROCESS, end_killed_runs, is_gone, this_process

POOL = "pacs"
#: Tag of a run, read by Dagster's queue and here: more is sooner.
PRIORITY = "dagster/priority"

_LOOK_EVERY = 0.5  #: seconds, while waiting
_LOOK_FOR_KILLED_EVERY = 5.0
_LOOK_FOR_URGENT_EVERY = 1.0
#: Seconds after which the slot of a run that has ended counts as left behind
_LEFT_BEHIND = 15.0


class PoolTurn:
    """The turn of one step of a run; given up at the end of the `with` block. say: takes a sentence on why it waits."""

    def __init__(
        self, instance: dg.DagsterInstance, run: dg.DagsterRun, step: str, say: Callable[[str], object]
    ) -> None:
        self._instance, self._run, self._step, self._say = instance, run, step, say
        self._storage = instance.event_log_storage
        self._priority = _number(run.tags.get(PRIORITY, "0"))
        self._looked = 0.0
        self._is_ours = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.give_up()

    def take(self, hang_up: Callable[[], object] = nothing) -> None:
        """Waits until it is ours. Where it is already, it is given up to a more urgent step that waits, after hang_up,
        and taken again after that."""
        if self._is_ours:
            if not self._somebody_urgent_waits():
                return
            self._say("stepping aside for a more urgent batch")
            hang_up()
            self.give_up()
        else:
            self._prepare()
        self._wait()

    def give_up(self) -> None:
        if self._is_ours:
            self._free()
            self._is_ours = False

    def _wait(self) -> None:
        look_for_killed = time.monotonic()
        said = False
        try:
            while not self._claim():
                if not said:
                    self._say("waiting for the archive: another batch retrieves")
                    said = True
                if time.monotonic() >= look_for_killed:
                    self._free_what_was_left_behind()
                    look_for_killed = time.monotonic() + _LOOK_FOR_KILLED_EVERY
                time.sleep(_LOOK_EVERY)
        except BaseException:
            self._free()
            raise
        self._is_ours = True

    def _prepare(self) -> None:
        """The pool has its slots, and this run says which process to look at."""
        default = self._instance.global_op_concurrency_default_limit
        with self._alone():
            pool = next((pool for pool in self._storage.get_pool_limits() if pool.name == POOL), None)
            if pool is None and default is None:
                self._storage.set_concurrency_slots(POOL, 1)
            elif default is not None and (pool is None or (pool.from_default and pool.limit != default)):
                self._storage.initialize_concurrency_limit_to_default(POOL)
        self._instance.add_run_tags(self._run.run_id, {TURN_PROCESS: this_process()})

    def _claim(self) -> bool:
        with self._alone():
            claim = self._storage.claim_concurrency_slot(POOL, self._run.run_id, self._step, self._priority)
        return claim.is_claimed

    def _free(self) -> None:
        with self._alone():
            self._storage.free_concurrency_slot_for_step(self._run.run_id, self._step)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Dagster claims in several statements; on SQLite, which serves one host, two processes that claim in the same
        moment could both get the slot."""
        with (Path(self._instance.root_directory) / "pacs.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _somebody_urgent_waits(self) -> bool:
        if time.monotonic() < self._looked + _LOOK_FOR_URGENT_EVERY:
            return False
        self._looked = time.monotonic()
        waiting = self._storage.get_concurrency_info(POOL).pending_steps
        return any(step.assigned_timestamp is None and (step.priority or 0) > self._priority for step in waiting)

    def _free_what_was_left_behind(self) -> None:
        """By processes that were killed, and by a claim that missed the moment in which a slot was freed."""
        end_killed_runs(self._instance)
        pool = self._storage.get_concurrency_info(POOL)
        others = {step.run_id for step in (*pool.claimed_slots, *pool.pending_steps)} - {self._run.run_id}
        for run_id in others:
            if self._is_over(run_id):
                self._storage.free_concurrency_slots_for_run(run_id)
        pool = self._storage.get_concurrency_info(POOL)
        if not pool.claimed_slots and all(step.assigned_timestamp is None for step in pool.pending_steps):
            self._free()  # and claimed anew, which assigns it

    def _is_over(self, run_id: str) -> bool:
        record = self._instance.get_run_record_by_id(run_id)
        if record is None or is_gone(record.dagster_run.tags.get(TURN_PROCESS, "")):
            return True
        return record.end_time is not None and record.end_time + _LEFT_BEHIND < time.time()


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
