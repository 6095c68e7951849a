"""The regular files below a folder that others write to. No link is followed, at any depth; nothing that is no file is
opened for its content."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

#: Folders within folders; nobody's are deeper, and each takes a system call a file
_DEEPEST = 64


class Signature(NamedTuple):
    """Changes with whatever happens to a file's content or place."""

    inode: int
    size: int
    changed: int  #: nanoseconds since 1970, of the content; a program may set it
    touched: int  #: the same of content or inode; the kernel alone sets it


class PassedOver(NamedTuple):
    """What is not looked into. code: LINK_NOT_FOLLOWED, NOT_A_FILE, NO_PERMISSION or UNREADABLE_FILE."""

    name: bytes
    code: str


class FileTree:
    """Names are relative to the root, bytes, with / between folders. Use it within opened_tree()."""

    def __init__(self, root: int) -> None:
        self._root = root

    def files(self, *, hidden: bool = True) -> Iterator[tuple[bytes, Signature] | PassedOver]:
        """In no particular order. hidden: also what has a name that begins with a dot."""
        folders = [b""]
        while folders:
            folder = folders.pop()
            try:
                with self._folder(folder) as handle, os.scandir(handle) as entries:
                    for entry in entries:
                        if not hidden and entry.name.startswith("."):
                            continue
                        name = folder + os.fsencode(entry.name)
                        state = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(state.st_mode):
                            yield name, _signature(state)
                        elif stat.S_ISDIR(state.st_mode) and name.count(b"/") < _DEEPEST:
                            folders.append(name + b"/")
                        else:
                            yield PassedOver(name, "LINK_NOT_FOLLOWED" if entry.is_symlink() else "NOT_A_FILE")
            except FileNotFoundError:
                pass  # gone since its parent was listed
            except PermissionError:
                yield PassedOver(folder, "NO_PERMISSION")
            except OSError:
                yield PassedOver(folder, "UNREADABLE_FILE")

    def open(self, name: bytes) -> int:
        """A descriptor to read from; may be that of a pipe, which does not block. Raises OSError."""
        folder, _, own = name.rpartition(b"/")
        with self._folder(folder) as parent:
            return os.open(own, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)

    def remove(self, name: bytes, signature: Signature) -> bool:
        """False, and nothing removed, where another file or another content is there by now. Raises OSError."""
        folder, _, own = name.rpartition(b"/")
        with self._folder(folder) as parent:
            if _signature(os.stat(own, dir_fd=parent, follow_symlinks=False)) != signature:
                return False
            os.unlink(own, dir_fd=parent)
        return True

    def remove_if_empty(self, folder: bytes) -> bool:
        """False where it is not empty, or stays for another reason."""
        above, _, own = folder.rpartition(b"/")
        with suppress(OSError), self._folder(above) as parent:
            os.rmdir(own, dir_fd=parent)
            return True
        return False

    @contextmanager
    def _folder(self, name: bytes) -> Iterator[int]:
        """Raises OSError, also where one of the folders on the way is a link."""
        handle = os.dup(self._root)
        try:
            for part in name.split(b"/") if name else ():
                if part:
                    below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
                    os.close(handle)
                    handle = below
            yield handle
        finally:
            os.close(handle)


def signature_of(handle: int) -> Signature:
    return _signature(os.fstat(handle))


@contextmanager
def opened_tree(root: Path) -> Iterator[FileTree]:
    """Raises OSError where root is no folder that can be read."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield FileTree(handle)
    finally:
        os.close(handle)


def _signature(state: os.stat_result) -> Signature:
    return Signature(state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
