"""Does a file still say what its original said? A wrong slope, side or spacing makes an image wrong though its pixels
are right, and what the original never said is somebody else's.

UIDs are compared in uid_pairs.py, dates and times in date_offsets.py, pixels in pixel_identity.py.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ..deid.residual import PIXEL_TAGS, Piece, words_of
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
_SYNTAX, _CHARACTER_SET, _CODE_VALUE, _PATIENT_ID = 0x00020010, 0x00080005, 0x00080100, 0x00100020
_METHOD, _CODES, _LONGITUDINAL = 0x00120063, 0x00120064, 0x00280303
#: Written by whoever de-identifies: these, and that the identity is removed
_OWN = frozenset({_CHARACTER_SET, 0x00120062, _METHOD, _CODES, _LONGITUDINAL})
#: Clean Pixel Data Option, CID 7050
CLEAN_PIXEL_DATA = "113101"
BURNED_IN = 0x00280301
#: Written in step with pixels that are cleaned: colour space and planes where they are encoded anew, offset tables; and
#: gone, where they told of the pixels as they were: smallest and largest value, icon. proof.py looks at them
WITH_PIXELS = frozenset({BURNED_IN, 0x00280004, 0x00280006, 0x00280106, 0x00280107, 0x00880200, 0x7FE00001, 0x7FE00002})
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
#: Of codes and numbers that the profile does not keep; an age is capped
_DUMMIES = frozenset({b"ANONYMIZED", b"0", b"000Y", b"090Y"})

Problem = tuple[str, str]  #: reason code, place
Values = dict[tuple, Piece]  #: by path and tag


def compare_values(
    original: Sequence[Piece], output: Sequence[Piece], promises: Promises, are_pixels_cleaned: bool = False
) -> Iterator[Problem]:
    """original: at the output's paths. A value is the original's, or of a text some of its words, or stands for none;
    and what the profile keeps is still there."""
    aside = WITH_PIXELS if are_pixels_cleaned else frozenset()
    original, output = ([p for p in pieces if _top_tag(p) not in aside] for pieces in (original, output))
    before, after = _values(original), _values(output)
    pseudonym = value_at_top(output, _PATIENT_ID).encode("latin-1")
    is_big_endian = any(piece.tag == _SYNTAX and piece.value.strip(b" \0") == _BIG_ENDIAN for piece in original)
    for key, piece in after.items():
        reason = _reason_against(before.get(key), piece, pseudonym, is_big_endian, promises)
        if reason:
            yield reason, piece.place
    if any(piece.zone == "preamble" and piece.value.strip(b"\0") for piece in output):
        yield "VALUE_INVENTED", "preamble"
    there = {(piece.path, piece.tag) for piece in output}
    items = {path for path, _ in there}
    filled = {piece.path[:-1] + piece.path[-1][:1] for piece in original if piece.path}
    for piece in original:
        key, is_kept = (piece.path, piece.tag), piece.tag in promises.unchanged and piece.vr not in _TEXT_VRS
        if not is_kept or key in there or piece.path not in items or piece.zone:
            continue
        if (*piece.path, piece.tag) in filled if piece.vr == "SQ" else key in before and piece.value.strip(b" \0"):
            yield "VALUE_LOST", piece.place


def _reason_against(old: Piece | None, piece: Piece, pseudonym: bytes, is_big_endian: bool, promises: Promises) -> str:
    is_text, is_kept = piece.vr in _TEXT_VRS, piece.tag in promises.unchanged
    value, before = _plain(piece, piece.vr), b"" if old is None else _plain(old, piece.vr)
    if piece.tag in promises.removed:
        return "ELEMENT_NOT_REMOVED"
    is_read_alike = not is_text or old is None or piece.codecs == old.codecs or value.isascii()
    if old is not None and is_read_alike and (value == before or (is_big_endian and _is_swapped(piece, old))):
        return ""
    if is_text and (value == pseudonym or (is_dummy(value) and not is_kept) or value in _DUMMIES):
        return ""
    if not is_kept and (value in _DUMMIES or not value.strip(b"\0")):
        return ""
    if old is None or (is_text and not _is_made_of(words_of(piece), words_of(old))):
        return "VALUE_INVENTED"
    return "" if is_text else "VALUE_CHANGED"


def _is_made_of(words: set[str], old: set[str]) -> bool:
    """Of the original's words, or what is left of one that was cut."""
    return all(any(one.startswith(word) or one.endswith(word) for one in old) for word in words - old)


def statement_problems(
    output: Sequence[Piece], promises: Promises, are_pixels_cleaned: bool = False
) -> Iterator[Problem]:
    """What the file says of its de-identification (PS3.15 E.1.1) is what the profile does, and what was done to its
    pixels."""
    codes = [
        piece.value.strip(b" \0").decode("latin-1")
        for piece in output
        if piece.tag == _CODE_VALUE and [tag for tag, _ in piece.path] == [_CODES]
    ]
    cleaned = [CLEAN_PIXEL_DATA] if are_pixels_cleaned and "113100" in promises.codes else []
    if sorted(codes) != sorted([*promises.codes, *cleaned]):
        yield "STATEMENT_WRONG", "(0012,0064)"
    if promises.digest not in value_at_top(output, _METHOD):
        yield "STATEMENT_WRONG", "(0012,0063)"
    if value_at_top(output, _LONGITUDINAL) != promises.longitudinal:
        yield "STATEMENT_WRONG", "(0028,0303)"
    if are_pixels_cleaned and value_at_top(output, BURNED_IN) != "NO":
        yield "STATEMENT_WRONG", "(0028,0301)"


def _values(pieces: Sequence[Piece]) -> Values:
    """Of elements whose values are compared here, but for those that a de-identifier writes."""
    return {
        (piece.path, piece.tag): piece
        for piece in pieces
        if not piece.zone and piece.vr not in _ELSEWHERE and piece.tag not in PIXEL_TAGS and _top_tag(piece) not in _OWN
    }


def _top_tag(piece: Piece) -> int:
    return piece.path[0][0] if piece.path else piece.tag


def _plain(piece: Piece, vr: str) -> bytes:
    return piece.value if vr in _WIDTHS or vr in ("OB", "UN") else piece.value.strip(b" \0")


def _is_swapped(piece: Piece, old: Piece) -> bool:
    width = _WIDTHS.get(piece.vr, 1)
    if len(old.value) % width:
        return False
    return np.frombuffer(old.value, "u1").reshape(-1, width)[:, ::-1].tobytes() == piece.value
