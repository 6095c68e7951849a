"""Which process works for a run, and whether it was killed. Judged on its own host only."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import dagster as dg

#: The process that executes a whole run, of the command line.
RUN_PROCESS = "dicom_assets/process"
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


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Runs of command lines on this host that were killed would count as in progress for ever, and keep their turn."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if is_gone(run.tags.get(RUN_PROCESS, "")):
            instance.report_run_failed(run, "the process that executed this run was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
