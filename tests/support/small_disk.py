"""A disk of a few megabytes (a tmpfs) that is as full as a test wants, of bytes or of files."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

from .programs import find_program

_BALLAST = ".ballast"
#: Seconds between two looks at how much is used
_LOOK = 0.0005


class Room(NamedTuple):
    """On a disk. files: names count, too."""

    bytes: int
    files: int

    def less(self, other: "Room") -> "Room":
        return Room(self.bytes - other.bytes, self.files - other.files)


@dataclass
class SmallDisk:
    """folder: what the disk holds. most: what was used of it at any moment since watched() began."""

    folder: Path
    most: Room = field(default=Room(0, 0), init=False)

    @property
    def free(self) -> Room:
        state = os.statvfs(self.folder)
        return Room(state.f_bfree * state.f_frsize, state.f_ffree)

    @property
    def used(self) -> Room:
        state = os.statvfs(self.folder)
        return Room((state.f_blocks - state.f_bfree) * state.f_frsize, state.f_files - state.f_ffree)

    @contextmanager
    def leaving_bytes(self, count: int) -> Iterator[None]:
        """Only so many bytes are free in the beginning."""
        ballast = self.folder / _BALLAST
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free.bytes - count)
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def leaving_files(self, count: int) -> Iterator[None]:
        """Only so many files, folders and further names of files can be made in the beginning."""
        ballast = [self.folder / f"{_BALLAST}.{number}" for number in range(self.free.files - count)]
        for path in ballast:
            path.touch()
        try:
            yield
        finally:
            for path in ballast:
                path.unlink()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sees how much is used at most."""
        ended = threading.Event()
        self.most = self.used

        def watch() -> None:
            while not ended.wait(_LOOK):
                self.most = Room(*map(max, self.most, self.used))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextmanager
def small_disk(folder: Path, size: int = 8 << 20, files: int = 2000) -> Iterator[SmallDisk]:
    """folder: an empty one, the place of the disk. size: bytes. Mounted for all where we are root, else in a name space
    of its own, which is looked into from outside."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={files},mode=0700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    command = ["unshare", "-rm", "sh", "-c", '"$@" && echo mounted && exec cat', "sh", *mount]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "mounted\n"
        yield SmallDisk(Path(f"/proc/{holder.pid}/root{folder.resolve()}"))


def needs_small_disk() -> pytest.MarkDecorator:
    """Skips the test where no disk may be mounted."""
    reason = "no disk may be mounted here: neither as root nor in a name space of users"
    return pytest.mark.skipif(not _may_mount(), reason=reason)


@lru_cache
def _may_mount() -> bool:
    if not (find_program("mount") and find_program("unshare")):
        return False
    command = ["unshare", "-m", *([] if os.geteuid() == 0 else ["-r"]), "mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
