"""A second reader: dcmtk, which shares no code with pydicom or with us, opens what would be released."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

CHECK = "second_reader_opens_it"
_PROGRAM = "dcmdump"
#: File format only, without loading pixels, and of all elements one to print
_OPTIONS = ("+fo", "-M", "+P", "0008,0018")
_SECONDS = 600


@cache
def program() -> str | None:
    """None where dcmtk is not installed."""
    return shutil.which(_PROGRAM)


def unreadable(files: Sequence[Path]) -> set[Path] | None:
    """Those that dcmtk does not read to their end; None where there is no dcmtk. One call for all of them, and one for
    each only where that fails."""
    if program() is None:
        return None
    if not files or _opens(files):
        return set()
    return {file for file in files if not _opens([file])}


def _opens(files: Sequence[Path]) -> bool:
    command = [program(), "-q", *_OPTIONS, *files]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # waiting for its end takes no time then
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
