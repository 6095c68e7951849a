"""restricted/quarantine/watched: what a watched folder brought and could not be taken, under random names."""

import hashlib
import os
import secrets
from pathlib import Path

from .atomic import UNFINISHED, make_folder, publish, remove_unfinished
from .instance_files import FileSource
from .set_aside import RECORD, SetAside
from .tables import read_sealed, write_sealed
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER

_PIECE = 1 << 20


class WatchedAside:
    """One process at a time uses the folder. Its record has a row of SetAside a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        remove_unfinished(folder)
        self._rows = read_sealed(folder / RECORD, SetAside)

    def take(self, source: FileSource, suffix: str, reason: str) -> None:
        """A copy of the file, durable, and its record. Raises BadInput where it cannot be read, OSError."""
        make_folder(self._folder, RESTRICTED_FOLDER)
        name = f"{secrets.token_hex(16)}{suffix}"
        unfinished = self._folder / f"{name}{UNFINISHED}"
        try:
            row = SetAside(name, "", reason, _copied(source, unfinished))
            rows = [*(row for row in self._rows if (self._folder / row.file).is_file()), row]
            write_sealed(self._folder / RECORD, rows, SetAside)  # first: no file is without its reason
            publish({unfinished: self._folder / name})
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        self._rows = rows


def _copied(source: FileSource, path: Path) -> str:
    """SHA-256 of the file, in hex."""
    digest = hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
    with os.fdopen(handle, "wb") as file:
        for start in range(0, source.size, _PIECE):
            piece = source.read(start, min(start + _PIECE, source.size))
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
