"""Where the mapping key comes from: a file, or a program that asks a KMS."""

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import Refused
from .keys import KEY_BYTES, MAPPING_KEY_LOST, MappingKey, load_or_make_key, read_key

#: Seconds that the program has to print a key
_COMMAND_SECONDS = 30.0


class KeySource(Protocol):
    def current(self, *, make: bool) -> MappingKey:
        """The key under which new tables are to be sealed. make: where there is none yet, else
        Refused("MAPPING_KEY_MISSING"). Raises BadInput or Refused where it cannot be used."""

    def find(self, key_id: str) -> MappingKey | None:
        """None where it is not to be had. Raises as current()."""


@dataclass(frozen=True)
class KeyFile:
    """path: of the mapping key. Beside it lies the previous one while a rotation is unfinished."""

    path: Path

    @property
    def previous(self) -> Path:
        return self.path.with_name(f"{self.path.name}.previous")

    def current(self, *, make: bool) -> MappingKey:
        if not make and not self.path.exists():
            raise Refused("MAPPING_KEY_MISSING")
        return MappingKey(load_or_make_key(self.path, "mapping key", MAPPING_KEY_LOST))

    def find(self, key_id: str) -> MappingKey | None:
        if not self.path.exists():
            raise Refused("MAPPING_KEY_MISSING")
        keys = [MappingKey(read_key(path)) for path in (self.path, self.previous) if path.exists()]
        return next((key for key in keys if key.key_id == key_id), None)


@dataclass(frozen=True)
class KeyCommand:
    """command: a program and its arguments. It is called with one more: `current` or the id of a key, and prints that
    key: 64 hex digits, or 32 bytes. It ends with another code than 0 where there is none."""

    command: tuple[str, ...]

    def current(self, *, make: bool) -> MappingKey:  # whether there is one is the KMS's affair
        return self._printed("current")

    def find(self, key_id: str) -> MappingKey | None:
        current = self._printed("current")
        if current.key_id == key_id:
            return current
        with contextlib.suppress(Refused):
            key = self._printed(key_id)
            return key if key.key_id == key_id else None
        return None

    def _printed(self, which: str) -> MappingKey:
        """What it says besides stays unseen: it may hold anything."""
        try:
            done = subprocess.run(
                [*self.command, which], capture_output=True, stdin=subprocess.DEVNULL, timeout=_COMMAND_SECONDS,
                check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            raise Refused("MAPPING_KEY_COMMAND_FAILED") from None
        printed = done.stdout
        if len(printed) != KEY_BYTES:
            text = printed.strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{64}", text):
                raise Refused("MAPPING_KEY_COMMAND_FAILED")
            printed = bytes.fromhex(text.decode())
        return MappingKey(printed)
