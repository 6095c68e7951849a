"""Instances that arrive in a test: a few bytes each, of a study of our choice."""

import hashlib
import struct
from pathlib import Path

from dicom_assets.storage.incoming import Incoming, Kept

CT, LITTLE_ENDIAN = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.3680043.10.1337.91"


def study_key(study_instance_uid: str) -> str:
    return "s" + hashlib.sha256(study_instance_uid.encode()).hexdigest()[:16]


def file_name(sop_instance_uid: str) -> str:
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:26] + ".dcm"


def incoming_at(folder: Path, reserve: int = 0) -> Incoming:
    return Incoming(folder, study_key, file_name, reserve)


def data_set(uid: str, study: str = STUDY, sop_class: str = CT, more: bytes = b"") -> bytes:
    """Explicit VR Little Endian. more: of a private element at its end."""
    elements = [(8, 0x16, sop_class), (8, 0x18, uid), (0x20, 0x0D, study), (0x20, 0x0E, f"{STUDY}.0")]
    encoded = [_element(group, number, b"UI", value.encode(), b"\0") for group, number, value in elements]
    return b"".join((*encoded, _element(0x29, 0x1010, b"LO", more, b" ")))


def _element(group: int, number: int, vr: bytes, value: bytes, padding: bytes) -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def push(incoming: Incoming, uid: str, study: str = STUDY, more: bytes = b"") -> Kept:
    arriving = incoming.begin(CT, uid, LITTLE_ENDIAN)
    arriving.write(data_set(uid, study, more=more))
    return arriving.keep()
