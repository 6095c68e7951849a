"""The pseudonym key's file: 32 random bytes, mode 0600, made on first use."""

import secrets
from pathlib import Path

from ..errors import BadInput, Refused
from .atomic import create_exclusively

_KEY_BYTES = 32


def load_or_make_key(path: Path) -> bytes:
    """The 32 bytes of the file. Raises Refused where others may read it, BadInput where it does not hold a key."""
    if not path.exists():
        create_exclusively(path, secrets.token_bytes(_KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise Refused("KEY_FILE_OPEN_TO_OTHERS")
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise BadInput("KEY_FILE_UNUSABLE")
    return key
