import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest

from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.find import InstanceMatch, find_expected
from dicom_assets.quiet import silence_libraries
from tests.support.orthanc import Orthanc, running_orthanc

silence_libraries()

ROOT = "1.2.826.0.1.3680043.10.1337.77"
#: Fails soon, and is still enough for a loaded machine to answer in.
PATIENT = Timeouts(connect=5, acse=5, first_response=20, stall=20)
BRISK = Timeouts(connect=3, acse=3, first_response=3, stall=3)
HASTY = Timeouts(connect=2, acse=2, first_response=2, stall=2)

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_MIXED = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "reportsi.dcm",
)
#: One instance each: more SOP classes than one association has room for.
_MANY_CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{end}"
    for end in ("2", "4", "7", "128", "1", "1.1", "6.1", "20", "12.1", "66", "88.11", "481.3")
)


@dataclass(frozen=True)
class Planted:
    """A study as it was sent to the archive."""

    study_instance_uid: str
    syntaxes: dict[str, str]  #: SOPInstanceUID -> transfer syntax
    patient_id: str
    accession_number: str
    study_date: str

    @property
    def uids(self) -> set[str]:
        return set(self.syntaxes)


@dataclass(frozen=True)
class Filled:
    """An Orthanc with studies; `archive` is how the package sees it, `held` its files by SOPInstanceUID."""

    orthanc: Orthanc
    archive: Archive
    mixed: Planted
    many_classes: Planted
    held: dict[str, bytes]

    @functools.cached_property
    def listed(self) -> list[InstanceMatch]:
        """The instances of `mixed`."""
        return list(find_expected(self.archive, self.mixed.study_instance_uid).instances)

    def mode(self, retrieve: str) -> Archive:
        return replace(self.archive, retrieve=retrieve)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("orthanc")
    mixed = _write(sources, 1, [(name, None) for name in _MIXED], "0012345", "ACC0001", "20240131", "Müller^Jörg")
    many = _write(
        sources, 2, [("MR_small_RLE.dcm", uid) for uid in _MANY_CLASSES], "0012346", "ACC0002", "20240201", "Two^Study"
    )
    with running_orthanc(folder) as orthanc:
        orthanc.store(sorted(sources.glob("*.dcm")))
        archive = Archive(
            "127.0.0.1", orthanc.dicom_port, orthanc.ae_title, "DICOM_ASSETS", "auto", orthanc.receiver_port, PATIENT
        )
        yield Filled(orthanc, archive, mixed, many, orthanc.files())


def _write(
    folder: Path,
    number: int,
    parts: list[tuple[str, str | None]],
    patient_id: str,
    accession: str,
    date: str,
    name: str,
) -> Planted:
    """Files of one study made of bundled ones; a part may be given another SOP class."""
    study, syntaxes = f"{ROOT}.{number}", {}
    for index, (file, sop_class) in enumerate(parts):
        with warnings.catch_warnings():
            # The bundled files hold values that pydicom objects to; they are the archive's problem, as in life.
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(_FILES / file)
            dataset.SpecificCharacterSet = "ISO_IR 100"
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1.{index % 3}"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.2.{index}"
            if sop_class:
                dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
            dataset.PatientID, dataset.PatientName = patient_id, name
            dataset.AccessionNumber, dataset.StudyDate = accession, date
            dataset.save_as(folder / f"{number}-{index}.dcm")
        syntaxes[str(dataset.SOPInstanceUID)] = str(dataset.file_meta.TransferSyntaxUID)
    return Planted(study, syntaxes, patient_id, accession, date)
