"""A new mapping key: every sealed table is sealed again under it. Pseudonyms and what is released do not change.

    1. the present key gets the name `<key file>.previous`
    2. the new key takes its place
    3. new tables are sealed under it: restricted/mapping/key_id
    4. table by table, what is sealed under another key is sealed again
    5. the previous key is destroyed, when nothing is sealed under it any more

Each step leaves a site in which everything can be read; killed between any two, the rotation goes on where it was when
it is called again. With a key command the KMS does steps 1, 2 and 5.
"""

import fcntl
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from ..batches.request import list_batches
from ..errors import Refused
from ..storage.atomic import exclusive_lock, fsync_folder, write_file
from ..storage.audit import Event, record
from ..storage.key_sources import KeyFile
from ..storage.keyring import Keyring
from ..storage.keys import KEY_BYTES, MappingKey, destroy_key
from ..storage.sealing import is_sealed, read_header
from ..storage.vault import seal_again
from ..storage.zones import Zones
from .job import Progress, coded_file_errors, no_progress


@dataclass(frozen=True)
class Rotation:
    """key_id: of the new key. sealed: tables that were sealed again. busy: batches that somebody works on; their tables
    are left for the next call, and the previous key stays."""

    key_id: str
    sealed: int
    busy: int


def rotate(keyring: Keyring, progress: Progress = no_progress) -> Rotation:
    """Begin a rotation, or go on with one that was interrupted. Raises DicomAssetsError: MAPPING_KEY_NOTHING_SEALED
    where no table was ever sealed, BATCH_BUSY where another rotation is under way, and as Keyring.find()."""
    zones = keyring.zones
    if not keyring.key_id():
        raise Refused("MAPPING_KEY_NOTHING_SEALED")
    with coded_file_errors(), exclusive_lock(zones.mapping_folder / "rotation.lock"):
        keyring.check()
        key = _new_key(keyring)
        with keyring.held(fcntl.LOCK_EX):
            keyring.turn_to(key)
        sealed, busy = _seal_all_again(keyring, key, progress)
        if not busy and isinstance(keyring.source, KeyFile):
            destroy_key(keyring.source.previous)
    return Rotation(key.key_id, sealed, busy)


def sealed_tables(zones: Zones) -> Iterator[Path]:
    """Wherever they lie below the restricted root."""
    for folder, folders, names in os.walk(zones.restricted):
        folders.sort()
        for path in (Path(folder, name) for name in sorted(names) if name.endswith(".parquet")):
            with suppress(FileNotFoundError):
                if is_sealed(path):
                    yield path


def _new_key(keyring: Keyring) -> MappingKey:
    """Made, told of in the audit log, and in its place. Of an interrupted rotation: the one that was made for it."""
    source, before = keyring.source, keyring.key_id()
    key = source.current(make=False)
    if isinstance(source, KeyFile) and not _is_replaced(source, key):
        key = MappingKey(secrets.token_bytes(KEY_BYTES))
        record(keyring.zones, Event.KEY_ROTATE, f"mapping key {before} gives way to {key.key_id}")
        with suppress(FileExistsError):
            os.link(source.path, source.previous)
        fsync_folder(source.path.parent)
        write_file(source.path, key.secret)
    else:
        record(keyring.zones, Event.KEY_ROTATE, f"mapping key {before} gives way to {key.key_id}")
    return key


def _is_replaced(source: KeyFile, key: MappingKey) -> bool:
    """Step 2 is done, and step 5 is not."""
    return source.previous.exists() and source.previous.read_bytes() != key.secret


def _seal_all_again(keyring: Keyring, key: MappingKey, progress: Progress) -> tuple[int, int]:
    """Tables that were sealed again, and batches that were left out because somebody works on them."""
    sealed = busy = 0
    tables = _by_batch(keyring.zones, key.key_id)
    with progress("sealing again", sum(map(len, tables.values()))) as step:
        for batch, paths in tables.items():
            try:
                # So that no table comes back that a stage deletes at this moment.
                with exclusive_lock(keyring.zones.lock(batch)) if batch else nullcontext():
                    for path in paths:
                        sealed += _sealed_again(keyring, path, key)
                        step()
            except Refused as error:
                if error.code != "BATCH_BUSY":
                    raise
                busy += 1
    return sealed, busy


def _by_batch(zones: Zones, key_id: str) -> Mapping[str, list[Path]]:
    """What is sealed under another key; "" has what is no batch's."""
    batches, found = set(list_batches(zones)), defaultdict(list)
    for path in sealed_tables(zones):
        if read_header(path).key_id != key_id:
            area, name = path.relative_to(zones.restricted).parts[:2]
            batch = name.partition(".")[0] if area in ("requests", "mapping") else name
            found[batch if batch in batches else ""].append(path)
    return found


def _sealed_again(keyring: Keyring, path: Path, key: MappingKey) -> bool:
    with keyring.held(fcntl.LOCK_EX), suppress(FileNotFoundError):
        if read_header(path).key_id != key.key_id:
            seal_again(path, key)
            return True
    return False
