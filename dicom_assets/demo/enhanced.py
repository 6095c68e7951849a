"""Enhanced MR: many slices in one instance, described by functional groups."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage

from .anatomy import volume
from .attributes import coded, item, items, new_instance, reference
from .image_modules import set_pixels, timed
from .plan import Slot

_THICKNESS = 5.0

_ABSENT_TECHNIQUES = (
    "MultipleSpinEcho",
    "MultiPlanarExcitation",
    "PhaseContrast",
    "TimeOfFlightContrast",
    "EchoPlanarPulseSequence",
    "SaturationRecovery",
)


def _enhanced_mr(slot: Slot) -> Dataset:
    data_set = new_instance(slot, EnhancedMRImageStorage, "MR", "T2 multi-frame")
    timed(data_set, slot)
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    frames = max(6, slot.size // 10)
    slices = volume("T2", slot.visit.number + slot.number, frames, slot.size // 2, slot.size // 2)
    set_pixels(data_set, np.clip(np.rint(slices), 0, 4095).astype(np.uint16), 12, frames=True)
    data_set.FrameOfReferenceUID = slot.visit.frame_of_reference_uid
    data_set.PositionReferenceIndicator, data_set.PatientPosition = "", "HFS"
    data_set.BurnedInAnnotation, data_set.LossyImageCompression = "NO", "00"
    data_set.PresentationLUTShape = "IDENTITY"
    _add_acquisition(data_set)
    _add_dimensions(data_set, slot)
    data_set.ReferencedImageEvidenceSequence = items(_evidence(slot))
    data_set.SharedFunctionalGroupsSequence = items(item(**_imaging_groups(slot), **_scanner_groups()))
    data_set.PerFrameFunctionalGroupsSequence = items(*(_frame_groups(slot, number) for number in range(1, frames + 1)))
    data_set.AcquisitionContextSequence = items()
    return data_set


def _add_acquisition(data_set: Dataset) -> None:
    data_set.PixelPresentation, data_set.VolumetricProperties = "MONOCHROME", "VOLUME"
    data_set.VolumeBasedCalculationTechnique = "NONE"
    data_set.ComplexImageComponent, data_set.AcquisitionContrast = "MAGNITUDE", "T2"
    data_set.ContentQualification, data_set.ApplicableSafetyStandardAgency = "PRODUCT", "IEC"
    data_set.ResonantNucleus, data_set.KSpaceFiltering = "1H", "NONE"
    data_set.MagneticFieldStrength, data_set.AcquisitionDuration = 3, 240.0
    data_set.EchoPulseSequence, data_set.GeometryOfKSpaceTraversal = "SPIN", "RECTILINEAR"
    data_set.RectilinearPhaseEncodeReordering, data_set.SegmentedKSpaceTraversal = "LINEAR", "SINGLE"
    data_set.NumberOfKSpaceTrajectories = 1
    for keyword in _ABSENT_TECHNIQUES:
        setattr(data_set, keyword, "NO")
    for keyword in ("SteadyStatePulseSequence", "SpectrallySelectedSuppression", "OversamplingPhase"):
        setattr(data_set, keyword, "NONE")
    data_set.PulseSequenceName, data_set.MRAcquisitionType = "tse", "2D"


def _add_dimensions(data_set: Dataset, slot: Slot) -> None:
    organization = slot.visit.other_uid(30 + slot.number)
    data_set.DimensionOrganizationSequence = items(item(DimensionOrganizationUID=organization))
    data_set.DimensionIndexSequence = items(
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=0x00209057,
            FunctionalGroupPointer=0x00209111,
            DimensionDescriptionLabel="Position",
        )
    )


def _evidence(slot: Slot) -> Dataset:
    """The series that the localizer reference points into."""
    localizer = reference(EnhancedMRImageStorage, slot.visit.instance_uid(slot.series, 1))
    series = item(SeriesInstanceUID=slot.visit.series_uid(slot.series), ReferencedSOPSequence=items(localizer))
    return item(StudyInstanceUID=slot.visit.study_uid, ReferencedSeriesSequence=items(series))


def _imaging_groups(slot: Slot) -> dict[str, Sequence]:
    """Functional groups that all frames share, with identities in some."""
    visit = slot.visit
    spacing = round(240 / (slot.size // 2), 6)
    localizer = reference(
        EnhancedMRImageStorage,
        visit.instance_uid(slot.series, 1),
        ReferencedFrameNumber=1,
        PurposeOfReferenceCodeSequence=coded("121311", "DCM", "Localizer"),
    )
    request = item(
        RequestedProcedureID=f"REQ-{30057 + visit.number}",
        AccessionNumber=visit.accession_number,
        ScheduledProcedureStepID=f"SPS-{20033 + visit.number}",
        ScheduledProcedureStepDescription=f"Brain for {visit.person.natural_name}",
    )
    frame_type = item(
        FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T2",
    )
    return {
        "PixelMeasuresSequence": items(item(PixelSpacing=[spacing, spacing], SliceThickness=_THICKNESS)),
        "PlaneOrientationSequence": items(item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])),
        "FrameAnatomySequence": items(
            item(FrameLaterality="U", AnatomicRegionSequence=coded("12738006", "SCT", "Brain"))
        ),
        "ReferencedImageSequence": items(localizer),
        "MRImageFrameTypeSequence": items(frame_type),
        "PixelValueTransformationSequence": items(item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")),
        "FrameVOILUTSequence": items(item(WindowCenter=500, WindowWidth=1000)),
        "RequestAttributesSequence": items(request),
    }


def _scanner_groups() -> dict[str, Sequence]:
    """Functional groups that all frames share and that are about the scanner alone."""
    timing = item(
        RepetitionTime=4000,
        FlipAngle=90,
        EchoTrainLength=16,
        RFEchoTrainLength=16,
        GradientEchoTrainLength=0,
        SpecificAbsorptionRateSequence=items(
            item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.2)
        ),
        GradientOutputType="DB_DT",
        GradientOutput=20.0,
        OperatingModeSequence=items(item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL")),
    )
    modifier = item(
        InversionRecovery="NO",
        FlowCompensation="NONE",
        Spoiling="NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    imaging = item(
        MagnetizationTransfer="NONE",
        BloodSignalNulling="NO",
        Tagging="NONE",
        TransmitterFrequency=123.2,
        PixelBandwidth=200,
    )
    geometry = item(
        MRAcquisitionFrequencyEncodingSteps=128,
        MRAcquisitionPhaseEncodingStepsInPlane=128,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=1,
        PercentSampling=100,
        PercentPhaseFieldOfView=100,
        InPlanePhaseEncodingDirection="ROW",
    )
    receive = item(
        ReceiveCoilName="Head 32",
        ReceiveCoilManufacturerName="",
        ReceiveCoilType="MULTICOIL",
        QuadratureReceiveCoil="NO",
        MultiCoilDefinitionSequence=items(item(MultiCoilElementName="H1", MultiCoilElementUsed="YES")),
    )
    transmit = item(TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    return {
        "MRTimingAndRelatedParametersSequence": items(timing),
        "MREchoSequence": items(item(EffectiveEchoTime=95.0)),
        "MRAveragesSequence": items(item(NumberOfAverages=1)),
        "MRFOVGeometrySequence": items(geometry),
        "MRModifierSequence": items(modifier),
        "MRImagingModifierSequence": items(imaging),
        "MRReceiveCoilSequence": items(receive),
        "MRTransmitCoilSequence": items(transmit),
    }


def _frame_groups(slot: Slot, number: int) -> Dataset:
    """number: frame, from 1."""
    visit = slot.visit
    moment = f"{visit.study_date}{visit.study_time}.{number:06d}"
    return item(
        FrameContentSequence=items(
            item(
                FrameAcquisitionNumber=1,
                FrameReferenceDateTime=moment,
                FrameAcquisitionDateTime=moment,
                FrameAcquisitionDuration=1000.0,
                StackID="1",
                InStackPositionNumber=number,
                DimensionIndexValues=[number],
                FrameComments=f"Frame {number} of {visit.person.natural_name}",
            )
        ),
        PlanePositionSequence=items(item(ImagePositionPatient=[-120, -120, (number - 1) * _THICKNESS])),
    )


BUILDERS: dict[str, Callable[[Slot], Dataset]] = {"mr-enhanced": _enhanced_mr}
