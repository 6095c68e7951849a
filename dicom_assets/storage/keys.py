"""The two keys of a project, and the files that hold them.

pseudonym key   makes pseudonyms, UIDs and shifts of dates: with another one a patient has another name
mapping key     seals the tables that identify patients: without it nobody leads from a pseudonym to its patient
"""

import contextlib
import hmac
import os
import secrets
import shlex
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..errors import BadInput, Refused
from .atomic import create_exclusively, fsync_folder

KEY_BYTES = 32


@dataclass(frozen=True)
class MappingKey:
    """secret: 32 random bytes; never printed."""

    secret: bytes = field(repr=False)

    @cached_property
    def key_id(self) -> str:
        """Names the key without telling it: 12 hex digits."""
        return self.derived("key-id", "").hex()[:12]

    def derived(self, purpose: str, salt: str) -> bytes:
        """32 bytes that only this key, purpose and salt give."""
        return hmac.digest(self.secret, f"{purpose}|{salt}".encode(), "sha256")


#: What is said of a key when it is made
PSEUDONYM_KEY_LOST = (
    "Keep a copy in a safe place: without it the same patient gets another pseudonym, and nothing that is "
    "de-identified later fits what is released already. Whoever has it can test a guessed patient ID."
)
MAPPING_KEY_LOST = (
    "Keep a copy in a safe place, apart from the data: without it nobody can lead from a pseudonym to its patient any "
    "more, nor go on with a batch that is in work. Whoever has both it and the restricted data can."
)


def load_or_make_key(path: Path, name: str = "pseudonym key", lost: str = PSEUDONYM_KEY_LOST) -> bytes:
    """The 32 bytes of the file; one that is made is told of on stderr. lost: what losing it means. Raises as
    read_key()."""
    if not path.exists() and create_exclusively(path, secrets.token_bytes(KEY_BYTES)):
        print(f"A new {name} lies in {path}. {lost}".rstrip(), file=sys.stderr)
    return read_key(path)


def read_key(path: Path) -> bytes:
    """Raises Refused where others may read it, BadInput where it does not hold a key."""
    if path.stat().st_mode & 0o077:
        error = Refused("KEY_FILE_OPEN_TO_OTHERS")
        error.add_note(f"chmod 600 {shlex.quote(str(path))}")
        raise error
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise BadInput("KEY_FILE_UNUSABLE")
    return key


def destroy_key(path: Path) -> None:
    """Overwritten, then deleted; what a disk keeps of overwritten blocks, or a backup, is out of reach."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b", buffering=0) as file:
            file.write(bytes(max(KEY_BYTES, path.stat().st_size)))
            os.fsync(file.fileno())
        path.unlink()
        fsync_folder(path.parent)
