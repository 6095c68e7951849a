"""Are two files under one SOPInstanceUID one instance? The bytes of the data set decide, or its elements where it came
in another transfer syntax."""

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from .instance_header import DEFLATED, LONGEST_META, length_of_meta
from .manifests import RawInstance

_PIECE = 1 << 20
#: What a transfer syntax decides of the header: how colours are told and laid out
_OF_THE_SYNTAX = (0x00280004, 0x00280006)


def have_same_content(path: Path, row: RawInstance, other: Path, of_other: RawInstance) -> bool:
    """False where it cannot be told. Raises OSError."""
    if row.sha256 == of_other.sha256:
        return True
    if not other.is_file():
        return False
    if row.transfer_syntax_uid == of_other.transfer_syntax_uid:
        return _same_bytes(path, other)
    # A deflated one would be inflated without limit.
    return DEFLATED not in (row.transfer_syntax_uid, of_other.transfer_syntax_uid) and _same_header(path, other)


def _same_bytes(path: Path, other: Path) -> bool:
    """Behind the file meta information, which is ours."""
    with path.open("rb") as one, other.open("rb") as two:
        for file in (one, two):
            file.seek(length_of_meta(file.read(LONGEST_META)))
        while (piece := one.read(_PIECE)) == two.read(_PIECE):
            if not piece:
                return True
    return False


def _same_header(path: Path, other: Path) -> bool:
    """Without pixels, which only a decoder could compare."""
    try:
        return _header(path) == _header(other)
    except OSError:
        raise
    except Exception:  # whatever a damaged header makes pydicom raise: nobody can tell
        return False


def _header(path: Path) -> Dataset:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for tag in [tag for tag in sorted(header.keys()) if tag.element == 0 or tag in _OF_THE_SYNTAX]:
        del header[tag]
    return header
