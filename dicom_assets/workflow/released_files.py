"""From staging into the released root, which may lie on another file system."""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from ..errors import Refused
from ..storage.atomic import fsync_folder, has_digest, make_folder, publish, write_unfinished
from ..storage.manifests import StagedInstance
from ..storage.zones import RELEASED_FILE, RELEASED_FOLDER


@contextmanager
def unfinished_folder(released: Path, batch: str) -> Iterator[Path]:
    """A folder below the released root for files without their names, of this batch alone: another batch may release
    into the same series. Gone afterwards, and what a killed process left in it."""
    make_folder(released, RELEASED_FOLDER)
    folder = released / f".{batch}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(RELEASED_FOLDER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_into_release(
    staging: Path, released: Path, instances: Sequence[StagedInstance], unfinished: Path, workers: int
) -> None:
    """Copy instances of one study that are not there and read the copies back; they get their names when all are
    durable. Raises Refused("FILE_NOT_AS_RECORDED") where a copy has another digest than was recorded."""

    def copied(one: StagedInstance) -> tuple[Path, Path] | None:
        target = released / one.released_path
        if has_digest(target, one.sha256):
            return None
        temp = write_unfinished(unfinished, mode=RELEASED_FILE)
        shutil.copyfile(staging / one.file, temp)
        if not has_digest(temp, one.sha256):
            raise Refused("FILE_NOT_AS_RECORDED")
        return temp, target

    with ThreadPoolExecutor(workers) as threads:  # most of the work is not done in Python
        names = dict(filter(None, threads.map(copied, instances)))
    for folder in {target.parent for target in names.values()}:
        make_folder(folder, RELEASED_FOLDER)
    publish(names)
    # A process that was killed behind its renames may not have come to this for those that were there.
    for folder in {(released / one.released_path).parent for one in instances} - {
        path.parent for path in names.values()
    }:
        fsync_folder(folder)


def are_released(released: Path, instances: Sequence[StagedInstance], workers: int) -> bool:
    """All of them, as they were recorded."""
    with ThreadPoolExecutor(workers) as threads:
        return all(threads.map(lambda one: has_digest(released / one.released_path, one.sha256), instances))


def conflicts(target: Path, staged: StagedInstance, digest: str) -> bool:
    """Another content was released under this name by the same rules: one of the two originals is not what it says."""
    if not target.is_file() or has_digest(target, staged.sha256):
        return False
    try:
        header = pydicom.dcmread(target, stop_before_pixels=True, specific_tags=["DeidentificationMethod"])
    except InvalidDicomError:
        return False  # what lies there is no instance at all, and is replaced
    return digest[:16] in str(header.get("DeidentificationMethod", ""))
