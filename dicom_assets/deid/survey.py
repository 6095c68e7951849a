"""What an instance says of whom it is: the values that identify its patient, at any depth, and what the top level says
of the instance as a whole. Looks only; walk.py changes. Private elements are not looked into."""

from typing import NamedTuple

from ..errors import BadInput, DicomAssetsError, Refused
from .dictionary import tag_of, vr_of
from .elements import (
    DEEPEST,
    MOST_OF_A_DATA_SET,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Ends,
    MoreNeeded,
    NotInOrder,
    element_at,
    header_at,
    items,
)
from .identity import IDENTIFYING, IDENTIFYING_VRS
from .values import character_set

CHARACTER_SET = 0x00080005
#: What Notes.values tells, for triage: how the image came about, its device, the part of the body, the geometry
TOLD = tuple(
    """Modality ImageType ConversionType BurnedInAnnotation RecognizableVisualFeatures SpecimenLabelInImage Manufacturer
    ManufacturerModelName SoftwareVersions StudyDescription SeriesDescription ProtocolName BodyPartExamined
    AnatomicRegionSequence SequenceOfUltrasoundRegions SharedFunctionalGroupsSequence SliceThickness
    SpacingBetweenSlices NumberOfFrames Rows Columns SamplesPerPixel BitsAllocated PhotometricInterpretation""".split()
)
LONGEST_TOLD = 1 << 16  #: bytes of a value; what a header says of its image comes early, and is remembered
_NOTED_TAGS = [
    tag_of(keyword)
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "IssuerOfPatientID",
        "SpecificCharacterSet", "PixelRepresentation", "BitsStored", "HighBit", *TOLD,
    )
]  # fmt: skip
#: Elements of the top level whose values are noted: patient and place, character set, geometry, what triage asks, and
#: whether overlays hide in pixels; and the VRs that they may state. The value of one that states another is noted under
#: the tag's negative.
NOTED = {tag: frozenset({b"UN", *(vr.encode() for vr in vr_of(tag).split(" or "))}) for tag in _NOTED_TAGS}
for _group in range(0x6000, 0x6100, 2):
    NOTED[_group << 16 | 0x0102] = frozenset({b"UN", b"US"})
    NOTED[_group << 16 | 0x0040] = frozenset({b"UN", b"CS"})
    NOTED[_group << 16 | 0x3000] = frozenset({b"UN", b"OB", b"OW"})
_MARKING_VRS = frozenset(vr.encode() for vr in IDENTIFYING_VRS)
_SEQUENCE_VRS = frozenset({b"SQ", b"UN"})
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 4096, 2000  #: bytes of a sequence, and sequences
MOST_MARKS = 5000  #: of one instance; more could not be searched for in its texts


class Mark(NamedTuple):
    """A value that identifies. tag: 0 for a date that is not the birth date. vr: the dictionary's, else the stated
    one. value: encoded, less the padding; of DT the date only. charset: Specific Character Set that holds there, in
    the standard's spelling."""

    tag: int
    vr: str
    value: bytes
    charset: bytes


_BIRTH_DATE = 0x00100030
NO_MARKS: frozenset[Mark] = frozenset()


def mark(tag: int, stated: str, value: bytes, charset: bytes) -> Mark:
    vr = vr_of(tag).split(" or ")[0]
    vr = stated if stated in IDENTIFYING_VRS and vr not in IDENTIFYING_VRS and tag not in IDENTIFYING else vr
    if vr in ("DA", "DT") and tag != _BIRTH_DATE:  # a date is the same wherever it stands
        return Mark(0, "DA", value[:8] if vr == "DT" else value.strip(b" \0"), b"")
    return Mark(tag, vr, value.strip(b" \0"), charset)


def may_identify(tag: int, stated: str) -> bool:
    """By what the dictionary says of it, or what it says of itself."""
    return stated in IDENTIFYING_VRS or tag in IDENTIFYING or vr_of(tag) in IDENTIFYING_VRS


class Surveyor:
    """Keep one for many instances: it remembers the sequences that it has seen."""

    def __init__(self) -> None:
        self._largest = 0
        self._remembered: dict[tuple[bytes, bytes, bool, int], frozenset[Mark]] = {}

    def top_level(
        self, data: bytes, position: int, end: int, implicit: bool, noted: dict[int, bytes], largest: int
    ) -> tuple[frozenset[Mark], int]:
        """The marks of the data set that begins at position, and where the pixel data begins (or the file ends). data:
        the file's beginning; MoreNeeded where that is not enough. noted: gets the values of NOTED. largest: bytes of
        the largest sequence that is looked into."""
        self._largest = largest
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        return self._data_set(data, position, end, implicit, b"", 0, noted, {})

    def within(
        self, data: bytes, start: int, stop: int, implicit: bool, charset: bytes, depth: int, ends: Ends
    ) -> frozenset[Mark]:
        """The marks of an item's data set that goes; none where it cannot be walked. depth: sequences around it."""
        try:
            return self._data_set(data, start, stop, implicit, charset, depth, None, ends)[0]
        except (DicomAssetsError, NotInOrder) as error:
            return _none_for(error)

    def within_sequence(
        self, data: bytes, element: Element, implicit: bool, charset: bytes, depth: int, ends: Ends
    ) -> frozenset[Mark]:
        """The marks of all items of a sequence that goes. depth: sequences around it."""
        start, stop = element.start, element.stop
        length = UNDEFINED if element.undefined else element.value_stop - element.value
        return self._sequence(data, start, element.value, stop, length, element.tag, implicit, charset, depth, ends)

    def _data_set(
        self, data: bytes, position: int, end: int, implicit: bool, charset: bytes, depth: int,
        noted: dict[int, bytes] | None, ends: Ends,
    ) -> tuple[frozenset[Mark], int]:  # fmt: skip
        found: set[Mark] = set()
        previous, limit, top = -1, min(end, len(data)), noted is not None
        count = 0
        if depth > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        while position < end:
            if position + 12 > limit < end:
                raise MoreNeeded
            if top and position + 8 > end and is_padding(data, position):
                return frozenset(found), end
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous or not tag:
                if limit < end:
                    raise MoreNeeded
                if top and is_padding(data, position):
                    return frozenset(found), end
                raise NotInOrder
            previous = tag
            if top and tag in PIXEL_TAGS:
                break
            count += 1
            if count > MOST_OF_A_DATA_SET:
                raise Refused("TOO_MANY_ELEMENTS")
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, depth, ends)
            if tag & 0x10000:
                position = stop
                continue
            if top and tag in NOTED:
                noted[tag if implicit or stated in NOTED[tag] else -tag] = data[value:stop]
            if tag == CHARACTER_SET:
                charset = character_set(data[value:stop]) or b""
            elif stated != b"SQ" and (stated in _MARKING_VRS or may_identify(tag, "")):
                if length and length != UNDEFINED:
                    found.add(mark(tag, stated.decode("latin-1"), data[value:stop], charset))
            elif (stated in _SEQUENCE_VRS or implicit) and length and (not top or stop - position <= self._largest):
                found |= self._sequence(data, position, value, stop, length, tag, implicit, charset, depth, ends)
            position = stop
        return frozenset(found), position

    def _sequence(
        self, data: bytes, start: int, value: int, stop: int, length: int, tag: int, implicit: bool, charset: bytes,
        depth: int, ends: Ends,
    ) -> frozenset[Mark]:  # fmt: skip
        undefined = length == UNDEFINED
        stated = b"" if implicit else data[start + 4 : start + 6]
        if stated != b"SQ" and vr_of(tag) != "SQ":
            return NO_MARKS
        key = (data[start:stop], charset, implicit, depth) if stop - start <= _LONGEST_REMEMBERED else None
        if key in self._remembered:
            return self._remembered[key]
        element = Element(tag, "SQ", start, value, stop - 8 if undefined else stop, stop, undefined)
        try:
            within = implicit or stated == b"UN"
            found: set[Mark] = set()
            for item_start, item_stop in items(data, element, within, depth, ends):
                found |= self._data_set(data, item_start, item_stop, within, charset, depth + 1, None, ends)[0]
                if len(found) > MOST_MARKS:
                    raise Refused("TOO_MANY_IDENTIFIERS")
        except (DicomAssetsError, NotInOrder) as error:
            return _none_for(error)  # the walk has its say where the sequence is kept
        marks = frozenset(found)
        if key is not None:
            self._remembered[key] = marks
        return marks


def _none_for(error: Exception) -> frozenset[Mark]:
    """What cannot be walked names nobody; what is too large is said."""
    if getattr(error, "code", "").startswith("TOO_MANY_"):
        raise error
    return NO_MARKS


def is_padding(data: bytes, position: int) -> bool:
    """Nothing but zeros from position on."""
    return data.count(0, position) == len(data) - position


def end_of(
    data: bytes, position: int, limit: int, end: int, length: int, value: int, implicit: bool, depth: int, ends: Ends
) -> int:
    """Where an element ends whose length is not defined, or that goes beyond what was read. Raises MoreNeeded, or
    BadInput where it goes beyond the end."""
    if length == UNDEFINED:
        try:
            return element_at(data, position, limit, implicit, depth, ends).stop
        except BadInput:
            if limit < end:
                raise MoreNeeded from None
            raise
    if limit < end and value + length <= end:
        raise MoreNeeded
    raise BadInput("ELEMENT_TRUNCATED")
