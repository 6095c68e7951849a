"""The modules that every instance shares (PS3.3 C.7 and C.12): patient, study, series, equipment, SOP common."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from .plan import Slot, Visit

STEP_UID_CLASS = "1.2.840.10008.3.1.2.3.3"  # Modality Performed Procedure Step
STUDY_UID_CLASS = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired, still the one that scanners write

_BODY_PARTS = {"mr": "HEAD", "us": "ABDOMEN", "dx": "HAND"}


def item(**values: object) -> Dataset:
    """A data set of these attributes."""
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


def items(*data_sets: Dataset) -> Sequence:
    return Sequence(data_sets)


def coded(value: str, scheme: str, meaning: str) -> Sequence:
    """One item of the code sequence macro."""
    return items(item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning))


def reference(sop_class_uid: str, sop_instance_uid: str, **more: object) -> Dataset:
    return item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid, **more)


def new_instance(slot: Slot, sop_class_uid: str, modality: str, series_description: str) -> Dataset:
    """A data set with all shared modules, ready for those of its own kind."""
    data_set = item(SOPClassUID=sop_class_uid, SOPInstanceUID=slot.instance_uid, Modality=modality)
    if slot.visit.person.character_sets:
        sets = slot.visit.person.character_sets
        data_set.SpecificCharacterSet = list(sets) if len(sets) > 1 else sets[0]
    _add_patient(data_set, slot)
    _add_study(data_set, slot.visit)
    _add_series(data_set, slot, series_description)
    _add_equipment(data_set, slot.visit)
    data_set.InstanceNumber = slot.number
    data_set.InstanceCreationDate = slot.visit.study_date
    data_set.InstanceCreationTime = slot.visit.study_time
    return data_set


def _add_patient(data_set: Dataset, slot: Slot) -> None:
    person, visit = slot.visit.person, slot.visit
    data_set.PatientName = person.name
    if "case" in visit.traits and slot.number % 2 == 0:
        data_set.PatientName = person.name.upper()
    data_set.PatientID = visit.patient_id
    data_set.IssuerOfPatientID = "LINDENHAGEN-MPI"
    data_set.PatientBirthDate = person.birth_date
    data_set.PatientBirthTime = "041500"
    data_set.PatientSex = person.sex
    years = int(visit.study_date[:4]) - int(person.birth_date[:4]) - (visit.study_date[4:] < person.birth_date[4:])
    data_set.PatientAge = f"{years:03d}Y"
    data_set.PatientSize = person.size_metres
    data_set.PatientWeight = person.weight_kg
    data_set.PatientAddress = person.address
    data_set.PatientTelephoneNumbers = person.phone
    data_set.PatientMotherBirthName = person.mother
    data_set.PatientBirthName = person.birth_name
    data_set.OtherPatientNames = person.birth_name
    data_set.OtherPatientIDs = person.other_id
    data_set.OtherPatientIDsSequence = items(
        item(PatientID=person.other_id, IssuerOfPatientID="HARROWMERE-MPI", TypeOfPatientID="TEXT")
    )
    data_set.EthnicGroup = "Unspecified"
    data_set.Occupation = person.occupation
    data_set.PatientComments = f"{person.natural_name} can be reached at {person.phone}"
    data_set.AdditionalPatientHistory = f"{person.natural_name}, known since {visit.study_date}, cough"
    data_set.MedicalRecordLocator = f"SHELF-{person.other_id}"


def _add_study(data_set: Dataset, visit: Visit) -> None:
    site = visit.site
    data_set.StudyInstanceUID = visit.study_uid
    data_set.StudyDate, data_set.StudyTime = visit.study_date, visit.study_time
    data_set.StudyID = f"STU-{40017 + visit.number}"
    data_set.AccessionNumber = visit.accession_number
    data_set.StudyDescription = visit.description
    data_set.ReferringPhysicianName = site.referring
    data_set.ReferringPhysicianAddress = site.referring_address
    data_set.ReferringPhysicianTelephoneNumbers = site.referring_phone
    data_set.ReferringPhysicianIdentificationSequence = items(
        item(
            PersonIdentificationCodeSequence=coded(
                f"PHYS-{88013 + visit.number % 3}", "99LINDEN", "Registered physician"
            ),
            InstitutionName=site.institution,
            PersonTelephoneNumbers=site.referring_phone,
        )
    )
    data_set.PhysiciansOfRecord = site.of_record
    data_set.NameOfPhysiciansReadingStudy = site.reading
    data_set.RequestingPhysician = site.requesting
    data_set.RequestingService = site.department
    data_set.AdmissionID = f"ADM-{66071 + visit.number}"
    data_set.AdmittingDate = visit.study_date
    data_set.AdmittingDiagnosesDescription = f"Cough, seen by {site.referring.split('^')[0]}"
    if visit.previous_study_uid:
        data_set.ReferencedStudySequence = items(reference(STUDY_UID_CLASS, visit.previous_study_uid))


def _add_series(data_set: Dataset, slot: Slot, description: str) -> None:
    visit, site = slot.visit, slot.visit.site
    data_set.SeriesInstanceUID = visit.series_uid(slot.series)
    data_set.SeriesNumber = slot.series
    data_set.SeriesDate, data_set.SeriesTime = visit.study_date, visit.study_time
    data_set.SeriesDescription = description
    data_set.ProtocolName = f"{description} {visit.person.natural_name}"
    data_set.PerformingPhysicianName = site.performing
    data_set.OperatorsName = site.operator
    data_set.BodyPartExamined = _BODY_PARTS.get(slot.kind.split("-")[0], "CHEST")
    data_set.PerformedProcedureStepStartDate = visit.study_date
    data_set.PerformedProcedureStepStartTime = visit.study_time
    data_set.PerformedProcedureStepID = f"PPS-{51007 + visit.number}"
    data_set.PerformedProcedureStepDescription = visit.description
    data_set.ReferencedPerformedProcedureStepSequence = items(reference(STEP_UID_CLASS, visit.other_uid(1)))
    data_set.RequestAttributesSequence = items(
        item(
            RequestedProcedureID=f"REQ-{30057 + visit.number}",
            RequestedProcedureDescription=visit.description,
            AccessionNumber=visit.accession_number,
            ScheduledProcedureStepID=f"SPS-{20033 + visit.number}",
            ScheduledProcedureStepDescription=f"{description} for {visit.person.natural_name}",
        )
    )


def _add_equipment(data_set: Dataset, visit: Visit) -> None:
    site = visit.site
    data_set.Manufacturer = site.manufacturer
    data_set.ManufacturerModelName = site.model
    data_set.InstitutionName = site.institution
    data_set.InstitutionAddress = site.address
    data_set.InstitutionalDepartmentName = site.department
    data_set.StationName = site.station
    data_set.DeviceSerialNumber = site.serial_number
    data_set.SoftwareVersions = "syn 4.2"
    data_set.DateOfLastCalibration = f"{visit.study_date[:4]}0102"
    data_set.TimeOfLastCalibration = "070000"
