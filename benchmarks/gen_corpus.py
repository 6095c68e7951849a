"""The corpora that the benchmark runs on, the same bytes on every machine; every identity in them is invented.

    ct      600 instances of 0.5 MB   24 series, each header with identifiers at top level, nested and private
    mr-enh    5 instances of  89 MB   enhanced multi-frame: 300 frames, each with nine sequences of its own
    us       20 instances of  16 MB   cine loops, every second one in JPEG baseline fragments
    small  3000 instances of  19 kB   header only, nearly; every fifth series in Implicit VR

`python -m benchmarks.gen_corpus FOLDER [NAME ...]` writes them to FOLDER/NAME; NAME=100 only the first 100 instances.
"""

import datetime
import io
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

SEED = 20240611
ROOT = "1.2.826.0.1.3680043.10.999"

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"
US_MULTIFRAME_IMAGE = "1.2.840.10008.5.1.4.1.1.3.1"
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"

PATIENTS = (
    {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Hollenbeck^Margaret^A^^Mrs",
        "PatientID": "MRN0048213",
        "PatientBirthDate": "19480917",
        "PatientSex": "F",
        "PatientAge": "075Y",
        "PatientAddress": "14 Elm Court, Springfield IL 62704",
        "PatientTelephoneNumbers": "+1-217-555-0143",
    },
    {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Müller^Jörg^^Dr.",
        "PatientID": "MRN0090017",
        "PatientBirthDate": "19610203",
        "PatientSex": "M",
        "PatientAge": "062Y",
        "PatientAddress": "Hauptstraße 7, 8001 Zürich",
        "PatientTelephoneNumbers": "+41-44-555-0199",
    },
    {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "PatientID": "MRN0113344",
        "PatientBirthDate": "19750512",
        "PatientSex": "M",
        "PatientAge": "048Y",
        "PatientAddress": "東京都千代田区1-1",
        "PatientTelephoneNumbers": "+81-3-5555-0123",
    },
)

Corpus = Iterator[tuple[str, Dataset]]  # path inside the corpus, and what to write there


def uid(*parts: int) -> str:
    """A UID under ROOT; the first part says of what kind of thing."""
    return ".".join([ROOT, *map(str, parts)])


def dataset(**elements) -> Dataset:
    """A data set of keyword=value; a list of data sets makes a sequence."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    """The one item of a code sequence."""
    return [dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def reference(sop_class: str, instance: str, **more) -> Dataset:
    """An item that points at an instance."""
    return dataset(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=instance, **more)


def common(patient: int, study: int, modality: str) -> Dataset:
    """The patient, study, visit, request and equipment of an instance: some 80 elements, most of them identifying."""
    who = PATIENTS[patient]
    day = datetime.date(2023, 1, 10) + datetime.timedelta(days=97 * patient + 31 * study)
    date = day.strftime("%Y%m%d")
    accession = f"ACC{patient}{study}77120"
    comment = dataset(
        ValueType="TEXT",
        ConceptNameCodeSequence=code("121050", "DCM", "Comment"),
        TextValue=f"patient {who['PatientID']}",
    )
    protocol = code("PC1", "L", "Protocol A")
    protocol[0].ProtocolContextSequence = [comment]
    request = dataset(
        AccessionNumber=accession,
        RequestedProcedureDescription="CT Thorax",
        RequestedProcedureID="RP9",
        ScheduledProcedureStepDescription="CT Thorax",
        ScheduledProcedureStepID="SPS9",
        ScheduledProtocolCodeSequence=protocol,
        ReferencedStudySequence=[reference(DETACHED_STUDY_MANAGEMENT, uid(1, patient, study))],
    )
    return dataset(
        **who,
        PatientBirthTime="043000",
        IssuerOfPatientID="STMARY",
        OtherPatientIDsSequence=[
            dataset(PatientID=f"OLD{who['PatientID']}", IssuerOfPatientID="COUNTY", TypeOfPatientID="TEXT")
        ],
        OtherPatientNames="Smith^Margaret",
        PatientBirthName="Smith^Margaret",
        PatientMotherBirthName="Jones",
        PatientSize="1.72",
        PatientWeight="71.5",
        CountryOfResidence="US",
        MedicalRecordLocator=f"LOC-{who['PatientID']}",
        EthnicGroup="WHITE",
        Occupation="Teacher",
        AdditionalPatientHistory=(
            f"Patient {who['PatientID']} seen by Dr Okafor, lives at {who['PatientAddress'][:20]}"
        ),
        PregnancyStatus=4,
        PatientReligiousPreference="None",
        PatientComments="Call daughter 555-0188",
        PatientState="ambulant",
        ClinicalTrialProtocolID="",
        # study, series and visit
        StudyInstanceUID=uid(1, patient, study),
        StudyID=f"S{patient}{study}4711",
        StudyDescription="CT THORAX/ABDOMEN Hollenbeck follow-up",
        SeriesDescription="Thorax 1.0 B70f",
        AccessionNumber=accession,
        Modality=modality,
        FrameOfReferenceUID=uid(2, patient, study),
        PositionReferenceIndicator="",
        ProcedureCodeSequence=code("CTTHAB", "L", "CT Thorax Abdomen"),
        AdmittingDiagnosesDescription="Chronic cough",
        AdmissionID="ADM555123",
        CurrentPatientLocation="Ward 7B",
        ImageComments="Reviewed with Dr Okafor",
        ReferencedStudySequence=[reference(DETACHED_STUDY_MANAGEMENT, uid(9, patient, study, 1))],
        ReferencedPerformedProcedureStepSequence=[reference(PERFORMED_PROCEDURE_STEP, uid(9, patient, study, 2))],
        # when
        InstanceCreationDate="20230615",
        InstanceCreationTime="101112.345",
        StudyDate=date,
        SeriesDate=date,
        AcquisitionDate=date,
        ContentDate=date,
        StudyTime="093011.120",
        SeriesTime="093500.000",
        AcquisitionTime="093612.500",
        ContentTime="093612.900",
        AcquisitionDateTime=f"{date}093612.500000+0100",
        PerformedProcedureStepStartDate=date,
        PerformedProcedureStepStartTime="093000",
        # where, by whom, on what
        InstitutionName="St. Mary Regional Hospital",
        InstitutionAddress="1200 Main Street, Springfield",
        InstitutionalDepartmentName="Radiology East",
        ReferringPhysicianName="Okafor^Chidi^^Dr",
        ReferringPhysicianAddress="22 Clinic Road",
        ReferringPhysicianTelephoneNumbers="+1-217-555-0177",
        PhysiciansOfRecord="Lindqvist^Sven",
        PerformingPhysicianName="Grant^Evelyn",
        NameOfPhysiciansReadingStudy="Reader^Rita",
        OperatorsName="Tech^Tom",
        ContentCreatorName="Grant^Evelyn" if modality == "US" else "",
        Manufacturer="SIEMENS",
        ManufacturerModelName="SOMATOM Definition AS",
        StationName="CTAWP73051",
        DeviceSerialNumber="73051",
        SoftwareVersions=["syngo CT 2012B", "VA44A"],
        ProtocolName="ThoraxAbdomen",
        DateOfLastCalibration=["20230101", "20230102"],
        TimeOfLastCalibration=["060000", "061000"],
        # the request
        RequestingPhysician="Okafor^Chidi",
        RequestingService="PULM",
        RequestedProcedureDescription="CT Thorax",
        RequestedProcedureCodeSequence=code("71260", "C4", "CT THORAX W/DYE"),
        RequestedProcedureID="RP9",
        ReasonForTheRequestedProcedure="cough, pt Hollenbeck",
        RequestedProcedureComments="pls call ward",
        ImagingServiceRequestComments="urgent",
        PerformedProcedureStepID="PPS1",
        PerformedProcedureStepDescription="Thorax",
        RequestAttributesSequence=[request],
    )


def add_private(ds: Dataset, rng: random.Random) -> None:
    """27 private elements of four creators: numbers, names, 6 kB of binary and a sequence with an identifier."""
    block = ds.private_block(0x0019, "SIEMENS CT VA0  COAD", create=True)
    for i in range(10):
        block.add_new(0x90 + i, "DS", f"{rng.uniform(-100, 100):.3f}")
    block = ds.private_block(0x0021, "SIEMENS MED", create=True)
    for i in range(6):
        block.add_new(0x10 + i, "LO", f"param{i} op Tech^Tom")
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "CT NUM 4")
    block.add_new(0x09, "LO", "20230615")
    block.add_new(0x10, "OB", rng.randbytes(2048))
    block.add_new(0x20, "OB", rng.randbytes(4096))
    block.add_new(0x30, "SQ", [dataset(PatientID="MRN0048213", SeriesInstanceUID=uid(7, 7, 7))])
    block = ds.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    for i in range(6):
        block.add_new(0x08 + i, "SH", f"val{i}")


def add_file_meta(ds: Dataset, transfer_syntax: str) -> None:
    """File meta information that names the station that wrote the file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.FileMetaInformationVersion = b"\0\1"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta.ImplementationClassUID = uid(0, 1)
    ds.file_meta.ImplementationVersionName = "BENCH_1"
    ds.file_meta.SourceApplicationEntityTitle = "CTAWP73051"


def slice_of(
    top: int,
    patient: int,
    study: int,
    series: int,
    number: int,
    size: int,
    rng: random.Random,
    noise: np.random.Generator,
) -> Dataset:
    """One CT slice of size x size pixels, 12 bits in uint16; top keeps the UIDs of two corpora apart."""
    ds = common(patient, study, "CT")
    ds.update(
        dataset(
            SOPClassUID=CT_IMAGE,
            SOPInstanceUID=uid(top, patient, study, series, number),
            SeriesInstanceUID=uid(top, patient, study, series),
            SeriesNumber=series,
            AcquisitionNumber=1,
            InstanceNumber=number,
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
            BodyPartExamined="CHEST",
            PatientPosition="HFS",
            ScanOptions="SPI",
            SliceThickness="1.0",
            KVP="120",
            DataCollectionDiameter="500",
            ReconstructionDiameter="340",
            DistanceSourceToDetector="1085.6",
            DistanceSourceToPatient="595",
            GantryDetectorTilt="0",
            TableHeight="150",
            RotationDirection="CW",
            ExposureTime="500",
            XRayTubeCurrent="210",
            Exposure="105",
            FilterType="FLAT",
            GeneratorPower="38",
            FocalSpots="1.2",
            ConvolutionKernel="B70f",
            SingleCollimationWidth=0.6,
            TotalCollimationWidth=38.4,
            TableSpeed=46.0,
            SpiralPitchFactor=0.6,
            ContrastBolusAgent="Ultravist",
            ContrastBolusVolume="100",
            ReferencedImageSequence=[reference(CT_IMAGE, uid(top, patient, study, series, 1))],
            SourceImageSequence=[
                reference(
                    CT_IMAGE,
                    uid(top, patient, study, series, max(1, number - 1)),
                    PurposeOfReferenceCodeSequence=code("121322", "DCM", "Source image"),
                )
            ],
            PerformingPhysicianIdentificationSequence=[
                dataset(
                    PersonIdentificationCodeSequence=code("123", "99L", "Grant Evelyn"),
                    InstitutionName="St. Mary Regional Hospital",
                    PersonAddress="x",
                )
            ],
            ImagePositionPatient=["-170.0", "-340.5", f"{number - 1000:.1f}"],
            ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
            SliceLocation=f"{number - 1000:.1f}",
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=size,
            Columns=size,
            PixelSpacing=["0.664", "0.664"],
            BitsAllocated=16,
            BitsStored=12,
            HighBit=11,
            PixelRepresentation=0,
            SmallestImagePixelValue=0,
            LargestImagePixelValue=4095,
            WindowCenter=["40", "-600"],
            WindowWidth=["400", "1200"],
            WindowCenterWidthExplanation=["WINDOW1", "WINDOW2"],
            RescaleIntercept="-1024",
            RescaleSlope="1",
            RescaleType="HU",
        )
    )
    add_private(ds, rng)
    ds.add_new(0x7FE00010, "OW", noise.integers(0, 4096, size * size, dtype=np.uint16).tobytes())
    return ds


def ct() -> Corpus:
    """3 patients x 2 studies x 4 series x 25 slices of 512 x 512."""
    rng, noise = random.Random(SEED), np.random.default_rng(SEED)
    for p, st, se, i in itertools.product(range(3), range(2), range(1, 5), range(1, 26)):
        ds = slice_of(3, p, st, se, i, 512, rng, noise)
        add_file_meta(ds, ExplicitVRLittleEndian)
        yield f"P{p}/ST{st}/SE{se}/ct_p{p}s{st}e{se}i{i:03d}.dcm", ds


def small() -> Corpus:
    """3 patients x 4 studies x 5 series x 50 slices of 64 x 64; each study's last series in Implicit VR."""
    rng, noise = random.Random(SEED + 1), np.random.default_rng(SEED + 1)
    for p, st, se, i in itertools.product(range(3), range(4), range(1, 6), range(1, 51)):
        ds = slice_of(4, p, st, se, i, 64, rng, noise)
        add_file_meta(ds, ImplicitVRLittleEndian if se == 5 else ExplicitVRLittleEndian)
        yield f"P{p}/ST{st}/SE{se}/sm_p{p}s{st}e{se}i{i:03d}.dcm", ds


def functional_groups(k: int, frame: int) -> Dataset:
    """The item of one frame: nine standard sequences, some nested, and a private one."""
    source = reference(MR_IMAGE, uid(6, k, 9, frame), PurposeOfReferenceCodeSequence=code("121322", "DCM", "Source"))
    groups = {
        "FrameContentSequence": dataset(
            FrameAcquisitionNumber=1,
            FrameReferenceDateTime="20230615101112.3456",
            FrameAcquisitionDateTime="20230615101112.3456",
            FrameAcquisitionDuration=12.5,
            StackID="1",
            InStackPositionNumber=frame + 1,
            DimensionIndexValues=[1, frame + 1],
            FrameComments="op Tech^Tom",
        ),
        "PlanePositionSequence": dataset(ImagePositionPatient=["-120", "-130", f"{frame:.2f}"]),
        "PlaneOrientationSequence": dataset(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"]),
        "MRTimingAndRelatedParametersSequence": dataset(
            RepetitionTime="2300", FlipAngle="8", EchoTrainLength="1", RFEchoTrainLength=1, GradientEchoTrainLength=1
        ),
        "MREchoSequence": dataset(EffectiveEchoTime=2.98),
        "FrameVOILUTSequence": dataset(WindowCenter="600", WindowWidth="1200"),
        "PixelValueTransformationSequence": dataset(RescaleIntercept="0", RescaleSlope="1", RescaleType="US"),
        "DerivationImageSequence": dataset(
            DerivationDescription="none",
            SourceImageSequence=[source],
            DerivationCodeSequence=code("113076", "DCM", "Segmentation"),
        ),
    }
    item = dataset(**{keyword: [group] for keyword, group in groups.items()})
    block = item.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    block.add_new(0x0F, "SQ", [dataset(InstanceCreationDate="20230615", SOPInstanceUID=uid(6, k, 8, frame))])
    return item


def mr_enh(frames: int = 300, size: int = 384) -> Corpus:
    """5 enhanced MR instances of 300 frames, 384 x 384, with some 13,700 elements each."""
    rng, noise = random.Random(SEED + 2), np.random.default_rng(SEED + 2)
    for k in range(5):
        p = k % 3
        ds = common(p, k // 3, "MR")
        ds.update(
            dataset(
                SOPClassUID=ENHANCED_MR_IMAGE,
                SOPInstanceUID=uid(5, p, k),
                SeriesInstanceUID=uid(5, p, k, 0),
                SeriesNumber=1,
                InstanceNumber=1,
                ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
                SamplesPerPixel=1,
                PhotometricInterpretation="MONOCHROME2",
                NumberOfFrames=frames,
                Rows=size,
                Columns=size,
                BitsAllocated=16,
                BitsStored=12,
                HighBit=11,
                PixelRepresentation=0,
                DimensionOrganizationSequence=[dataset(DimensionOrganizationUID=uid(6, k))],
                DimensionIndexSequence=[
                    dataset(
                        DimensionOrganizationUID=uid(6, k),
                        DimensionIndexPointer=pointer,
                        FunctionalGroupPointer=0x00209111,
                    )
                    for pointer in (0x00209056, 0x00209057)
                ],
                SharedFunctionalGroupsSequence=[
                    dataset(
                        PixelMeasuresSequence=[dataset(PixelSpacing=["0.9", "0.9"], SliceThickness="1.2")],
                        ReferencedImageSequence=[reference(MR_IMAGE, uid(6, k, 9))],
                    )
                ],
                PerFrameFunctionalGroupsSequence=[functional_groups(k, frame) for frame in range(frames)],
            )
        )
        add_private(ds, rng)
        ds.add_new(0x7FE00010, "OW", noise.integers(0, 4096, frames * size * size, dtype=np.uint16).tobytes())
        add_file_meta(ds, ExplicitVRLittleEndian)
        yield f"mr_{k}.dcm", ds


def jpeg_frame(noise: np.random.Generator) -> bytes:
    """480 x 640 of coloured noise as JPEG baseline, chroma 4:2:2."""
    stream = io.BytesIO()
    picture = Image.fromarray(noise.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    picture.save(stream, "JPEG", quality=85, subsampling="4:2:2")
    return stream.getvalue()


def us() -> Corpus:
    """20 cine loops of 480 x 640: 16 frames in RGB, 60 frames in JPEG baseline, by turns."""
    rng, noise = random.Random(SEED + 3), np.random.default_rng(SEED + 3)
    for k in range(20):
        p = k % 3
        compressed = k % 2 == 1
        frames = 60 if compressed else 16
        ds = common(p, k % 2, "US")
        ds.update(
            dataset(
                SOPClassUID=US_MULTIFRAME_IMAGE,
                SOPInstanceUID=uid(8, p, k),
                SeriesInstanceUID=uid(8, p, k % 2, 0),
                SeriesNumber=1,
                InstanceNumber=k + 1,
                ImageType=["ORIGINAL", "PRIMARY", "CARDIAC"],
                SamplesPerPixel=3,
                PhotometricInterpretation="YBR_FULL_422" if compressed else "RGB",
                PlanarConfiguration=0,
                NumberOfFrames=frames,
                FrameTime="33.3",
                FrameIncrementPointer=0x00181063,
                Rows=480,
                Columns=640,
                BitsAllocated=8,
                BitsStored=8,
                HighBit=7,
                PixelRepresentation=0,
                SequenceOfUltrasoundRegions=[
                    dataset(
                        RegionSpatialFormat=1,
                        RegionDataType=1,
                        RegionFlags=2,
                        RegionLocationMinX0=10,
                        RegionLocationMinY0=40,
                        RegionLocationMaxX1=600,
                        RegionLocationMaxY1=470,
                        PhysicalUnitsXDirection=3,
                        PhysicalUnitsYDirection=3,
                        PhysicalDeltaX=0.05,
                        PhysicalDeltaY=0.05,
                    )
                ],
            )
        )
        add_private(ds, rng)
        if compressed:
            ds.LossyImageCompression = "01"
            ds.add_new(0x7FE00010, "OB", encapsulate([jpeg_frame(noise) for _ in range(frames)]))
            ds["PixelData"].is_undefined_length = True
            add_file_meta(ds, JPEGBaseline8Bit)
        else:
            ds.add_new(0x7FE00010, "OB", noise.integers(0, 256, frames * 480 * 640 * 3, dtype=np.uint8).tobytes())
            add_file_meta(ds, ExplicitVRLittleEndian)
        yield f"us_{k:02d}.dcm", ds


CORPORA: dict[str, Callable[[], Corpus]] = {"ct": ct, "mr-enh": mr_enh, "us": us, "small": small}


def generate(name: str, folder: Path, instances: int | None = None) -> None:
    """Write the corpus to the folder, or only its first instances."""
    for path, ds in itertools.islice(CORPORA[name](), instances):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(file, enforce_file_format=True)


if __name__ == "__main__":
    for wanted in sys.argv[2:] or CORPORA:
        corpus, _, first = wanted.partition("=")
        generate(corpus, Path(sys.argv[1]) / corpus, int(first) if first else None)
