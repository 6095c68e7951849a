"""Small studies of invented patients, written as they have to arrive: our own file meta, then the data set as dcmtk
sends it. So what was pushed and what came can be compared by their digests."""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from dicom_assets.storage.instance_header import file_meta

_ROOT = "1.2.826.0.1.3680043.10.1337.77"
_SIDE = 48
_NAMES = ("Quillfeather^Ottoline", "Brackenridge^Thaddeus", "Pemberwick^Isolde", "Marrowgate^Lysander")
#: Of every instance, by keyword
_ALWAYS: dict[str, str | int] = {
    "SOPClassUID": MRImageStorage,
    "PatientBirthDate": "19540317",
    "PatientSex": "O",
    "StudyDate": "20240229",
    "StudyTime": "101500",
    "ReferringPhysicianName": "Thistlewood^Barnaby",
    "Modality": "MR",
    "Manufacturer": "Invented Devices",
    "ImageType": "ORIGINAL\\PRIMARY\\M\\SE",
    "ScanningSequence": "SE",
    "SequenceVariant": "NONE",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "SeriesNumber": "1",
    "SliceThickness": "4",
    "EchoTime": "12",
    "EchoTrainLength": "1",
    "RepetitionTime": "500",
    "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
    "PixelSpacing": "1\\1",
    "PositionReferenceIndicator": "",
    "PatientPosition": "HFS",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": _SIDE,
    "Columns": _SIDE,
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
}


@dataclass(frozen=True)
class Pushed:
    """One instance on its way. content: 0, or another number for other bytes under the same UIDs. is_blocked: it says
    that its picture shows text, so that it is quarantined."""

    folder: Path = field(compare=False)
    study: int
    number: int
    content: int = 0
    is_blocked: bool = False

    @property
    def study_instance_uid(self) -> str:
        return f"{_ROOT}.{self.study}"

    @property
    def sop_instance_uid(self) -> str:
        return f"{self.study_instance_uid}.1.{self.number}"

    @property
    def path(self) -> Path:
        return self.folder / f"{self.study:05d}-{self.number:03d}-{self.content}.dcm"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def make_study(folder: Path, study: int, instances: int, first: int = 0, *, is_blocked: bool = False) -> list[Pushed]:
    """Instances first, first + 1, ... of the study, as files in folder."""
    return [_written(Pushed(folder, study, number, 0, is_blocked)) for number in range(first, first + instances)]


def make_conflict(instance: Pushed) -> Pushed:
    """The same instance with other bytes."""
    return _written(replace(instance, content=instance.content + 1))


def _written(instance: Pushed) -> Pushed:
    meta = file_meta(MRImageStorage, instance.sop_instance_uid, ExplicitVRLittleEndian)
    instance.path.write_bytes(meta + b"".join(_element(*one) for one in sorted(_elements(instance))))
    return instance


def _elements(instance: Pushed) -> Iterator[tuple[int, str, str | int | bytes]]:
    """Tag, VR and value, in no order."""
    noise = np.random.default_rng((instance.study, instance.number, instance.content))
    values = {
        **_ALWAYS,
        "SOPInstanceUID": instance.sop_instance_uid,
        "StudyInstanceUID": instance.study_instance_uid,
        "SeriesInstanceUID": f"{instance.study_instance_uid}.1",
        "FrameOfReferenceUID": f"{instance.study_instance_uid}.9",
        "PatientID": f"TX-{instance.study:05d}",
        "PatientName": f"{_NAMES[instance.study % len(_NAMES)]}{_letters(instance.study)}",
        "StudyID": f"S{instance.study:05d}",
        "AccessionNumber": f"AC{instance.study:07d}",
        "InstanceNumber": str(instance.number + 1),
        "ImagePositionPatient": f"0\\0\\{4 * instance.number}",
        "BurnedInAnnotation": "YES" if instance.is_blocked else "NO",
        "PixelData": noise.integers(0, 4096, (_SIDE, _SIDE), np.uint16).tobytes(),
    }
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        yield tag, "OW" if isinstance(value, bytes) else dictionary_VR(tag), value


def _element(tag: int, vr: str, value: str | int | bytes) -> bytes:
    """Explicit VR Little Endian (PS3.5 7.1.2)."""
    begin = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if isinstance(value, bytes):
        return begin + struct.pack("<HL", 0, len(value)) + value
    encoded = struct.pack("<H", value) if isinstance(value, int) else value.encode()
    encoded += (b"\0" if vr == "UI" else b" ") * (len(encoded) % 2)
    return begin + struct.pack("<H", len(encoded)) + encoded


def _letters(number: int) -> str:
    """A name of its own for each study: identifiers that are left are searched for by whole words."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}")
