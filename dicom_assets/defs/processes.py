"""Which process works for a run, and whether it was killed. Judged on its own host only."""

import math
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg

from .partitions import PARTITION

#: The process that executes a whole run, of the command line.
RUN_PROCESS = "dicom_assets/process"
#: `<run id> <process>`: the process that executes a step of a run. Dagster copies tags to the run that it starts in a
#: crashed one's place, so that this says whose it is.
STEP_PROCESS = "dicom_assets/step_process"
#: Of Dagster: says that the run is a process of the code server's, on its host.
_LAUNCHED_HERE = ".dagster/grpc_info"
#: Seconds in which a run that has begun says in which process it works
_LATEST_FIRST_STEP = 120.0
#: The process that has, or waits for, its turn to talk to archives; of whatever executor.
TURN_PROCESS = "dicom_assets/turn_process"


def this_process() -> str:
    """`<host>:<process id>:<when it was started>`; the last because process ids are used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(process: str) -> bool:
    """process: of this_process(). False where it is of another host, and nobody can tell."""
    host, _, rest = process.partition(":")
    number, _, started = rest.partition(":")
    return host == socket.gethostname() and number.isdigit() and _started(int(number)) != started


def _started(process_id: int) -> str:
    """In clock ticks since the machine's start: the 22nd field of /proc/<id>/stat. Empty where there is no such."""
    with suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def note_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """This process executes a step of the run."""
    note = f"{run.run_id} {this_process()}"
    if instance.get_run_by_id(run.run_id).tags.get(STEP_PROCESS) != note:
        instance.add_run_tags(run.run_id, {STEP_PROCESS: note})


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Runs on this host whose process was killed, and which nobody was left to tell of it, would count as in progress
    for ever, and keep their turn. Dagster then starts another in the place of those that its daemon had started."""
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        run = record.dagster_run
        if _was_killed(record):
            instance.report_run_failed(run, "the process that executed this run was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _was_killed(record: dg.RunRecord) -> bool:
    run = record.dagster_run
    run_id, _, process = run.tags.get(STEP_PROCESS, "").partition(" ")
    if run_id == run.run_id:
        return is_gone(process)
    if _LAUNCHED_HERE not in run.tags:
        return is_gone(run.tags.get(RUN_PROCESS, ""))
    return PARTITION in run.tags and time.time() - (record.start_time or math.inf) > _LATEST_FIRST_STEP
