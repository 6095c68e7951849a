"""The watched folder: what lies in it goes into incoming, and leaves the folder when it is durable there.

A file is looked into when nothing has changed about it for a while. It is at every moment in the watched folder, in
incoming or in quarantine; what is no DICOM stays, and is looked at again when it changes. A file that cannot be taken
may still be on its way: it goes into quarantine when it has not changed for as long as a study settles.
"""

import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event

from ..errors import BadInput, DicomAssetsError, Refused
from ..quiet import describe_bug
from ..settings import Settings
from ..storage.atomic import exclusive_lock, write_if_changed
from ..storage.file_trees import opened_tree
from ..storage.incoming import Incoming
from ..storage.zones import Zones
from .job import zones_of
from .watcher import COUNTED, Watcher

#: Seconds between two looks, at least; listing may take such a share of the time; nobody waits longer than the last
_PAUSE, _SHARE, _LONGEST_PAUSE = 2.0, 0.1, 60.0


@dataclass(frozen=True)
class WatchState:
    """Files in the watched folder now: waiting; left: code -> files that stay. Since the watch began: the others, with
    set_aside: code -> files that went into quarantine. code: what keeps all from being taken; empty where nothing
    does."""

    code: str = ""
    waiting: int = 0
    left: dict[str, int] = field(default_factory=dict)
    taken: int = 0
    already_here: int = 0
    conflicting: int = 0
    missing: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)


def watch_state(zones: Zones) -> WatchState | None:
    """As it was written last; None where nothing was ever watched."""
    try:
        return WatchState(**json.loads(_state_file(zones).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def check_watch_folder(settings: Settings) -> None:
    """Raises BadInput("WATCH_FOLDER_OVERLAPS") where it holds data or keys of ours, or lies in a root."""
    if settings.arrivals.watch_folder is None:
        return
    watched = settings.arrivals.watch_folder.resolve()
    roots = (settings.restricted_root.resolve(), settings.released_root.resolve())
    ours = (*roots, settings.pseudonym_key_file.resolve(), settings.mapping_key_file.resolve())
    if any(watched.is_relative_to(root) for root in roots) or any(own.is_relative_to(watched) for own in ours):
        raise BadInput("WATCH_FOLDER_OVERLAPS")


def watch(settings: Settings, incoming: Incoming, stop: Event) -> None:
    """Until stop is set; for a thread of its own. incoming: opened. Does nothing where no folder is to be watched, and
    waits where it is not there, or another process watches. Raises as check_watch_folder()."""
    check_watch_folder(settings)
    folder, zones = settings.arrivals.watch_folder, zones_of(settings)
    while folder is not None and not stop.is_set():
        try:
            with exclusive_lock(zones.incoming / ".watch.lock"):
                _watch(folder, zones, Watcher(zones, incoming, settings.arrivals.settle_seconds, stop), stop)
        except (Refused, OSError):
            stop.wait(_LONGEST_PAUSE)


def _watch(folder: Path, zones: Zones, watcher: Watcher, stop: Event) -> None:
    while not stop.is_set():
        code = _looked(folder, watcher)
        if stop.is_set():
            return
        with suppress(OSError):
            state = asdict(_state(watcher, code))
            write_if_changed(_state_file(zones), json.dumps(state, sort_keys=True).encode())
        stop.wait(min(max(_PAUSE, watcher.seconds / _SHARE), _LONGEST_PAUSE))


def _looked(folder: Path, watcher: Watcher) -> str:
    """The code of what kept the watcher from going through the folder."""
    try:
        with opened_tree(folder) as tree:
            watcher.look(tree)
    except OSError:
        return "WATCH_FOLDER_MISSING"
    except DicomAssetsError as error:
        return error.code
    except Exception as error:  # the watch outlives a bug
        print(f"INTERNAL_ERROR: {describe_bug(error)}", file=sys.stderr)
        return "INTERNAL_ERROR"
    return ""


def _state(watcher: Watcher, code: str) -> WatchState:
    return WatchState(
        code=code,
        waiting=watcher.waiting,
        left=dict(watcher.left),
        set_aside=dict(watcher.set_aside),
        **{name: watcher.counts[name] for name in COUNTED},
    )


def _state_file(zones: Zones) -> Path:
    return zones.restricted / "ledger" / "watch.json"
