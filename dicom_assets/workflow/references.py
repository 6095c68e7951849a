"""References within a file that must last: what the original names by UID, the output names as well, as an object of
the same class. Whether the UIDs lead to the right objects is what uid_pairs.py tells, over the batch."""

import re
from collections.abc import Iterator
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VM, keyword_for_tag
from pydicom.uid import UID_dictionary

from ..deid.residual import Piece
from .promises import Promises
from .uid_pairs import ObjectUids, is_uid

#: A value that no profile can renew is removed with its element: PS3.5 6.2 and 9.1
_UID = re.compile(r"[0-9.]{1,64}")

Problem = tuple[str, str]  #: reason code, place


def lost_references(original: ObjectUids, output: ObjectUids, promises: Promises) -> Iterator[Problem]:
    """original: at the output's paths."""
    for (path, tag), (place, values) in original.items():
        if not _lasts(path, tag, promises) or not all(_UID.fullmatch(value) for value in values):
            continue
        if len(values) > 1 and dictionary_has_tag(tag) and dictionary_VM(tag) == "1":
            continue
        if len(output.get((path, tag), ("", []))[1]) != len(values):
            yield "REFERENCE_LOST", place


def _lasts(path: tuple[tuple[int, int], ...], tag: int, promises: Promises) -> bool:
    return tag in promises.lasting and all(sequence in promises.lasting for sequence, _ in path)


def changed_classes(original: list[Piece], output: list[Piece]) -> Iterator[Problem]:
    """What says of which class an object is: the file's own, and those that it refers to as far as they are the
    standard's (a maker's own may be renewed like any other UID)."""
    before = {(piece.path, piece.tag): piece.value.strip(b" \0") for piece in _classes(original)}
    for piece in _classes(output):
        old = before.get((piece.path, piece.tag), b"")
        if old != piece.value.strip(b" \0") and (not piece.path or old.decode("latin-1") in UID_dictionary):
            yield ("REFERENCE_BROKEN" if piece.path else "UID_INCONSISTENT"), piece.place


def _classes(pieces: list[Piece]) -> Iterator[Piece]:
    return (piece for piece in pieces if piece.vr in ("UI", "UN") and not piece.zone and _is_class(piece.tag))


@lru_cache(maxsize=8192)
def _is_class(tag: int) -> bool:
    return is_uid(tag) and keyword_for_tag(tag).endswith("SOPClassUID")
