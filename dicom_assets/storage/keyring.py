"""The mapping keys of one restricted root: under which new tables are sealed, and which opens an older one.

`restricted/mapping/key_id` names the key of new tables, so that a process with another key, be it on another machine or
from before a rotation, cannot seal anything that nobody will open. Who writes a table shares `vault.lock`; a rotation
holds it alone for the moment in which it turns to the new key, and for each table that it seals again.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DicomAssetsError, Refused
from .atomic import create_exclusively, make_folder, write_file
from .audit import Event, record
from .forgotten import refuse_forgotten
from .key_sources import KeySource
from .keys import MappingKey
from .sealing import read_header
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER, Zones


@dataclass
class Keyring:
    """It goes to worker processes with the keys that it has learned by then."""

    zones: Zones
    source: KeySource
    _keys: dict[str, MappingKey] = field(default_factory=dict, repr=False, compare=False)
    _refused: set[str] = field(default_factory=set, repr=False, compare=False)

    @contextlib.contextmanager
    def writing(self) -> Iterator[MappingKey]:
        """The key of new tables; it stays so meanwhile. Raises as find(); OSError."""
        with self.held(fcntl.LOCK_SH):
            refuse_forgotten(self.zones)
            yield self.find(self.key_id() or self._begin())

    def find(self, key_id: str) -> MappingKey:
        """Raises Refused: MAPPING_KEY_NOT_THE_SAME, MAPPING_KEY_MISSING, and others where a key cannot be used."""
        if key_id not in self._keys:
            with self._audited():
                refuse_forgotten(self.zones)
                found = self.source.find(key_id)
                if found is None:
                    raise Refused("MAPPING_KEY_NOT_THE_SAME")
                self._keys[key_id] = found
        return self._keys[key_id]

    def key_id(self) -> str:
        """Of the key of new tables; empty where none was ever used."""
        with contextlib.suppress(FileNotFoundError):
            return self.zones.mapping_key_id.read_text("ascii", "replace").strip()
        return ""

    def check(self) -> None:
        """The key of new tables is there, if one was ever used. Raises as find()."""
        if key_id := self.key_id():
            self.find(key_id)

    def forget(self) -> None:
        """What it has learned: each key is asked for again."""
        self._keys.clear()

    def turn_to(self, key: MappingKey) -> None:
        """The key of new tables from now on. The caller holds the lock alone."""
        self._keys[key.key_id] = key
        write_file(self.zones.mapping_key_id, key.key_id.encode() + b"\n", RESTRICTED_FILE, RESTRICTED_FOLDER)

    @contextlib.contextmanager
    def held(self, how: int) -> Iterator[None]:
        """how: of fcntl.flock."""
        make_folder(self.zones.mapping_folder, RESTRICTED_FOLDER)
        handle = os.open(self.zones.mapping_folder / "vault.lock", os.O_RDWR | os.O_CREAT, RESTRICTED_FILE)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def _begin(self) -> str:
        """On first use. A root that has sealed tables already, and has lost its note of their key, takes no other."""
        with self._audited():
            before = next((read_header(path).key_id for path in self._tables()), None)
            key = self.source.current(make=before is None)
            if before not in (None, key.key_id):
                raise Refused("MAPPING_KEY_NOT_THE_SAME")
        create_exclusively(self.zones.mapping_key_id, key.key_id.encode() + b"\n", RESTRICTED_FILE)
        return self.key_id()

    def _tables(self) -> Iterator[Path]:
        for folder in (self.zones.mapping_folder, self.zones.requests):
            yield from folder.glob("*.parquet")

    @contextlib.contextmanager
    def _audited(self) -> Iterator[None]:
        """A line for the first refusal of its kind."""
        try:
            yield
        except DicomAssetsError as error:
            if error.code not in self._refused and self.zones.restricted.is_dir():
                self._refused.add(error.code)
                with contextlib.suppress(DicomAssetsError):  # where no line can be written, this error matters more
                    record(self.zones, Event.REFUSED, f"mapping key: {error.code}")
            raise
