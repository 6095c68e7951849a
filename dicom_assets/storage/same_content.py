"""Are two files under one SOPInstanceUID one instance? The bytes of the data set decide, or its elements where it came
in another transfer syntax."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset

from .instance_header import DEFLATED, LONGEST_META, length_of_meta
from .manifests import RawInstance

_PIECE = 1 << 20
#: What a transfer syntax decides of the header: how colours are told and laid out
_OF_THE_SYNTAX = (0x00280004, 0x00280006)
#: Transfer syntaxes in which pixels lie in the file as they are: implicit and explicit VR, little endian
_PLAIN = {"1.2.840.10008.1.2": False, "1.2.840.10008.1.2.1": True}
_UNDEFINED = 0xFFFFFFFF


def have_same_content(
    path: Path, row: RawInstance, other: Path, of_other: RawInstance, *, trust_in_pixels: bool = True
) -> bool:
    """False where it cannot be told. trust_in_pixels: where only a decoder could compare them, the header decides, as
    an archive may compress anew what it sends. Raises OSError."""
    if row.sha256 == of_other.sha256:
        return True
    if not other.is_file():
        return False
    syntaxes = row.transfer_syntax_uid, of_other.transfer_syntax_uid
    if syntaxes[0] == syntaxes[1]:
        return _same_bytes(path, other)
    if DEFLATED in syntaxes:  # it would be inflated without limit
        return False
    if all(syntax in _PLAIN for syntax in syntaxes):
        return _same_elements(path, other, [_PLAIN[syntax] for syntax in syntaxes])
    return trust_in_pixels and _same_elements(path, other)


def _same_bytes(path: Path, other: Path) -> bool:
    """Behind the file meta information, which is ours."""
    with path.open("rb") as one, other.open("rb") as two:
        for file in (one, two):
            file.seek(length_of_meta(file.read(LONGEST_META)))
        while (piece := one.read(_PIECE)) == two.read(_PIECE):
            if not piece:
                return True
    return False


def _same_elements(path: Path, other: Path, explicit: Sequence[bool] | None = None) -> bool:
    """explicit: whether each has explicit VRs; None: pixels are not compared."""
    with path.open("rb") as one, other.open("rb") as two:
        try:
            if _header(one) != _header(two):
                return False
        except OSError:
            raise
        except Exception:  # whatever a damaged header makes pydicom raise: nobody can tell
            return False
        return explicit is None or _same_pixels((one, two), explicit)


def _same_pixels(files: Sequence[BinaryIO], explicit: Sequence[bool]) -> bool:
    """Of files that were read up to their pixels: the value of the element that comes now, of which one file may tell
    the VR."""
    before = [file.read(12 if has_vr else 8) for file, has_vr in zip(files, explicit, strict=True)]
    if not any(before):
        return True  # neither has any
    left = int.from_bytes(before[0][-4:], "little")
    if {len(element) for element in before} - {8, 12} or left == _UNDEFINED:
        return False
    if before[0][:4] != before[1][:4] or before[0][-4:] != before[1][-4:]:
        return False
    while left > 0:
        one, two = (file.read(min(left, _PIECE)) for file in files)
        if one != two or not one:
            return False
        left -= len(one)
    return True


def _header(file: BinaryIO) -> Dataset:
    header = pydicom.dcmread(file, stop_before_pixels=True)
    for tag in [tag for tag in sorted(header.keys()) if tag.element == 0 or tag in _OF_THE_SYNTAX]:
        del header[tag]
    return header
