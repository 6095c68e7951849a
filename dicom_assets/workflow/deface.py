"""Faces removed by a program of the site's: it gets a series, and of what it gives back the pixels alone are taken."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from ..deid.dictionary import tag_of
from ..deid.elements import Element
from ..errors import BadInput
from ..pixels.splice import OwnFile, pixel_tag
from ..storage.atomic import make_folder, write_unfinished
from ..storage.zones import RESTRICTED_FOLDER

FACE_NOT_REMOVED = "FACE_NOT_REMOVED"
_LONGEST = 3600  #: seconds for one series
_FOLDER = "defacing"
_PIECE = 1 << 20
#: What has to be equal so that the pixels fit our header
_GEOMETRY = tuple(
    tag_of(keyword)
    for keyword in """Rows Columns NumberOfFrames SamplesPerPixel PhotometricInterpretation PlanarConfiguration
    BitsAllocated BitsStored HighBit PixelRepresentation""".split()
)
#: Extended offset tables and the length of all frames (PS3.3 C.7.6.3.1.8): of other frames now
_OFFSETS = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00003))


def defaced(command: Sequence[str], staging: Path, series: Mapping[str, Path]) -> dict[str, Path] | None:
    """One series without its face, as unfinished files of the staging folder. series: name -> staged file.

    command is called with two folders: one with the files under their names, and an empty one, into which it puts a
    file of the same name for each. Of these the pixel data is taken, and only in the same transfer syntax and geometry.
    None where there is no program, it fails, a file is missing or unfit, or no pixel of the series has changed."""
    folder = staging / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        given, made = folder / "in", folder / "out"
        for one in (folder, given, made):
            make_folder(one, RESTRICTED_FOLDER)
        for name, file in series.items():
            shutil.copyfile(file, given / name)
        if not command or not _succeeds([*command, str(given), str(made)]):
            return None
        changed = [_pixels_differ(file, made / name) for name, file in series.items()]
        if None in changed or not any(changed):
            return None
        return {name: _with_pixels_of(made / name, file, staging) for name, file in series.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _succeeds(command: Sequence[str]) -> bool:
    """What it says stays unseen: it may hold anything."""
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    try:
        return subprocess.run(command, **quiet, timeout=_LONGEST, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _pixels_differ(ours: Path, made: Path) -> bool | None:
    """None where made is not there, or its pixels do not fit our header."""
    if made.is_symlink() or not made.is_file():
        return None
    try:
        with OwnFile(ours) as own, OwnFile(made) as other:
            tag = pixel_tag(own)
            before, after = own.elements[tag], other.elements.get(tag)
            if after is None or own.syntax != other.syntax or before.undefined != after.undefined:
                return None
            if any(own.value(one).strip(b" \0") != other.value(one).strip(b" \0") for one in _GEOMETRY):
                return None
            if before.stop - before.value != after.stop - after.value:
                return True if before.undefined else None
            pairs = zip(_pieces(own, before), _pieces(other, after), strict=True)
            return any(one != another for one, another in pairs)
    except BadInput:
        return None


def _pieces(file: OwnFile, element: Element) -> Iterator[bytes]:
    """The element's value, and its end where it has one."""
    for start in range(element.value, element.stop, _PIECE):
        yield file.read(start, min(start + _PIECE, element.stop))


def _with_pixels_of(made: Path, ours: Path, staging: Path) -> Path:
    target = write_unfinished(staging)
    with OwnFile(ours) as own, OwnFile(made) as other:
        tag = pixel_tag(own)
        element = own.elements[tag]
        head = own.read(element.start, element.value)
        offsets = dict.fromkeys(_OFFSETS & own.elements.keys() if element.undefined else ())
        own.write(target, {**offsets, tag: chain([head], _pieces(other, other.elements[tag]))})
    return target
