"""Instances without pixels: structured reports and structure sets. A builder takes a Slot and returns a data set."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, CTImageStorage, RTStructureSetStorage

from .attributes import STUDY_UID_CLASS, coded, item, items, new_instance, reference
from .plan import Slot

_ROIS = (("Nodule {name}", "GTV", (-100.0, 20.0), 14.0), ("Heart", "ORGAN", (30.0, -25.0), 45.0))


def _report(slot: Slot) -> Dataset:
    """A Basic Text SR with the identities in its content tree."""
    visit = slot.visit
    data_set = new_instance(slot, BasicTextSRStorage, "SR", "Radiology report")
    data_set.ContentDate, data_set.ContentTime = visit.study_date, visit.study_time
    data_set.CompletionFlag, data_set.VerificationFlag = "COMPLETE", "VERIFIED"
    data_set.VerifyingObserverSequence = items(
        item(
            VerifyingObserverName=visit.site.reading,
            VerifyingOrganization=visit.site.institution,
            VerificationDateTime=f"{visit.study_date}170000",
            VerifyingObserverIdentificationCodeSequence=items(),
        )
    )
    data_set.PerformedProcedureCodeSequence = items()
    data_set.ValueType, data_set.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data_set.ConceptNameCodeSequence = coded("18748-4", "LN", "Diagnostic Imaging Report")
    images = _referenced_ct(slot)
    if images:
        data_set.CurrentRequestedProcedureEvidenceSequence = items(
            item(StudyInstanceUID=visit.study_uid, ReferencedSeriesSequence=items(_series_of(slot, images)))
        )
    data_set.ContentSequence = items(*_content(slot, images))
    return data_set


def _content(slot: Slot, images: list[str]) -> list[Dataset]:
    visit, person = slot.visit, slot.visit.person
    findings = (
        f"{person.natural_name} (born {person.birth_date}, ID {visit.patient_id}) was examined on {visit.study_date} "
        f"for {visit.site.referring.split('^')[0]}. "
        "No pneumothorax. A nodule of 8 mm in segment S6, Hodgkin lymphoma excluded."
    )
    content = [
        _entry("HAS OBS CONTEXT", "PNAME", ("121008", "Person Observer Name"), PersonName=visit.site.reading),
        _entry("HAS OBS CONTEXT", "PNAME", ("121029", "Subject Name"), PersonName=person.name),
        _entry("HAS OBS CONTEXT", "TEXT", ("121030", "Subject ID"), TextValue=visit.patient_id),
        _entry("HAS OBS CONTEXT", "DATE", ("121031", "Subject Birth Date"), Date=person.birth_date),
        _entry("HAS OBS CONTEXT", "UIDREF", ("121018", "Procedure Study Instance UID"), UID=visit.study_uid),
        _entry(
            "CONTAINS", "DATETIME", ("111526", "DateTime Started"), DateTime=f"{visit.study_date}{visit.study_time}"
        ),
        _entry("CONTAINS", "TEXT", ("121071", "Finding"), TextValue=findings),
        _entry("CONTAINS", "TEXT", ("121077", "Conclusion"), TextValue=f"Please call {person.phone}."),
    ]
    if images:
        image = _entry("CONTAINS", "IMAGE", ("121080", "Best illustration of finding"))
        image.ReferencedSOPSequence = items(reference(CTImageStorage, images[len(images) // 2]))
        content.append(image)
    return content


def _entry(relationship: str, value_type: str, concept: tuple[str, str], **value: object) -> Dataset:
    name = coded(concept[0], "DCM", concept[1])
    return item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=name, **value)


def _structure_set(slot: Slot) -> Dataset:
    """Contours on each slice of the CT series of the same study."""
    visit = slot.visit
    data_set = new_instance(slot, RTStructureSetStorage, "RTSTRUCT", "Structures")
    data_set.StructureSetLabel = f"RTS {visit.patient_id}"[:16]
    data_set.StructureSetName = f"Plan of {visit.person.natural_name}"
    data_set.StructureSetDate, data_set.StructureSetTime = visit.study_date, visit.study_time
    data_set.FrameOfReferenceUID = visit.frame_of_reference_uid
    data_set.PositionReferenceIndicator = ""
    images = _referenced_ct(slot)
    data_set.ReferencedFrameOfReferenceSequence = items(_frame_of_reference(slot, images))
    data_set.StructureSetROISequence = items(*(_roi(slot, number) for number in range(len(_ROIS))))
    data_set.ROIContourSequence = items(*(_contours(number, images) for number in range(len(_ROIS))))
    data_set.RTROIObservationsSequence = items(*(_observation(slot, number) for number in range(len(_ROIS))))
    data_set.ApprovalStatus = "APPROVED"
    data_set.ReviewDate, data_set.ReviewTime = visit.study_date, visit.study_time
    data_set.ReviewerName = visit.site.of_record
    return data_set


def _frame_of_reference(slot: Slot, images: list[str]) -> Dataset:
    series = item(
        SeriesInstanceUID=slot.visit.series_uid(1),
        ContourImageSequence=items(*(reference(CTImageStorage, image) for image in images)),
    )
    study = reference(STUDY_UID_CLASS, slot.visit.study_uid, RTReferencedSeriesSequence=items(series))
    return item(
        FrameOfReferenceUID=slot.visit.frame_of_reference_uid,
        RTReferencedStudySequence=items(study),
    )


def _roi(slot: Slot, number: int) -> Dataset:
    return item(
        ROINumber=number + 1,
        ReferencedFrameOfReferenceUID=slot.visit.frame_of_reference_uid,
        ROIName=_ROIS[number][0].format(name=slot.visit.person.natural_name),
        ROIGenerationAlgorithm="MANUAL",
    )


def _observation(slot: Slot, number: int) -> Dataset:
    return item(
        ObservationNumber=number + 1,
        ReferencedROINumber=number + 1,
        RTROIInterpretedType=_ROIS[number][1],
        ROIInterpreter=slot.visit.site.reading,
    )


def _contours(number: int, images: list[str]) -> Dataset:
    """One closed circle, in millimetres, on every slice."""
    (x, y), radius = _ROIS[number][2:]
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    contours = []
    for index, image in enumerate(images):
        points = [(x + radius * np.cos(a), y + radius * np.sin(a), index * 5.0) for a in angles]
        contours.append(
            item(
                ContourImageSequence=items(reference(CTImageStorage, image)),
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{coordinate:.2f}" for point in points for coordinate in point],
            )
        )
    return item(ROIDisplayColor=[255, 80 * number, 0], ReferencedROINumber=number + 1, ContourSequence=items(*contours))


def _referenced_ct(slot: Slot) -> list[str]:
    """SOPInstanceUIDs of the study's first series where that is CT."""
    first = slot.siblings[0]
    return [slot.visit.instance_uid(1, number) for number in range(1, first.count + 1)] if first.kind == "ct" else []


def _series_of(slot: Slot, images: list[str]) -> Dataset:
    return item(
        SeriesInstanceUID=slot.visit.series_uid(1),
        ReferencedSOPSequence=items(*(reference(CTImageStorage, image) for image in images)),
    )


BUILDERS: dict[str, Callable[[Slot], Dataset]] = {"sr": _report, "rtstruct": _structure_set}
