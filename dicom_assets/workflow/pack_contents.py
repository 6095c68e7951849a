"""What an image of a release pack tells of itself, read from its bytes alone: for the manifest and the dictionary, and
for whoever checks them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID

from ..deid.residual import Piece, pieces_of
from .instance_checks import value_at_top

_PATIENT, _STUDY, _SERIES, _INSTANCE = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
_MODALITY, _SOP_CLASS = 0x00080060, 0x00080016
_METHODS, _CODE_VALUE, _SCHEME, _MEANING = 0x00120064, 0x00080100, 0x00080102, 0x00080104

Code = tuple[str, str, str]  #: value, scheme, meaning


@dataclass(frozen=True, order=True)
class Element:
    """An element as it occurs. creator: of a private one, whose tag has 0 in place of its block's number."""

    tag: int
    vr: str
    creator: str = ""

    @property
    def place(self) -> str:
        """`(0010,0010)`; of a private element `(0029,xx10)`."""
        group, number = self.tag >> 16, self.tag & 0xFFFF
        return f"({group:04X},xx{number:02X})" if self.creator else f"({group:04X},{number:04X})"


@dataclass(frozen=True)
class ImageFacts:
    """path: below the folder of images. patient: the pseudonym. codes: De-identification Method Code Sequence
    (PS3.15 E.1.1). elements: at any depth, each once."""

    path: str
    sha256: str
    bytes: int
    patient: str
    study: str
    series: str
    instance: str
    modality: str
    sop_class: str
    codes: frozenset[Code]
    elements: frozenset[Element]

    @property
    def sop_class_name(self) -> str:
        return UID(self.sop_class).name


def facts_of(path: str, encoded: bytes, pieces: Sequence[Piece] | None = None) -> ImageFacts:
    """encoded: a whole Part 10 file. pieces: of it, where it has been taken apart already."""
    pieces = pieces_of(encoded) if pieces is None else pieces
    patient, study, series, instance, modality, sop_class = (
        value_at_top(pieces, tag) for tag in (_PATIENT, _STUDY, _SERIES, _INSTANCE, _MODALITY, _SOP_CLASS)
    )
    return ImageFacts(
        path=path,
        sha256=hashlib.sha256(encoded).hexdigest(),
        bytes=len(encoded),
        patient=patient,
        study=study,
        series=series,
        instance=instance,
        modality=modality,
        sop_class=sop_class,
        codes=frozenset(_codes(pieces)),
        elements=_shared(frozenset(_elements(pieces))),
    )


def _codes(pieces: Iterable[Piece]) -> Iterator[Code]:
    items: dict[int, dict[int, str]] = {}
    for piece in pieces:
        if len(piece.path) == 1 and piece.path[0][0] == _METHODS:
            items.setdefault(piece.path[0][1], {})[piece.tag] = piece.value.decode("latin-1").strip("\0 ")
    for item in items.values():
        yield item.get(_CODE_VALUE, ""), item.get(_SCHEME, ""), item.get(_MEANING, "")


def _elements(pieces: Iterable[Piece]) -> Iterator[Element]:
    creators: dict[tuple, str] = {}
    for piece in pieces:
        group, number = piece.tag >> 16, piece.tag & 0xFFFF
        if not piece.tag or piece.zone not in ("", "file meta"):
            continue
        if group & 1 and number >= 0x1000:
            creator = creators.get((piece.path, group, number >> 8), "")
            yield Element(group << 16 | number & 0xFF, piece.vr, creator or "without a creator")
            continue
        if group & 1 and 0x10 <= number <= 0xFF:  # PS3.5 7.8.1: it owns the block of elements (gggg,nn00-nnFF)
            creators[piece.path, group, number] = piece.value.decode("latin-1").strip("\0 ")
        yield Element(piece.tag, piece.vr)


@lru_cache(4096)
def _shared(elements: frozenset[Element]) -> frozenset[Element]:
    """The same object for equal sets: images of a series have the same elements, and many are held at a time."""
    return elements
