"""The beginning of a DICOM file (PS3.10 7.1): preamble, prefix, file meta information; and where its data set is."""

import struct
from dataclasses import dataclass

#: Bytes of preamble and file meta information; real ones have a few hundred.
LARGEST_HEAD = 1 << 16

_PREFIX_AT, _META_AT = 128, 132
_GROUP_2 = b"\2\0"
_SHORT, _LONG = struct.Struct("<HH2sH"), struct.Struct("<HH2s2xI")
#: VRs with a length of four bytes: PS3.5 7.1.2. The others of group 0002 have two.
_LONG_VRS = {b"OB", b"OW", b"UN", b"UT", b"SQ"}
_SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID = 0x0002, 0x0003, 0x0010


class NotPart10(Exception):
    """No DICOM file, or its file meta information cannot be read."""


@dataclass(frozen=True)
class FileHead:
    """UIDs of the file meta information, unpadded; empty where it lacks one. data_at: offset of the data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_at: int


def read_head(file: bytes | bytearray | memoryview) -> FileHead | None:
    """file: as many bytes from its beginning as there are by now. None: more of them are needed.

    The end of the file meta information is where its group ends; its group length, which may lie, is not used.
    """
    head = bytes(file[:LARGEST_HEAD])
    if head[_PREFIX_AT:_META_AT] != b"DICM"[: max(0, len(head) - _PREFIX_AT)]:
        raise NotPart10
    found: dict[int, str] = {}
    position = _META_AT
    # The bytes of the longest element header tell where the next element is, or that the data set has begun.
    while position + _LONG.size <= len(head):
        if head[position : position + 2] != _GROUP_2:
            uids = (found.get(each, "") for each in (_SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID))
            return FileHead(*uids, position)
        _, element, vr, length = _SHORT.unpack_from(head, position)
        value = position + _SHORT.size
        if vr in _LONG_VRS:
            length, value = _LONG.unpack_from(head, position)[3], position + _LONG.size
        position = value + length
        found[element] = head[value:position].decode("latin-1").strip(" \0")
        if position > LARGEST_HEAD:
            raise NotPart10
    if len(head) == LARGEST_HEAD:
        raise NotPart10
    return None
