"""What a header says of its image, for triage, from the pieces of an original: by another parser than the one by which
the image was judged when it was staged."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..deid.deidentify import notes_of
from ..deid.dictionary import tag_of, vr_of
from ..deid.elements import InMemory
from ..deid.pixel_data import overlays_in_pixels, overlays_of_regions
from ..deid.residual import PIXEL_TAGS, Piece
from ..deid.survey import CHARACTER_SET, LONGEST_TOLD, NOTED, TOLD
from ..deid.values import character_set, decoded
from ..pixels.triage import Described
from .instance_checks import unparsed

_META_CLASS, _META_SYNTAX, _SOP_CLASS = 0x00020002, 0x00020010, 0x00080016
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_KEYWORDS = {tag_of(keyword): keyword for keyword in TOLD}


@dataclass(frozen=True)
class ImageHeader:
    """As Described in pixels/triage.py."""

    sop_class_uid: str
    modality: str
    values: Mapping[str, str] = field(repr=False)
    has_pixels: bool
    transfer_syntax_uid: str


def image_header(pieces: Sequence[Piece], encoded: bytes) -> Described:
    """pieces: of the whole file, encoded, that need not tell what is beside its pixels; where they do not come to its
    end, the engine's own reader has the word. Raises BadInput or Refused where that has none."""
    if any(unparsed(pieces)):
        return notes_of(InMemory(encoded))
    meta = {piece.tag: _plain(piece) for piece in pieces if piece.zone == "file meta"}
    top = {piece.tag: piece for piece in pieces if not piece.path and not piece.zone}
    noted = {tag: piece.value for tag in NOTED.keys() & top.keys() if _may_be(piece := top[tag])}
    syntax = meta.get(_META_SYNTAX, "")
    charset = noted.get(CHARACTER_SET, b"")
    values = {keyword: _told(top[tag], pieces, syntax, charset) for tag, keyword in _KEYWORDS.items() if tag in top}
    if overlays_in_pixels(noted):
        values["OverlayInPixelData"] = "YES"
    if overlays_of_regions(noted):
        values["OverlayOfRegion"] = "YES"
    return ImageHeader(
        sop_class_uid=(_plain(top[_SOP_CLASS]) if _SOP_CLASS in noted else "") or meta.get(_META_CLASS, ""),
        modality=values.get("Modality", ""),
        values=values,
        has_pixels=not PIXEL_TAGS.isdisjoint(top),
        transfer_syntax_uid=syntax,
    )


def _may_be(piece: Piece) -> bool:
    """Its VR is one that the element can have."""
    return piece.vr.encode() in NOTED[piece.tag]


def _told(piece: Piece, pieces: Sequence[Piece], syntax: str, charset: bytes) -> str:
    vr = vr_of(piece.tag)
    if vr == "US":
        return str(int.from_bytes(piece.value[:2], "big" if syntax == _BIG_ENDIAN else "little"))
    if vr == "SQ":
        within = b"".join(_encoded(one) for one in pieces if one.path and one.path[0][0] == piece.tag)
        return within[:LONGEST_TOLD].decode("latin-1")
    value = piece.value[:LONGEST_TOLD].strip(b" \0")
    if value.isascii():
        return value.decode("ascii")
    text = decoded(value, vr, character_set(charset) or b"")
    return value.decode("latin-1") if text is None else text


def _encoded(piece: Piece) -> bytes:
    """In Explicit VR Little Endian, as those of short VRs are."""
    vr, length = piece.vr.encode(), min(len(piece.value), 0xFFFF)
    return struct.pack("<HH2sH", piece.tag >> 16, piece.tag & 0xFFFF, vr, length) + piece.value


def _plain(piece: Piece) -> str:
    return piece.value.strip(b" \0").decode("latin-1")
