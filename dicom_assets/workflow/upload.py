"""`dicom-assets upload`: files, folders, ZIPs and media into incoming, with what each study then has in all.

A study of which all that was given has been taken is declared complete, and settles at once. Killed and run again it
completes: what is in incoming is there once.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from ..errors import BadInput
from ..storage.file_trees import FileTree, PassedOver, opened_tree
from ..storage.incoming import Incoming
from ..storage.media import is_directory, plain
from ..storage.zones import Zones
from .job import coded_file_errors
from .take import Taking, Tally, handed, refusal

#: progress(what, total) gives a function to call once a file is done
Progress = Callable[[str, int], AbstractContextManager[Callable[[], object]]]

_CANNOT_BE_READ = ("NO_PERMISSION", "UNREADABLE_FILE")


@dataclass
class Upload:
    """complete: keys of the studies that were declared so. passed_over: code -> links and devices, which were not
    looked into."""

    tally: Tally = field(default_factory=Tally)
    complete: set[str] = field(default_factory=set)
    passed_over: Counter[str] = field(default_factory=Counter)


def check_paths(paths: Sequence[Path], zones: Zones) -> None:
    """Raises BadInput("UPLOAD_WHAT") where one is no file or folder that is there, or holds or lies in incoming."""
    incoming = zones.incoming.resolve()
    for path in paths:
        own = path.resolve()
        if not (own.is_file() or own.is_dir()) or own.is_relative_to(incoming) or incoming.is_relative_to(own):
            raise BadInput("UPLOAD_WHAT")


def upload(paths: Sequence[Path], incoming: Incoming, progress: Progress) -> Upload:
    """paths: see check_paths(). Raises DicomAssetsError where the run cannot go on; what was taken until then stays."""
    done = Upload()
    with coded_file_errors(), incoming.opened():
        taking = Taking(incoming, Event())
        for number, path in enumerate(paths, 1):
            done.tally.add(_upload(path.resolve(), taking, done.passed_over, progress), f"path {number}")
        if "" not in done.tally.doubtful:
            done.complete = done.tally.studies.keys() - done.tally.doubtful
        for study_key in sorted(done.complete):
            incoming.declare_complete(study_key, len(done.tally.studies[study_key]))
    return done


def _upload(path: Path, taking: Taking, passed_over: Counter[str], progress: Progress) -> Tally:
    tally = Tally()
    with _listed(path, tally, passed_over) as (tree, names), progress("uploading", len(names)) as step:
        found = taking.take_all(
            names,
            lambda name: plain(os.fsdecode(name)),
            partial(handed, tree),
            lambda number: f"file {number}",
            taking.take,
            step,
        )
    tally.add(found)
    return tally


@contextmanager
def _listed(path: Path, tally: Tally, passed_over: Counter[str]) -> Iterator[tuple[FileTree, list[bytes]]]:
    """The files at path, in the order of `find path -type f | LC_ALL=C sort`. Of a DICOMDIR, those of its medium. tally
    gets the folders that cannot be read."""
    if path.is_file() and not is_directory(plain(path.name)):
        with opened_tree(path.parent) as tree:
            yield tree, [os.fsencode(path.name)]
        return
    with opened_tree(path.parent if path.is_file() else path) as tree:
        names = []
        for found in tree.files():
            if not isinstance(found, PassedOver):
                names.append(found[0])
            elif found.code in _CANNOT_BE_READ:
                tally.add(refusal(found.code))
            else:
                passed_over[found.code] += 1
        yield tree, sorted(names)
