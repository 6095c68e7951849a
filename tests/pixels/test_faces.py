"""From which slices a face could be rebuilt, by header alone."""

import io

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_assets.deid.deidentify import Deidentifier
from dicom_assets.deid.elements import InMemory
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.pixels.faces import RECOGNISABLE, UNKNOWN, face_of
from dicom_assets.pixels.triage import CLEAN, HEADER, REVIEW, judge

from .headers import CT, MR, US, Header, Site

PET, NM, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.4.1"
HEAD = {"BodyPartExamined": "HEAD", "SliceThickness": "1.0"}


@pytest.mark.parametrize(
    ("uid", "values", "expected"),
    [
        (CT, HEAD, RECOGNISABLE),
        (MR, HEAD, RECOGNISABLE),
        (PET, HEAD, RECOGNISABLE),
        (NM, HEAD, ""),
        (US, HEAD, ""),
        (CT, HEAD | {"SliceThickness": "3"}, RECOGNISABLE),
        (CT, HEAD | {"SliceThickness": "3.1"}, ""),
        (CT, HEAD | {"SliceThickness": "5", "SpacingBetweenSlices": "1"}, RECOGNISABLE),
        (CT, HEAD | {"SliceThickness": "5", "SpacingBetweenSlices": "-5"}, ""),
        (CT, {"BodyPartExamined": "HEAD"}, RECOGNISABLE),
        (CT, HEAD | {"SliceThickness": "thin"}, RECOGNISABLE),
        (CT, HEAD | {"SliceThickness": "5", "RecognizableVisualFeatures": "YES"}, RECOGNISABLE),
        (CT, HEAD | {"RecognizableVisualFeatures": "NO"}, RECOGNISABLE),
        (CT, HEAD | {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}, ""),
        (CT, {"BodyPartExamined": "CHEST"}, ""),
        (CT, {"BodyPartExamined": "CHEST", "SeriesDescription": "Head 1.0"}, RECOGNISABLE),
        (CT, {}, UNKNOWN),
        (CT, {"SliceThickness": "5"}, ""),
        (CT, {"AnatomicRegionSequence": "\x08\x00\x04\x01LO\x04\x00Head"}, RECOGNISABLE),
    ],
)
def test_whose_face_could_be_rebuilt(uid: str, values: dict[str, str], expected: str) -> None:
    assert face_of(Header(uid, "", values)) == expected


@pytest.mark.parametrize(
    "words",
    [
        "CT Head w/o", "t1_mprage_sag", "AX FLAIR", "3D_BRAIN", "SINUSES", "Schädel nativ", "KOPF", "Hirn-MRT", "NNH",
        "crâne", "TETE", "scanner cérébral", "cabeza", "Cráneo", "cérebro", "encefalo", "hoofd", "hersenen", "hjerne",
        "głowa", "mózg", "beyin BT", "голова", "Головной мозг", "κεφαλής", "头颅", "頭部単純", "뇌 MRI",
        "whole-body PET",
    ],
)  # fmt: skip
@pytest.mark.parametrize("keyword", ["SeriesDescription", "StudyDescription", "ProtocolName"])
def test_words_for_the_head(keyword: str, words: str) -> None:
    assert face_of(Header(values={keyword: words})) == RECOGNISABLE


@pytest.mark.parametrize("words", ["Thorax", "Overhead", "Abdomen ap", "Femoral shaft", "L-Spine"])
def test_other_words_leave_it_unknown(words: str) -> None:
    assert face_of(Header(values={"SeriesDescription": words})) == UNKNOWN


def enhanced(thickness: str, anatomy: str, syntax: str) -> bytes:
    """An enhanced MR image that says all of it in its shared functional groups."""
    data_set, measures, region, code, shared = (Dataset() for _ in range(5))
    measures.PixelSpacing = ["1", "1"]
    if thickness:
        measures.SliceThickness = thickness
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "69536005", "SCT", anatomy
    region.AnatomicRegionSequence, region.FrameLaterality = Sequence([code]), "U"
    shared.PixelMeasuresSequence, shared.FrameAnatomySequence = Sequence([measures]), Sequence([region])
    data_set.SharedFunctionalGroupsSequence = Sequence([shared])
    data_set.SOPClassUID, data_set.SOPInstanceUID = ENHANCED_MR, "2.25.71"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.PatientID = "2.25.72", "2.25.73", "Q-1"
    data_set.Modality, data_set.Rows, data_set.Columns, data_set.NumberOfFrames = "MR", 2, 2, "1"
    data_set.SamplesPerPixel, data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 1, 16, 12, 11
    data_set.PixelRepresentation, data_set.PhotometricInterpretation = 0, "MONOCHROME2"
    data_set.PixelData = np.zeros((2, 2), "<u2").tobytes()
    data_set["PixelData"].VR = "OW"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.file_meta.MediaStorageSOPClassUID, data_set.file_meta.MediaStorageSOPInstanceUID = ENHANCED_MR, "2.25.71"
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("thickness", "anatomy", "expected"),
    [("1.2", "Head", RECOGNISABLE), ("5", "Head", ""), ("", "Brain", RECOGNISABLE), ("1.2", "Knee", UNKNOWN)],
)
def test_an_enhanced_image_is_judged_by_its_shared_groups(
    thickness: str, anatomy: str, expected: str, syntax: str
) -> None:
    engine = Deidentifier(load_profile("basic"), PseudonymKey(b"q" * 32))
    notes = engine.deidentify(InMemory(enhanced(thickness, anatomy, syntax))).notes
    assert face_of(notes) == expected


@pytest.mark.parametrize(("faces", "outcome"), [("withhold", REVIEW), ("deface", HEADER), ("release", HEADER)])
def test_the_site_decides_about_faces(faces: str, outcome: str) -> None:
    verdict = judge(Header(values=HEAD), Site(faces=faces))
    assert (verdict.outcome, verdict.face) == (outcome, RECOGNISABLE)
    assert verdict.code == ("FACE_RECOGNISABLE" if outcome == REVIEW else "")


def test_a_face_that_a_reviewer_waived_leaves_the_text_to_be_cleaned() -> None:
    header = Header(values=HEAD | {"BurnedInAnnotation": "YES"})
    assert judge(header, Site()).code == "FACE_RECOGNISABLE"
    verdict = judge(header, Site(), face_waived=True)
    assert (verdict.outcome, verdict.code, verdict.face) == (CLEAN, "TEXT_IN_PIXELS_LIKELY", RECOGNISABLE)


def test_slices_of_nobody_knows_what_go_out_and_are_counted() -> None:
    assert judge(Header(values={"SliceThickness": "1"}), Site()).outcome == HEADER
    assert judge(Header(values={"SliceThickness": "1"}), Site()).face == UNKNOWN
