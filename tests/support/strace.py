"""What programs did to files below a folder and said on sockets, in order: recorded by strace."""

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import pytest

from .programs import find_program, needs

_ON_NAMES = {"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"}
_ON_DESCRIPTORS = {"write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range", "ftruncate"} | {
    "fsync", "fdatasync", "syncfs", "sendto", "sendmsg"
}  # fmt: skip
_SAYING = {"write", "writev", "sendto", "sendmsg"}
#: Bytes of what is written that are recorded, the rest being zeros: more than a response or a line of a log has
_RECORDED = 512

_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r".*\) += (-?\d+)(?:<(.*)>)?(?: .*)?", re.DOTALL)
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<((?:[^<>\\]|\\.)*)>(?:\(deleted\))?")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FLAGS = re.compile(r"\b(?:O|AT|RENAME)_[A-Z]+\b")


@dataclass(frozen=True)
class Call:
    """One system call that succeeded. begun, ended: lines of the record; what ended before another began came before
    it. paths: what it was about, relative to the folder of the recording, "" outside; of rename and link the old and
    the new one, of what copies the one that is written. A socket is `socket:[4711]`; sent: what was written to it."""

    begun: int
    ended: int
    process: int
    name: str
    paths: tuple[str, ...]
    flags: frozenset[str] = frozenset()
    sent: bytes = b""


@dataclass
class Recording:
    """folder: in which the programs run; what happens outside is left out. before: relative path -> is it a folder, of
    what was there when it began."""

    folder: Path
    output: Path
    before: dict[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.before = {str(path.relative_to(self.folder)): path.is_dir() for path in self.folder.rglob("*")}

    def command(self, command: Sequence[object]) -> list[str]:
        """The command, recorded with its threads and children; exit code and outputs are its own, and so are signals
        to the process group."""
        traced = ",".join(sorted({"openat"} | _ON_NAMES | _ON_DESCRIPTORS))
        options = ["-f", "-y", "-qq", "--seccomp-bpf", "-s", _RECORDED, "-e", f"trace={traced}", "-e", "signal=none"]
        return [str(one) for one in (find_program("strace"), *options, "-o", self.output, *command)]

    def calls(self) -> list[Call]:
        """In the order in which they ended."""
        with self.output.open(encoding="utf-8", errors="surrogateescape") as lines:
            calls = [replace(call, paths=tuple(map(self._relative, call.paths))) for call in _calls(lines)]
        return [call for call in calls if any(call.paths)]

    def _relative(self, path: str) -> str:
        if path.startswith("socket:"):
            return path
        inside, folder = self.folder / path, str(self.folder)  # what is absolute stays
        return os.path.normpath(inside)[len(folder) :].lstrip("/") or "." if inside.is_relative_to(folder) else ""


def needs_strace() -> pytest.MarkDecorator:
    """Skips the test where strace is missing or may not trace; with CI=true a missing strace fails instead."""
    mark = needs("strace")
    if find_program("strace") is None or _may_trace():
        return mark
    return pytest.mark.skip(reason="strace may not trace processes here (ptrace is not allowed)")


@lru_cache
def _may_trace() -> bool:
    command = [find_program("strace"), "-f", "--seccomp-bpf", "-o", os.devnull, "true"]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    waiting: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        if not (match := _LINE.fullmatch(line.rstrip("\n"))):
            continue
        process, resumed, name, text = int(match[1]), match[2], match[3], match[4]
        begun = number
        if resumed:
            begun, before = waiting.pop(process)
            name, text = resumed, before + text
        if text.endswith(_UNFINISHED):
            waiting[process] = number, text.removesuffix(_UNFINISHED)
        elif (result := _RESULT.fullmatch(text)) and int(result[1]) >= 0:
            yield _call(begun, number, process, name, text, int(result[1]), result[2] or "")


def _call(begun: int, ended: int, process: int, name: str, text: str, result: int, opened: str) -> Call:
    outside = _TEXT.sub("", text)
    descriptors, flags = [_plain(path) for path in _DESCRIPTOR.findall(outside)], frozenset(_FLAGS.findall(outside))
    if name == "openat":
        return Call(begun, ended, process, name, (_plain(opened),), flags)
    if name not in _ON_NAMES:
        target = descriptors[-1 if name == "copy_file_range" else 0]
        sent = b"".join(map(_bytes, _TEXT.findall(text))).ljust(result, b"\0") if name in _SAYING else b""
        return Call(begun, ended, process, name, (target,), flags, sent)
    names = [_bytes(path).decode("utf-8", "surrogateescape") for path in _TEXT.findall(text)]
    folders = descriptors if len(descriptors) == len(names) else [""] * len(names)
    paths = tuple(os.path.normpath(Path(*pair)) for pair in zip(folders, names, strict=True))
    return Call(begun, ended, process, name, paths, flags)


def _bytes(escaped: str) -> bytes:
    return ast.literal_eval(f'b"{escaped}"')


def _plain(path: str) -> str:
    text = _bytes(path.replace('"', '\\"')).decode("utf-8", "surrogateescape") if "\\" in path else path
    return text.removesuffix(" (deleted)")
