"""What an instance says of whom it is: the values that identify its patient, at any depth, and what the top level says
of the instance as a whole. Looks only; walk.py changes. Private elements are not looked into."""

from typing import NamedTuple

from ..errors import BadInput, DicomAssetsError, Refused
from .dictionary import tag_of, vr_of
from .elements import (
    DEEPEST,
    MOST_ELEMENTS,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    MoreNeeded,
    NotInOrder,
    element_at,
    header_at,
    items,
)
from .identity import IDENTIFYING, IDENTIFYING_VRS
from .values import character_set

CHARACTER_SET = 0x00080005
#: Elements of the top level whose values are noted: patient and place, character set, geometry, what triage asks
NOTED = frozenset(
    tag_of(keyword)
    for keyword in """SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID PatientID IssuerOfPatientID
    SpecificCharacterSet PixelRepresentation Modality ImageType ConversionType BurnedInAnnotation Rows Columns
    NumberOfFrames SamplesPerPixel BitsAllocated PhotometricInterpretation""".split()
) | {group << 16 | number for group in range(0x6000, 0x6100, 2) for number in (0x0102, 0x3000)}
_MARKING_VRS = frozenset(vr.encode() for vr in IDENTIFYING_VRS)
_SEQUENCE_VRS = frozenset({b"SQ", b"UN"})
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 4096, 20_000


class Mark(NamedTuple):
    """A value that identifies. vr: the dictionary's. value: encoded, less the padding; of DT the date only. charset:
    Specific Character Set that holds there, in the standard's spelling."""

    tag: int
    vr: str
    value: bytes
    charset: bytes


NO_MARKS: frozenset[Mark] = frozenset()


def mark(tag: int, value: bytes, charset: bytes) -> Mark:
    vr = vr_of(tag).split(" or ")[0]
    return Mark(tag, vr, value[:8] if vr == "DT" else value.strip(b" \0"), charset)


def may_identify(tag: int, vr: str) -> bool:
    return tag in IDENTIFYING or vr in IDENTIFYING_VRS


class Surveyor:
    """Keep one for many instances: it remembers the sequences that it has seen."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[bytes, bytes, bool, int], frozenset[Mark]] = {}
        self._count = 0

    def top_level(
        self, data: bytes, position: int, end: int, implicit: bool, noted: dict[int, bytes]
    ) -> tuple[frozenset[Mark], int]:
        """The marks of the data set that begins at position, and where the pixel data begins (or the file ends). data:
        the file's beginning; MoreNeeded where that is not enough. noted: gets the values of NOTED."""
        self._count = 0
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        return self._data_set(data, position, end, implicit, b"", 0, noted)

    def within(self, data: bytes, start: int, stop: int, implicit: bool, charset: bytes, depth: int) -> frozenset[Mark]:
        """The marks of an item's data set that goes; none where it cannot be walked. depth: sequences around it."""
        try:
            return self._data_set(data, start, stop, implicit, charset, depth, None)[0]
        except (DicomAssetsError, NotInOrder):
            return NO_MARKS

    def within_sequence(
        self, data: bytes, element: Element, implicit: bool, charset: bytes, depth: int
    ) -> frozenset[Mark]:
        """The marks of all items of a sequence that goes. depth: sequences around it."""
        start, stop = element.start, element.stop
        length = UNDEFINED if element.undefined else element.value_stop - element.value
        return self._sequence(data, start, element.value, stop, length, element.tag, implicit, charset, depth)

    def _data_set(
        self, data: bytes, position: int, end: int, implicit: bool, charset: bytes, depth: int,
        noted: dict[int, bytes] | None,
    ) -> tuple[frozenset[Mark], int]:  # fmt: skip
        found: set[Mark] = set()
        previous, limit, top = -1, min(end, len(data)), noted is not None
        if depth > DEEPEST:
            raise Refused("NESTED_TOO_DEEPLY")
        while position < end:
            if position + 12 > limit < end:
                raise MoreNeeded
            if top and position + 8 > end and not data[position:].strip(b"\0"):
                return frozenset(found), end
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous:
                if top and limit == end and not data[position:].strip(b"\0"):
                    return frozenset(found), end
                raise NotInOrder
            previous = tag
            if top and tag in PIXEL_TAGS:
                break
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, depth)
            self._count += 1
            if tag & 0x10000:
                position = stop
                continue
            if top and tag in NOTED:
                noted[tag] = data[value:stop]
            if tag == CHARACTER_SET:
                charset = character_set(data[value:stop]) or b""
            elif tag in IDENTIFYING or stated in _MARKING_VRS or (implicit and vr_of(tag) in IDENTIFYING_VRS):
                if length and length != UNDEFINED:
                    found.add(mark(tag, data[value:stop], charset))
            elif (stated in _SEQUENCE_VRS or implicit) and length:
                found |= self._sequence(data, position, value, stop, length, tag, implicit, charset, depth)
            position = stop
        if self._count > MOST_ELEMENTS:
            raise Refused("TOO_MANY_ELEMENTS")
        return frozenset(found), position

    def _sequence(
        self, data: bytes, start: int, value: int, stop: int, length: int, tag: int, implicit: bool, charset: bytes,
        depth: int,
    ) -> frozenset[Mark]:  # fmt: skip
        undefined = length == UNDEFINED
        stated = b"" if implicit else data[start + 4 : start + 6]
        if stated != b"SQ" and vr_of(tag) != "SQ":
            known = vr_of(tag)
            if stated == b"UN" and known in IDENTIFYING_VRS and not undefined:
                return frozenset({mark(tag, data[value:stop], charset)})
            return NO_MARKS
        key = (data[start:stop], charset, implicit, depth) if stop - start <= _LONGEST_REMEMBERED else None
        if key in self._remembered:
            return self._remembered[key]
        element = Element(tag, "SQ", start, value, stop - 8 if undefined else stop, stop, undefined)
        try:
            within = implicit or stated == b"UN"
            extents = items(data, element, within, depth)
            found = [self._data_set(data, a, b, within, charset, depth + 1, None)[0] for a, b in extents]
        except (DicomAssetsError, NotInOrder):
            return NO_MARKS  # the walk has its say where the sequence is kept
        marks = NO_MARKS.union(*found)
        if key is not None:
            self._remembered[key] = marks
        return marks


def end_of(
    data: bytes, position: int, limit: int, end: int, length: int, value: int, implicit: bool, depth: int
) -> int:
    """Where an element ends whose length is not defined, or that goes beyond what was read. Raises MoreNeeded, or
    BadInput where it goes beyond the end."""
    if length == UNDEFINED:
        try:
            return element_at(data, position, limit, implicit, depth).stop
        except BadInput:
            if limit < end:
                raise MoreNeeded from None
            raise
    if limit < end and value + length <= end:
        raise MoreNeeded
    raise BadInput("ELEMENT_TRUNCATED")
