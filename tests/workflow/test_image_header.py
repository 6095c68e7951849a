"""The header by which the proof judges an image, against the one by which it was staged: two parsers, one verdict."""

import pytest

from dicom_assets.deid.deidentify import notes_of
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.residual import pieces_of
from dicom_assets.errors import DicomAssetsError
from dicom_assets.pixels.triage import Described, judge
from dicom_assets.workflow.image_header import image_header
from dicom_assets.workflow.instance_checks import read_file
from tests.deid.corpora import bundled, hand_made

BASIC = load_profile("basic")
SEQUENCES = {"AnatomicRegionSequence", "SequenceOfUltrasoundRegions", "SharedFunctionalGroupsSequence"}


def told(header: Described) -> tuple:
    values = {keyword: value for keyword, value in header.values.items() if keyword not in SEQUENCES}
    return values, SEQUENCES & header.values.keys(), header.sop_class_uid, header.modality, header.has_pixels


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, about the inputs
def test_every_file_says_the_same_to_both() -> None:
    files = {name: path.read_bytes() for name, path in bundled().items()} | hand_made()
    compared, other = 0, []
    for name, encoded in files.items():
        try:
            notes = notes_of(InMemory(encoded))
        except DicomAssetsError:
            continue
        if read_file(encoded) is None:
            continue  # not proved at all
        header = image_header(pieces_of(encoded, beside_pixels=False), encoded)
        compared += 1
        if told(header) != told(notes) or judge(header, BASIC) != judge(notes, BASIC):
            other.append(name)
    assert compared > 150
    assert not other
