"""Whoever reads the mapping and is killed at any moment has read nothing that the audit log does not tell of, and the
log is whole after each kill.

AUDIT_KILLS=200 python -m pytest -q -s tests/torture/test_audited_reads.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.storage.audit import Event, last_lines, record, verify
from dicom_assets.storage.mapping import MappedStudy, write_part
from tests.support.site import REPOSITORY, Site
from tests.support.strace import Recording, needs_strace
from tests.torture.support_sites import new_site, start
from tests.torture.test_bit_flips import instance

KILLS = int(os.environ.get("AUDIT_KILLS", "10"))
#: Seconds that a reader lives, at most: it reads some thirty times in it
_LIFE = 0.3
BATCH = "cohort-20260131-001"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = new_site(tmp_path / "site")
    instances = (replace(instance(number), patient_pseudonym="P1") for number in range(20))
    write_part(site.zones, BATCH, [MappedStudy("s1", tuple(instances))])
    (site.folder / "out").mkdir()
    return site


@contextmanager
def reading(site: Site, *before: str) -> Iterator[subprocess.Popen]:
    """support_reader.py; what it says can be read line by line."""
    command = (*before, sys.executable, "-m", "tests.torture.support_reader", str(site.folder / "out"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    reader = start(site, *command, cwd=REPOSITORY, **pipes)
    try:
        yield reader
    finally:
        reader.stdin.close()
        reader.stdout.close()
        reader.wait(60)


def live(reader: subprocess.Popen, life: int, seconds: float) -> list[str]:
    """Reasons of what a child had read when it was killed."""
    reader.stdin.write(f"{life}\n")
    reader.stdin.flush()
    child = int(reader.stdout.readline().removeprefix("begins "))
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return [line.strip() for line in iter(reader.stdout.readline, "ended\n")]


def test_nothing_was_read_that_the_log_does_not_tell_of(site: Site) -> None:
    chance, told_before, results = random.Random(7), len(last_lines(site.zones)), Counter()
    with reading(site) as reader:
        for life in range(KILLS):
            said = live(reader, life, chance.uniform(0, _LIFE))
            assert {problem.code for problem in verify(site.zones)} <= {"AUDIT_LINE_TORN"}, f"after kill {life}"
            told = {line.why for line in last_lines(site.zones)[told_before:] if line}
            exported = {path.stem for path in (site.folder / "out").glob("*.csv")}
            assert {*said, *exported} <= told, f"after kill {life}"
            results.update(why.partition("-")[0] for why in said)
    record(site.zones, Event.AUDIT_READ, "after all of it")
    assert verify(site.zones) == []
    assert results.total()
    print(f"{KILLS} kills of readers, {dict(results)}: {len(last_lines(site.zones))} lines, all of them in their place")


@needs_strace()
def test_the_line_is_durable_before_the_first_byte_is_read(site: Site, tmp_path: Path) -> None:
    """By the system calls of one reader: between two reads of a part lies a line that was written and made durable."""
    recording = Recording(site.zones.restricted, tmp_path / "calls")
    with reading(site, *recording.command([])) as reader:
        said = live(reader, 0, 1.0)
    log, part = "mapping/audit.jsonl", f"mapping/{BATCH}.parquet"
    state, reads = "nothing", 0
    for call in recording.calls():
        if call.paths[0] == log and call.name == "write":
            state = "written"
        elif call.paths[0] == log and call.name == "fsync" and state == "written":
            state = "durable"
        elif call.paths[0] == part and call.name == "openat":
            assert state == "durable"
            state, reads = "nothing", reads + 1
    assert said
    assert reads >= len(said)
