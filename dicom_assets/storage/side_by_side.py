"""Files of one folder that want the same name: equal bytes are there once, others side by side."""

import hashlib
import os
from pathlib import Path

_PIECE = 1 << 20


def link_beside(source: Path | str, handle: int, folder: Path, name: str) -> tuple[str, bool]:
    """Give the file at source, which is open at handle and on disk, one more name in folder: this one or, where other
    bytes have it, one that also tells its content. That name, and whether it is new.

    Whatever has the name afterwards is on disk; its entry in the folder is not yet. Nobody may take files out of the
    folder meanwhile. Raises OSError.
    """
    if _linked(source, folder / name):
        return name, True
    if _has_bytes(folder / name, handle):
        return name, False
    os.lseek(handle, 0, os.SEEK_SET)
    with os.fdopen(os.dup(handle), "rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{Path(name).stem}-{digest[:16]}.dcm"
    return name, _linked(source, folder / name)


def _linked(source: Path | str, path: Path) -> bool:
    """False where another file has the name, which then is on disk for certain."""
    try:
        os.link(source, path)
    except FileExistsError:
        with path.open("rb", buffering=0) as file:
            os.fsync(file.fileno())
        return False
    return True


def _has_bytes(path: Path, handle: int) -> bool:
    """The file at path has the bytes of the one behind the descriptor."""
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != os.fstat(handle).st_size:
            return False
        position = 0
        while piece := file.read(_PIECE):
            if os.pread(handle, len(piece), position) != piece:
                return False
            position += len(piece)
    return True
