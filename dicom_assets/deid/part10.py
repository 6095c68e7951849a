"""The frame of a file, PS3.10: preamble and file meta information, read leniently and written strictly."""

from dataclasses import dataclass, field
from functools import lru_cache

from .. import __version__
from ..errors import BadInput, Refused
from .dictionary import is_well_known_uid
from .elements import (
    ENCODED_VRS,
    UNDEFINED,
    InMemory,
    Source,
    encode,
    header_at,
    implicit_header,
    inflated,
    rewritten,
    short_header,
)
from .values import is_uid

IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
IMPLICIT_LITTLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, BIG_ENDIAN})
#: MIME and XML encodings, JPIP with deflate, and SMPTE ST 2110: no Part-10 files of this kind are readable here
_UNSUPPORTED = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_FIRST_META_READ, _LONGEST_META = 4096, 1 << 20
_META_UIDS = frozenset({0x00020002, 0x00020003, 0x00020010})
#: Largest instance that is taken into memory whole, for what has to be written anew before it is walked
_LARGEST_REWRITTEN = 256 << 20


@dataclass(frozen=True)
class Opened:
    """An instance ready to be walked. source: as given, or what it was written anew to; start: of its data set.
    syntax: of the output (PS3.5 A.4 where encapsulated). sop_class_uid, sop_instance_uid: of the file meta."""

    source: Source = field(repr=False)
    start: int
    implicit: bool
    syntax: str
    sop_class_uid: str
    sop_instance_uid: str

    @property
    def encapsulated(self) -> bool:
        return self.syntax not in _NATIVE


def opened(source: Source) -> Opened:
    """Raises BadInput (NOT_DICOM, UNREADABLE) or Refused."""
    head = source.read(0, _FIRST_META_READ)
    if head[128:132] == b"DICM":
        start, meta = _meta(source, head, 132)
        if start >= source.size:
            raise BadInput("UNREADABLE")
    elif _begins_with(head, 0x0002):
        start, meta = _meta(source, head, 0)
    else:
        start, meta = 0, {}
        if not _looks_like_a_data_set(head, source.size):
            raise BadInput("NOT_DICOM")
    syntax = meta.get(0x00020010, "")
    if meta.get(0x00020002) == _MEDIA_DIRECTORY:
        raise Refused("DICOMDIR")
    if syntax and (not syntax.startswith(IMPLICIT_LITTLE) or not is_well_known_uid(syntax)):
        raise Refused("TRANSFER_SYNTAX_UNSUPPORTED")
    if syntax.startswith(_UNSUPPORTED):
        raise Refused("TRANSFER_SYNTAX_UNSUPPORTED")
    if syntax == DEFLATED:
        source, start = InMemory(inflated(source.read(start, source.size))), 0
    first = source.read(start, start + 8)
    big_endian = syntax == BIG_ENDIAN or (not syntax and _begins_with(first, 0x0008, "big"))
    implicit = not big_endian and _is_implicit(first, source.size)
    if big_endian:
        source, start = in_order(source, start, implicit=False, big_endian=True), 0
    return Opened(
        source=source,
        start=start,
        implicit=implicit,
        syntax=EXPLICIT_LITTLE if not syntax or syntax in _NATIVE else syntax,
        sop_class_uid=meta.get(0x00020002, ""),
        sop_instance_uid=meta.get(0x00020003, ""),
    )


def in_order(source: Source, start: int, implicit: bool, big_endian: bool = False) -> InMemory:
    """The data set from start written anew, see elements.rewritten. Raises BadInput or Refused."""
    if source.size - start > _LARGEST_REWRITTEN:
        raise Refused("INSTANCE_TOO_LARGE")
    data = source.read(start, source.size)
    return InMemory(rewritten(data, 0, len(data), implicit, big_endian))


def _meta(source: Source, head: bytes, position: int) -> tuple[int, dict[int, str]]:
    """The position behind the file meta information, and its UIDs. It is Explicit VR Little Endian by the standard;
    some write it without VRs."""
    found: dict[int, str] = {}
    implicit = not _has_vr(head, position)
    while head[position : position + 2] == b"\2\0":
        if position + 12 > len(head) < source.size:
            head = _longer(source, head)
            continue
        tag, _stated, length, value = header_at(head, position, len(head), implicit)
        stop = value + length
        if stop > len(head):
            head = _longer(source, head)
            continue
        if tag in _META_UIDS:
            text = head[value:stop].strip(b" \0").decode("latin-1")
            if is_uid(text):
                found[tag] = text
        position = stop
    return position, found


def _longer(source: Source, head: bytes) -> bytes:
    if len(head) >= min(source.size, _LONGEST_META):
        raise BadInput("UNREADABLE")
    return source.read(0, min(4 * len(head), _LONGEST_META))


def _begins_with(head: bytes, group: int, order: str = "little") -> bool:
    return len(head) >= 8 and head[:2] == group.to_bytes(2, order)


def _has_vr(head: bytes, position: int) -> bool:
    return head[position + 4 : position + 6] in ENCODED_VRS


def _is_implicit(first: bytes, size: int) -> bool:
    """By the first element itself: what the file meta says is wrong now and then."""
    if len(first) < 8:
        raise BadInput("UNREADABLE")
    if _has_vr(first, 0):
        return False
    length = implicit_header(first, 0)[2]
    if size < length != UNDEFINED:
        raise BadInput("UNREADABLE")
    return True


def _looks_like_a_data_set(head: bytes, size: int) -> bool:
    """A bare data set begins with group 0008: explicit with a VR, implicit with a length that fits."""
    if _begins_with(head, 0x0008, "big") and _has_vr(head, 0):
        return True
    if not _begins_with(head, 0x0008):
        return False
    number = short_header(head, 0)[1]
    return number <= 0x0070 and (_has_vr(head, 0) or implicit_header(head, 0)[2] <= min(size, 1024))


@lru_cache(64)
def file_meta(sop_class_uid: str, syntax: str) -> tuple[bytes, bytes]:
    """What stands before and behind the element with the SOP Instance UID; see framed."""
    before = encode(0x00020001, "OB", b"\0\1") + encode(0x00020002, "UI", sop_class_uid.encode())
    behind = (
        encode(0x00020010, "UI", syntax.encode())
        + encode(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode())
        + encode(0x00020013, "SH", f"DICOMASSETS_{__version__}"[:16].encode())
    )
    return before, behind


def framed(meta: tuple[bytes, bytes], sop_instance_uid: str) -> bytes:
    """Preamble of zeros, DICM and the file meta information."""
    content = meta[0] + encode(0x00020003, "UI", sop_instance_uid.encode()) + meta[1]
    return b"\0" * 128 + b"DICM" + encode(0x00020000, "UL", len(content).to_bytes(4, "little")) + content
