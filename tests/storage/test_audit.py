"""The audit log: a line before each act, and nothing that happens to it goes unnoticed."""

import json
import os
import pwd
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from dicom_assets.errors import BadInput, DicomAssetsError, Refused, RetryLater
from dicom_assets.storage.audit import LONGEST_WHY, last_lines, record, refusals_recorded, verify
from dicom_assets.storage.audit_events import MEANINGS, Event
from dicom_assets.storage.zones import Zones


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path / "restricted", tmp_path / "released")


@pytest.fixture
def log(zones: Zones) -> Path:
    """Of five lines."""
    for number in range(5):
        record(zones, Event.MAPPING_READ, f"cohort-20260131-{number:03d}", "Rückfrage der Ethikkommission")
    return zones.audit_log


def lines_of(zones: Zones) -> list[dict]:
    return [json.loads(line) for line in zones.audit_log.read_bytes().splitlines()]


def test_a_line_says_who_when_what_and_why(zones: Zones) -> None:
    record(zones, Event.REIDENTIFY, "P7", " follow-up of a finding ")
    (line,) = lines_of(zones)
    assert line["who"] == pwd.getpwuid(os.getuid()).pw_name
    assert line["uid"] == os.getuid()
    assert line["when"].endswith("+00:00")
    assert (line["event"], line["code"], line["action"], line["outcome"]) == ("reidentify", "110110", "R", 0)
    assert (line["number"], line["subject"], line["why"]) == (1, "P7", "follow-up of a finding")
    assert zones.audit_log.stat().st_mode & 0o777 == zones.audit_head.stat().st_mode & 0o777 == 0o600
    assert zones.mapping_folder.stat().st_mode & 0o777 == 0o700


def test_every_event_has_its_code_of_the_standard() -> None:
    assert len({event.label for event in Event}) == len(Event)
    for event in Event:
        assert {event.code} | {event.kind} - {""} <= set(MEANINGS)
        assert event.action in "CRUDE"
        assert (event.kind != "") == (event.code == "110113")  # PS3.15 A.5.3.11: an alert says of what kind it is
    assert Event.REFUSED.outcome == 8


def test_a_log_that_was_only_appended_to_is_whole(zones: Zones, log: Path) -> None:
    assert verify(zones) == []
    assert [line.number for line in last_lines(zones)] == [1, 2, 3, 4, 5]
    assert [line.number for line in last_lines(zones, 2)] == [4, 5]


def test_where_nothing_was_done_there_is_nothing_to_miss(zones: Zones) -> None:
    assert verify(zones) == []
    assert last_lines(zones) == []


def edited(number: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [
        line.replace(b"cohort", b"nights") if at == number else line for at, line in enumerate(lines, 1)
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (edited(3), [(3, "AUDIT_LINE_CHANGED")]),
        (edited(5), [(5, "AUDIT_LINE_CHANGED")]),
        (lambda lines: lines[:2] + lines[3:], [(3, "AUDIT_LINES_MISSING")]),
        (lambda lines: lines[1:], [(1, "AUDIT_LINES_MISSING")]),
        (lambda lines: lines[:-1], [(5, "AUDIT_LINES_MISSING")]),
        (lambda lines: lines[:2], [(3, "AUDIT_LINES_MISSING")]),
        (lambda lines: [], [(0, "AUDIT_LOG_MISSING")]),
        (
            lambda lines: [*lines[:3], lines[1], *lines[3:]],
            [(4, "AUDIT_LINE_OUT_OF_PLACE")],
        ),
        (lambda lines: [lines[1], lines[0], *lines[2:]], None),
        (lambda lines: [*lines, lines[0]], None),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], None),
        (lambda lines: [*lines[:-1], lines[-1][:20]], None),
        (lambda lines: [line.replace(b":", b": ") for line in lines], None),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], None),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], None),
        (lambda lines: [*lines[:2], b"[" * 100_000 + b"\n", *lines[2:]], None),
    ],
)
def test_what_was_done_to_the_lines_is_found(zones: Zones, log: Path, change: Callable, found: list | None) -> None:
    log.write_bytes(b"".join(change(log.read_bytes().splitlines(keepends=True))))
    problems = [(problem.line, problem.code) for problem in verify(zones)]
    assert problems == found if found is not None else problems


def test_a_line_that_is_sealed_anew_breaks_the_chain(zones: Zones, log: Path) -> None:
    from dataclasses import replace

    from dicom_assets.storage.audit_chain import encode

    lines = last_lines(zones)
    lines[2] = replace(lines[2], subject="nothing").sealed()
    log.write_bytes(b"".join(map(encode, lines)))
    assert [(problem.line, problem.code) for problem in verify(zones)] == [(4, "AUDIT_CHAIN_BROKEN")]


def test_a_head_that_is_gone_or_changed_is_found(zones: Zones, log: Path) -> None:
    head = zones.audit_head.read_bytes()
    for content in (None, b"", head.replace(b"5", b"7", 1), head.replace(b"5", b"3", 1), head + b" "):
        zones.audit_head.unlink(missing_ok=True)
        if content is not None:
            zones.audit_head.write_bytes(content)
        assert verify(zones)
        with pytest.raises(Refused, match="AUDIT_LOG_DAMAGED"):
            record(zones, Event.MAPPING_READ, "b-1")
    zones.audit_head.write_bytes(head)
    assert not verify(zones)


def test_a_log_that_is_gone_is_missed(zones: Zones, log: Path) -> None:
    log.unlink()
    assert [problem.code for problem in verify(zones)] == ["AUDIT_LOG_MISSING"]
    with pytest.raises(Refused, match="AUDIT_LOG_DAMAGED"):
        record(zones, Event.MAPPING_READ, "b-1")
    zones.audit_head.unlink()
    assert verify(zones) == []  # as if nothing had ever been mapped, but
    zones.mapping("b-1").write_bytes(b"")
    assert [problem.code for problem in verify(zones)] == ["AUDIT_LOG_MISSING"]
    record(zones, Event.MAPPING_READ, "b-1")
    assert [(problem.line, problem.code) for problem in verify(zones)] == [(1, "AUDIT_LOG_BEGUN_LATE")]


def test_every_flipped_bit_is_found(zones: Zones, log: Path) -> None:
    """A sample of them; every bit of the last line and of the head."""
    contents = {path: path.read_bytes() for path in (log, zones.audit_head)}
    last = len(contents[log]) - len(contents[log].splitlines(keepends=True)[-1])
    bits = {log: [*random.Random(1).sample(range(last * 8), 300), *range(last * 8, len(contents[log]) * 8)]}
    bits[zones.audit_head] = range(len(contents[zones.audit_head]) * 8)
    for path, content in contents.items():
        for bit in bits[path]:
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            assert verify(zones), (path.name, bit)
        path.write_bytes(content)
    assert not verify(zones)


def test_a_line_that_the_head_does_not_know_yet_is_no_problem_and_is_caught_up_with(zones: Zones, log: Path) -> None:
    head = zones.audit_head.read_bytes()
    record(zones, Event.MAPPING_READ, "b-6")
    zones.audit_head.write_bytes(head)  # killed between the two
    assert verify(zones) == []
    record(zones, Event.MAPPING_READ, "b-7")
    assert verify(zones) == []
    assert len(lines_of(zones)) == 7


def test_the_first_line_may_be_ahead_of_its_head_too(zones: Zones) -> None:
    record(zones, Event.MAPPING_READ, "b-1")
    zones.audit_head.unlink()
    assert verify(zones) == []
    record(zones, Event.MAPPING_READ, "b-2")
    assert verify(zones) == []


def test_half_a_line_of_a_power_cut_is_cut_off_and_told(zones: Zones, log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"number":6,"when"')
    assert [(problem.line, problem.code) for problem in verify(zones)] == [(6, "AUDIT_LINE_TORN")]
    record(zones, Event.MAPPING_READ, "b-6")
    assert verify(zones) == []
    assert [line["event"] for line in lines_of(zones)][5:] == ["audit mended", "mapping read"]
    assert "18 bytes" in lines_of(zones)[5]["subject"]


def test_half_a_line_that_the_head_knows_is_no_power_cut(zones: Zones, log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    with pytest.raises(Refused, match="AUDIT_LOG_DAMAGED"):
        record(zones, Event.MAPPING_READ, "b-6")
    assert verify(zones)


@pytest.mark.parametrize("why", ["two\nlines", "\x1b[2J", "x" * (LONGEST_WHY + 1), "\u202etxet", "\udcff"])
def test_a_reason_that_a_terminal_would_obey_is_refused(zones: Zones, why: str) -> None:
    with pytest.raises(BadInput, match="AUDIT_REASON_UNUSABLE"):
        record(zones, Event.REIDENTIFY, "P7", why)
    assert not zones.audit_log.exists()


def test_a_refused_attempt_leaves_its_code_and_the_error_goes_on(zones: Zones) -> None:
    zones.mapping_folder.mkdir(parents=True, mode=0o700)
    with pytest.raises(RetryLater, match="DISK_FULL"), refusals_recorded(zones, "mapping export"):
        raise RetryLater("DISK_FULL")
    (line,) = lines_of(zones)
    assert (line["event"], line["outcome"], line["subject"]) == ("refused", 8, "mapping export: DISK_FULL")


def test_what_cannot_be_written_is_an_error_before_the_act(zones: Zones) -> None:
    zones.mapping_folder.mkdir(parents=True)
    zones.audit_log.mkdir()
    with pytest.raises(DicomAssetsError):
        record(zones, Event.MAPPING_READ, "b-1")


def _record(zones: Zones, number: int) -> None:
    for _ in range(10):
        record(zones, Event.MAPPING_READ, f"b-{number}")


def test_lines_of_several_processes_make_one_chain(zones: Zones) -> None:
    with ProcessPoolExecutor(3) as processes:
        for done in [processes.submit(_record, zones, number) for number in range(3)]:
            done.result()
    assert verify(zones) == []
    assert len(lines_of(zones)) == 30


def test_a_line_costs_the_same_however_long_the_log_is(
    zones: Zones, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    really = os.pread
    monkeypatch.setattr(os, "pread", lambda handle, size, at: read.append(size) or really(handle, size, at))
    for number in range(300):  # more than a block
        record(zones, Event.MAPPING_READ, f"b-{number}", "w" * 400)
    assert zones.audit_log.stat().st_size > 2 * (1 << 16)
    assert max(read) <= 1 << 16
    assert len(read) == 300
    assert verify(zones) == []
