"""Commands on the audit log: verify, show."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from ..errors import REASONS
from ..quiet import printable
from ..settings import Settings
from ..storage.audit import Event, Line, last_lines, read_head, record, verify
from ..workflow.job import coded_file_errors, zones_of
from .output import say


def verify_log(options: argparse.Namespace) -> int:
    """The number of lines and the last one's hash on stdout, and every problem; 1 where there is one."""
    zones = zones_of(Settings.from_env())
    with coded_file_errors():
        problems = [(one.line, one.code) for one in verify(zones)]
        head = read_head(zones)
        if options.noted and not any(line and line.hash == options.noted for line in last_lines(zones)):
            problems.append((0, "AUDIT_NOTED_HASH_MISSING"))
    count, last = (head.count, head.hash) if head else (None, None)
    if options.json:
        found = [{"line": line, "code": code} for line, code in problems]
        print(json.dumps({"lines": count, "hash": last, "problems": found}))
    else:
        for line, code in problems:
            print(f"line {line}: {code}" if line else code)
        print(f"{count} lines, the last one's hash is {last or '-'}" if head else "the number of lines is not known")
    for code in dict.fromkeys(code for _, code in problems):
        say(f"{code}: {REASONS.get(code, '')}")
    return 1 if problems else 0


def show(options: argparse.Namespace) -> int:
    """Lines as they are, the latest last. That they are looked at is a line itself."""
    zones = zones_of(Settings.from_env())
    with coded_file_errors():
        record(zones, Event.AUDIT_READ, f"the last {options.last}" if options.last else "all lines", options.reason)
        lines = last_lines(zones, options.last or None)
    if options.json:
        print(json.dumps({"lines": [asdict(line) if line else None for line in lines]}))
    else:
        print("\n".join(_told(lines)))
    return 0


def _told(lines: Sequence[Line | None]) -> list[str]:
    """One line each, columns with two blanks between."""
    return [
        "  ".join(printable(part) for part in _parts(line)) if line else "(not as it was written: audit verify)"
        for line in lines
    ]


def _parts(line: Line) -> list[str]:
    who = f"{line.who} ({line.login})" if line.login else line.who
    return [str(line.number), line.when, who, line.event, line.subject, *([line.why] if line.why else [])]
