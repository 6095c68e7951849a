"""What may come before what in a recording: checks that are asked at every call, with the disk as it is then."""

import re
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

from pydicom.filereader import read_dataset

from tests.support.durability import LINKS, RENAMES, UNLINKS, WRITES, Disk, moments
from tests.support.strace import Call, Recording

AUDIT_LOG = "restricted/mapping/audit.jsonl"
_P_DATA_TF, _C_STORE_RSP = 0x04, 0x8001

#: A call that is about to begin and the disk at this moment -> what is wrong
Check = Callable[[Call, Disk], Iterable[str]]


def _is_final(path: str) -> bool:
    """A name which says that the file is finished: neither hidden nor unfinished, and no lock."""
    parts = path.split("/")
    return len(parts) > 1 and not parts[-1].endswith((".part", ".lock")) and not any(p.startswith(".") for p in parts)


def new_name(call: Call, disk: Disk) -> str:
    """The final name that the call gives to a file or folder; else empty."""
    is_made = call.name == "openat" and "O_CREAT" in call.flags and not disk.has(call.paths[0])
    name = call.paths[0] if is_made else call.paths[1] if call.name in RENAMES | LINKS else ""
    return name if _is_final(name) else ""


def named_when_written_down(call: Call, disk: Disk) -> Iterator[str]:
    """A file gets its final name when its bytes are safe, and is not written to any more; a log is."""
    name = new_name(call, disk)
    if name and name != AUDIT_LOG and call.name == "openat":
        yield f"{name} was made under its final name"
    elif name and name != AUDIT_LOG and not disk.is_written_down(call.paths[0]):
        yield f"{name} got its name before its bytes were safe"
    if call.name in WRITES and _is_final(call.paths[0]) and call.paths[0] != AUDIT_LOG:
        yield f"{call.paths[0]} was written to under its final name"


def named_safely(call: Call, disk: Disk) -> Iterator[str]:
    """In the end every name is safe."""
    if not call.name:
        yield from (f"{name} can be lost with its name" for name in unsafe(disk, ".*"))


def unsafe(disk: Disk, pattern: str) -> list[str]:
    """Final names, matching the pattern, that a power cut may take."""
    return [name for name in disk.files() if _is_final(name) and re.fullmatch(pattern, name) and not disk.is_safe(name)]


def tells_of(record: str, told: str) -> Check:
    """A record gets its name when all that it tells of is safe. record, told: patterns; told may refer to groups."""

    def check(call: Call, disk: Disk) -> Iterator[str]:
        if match := re.fullmatch(record, new_name(call, disk)):
            for name in unsafe(disk, match.expand(told)):
                yield f"{match.group()} got its name when {name} could be lost"

    return check


def named_after(what: str, *needed: str) -> Check:
    """A file that matches the pattern gets its name when each of needed, paths, is there and safe."""

    def check(call: Call, disk: Disk) -> Iterator[str]:
        if re.fullmatch(what, name := new_name(call, disk)):
            yield from (f"{name} got its name before {one} was safe" for one in needed if not disk.is_safe(one))

    return check


def gone_for_good(record: str, what: str) -> Check:
    """A record gets its name when no file that matched the pattern what, and was deleted, can come back."""
    deleted = set()

    def check(call: Call, disk: Disk) -> Iterator[str]:
        if call.name in UNLINKS and re.fullmatch(what, call.paths[0]):
            deleted.add(call.paths[0])
        if re.fullmatch(record, name := new_name(call, disk)):
            back = sorted(path for path in deleted if not disk.has(path) and not disk.is_safely_gone(path))
            yield from (f"{name} got its name when {path} could come back" for path in back)

    return check


def told_before(what: str, line: str) -> Check:
    """A file that matches the pattern what is named or deleted when the audit log has told of it. line: pattern, which
    may refer to groups."""
    told = []

    def check(call: Call, disk: Disk) -> Iterator[str]:
        if call.name in WRITES and call.paths[0] == AUDIT_LOG:
            told.append(call.sent.decode())
        path = call.paths[0] if call.name in UNLINKS else new_name(call, disk)
        if (match := re.fullmatch(what, path)) and not (
            disk.is_safe(AUDIT_LOG) and any(re.search(match.expand(line), one) for one in told)
        ):
            yield f"{path} was named or deleted before the audit log told of it"

    return check


def deleted_after(what: str, kept: Callable[[str], Iterable[str]]) -> Check:
    """A file that matches the pattern is deleted when all is safe that is kept instead."""

    def check(call: Call, disk: Disk) -> Iterator[str]:
        if call.name in UNLINKS and re.fullmatch(what, path := call.paths[0]):
            yield from (f"{path} was deleted before {one} was safe" for one in kept(path) if not disk.is_safe(one))

    return check


def check_order(recording: Recording, *checks: Check) -> None:
    checks = (named_when_written_down, named_safely, *checks)
    found = [problem for call, disk in moments(recording) for check in checks for problem in check(call, disk)]
    assert not found, "\n".join(dict.fromkeys(found))


def acknowledgements(calls: Iterable[Call]) -> list[tuple[int, str]]:
    """When a C-STORE response with status 0x0000 began to go out, and of which SOPInstanceUID."""
    said: dict[str, bytes] = {}
    found = []
    for call in sorted(calls, key=lambda call: call.begun):
        waiting = said.get(call.paths[0], b"") + call.sent
        while call.sent and len(waiting) >= 6 + int.from_bytes(waiting[2:6]):
            pdu, waiting = waiting[: 6 + int.from_bytes(waiting[2:6])], waiting[6 + int.from_bytes(waiting[2:6]) :]
            if pdu[0] == _P_DATA_TF:
                command = read_dataset(BytesIO(pdu[12:]), True, True)  # behind the header of its PDV, PS3.8 9.3.5.1
                if (command.CommandField, command.Status) == (_C_STORE_RSP, 0x0000):
                    found.append((call.begun, command.AffectedSOPInstanceUID))
        said[call.paths[0]] = waiting
    return found
