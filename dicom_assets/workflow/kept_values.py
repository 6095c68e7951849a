"""Does a file still say what its original said? A wrong slope, side or spacing makes an image wrong though its pixels are
right, and what the original never said is somebody else's.

UIDs are compared in uid_pairs.py, dates and times in date_offsets.py, pixels in pixel_identity.py.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ..deid.residual import AFTER_THE_DATA_SET, PIXEL_TAGS, Piece, words_of
from .instance_checks import is_dummy, value_at_top
from .promises import Promises

CHECK = "values_are_as_before"
_ELSEWHERE = frozenset({"UI", "DA", "DT", "TM", "SQ", ""})
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
#: Bytes of a word, for what is encoded in big endian
_WIDTHS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
#: Written by whoever de-identifies: character set, identity removed, method and its codes, burned-in annotation,
#: longitudinal information
_SYNTAX, _CHARACTER_SET, _CODES, _CODE_VALUE, _LONGITUDINAL = 0x00020010, 0x00080005, 0x00120064, 0x00080100, 0x00280303
_OWN = frozenset({_CHARACTER_SET, 0x00120062, 0x00120063, _CODES, 0x00280301, _LONGITUDINAL})
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
#: Of codes and numbers that the profile does not keep; an age is capped
_DUMMIES = frozenset({b"ANONYMIZED", b"0", b"000Y", b"090Y"})
_PATIENT_ID = 0x00100020

Problem = tuple[str, str]  #: reason code, place
Values = dict[tuple, Piece]  #: by path and tag


def compare_values(original: Sequence[Piece], output: Sequence[Piece], promises: Promises) -> Iterator[Problem]:
    """original: at the output's paths. A value is the original's, or of a text some of its words, or stands for none;
    and what the profile keeps is still there."""
    before, after = _values(original), _values(output)
    pseudonym = value_at_top(output, _PATIENT_ID).encode("latin-1")
    is_big_endian = any(piece.tag == _SYNTAX and piece.value.strip(b" \0") == _BIG_ENDIAN for piece in original)
    for key, piece in after.items():
        reason = _reason_against(before.get(key), piece, pseudonym, is_big_endian, promises)
        if reason:
            yield reason, piece.place
    there = {(piece.path, piece.tag) for piece in output}
    items = {path for path, _ in there}
    for key, piece in before.items():
        path, tag = key
        is_kept = tag in promises.unchanged and piece.vr not in _TEXT_VRS and piece.value.strip(b" \0")
        if is_kept and key not in there and path in items:
            yield "VALUE_LOST", piece.place


def _reason_against(
    old: Piece | None, piece: Piece, pseudonym: bytes, is_big_endian: bool, promises: Promises
) -> str:
    if piece.tag in promises.removed:
        return "ELEMENT_NOT_REMOVED"
    is_text, is_binary = piece.vr in _TEXT_VRS, piece.vr in _WIDTHS or piece.vr in ("OB", "UN")
    value = piece.value if is_binary else piece.value.strip(b" \0")
    if not value.strip(b"\0") or (is_text and (value == pseudonym or is_dummy(value))):
        return "" if is_text or old is None or piece.tag not in promises.unchanged or value == old.value else "VALUE_CHANGED"
    if old is None:
        return "VALUE_INVENTED"
    if value == (old.value if is_binary else old.value.strip(b" \0")):
        return ""
    if is_text:
        return "" if words_of(piece) <= words_of(old) else "VALUE_INVENTED"
    if piece.tag not in promises.unchanged and value in _DUMMIES:
        return ""
    return "" if is_big_endian and _is_swapped(piece, old) else "VALUE_CHANGED"


def statement_problems(output: Sequence[Piece], promises: Promises) -> Iterator[Problem]:
    """What the file says of its de-identification (PS3.15 E.1.1) is what the profile does."""
    codes = [
        piece.value.strip(b" \0").decode("latin-1")
        for piece in output
        if piece.tag == _CODE_VALUE and [tag for tag, _ in piece.path] == [_CODES]
    ]
    if sorted(codes) != sorted(promises.codes):
        yield "STATEMENT_WRONG", "(0012,0064)"
    if value_at_top(output, _LONGITUDINAL) != promises.longitudinal:
        yield "STATEMENT_WRONG", "(0028,0303)"


def _values(pieces: Sequence[Piece]) -> Values:
    """Of standard elements whose values are compared here, but for those that a de-identifier writes."""
    return {
        (piece.path, piece.tag): piece
        for piece in pieces
        if not piece.zone
        and piece.vr not in _ELSEWHERE
        and not piece.tag >> 16 & 1
        and piece.tag not in PIXEL_TAGS
        and not (piece.path[0][0] if piece.path else piece.tag) in _OWN
    }


def _is_swapped(piece: Piece, old: Piece) -> bool:
    width = _WIDTHS.get(piece.vr, 1)
    if len(old.value) % width:
        return False
    return np.frombuffer(old.value, "u1").reshape(-1, width)[:, ::-1].tobytes() == piece.value
