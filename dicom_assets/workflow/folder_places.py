"""Where outputs go below OUT: folders are made once, no link is followed, and what is there is looked at before
anything takes its place."""

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ..deid.elements import elements
from ..deid.part10 import opened
from ..errors import DicomAssetsError, Refused
from ..storage.instance_files import FileSource
from ..storage.zones import RELEASED_FOLDER

_COMPARED = 1 << 20
#: Bytes of an output in which the method is looked for, and where the engine states it
_HEADER, _DEIDENTIFICATION_METHOD = 4 << 20, 0x00120063
_MOST_FOLDERS = 100_000


class Places:
    """target: OUT. unfinished: what names of unfinished files are relative to. A place is relative to target, too:
    patient/study/series/instance.dcm. Paths are texts here, since a Path for each file takes its time."""

    def __init__(self, target: Path, unfinished: Path) -> None:
        self._target, self._unfinished = str(target), str(unfinished)
        self._new: dict[str, bool] = {}  # folder that is there -> this run made it

    def holds_the_same(self, temp: str, place: str) -> bool:
        """As the unfinished file."""
        return bool(temp) and same_bytes(f"{self._unfinished}/{temp}", f"{self._target}/{place}", not_through_links)

    def takes_another(self, temp: str, place: str, has_row: bool) -> bool:
        """Makes the folders that place needs. True where another instance's output is there: one of other content that
        the same rules made. has_row: it is known whose it is. Raises Refused("PLACE_TAKEN") where no file can be."""
        if self._is_new(place.rpartition("/")[0]):
            return False
        try:
            mode = os.lstat(f"{self._target}/{place}").st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(mode):
            raise Refused("PLACE_TAKEN")
        return (
            not has_row
            and not self.holds_the_same(temp, place)
            and _method(f"{self._unfinished}/{temp}") == _method(f"{self._target}/{place}")
        )

    def _is_new(self, folder: str) -> bool:
        """It is there now, and was not before this run."""
        if folder not in self._new:
            if len(self._new) > _MOST_FOLDERS:
                self._new.clear()
            path, new = self._target, False
            for part in folder.split("/"):
                path += f"/{part}"
                new = _make_folder(path)
            self._new[folder] = new
        return self._new[folder]

    def refuse_links(self, places: Iterable[str]) -> None:
        """Raises Refused("PLACE_TAKEN") where one of them is not in target."""
        for place in places:
            if any(map(os.path.islink, self._folders_of(place))):
                raise Refused("PLACE_TAKEN")

    def _folders_of(self, place: str) -> list[str]:
        """Series, study, patient."""
        return [f"{self._target}/{place.rsplit('/', count)[0]}" for count in (1, 2, 3)]

    def remove(self, place: str) -> bool:
        """False where it was not there."""
        try:
            os.unlink(f"{self._target}/{place}")  # noqa: PTH108 - texts, as said above
        except FileNotFoundError:
            return False
        return True

    def remove_empty(self, places: Iterable[str]) -> None:
        """The folders of places, as far as nothing is in them."""
        for place in places:
            for folder in self._folders_of(place):
                with suppress(OSError):
                    os.rmdir(folder)  # noqa: PTH106 - as above

    def give(self, temp: str, place: str) -> None:
        """The unfinished file its name."""
        os.rename(f"{self._unfinished}/{temp}", f"{self._target}/{place}")  # noqa: PTH104 - as above


def _make_folder(path: str) -> bool:
    """False where it is there. Raises Refused("PLACE_TAKEN") where something else is."""
    try:
        os.mkdir(path, RELEASED_FOLDER)  # noqa: PTH102 - as above
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise Refused("PLACE_TAKEN") from None
        return False
    return True


def same_bytes(one: str | bytes, other: str | bytes, opener: Callable[[str, int], int]) -> bool:
    """Both can be read and hold the same."""
    try:
        with open(one, "rb", 0, opener=opener) as first, open(other, "rb", 0, opener=opener) as second:
            if os.fstat(first.fileno()).st_size != os.fstat(second.fileno()).st_size:
                return False
            while (piece := first.read(_COMPARED)) == second.read(_COMPARED):
                if not piece:
                    return True
    except OSError:
        pass
    return False


def not_through_links(path: str | bytes, flags: int, root: int | None = None) -> int:
    """For open(). root: descriptor of the folder that path is relative to."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root)


def _method(path: str) -> bytes:
    """By which rules an output was made, as it says itself; empty where it does not."""
    try:
        with open(path, "rb", 0, opener=not_through_links) as file:
            instance = opened(FileSource(file.fileno()))
            header = instance.source.read(0, min(_HEADER, instance.source.size))
            for element in elements(header, instance.start, len(header), instance.implicit):
                if element.tag == _DEIDENTIFICATION_METHOD:
                    return header[element.value : element.value_stop]
    except (OSError, DicomAssetsError):
        pass
    return b""
