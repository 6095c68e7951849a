"""The audit log: who did what, when and why, one line before each read, export, release, deletion and refusal.

`audit.jsonl` is only ever appended to; see audit_chain.py for its lines. `audit.head` beside it knows the last line, so
that one that is gone is missed. Order: line, fsync, head. Killed between them, a log is one line ahead of its head, and
the next line sets that right; so it does with the half of a line that a power cut left, and says so in a line.
"""

import errno
import os
import pwd
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import BadInput, DicomAssetsError, Refused, from_os_error
from .atomic import exclusive_lock, fsync_folder, make_folder, write_file
from .audit_chain import Head, Line, Problem, decode, decode_line, encode, problems_of
from .audit_events import Event
from .forgotten import is_forgotten
from .syslog import forward
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER, Zones

#: Characters of a reason
LONGEST_WHY = 500
_BLOCK = 1 << 16  #: bytes that are read of the log's end at a time


def record(zones: Zones, event: Event, subject: str, why: str = "") -> None:
    """Append a line, durably, before what it tells of is done. subject: batch keys, pseudonyms, study keys, counts,
    codes; never an original value. why: a person's reason, or the stage's name.

    Raises BadInput("AUDIT_REASON_UNUSABLE"), Refused("AUDIT_LOG_DAMAGED") where the end of the log is not as it was
    left, and what errors.from_os_error() makes of a full disk or a missing permission: then nothing may be done."""
    why = usable_reason(why)
    try:
        make_folder(zones.mapping_folder, RESTRICTED_FOLDER)
        with _locked(zones), _opened_end(zones) as end:
            if end.torn:
                end.cut()
                end.append(Event.AUDIT_MENDED, f"{end.torn} bytes of a line without an end were cut off", "")
            if end.is_late:
                end.append(Event.AUDIT_BEGUN_LATE, "there was a mapping before this log", "")
            end.append(event, subject, why)
    except OSError as error:
        raise from_os_error(error) from None
    forward(zones)


def usable_reason(why: str) -> str:
    """Without blanks round it. Raises BadInput("AUDIT_REASON_UNUSABLE") where it is too long or holds what a terminal
    would obey."""
    why = why.strip()
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise BadInput("AUDIT_REASON_UNUSABLE")
    return why


@contextmanager
def refusals_recorded(zones: Zones, what: str) -> Iterator[None]:
    """What is refused in it leaves a line with the error's code, and no value; not where nothing was ever kept."""
    try:
        yield
    except DicomAssetsError as error:
        with suppress(DicomAssetsError):  # where no line can be written, the error itself is what matters
            if zones.restricted.is_dir():
                record(zones, Event.REFUSED, f"{what}: {error.code}")
        raise


def verify(zones: Zones) -> list[Problem]:
    """All that speaks against the log as a whole; nothing where all is well. Reads every line."""
    if not zones.mapping_folder.is_dir():
        return []
    with _locked(zones):
        head = read_head(zones)
        if not zones.audit_log.is_file() or not zones.audit_log.stat().st_size:
            is_missed = head != Head() or _has_mapping(zones)
            return [Problem(0, "AUDIT_LOG_MISSING")] if is_missed else []
        with zones.audit_log.open("rb") as log:
            return list(problems_of(log, head))


def read_head(zones: Zones) -> Head | None:
    """None where it is not as it was written; that of an empty log where there is none."""
    path = zones.audit_head
    return decode(path.read_bytes(), Head) if path.is_file() else Head()


def last_lines(zones: Zones, count: int | None = None) -> list[Line | None]:
    """Of each of the last lines, all of them by default, what it says; None where it is not as it was written."""
    if not zones.audit_log.is_file():
        return []
    with zones.audit_log.open("rb") as log:
        return [decode_line(raw) for raw in deque(log, count)]


@contextmanager
def _locked(zones: Zones) -> Iterator[None]:
    with exclusive_lock(zones.audit_log.with_suffix(".lock"), wait=True):
        yield


@contextmanager
def _opened_end(zones: Zones) -> Iterator["_End"]:
    handle = os.open(zones.audit_log, os.O_RDWR | os.O_CREAT | os.O_APPEND, RESTRICTED_FILE)
    try:
        yield _End(handle, zones)
    finally:
        os.close(handle)


def _has_mapping(zones: Zones) -> bool:
    """There is, or was, something of which a log has to tell."""
    return zones.given_pseudonyms.is_file() or is_forgotten(zones) or any(zones.mapping_folder.glob("*.parquet"))


class _End:
    """The end of the log, which is open and locked. torn: bytes behind its last line feed. is_late: no line, and there
    is a mapping."""

    def __init__(self, handle: int, zones: Zones) -> None:
        self._handle, self._zones = handle, zones
        raw, self._size, self.torn = _last_line(handle)
        line = decode_line(raw)
        self._head = Head() if line is None else Head(line.number, line.hash)
        self.is_late = not raw and _has_mapping(zones)
        head = read_head(zones)
        if head is None or (raw and line is None):
            raise Refused("AUDIT_LOG_DAMAGED")
        if head != self._head:
            if line is None or head != Head(line.number - 1, line.previous):
                raise Refused("AUDIT_LOG_DAMAGED")
            self._write_head()

    def cut(self) -> None:
        os.ftruncate(self._handle, self._size)

    def append(self, event: Event, subject: str, why: str) -> None:
        line = _line(self._head, event, subject, why)
        content = encode(line)
        try:
            if os.write(self._handle, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as the rest of it would say
            os.fsync(self._handle)
        except OSError:
            with suppress(OSError):
                self.cut()
            raise
        if not self._size:
            fsync_folder(self._zones.mapping_folder)
        self._size += len(content)
        self._head = Head(line.number, line.hash)
        self._write_head()

    def _write_head(self) -> None:
        write_file(self._zones.audit_head, encode(self._head), RESTRICTED_FILE, RESTRICTED_FOLDER)


def _last_line(handle: int) -> tuple[bytes, int, int]:
    """The last whole line, where it ends, and how many bytes follow it. Reads no more than it must."""
    size = start = os.fstat(handle).st_size
    tail = b""
    while start and tail.count(b"\n") < 2:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(handle, step, start) + tail
    whole, _, torn = tail.rpartition(b"\n")
    line = whole.rpartition(b"\n")[2] + b"\n" if len(torn) < len(tail) else b""
    return line, size - len(torn), len(torn)


def _line(head: Head, event: Event, subject: str, why: str) -> Line:
    return Line(
        number=head.count + 1,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=_name_of(os.getuid()),
        uid=os.getuid(),
        login=_login(),
        event=event.label,
        code=event.code,
        kind=event.kind,
        action=event.action,
        outcome=event.outcome,
        subject=subject,
        why=why,
        previous=head.hash,
    ).sealed()


def _name_of(uid: int) -> str:
    """Of the system's own list: the environment says what its user likes."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _login() -> str:
    """Who logged in and became somebody else, by sudo or su; empty where the kernel does not know."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return ""
    return "" if uid in (os.getuid(), 0xFFFFFFFF) else _name_of(uid)
