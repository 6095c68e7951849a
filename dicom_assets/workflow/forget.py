"""Cutting all ties: the keys, the mapping and everything else that identifies are destroyed; what is released stays.

Order: the mark, after which nothing begins; a look whether anything is at work still; the keys, without which nothing
that is sealed is ever read again; then the files. Killed anywhere and called again, it completes. Files are deleted,
keys overwritten first: what a disk, a snapshot or a backup keeps of either is out of reach.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..batches.request import list_batches
from ..errors import Refused
from ..settings import Settings
from ..storage.atomic import UNFINISHED, delete, exclusive_lock, fsync_folder
from ..storage.audit import Event, record
from ..storage.folder_locks import is_locked
from ..storage.forgotten import is_forgotten, mark, mark_of, unmark
from ..storage.key_sources import KeyFile
from ..storage.keys import destroy_key
from ..storage.mapping import mapped_batches
from ..storage.zones import Zones

#: Folders of the restricted root that hold counts, codes and pseudonyms only, and the mapping's, of which something
#: stays; all others go
_STAYS = {"ledger", "releases", "mapping"}


def what_goes(settings: Settings, zones: Zones) -> list[str]:
    """Sentences for whoever is about to."""
    files = sum(path.is_file() for folder in _folders(zones) for path in folder.rglob("*"))
    mapped, requests = len(mapped_batches(zones)), len(list_batches(zones))
    keys = ", ".join(str(path) for path in _keys(settings) if path.exists()) or "(no key is there)"
    return [
        f"This would destroy the keys {keys},",
        f"the mapping of {mapped} batches, {requests} requests, and {files} files of originals, staged or set aside.",
        "Nobody could lead from a pseudonym to its patient any more, or go on with a batch, or begin one in this root.",
        f"What stays: {zones.released}, the ledger and the audit log. To do it: mapping forget --project",
    ]


def forget(settings: Settings, zones: Zones, why: str) -> None:
    """Raises Refused: INCOMING_NOT_EMPTY, RECEIVER_RUNNING, BATCH_BUSY, and then nothing is destroyed; OSError."""
    began_before = is_forgotten(zones)
    _refuse_arrivals(zones)
    record(zones, Event.FORGET, f"keys and mapping of {len(mapped_batches(zones))} batches", why)
    mark(zones)
    try:
        _refuse_work(zones)
        _refuse_arrivals(zones)
    except Refused:
        if not began_before:
            unmark(zones)
        raise
    for key in _keys(settings):
        destroy_key(key)
    for folder in _folders(zones):
        _destroy(folder)
    delete(list(_rest_of_mapping(zones)))


def _destroy(folder: Path) -> None:
    """All that is in it; and itself, if it is not a link or a volume of its own."""
    for path in list(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    fsync_folder(folder)
    with suppress(OSError):
        folder.rmdir()
        fsync_folder(folder.parent)


def _keys(settings: Settings) -> list[Path]:
    mapping = KeyFile(settings.mapping_key_file)
    return [mapping.path, mapping.previous, settings.pseudonym_key_file]


def _folders(zones: Zones) -> list[Path]:
    """The mapping's last: should anything go wrong, its keys are gone already."""
    return [path for path in _within(zones.restricted) if path.name not in _STAYS] + _within(zones.mapping_folder)


def _within(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir())


def _rest_of_mapping(zones: Zones) -> Iterator[Path]:
    """All but the audit log with what belongs to it, and the mark."""
    for path in zones.mapping_folder.iterdir():
        if path.stem != zones.audit_log.stem and path != mark_of(zones):
            yield path


def _refuse_arrivals(zones: Zones) -> None:
    """What was acknowledged to a sender and is in no batch is nobody's to destroy by the way."""
    if any(path.suffix in (".dcm", UNFINISHED) for path in zones.incoming.rglob("*")):
        raise Refused("INCOMING_NOT_EMPTY")
    if any(is_locked(path) for path in zones.incoming.glob(".receiver-*.lock")):
        raise Refused("RECEIVER_RUNNING")


def _refuse_work(zones: Zones) -> None:
    """The mark is there: what is not at work by now will not begin."""
    for batch in list_batches(zones):
        for lock in (zones.lock(f"{batch}.run"), zones.lock(batch)):
            with exclusive_lock(lock):
                pass
