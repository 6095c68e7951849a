"""The audit log's lines, each sealed with its own hash and that of the line before; and the head, which knows the last.

A line is the canonical JSON of a Line, UTF-8 without a byte too many, so that no byte of it can be another one. The
chain holds no secret: it shows what happened to a log, and whoever notes the last hash elsewhere, or sends the lines to
a syslog server, can show that nobody wrote a log anew.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace

from .audit_events import Event


@dataclass(frozen=True)
class Line:
    """number: from 1. when: UTC, ISO 8601, milliseconds. who: OS user; login: who logged in, where the kernel knows it
    and it is somebody else. code, kind, action, outcome: see Event. previous, hash: SHA-256, hex; the first line's
    previous is empty."""

    number: int
    when: str
    who: str
    uid: int
    login: str
    event: str
    code: str
    kind: str
    action: str
    outcome: int
    subject: str
    why: str
    previous: str
    hash: str = ""

    def sealed(self) -> "Line":
        return replace(self, hash=hashlib.sha256(encode(replace(self, hash=""))).hexdigest())


@dataclass(frozen=True)
class Head:
    """count: of the lines. hash: the last one's."""

    count: int = 0
    hash: str = ""


@dataclass(frozen=True)
class Problem:
    """line: its number in the file, from 1; 0 where it is none of a line. code: a key of errors.REASONS."""

    line: int
    code: str


def encode(record: Line | Head) -> bytes:
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(raw: bytes, kind: type[Line] | type[Head]) -> Line | Head | None:
    """None where raw is not, byte for byte, what encode() makes of such a record."""
    try:
        values = json.loads(raw)
        record = kind(**{field.name: values[field.name] for field in fields(kind)})
        is_exact = all(type(getattr(record, field.name)) is field.type for field in fields(kind))
        return record if is_exact and encode(record) == raw else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def decode_line(raw: bytes) -> Line | None:
    """A line with its line feed; None where a byte of it is not as it was written."""
    line = decode(raw, Line)
    return line if line is not None and line == line.sealed() else None


_NOT_HERE = "AUDIT_LINE_OUT_OF_PLACE"


def problems_of(lines: Iterable[bytes], head: Head | None) -> Iterator[Problem]:
    """Everything that does not fit together. lines: with their line feeds. head: None where it is unreadable. A line
    that the head does not know yet is none, and so is a head that is not there yet: the process was killed between."""
    number, previous, before_last = 0, Head(), ""
    for raw in lines:
        number += 1
        if not raw.endswith(b"\n"):
            yield Problem(number, "AUDIT_LINE_TORN")
            number -= 1
            break
        line = decode_line(raw)
        if line is None:
            yield Problem(number, "AUDIT_LINE_CHANGED")
            previous = None
            continue
        if problem := _out_of_place(line, previous):
            yield Problem(number, problem)
        if problem == _NOT_HERE:
            continue
        if line.event == Event.AUDIT_BEGUN_LATE.label:
            yield Problem(number, "AUDIT_LOG_BEGUN_LATE")
        previous = Head(line.number, line.hash)
        before_last = line.previous
    if head is None:
        yield Problem(0, "AUDIT_HEAD_CHANGED")
    elif previous is not None and head != previous:
        is_one_behind = number and head == Head(previous.count - 1, before_last)
        if not is_one_behind:
            yield Problem(number + 1, "AUDIT_LINES_MISSING" if head.count > number else "AUDIT_HEAD_CHANGED")


def _out_of_place(line: Line, previous: Head | None) -> str:
    """The code of why the line cannot follow. previous: number and hash of the one before; None where unreadable."""
    if previous is None:
        return ""
    if line.number <= previous.count:
        return _NOT_HERE
    if line.number > previous.count + 1:
        return "AUDIT_LINES_MISSING"
    return "" if line.previous == previous.hash else "AUDIT_CHAIN_BROKEN"
