"""A file that somebody hands us: is it an instance, where does its data set begin, and who is it? PS3.10 7.1, read
leniently: preamble and file meta information may be missing. Nothing here trusts a file's name."""

import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..errors import BadInput
from .instance_files import FileSource, write_parts
from .instance_header import LONGEST_META, Identity, file_meta, is_uid, length_of_meta, read_identity

IMPLICIT_LITTLE, EXPLICIT_LITTLE, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
#: SOP class of a DICOMDIR
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_PREAMBLE, _PREFIX = 128, b"DICM"
_META = b"\2\0"
_META_VRS = frozenset(b"AE OB SH UI UL UR".split())
_ZIP = (b"PK\3\4", b"PK\5\6")
#: PS3.5 6.2: VRs with a length of 32 bits in Explicit VR, and those that may begin a data set (group 0008)
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_FIRST_VRS = frozenset(b"AE AS AT CS DA DT IS LO LT PN SH SQ ST TM UC UI UL UN UR US UT".split())
_SOP_CLASS, _SYNTAX = 0x0002, 0x0010
#: Of a bare data set in Implicit VR: its first element has no higher number and is no longer
_FIRST_NUMBER, _FIRST_LENGTH = 0x0070, 1024


class Kind(Enum):
    INSTANCE = "instance"
    DIRECTORY = "DICOMDIR"
    ZIP = "ZIP"
    OTHER = "other"


@dataclass(frozen=True)
class Look:
    """What the first bytes of a file tell. start: where the data set begins. syntax: as the file meta information
    states it, or as the first element shows; empty where neither does. is_certain: the file says that it is DICOM."""

    kind: Kind
    start: int = 0
    syntax: str = ""
    is_certain: bool = False


def look_at(beginning: bytes, size: int) -> Look:
    """beginning: the first 64 kB of the file, or all; for Kind.OTHER less will do."""
    if beginning[_PREAMBLE : _PREAMBLE + 4] == _PREFIX:
        return _part10(beginning, _PREAMBLE + 4)
    if beginning[:2] == _META and beginning[4:6] in _META_VRS:
        return _part10(beginning, 0)
    if beginning.startswith(_ZIP):
        return Look(Kind.ZIP)
    syntax = _shown_syntax(beginning[:8], size)
    return Look(Kind.INSTANCE, 0, syntax) if syntax else Look(Kind.OTHER)


def identify(source: FileSource, look: Look, scratch: Path) -> Identity | None:
    """Of an instance, whole and with all that it takes to tell what it is; None where the file is no DICOM after all.
    scratch: a folder for a file without name. Raises BadInput: FILE_CUT_SHORT, FILE_DAMAGED, FILE_WITHOUT_UIDS (with
    the StudyInstanceUID as its study, where it is known); OSError of scratch."""
    identity = _identity(source, look, scratch)
    if not look.is_certain and (identity is None or not identity.sop_class_uid):
        return None
    if identity is None:
        raise UnusableFile("FILE_CUT_SHORT" if look.start >= source.size else "FILE_DAMAGED")
    study = identity.study_instance_uid if is_uid(identity.study_instance_uid) else ""
    if identity.is_cut:
        raise UnusableFile("FILE_CUT_SHORT", study)
    if not (study and is_uid(identity.sop_class_uid) and is_uid(identity.sop_instance_uid)):
        raise UnusableFile("FILE_WITHOUT_UIDS", study)
    return identity


class UnusableFile(BadInput):
    """study_instance_uid: of the study that lacks the file now; empty where nobody can tell."""

    def __init__(self, code: str, study_instance_uid: str = "") -> None:
        super().__init__(code)
        self.study_instance_uid = study_instance_uid


def _part10(beginning: bytes, position: int) -> Look:
    found: dict[int, str] = {}
    while beginning[position : position + 2] == _META:
        number = int.from_bytes(beginning[position + 2 : position + 4], "little")
        value, length = _value_at(beginning, position)
        position = value + length
        found[number] = beginning[value : min(position, value + 64)].strip(b" \0").decode("latin-1")
    syntax = found.get(_SYNTAX, "")
    if not is_uid(syntax):
        syntax = _shown_syntax(beginning[position : position + 8], _FIRST_LENGTH)
    kind = Kind.DIRECTORY if found.get(_SOP_CLASS) == _MEDIA_DIRECTORY else Kind.INSTANCE
    return Look(kind, position, syntax, is_certain=True)


def _value_at(beginning: bytes, position: int) -> tuple[int, int]:
    """Where the value of an element of the file meta information begins, and its length. It is Explicit VR by the
    standard; some write it without VRs."""
    vr = beginning[position + 4 : position + 6]
    if vr in _LONG_VRS:
        return position + 12, int.from_bytes(beginning[position + 8 : position + 12], "little")
    if vr in _META_VRS:
        return position + 8, int.from_bytes(beginning[position + 6 : position + 8], "little")
    return position + 8, int.from_bytes(beginning[position + 4 : position + 8], "little")


def _shown_syntax(first: bytes, size: int) -> str:
    """By the first element of a data set, which is of group 0008."""
    if len(first) < 8:
        return ""
    if first[4:6] in _FIRST_VRS:
        return {b"\x08\0": EXPLICIT_LITTLE, b"\0\x08": BIG_ENDIAN}.get(first[:2], "")
    number, length = int.from_bytes(first[2:4], "little"), int.from_bytes(first[4:8], "little")
    fits = first[:2] == b"\x08\0" and number <= _FIRST_NUMBER and length <= min(size, _FIRST_LENGTH)
    return IMPLICIT_LITTLE if fits else ""


def _identity(source: FileSource, look: Look, scratch: Path) -> Identity | None:
    if not look.syntax or look.start >= source.size:
        return None
    if length_of_meta(source.beginning[:LONGEST_META]) == look.start:
        identity = _readable(source.handle, source.size)
        if identity is not None and identity.transfer_syntax_uid == look.syntax:
            return identity
    header = file_meta("", "", look.syntax)
    with tempfile.TemporaryFile(dir=scratch, buffering=0) as file:
        write_parts(source, [header, range(look.start, source.size)], file.fileno())
        return read_identity(file.fileno(), len(header) + source.size - look.start)


def _readable(handle: int, size: int) -> Identity | None:
    try:
        return read_identity(handle, size)
    except OSError:
        raise BadInput("UNREADABLE_FILE") from None
