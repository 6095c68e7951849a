"""The errors that the package raises on purpose, and the codes they carry.

    DicomAssetsError
    ├── RetryLater   the same call may succeed later (archive busy or down, disk full)
    ├── BadInput     what was given cannot be used; giving it again changes nothing
    └── Refused      it could be done, and a rule forbids it

An error carries a code and never a value: no name, identifier, UID, path or peer text. The code's sentence, which says
what to do, comes from reasons.toml. Anything else that is raised is a bug.
"""

import errno
import tomllib
from pathlib import Path

_TABLES = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text("utf-8"))

#: Reason code -> one sentence that says what happened and what to do. Also used for rows of ledger and report.
REASONS: dict[str, str] = {code: sentence for table in _TABLES.values() for code, sentence in table.items()}

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DicomAssetsError(Exception):
    """code: a key of REASONS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {REASONS.get(self.code, 'no further description')}"


class RetryLater(DicomAssetsError):
    """The same call may succeed later."""


class BadInput(DicomAssetsError):
    """What was given cannot be used."""


class Refused(DicomAssetsError):
    """A rule forbids it."""


def from_os_error(error: OSError) -> DicomAssetsError:
    """The coded error for a failed file operation: full disk, no permission, or anything else."""
    if error.errno in _NO_SPACE:
        return RetryLater("DISK_FULL")
    if isinstance(error, PermissionError):
        return BadInput("NO_PERMISSION")
    return RetryLater("FILE_OPERATION_FAILED")
