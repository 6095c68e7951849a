"""References that must last, and what they say of the object: before and after, with content items removed between."""

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage, MRImageStorage

from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.residual import pieces_of
from dicom_assets.workflow.content_items import renumbered
from dicom_assets.workflow.promises import promises_of
from dicom_assets.workflow.references import changed_classes, lost_references
from dicom_assets.workflow.uid_pairs import object_uids, uid_pairs
from tests.support.hand_deidentified import as_bytes, planted

BASIC = promises_of(load_profile("basic"))


def item(**values):
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def sop(number, sop_class=CTImageStorage):
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=f"1.2.3.{number}")


def content(value_type, code, **values):
    concept = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning="concept")
    return item(ValueType=value_type, ConceptNameCodeSequence=[concept], **values)


def with_references():
    """Of the ways in which RT structure sets, segmentations, reports, presentation states and key objects refer."""
    dataset = planted(1)
    series = item(SeriesInstanceUID="1.2.3.20", ContourImageSequence=[sop(1), sop(2)])
    study = item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID="1.2.3.30")
    study.RTReferencedSeriesSequence = [series]
    dataset.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID="1.2.3.40", RTReferencedStudySequence=[study])
    ]
    dataset.ReferencedSeriesSequence = [item(SeriesInstanceUID="1.2.3.20", ReferencedInstanceSequence=[sop(3)])]
    evidence = item(SeriesInstanceUID="1.2.3.20", ReferencedSOPSequence=[sop(4)])
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        item(StudyInstanceUID="1.2.3.30", ReferencedSeriesSequence=[evidence])
    ]
    dataset.ContentSequence = [
        content("TEXT", "121106", TextValue="words"),
        content("IMAGE", "121191", ReferencedSOPSequence=[sop(5)]),
        content("UIDREF", "112227", UID="1.2.3.50"),
        content("IMAGE", "121191", ReferencedSOPSequence=[sop(6)]),
    ]
    return dataset


def compared(change=lambda dataset: None):
    before = pieces_of(as_bytes(with_references()))
    output = with_references()
    change(output)
    after = pieces_of(as_bytes(output))
    before = renumbered(before, after)
    lost = list(lost_references(object_uids(before), object_uids(after), BASIC))
    return lost + list(changed_classes(before, after)), uid_pairs(object_uids(before), object_uids(after), "")


def test_references_that_are_all_there_are_no_finding():
    problems, pairs = compared()
    assert problems == [] and all(pair.old == pair.new for pair in pairs) and len(pairs) >= 12


def rt(dataset):
    return dataset.ReferencedFrameOfReferenceSequence[0]


LOST = {
    "frame of reference": (lambda ds: ds.pop("FrameOfReferenceUID"), "(0020,0052)"),
    "frame of reference of a structure set": (
        lambda ds: rt(ds).pop("FrameOfReferenceUID"),
        "(3006,0010)[0].(0020,0052)",
    ),
    "image of a contour": (
        lambda ds: rt(ds).RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence.pop(),
        "(3006,0010)[0].(3006,0012)[0].(3006,0014)[0].(3006,0016)[1].(0008,1155)",
    ),
    "image of a segmentation": (
        lambda ds: ds.ReferencedSeriesSequence[0].pop("ReferencedInstanceSequence"),
        "(0008,1115)[0].(0008,114A)[0].(0008,1155)",
    ),
    "evidence of a report": (
        lambda ds: ds.CurrentRequestedProcedureEvidenceSequence[0].pop("StudyInstanceUID"),
        "(0040,A375)[0].(0020,000D)",
    ),
    "tracking identifier of a report": (lambda ds: ds.ContentSequence[2].pop("UID"), "(0040,A730)[2].(0040,A124)"),
}


@pytest.mark.parametrize("change, place", LOST.values(), ids=LOST.keys())
def test_a_reference_that_is_gone_is_found(change, place):
    assert ("REFERENCE_LOST", place) in compared(change)[0]


def test_a_reference_to_an_object_of_another_class_is_found():
    problems, _ = compared(
        lambda ds: setattr(
            ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0],
            *("ReferencedSOPClassUID", KeyObjectSelectionDocumentStorage),
        )
    )
    assert problems == [("REFERENCE_BROKEN", "(0008,1115)[0].(0008,114A)[0].(0008,1150)")]


def test_content_items_that_went_by_their_concept_leave_the_others_comparable():
    problems, pairs = compared(lambda ds: ds.ContentSequence.pop(0))
    assert problems == [] and all(pair.old == pair.new for pair in pairs)


def test_a_content_item_that_is_lost_among_others_of_its_concept_is_found():
    problems, pairs = compared(lambda ds: ds.ContentSequence.pop(1))
    assert [reason for reason, _ in problems] == ["REFERENCE_LOST"]
    assert all(pair.old == pair.new for pair in pairs)
