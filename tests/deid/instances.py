"""Small complete instances for tests of single elements."""

import io

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_assets.deid.deidentify import Deidentified, Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import Profile
from dicom_assets.deid.pseudonyms import PseudonymKey

KEY = PseudonymKey(bytes(range(32)))
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY, SERIES, INSTANCE = (
    "1.2.826.0.1.3680043.10.1337.5.1",
    "1.2.826.0.1.3680043.10.1337.5.2",
    "1.2.826.0.1.3680043.10.1337.5.3",
)


def minimal(sop_class_uid: str = CT) -> FileDataset:
    """An instance with nothing but what places it."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class_uid, INSTANCE
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.PatientID, dataset.PatientName = "0012345", "Quillfeather^Ottoline"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class_uid
    dataset.file_meta.MediaStorageSOPInstanceUID = INSTANCE
    return dataset


def encoded(dataset: Dataset, **options: bool) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True, **options)
    return buffer.getvalue()


def deidentify(original: bytes, profile: Profile, key: PseudonymKey = KEY) -> tuple[bytes, Deidentified]:
    """The output's bytes, and what is told of it."""
    source = InMemory(original)
    result = Deidentifier(profile, key).deidentify(source)
    return result.encoded(source), result


def deidentified(dataset: Dataset, profile: Profile, key: PseudonymKey = KEY) -> FileDataset:
    """What comes out, read again."""
    return pydicom.dcmread(io.BytesIO(deidentify(encoded(dataset), profile, key)[0]))
