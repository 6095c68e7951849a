"""Every identifying value of a data set, read off the data set itself, so that the list misses none."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from .corpus import Planted
from .identities import ORDINARY_WORDS
from .plan import Slot

_KINDS = {
    "id": (
        "PatientID OtherPatientIDs AdmissionID StudyID RequestedProcedureID ScheduledProcedureStepID "
        "PerformedProcedureStepID PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest "
        "MedicalRecordLocator"
    ),
    "accession": "AccessionNumber",
    "address": "PatientAddress ReferringPhysicianAddress InstitutionAddress",
    "phone": "PatientTelephoneNumbers ReferringPhysicianTelephoneNumbers PersonTelephoneNumbers",
    "institution": (
        "InstitutionName InstitutionalDepartmentName VerifyingOrganization IssuerOfPatientID SourceOfPreviousValues "
        "RequestingService UniversalEntityID"
    ),
    "device": (
        "StationName DeviceSerialNumber ModifyingSystem SourceApplicationEntityTitle SendingApplicationEntityTitle "
        "DetectorID PlateID"
    ),
    "text": "Occupation",
}
_KIND_OF_KEYWORD = {keyword: kind for kind, keywords in _KINDS.items() for keyword in keywords.split()}

_PATIENT_NAMES = {"PatientName", "PatientBirthName", "OtherPatientNames", "PatientMotherBirthName"}
_STRINGS = {"LO", "SH", "ST", "LT", "UT", "UC"}

#: UIDs that begin so belong to the standard.
_STANDARD_ROOT = "1.2.840.10008."


def planted_in(data_set: Dataset, slot: Slot) -> Iterator[Planted]:
    """data_set: with its file meta. A value may come several times."""
    natural_name = slot.visit.person.natural_name
    yield Planted(natural_name, "descriptor", "PatientComments")
    yield from _walk(data_set, natural_name)
    yield from _walk(data_set.file_meta, natural_name)


def marked_short(planted: Planted) -> Planted:
    """With the kind `short` where the value is too short to be searched for."""
    if len(planted.value.encode()) < 6:
        return Planted(planted.value, "short", planted.where)
    return planted


def _walk(data_set: Dataset, natural_name: str) -> Iterator[Planted]:
    for element in data_set:
        if element.VR == "SQ":
            for nested in element.value:
                yield from _walk(nested, natural_name)
            continue
        if element.is_empty or element.tag.is_private_creator:
            continue
        where = element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})"
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            yield from _of_value(value, element.VR, where, element.tag.is_private)


def _of_value(value: object, vr: str, where: str, private: bool) -> Iterator[Planted]:
    if vr == "UI" and not str(value).startswith(_STANDARD_ROOT) and where != "ImplementationClassUID":
        yield Planted(str(value), "uid", where)
    elif vr == "PN":
        yield from _of_name(PersonName(value), "name" if where in _PATIENT_NAMES else "physician", where)
    elif vr in ("DA", "DT"):
        yield Planted(str(value)[:8], "date", where)
    elif vr in _STRINGS and private:
        for line in str(value).splitlines():
            yield Planted(line, "private", where)
    elif where in _KIND_OF_KEYWORD:
        yield Planted(str(value), _KIND_OF_KEYWORD[where], where)


def _of_name(name: PersonName, kind: str, where: str) -> Iterator[Planted]:
    """The name as written, each of its component groups, and each component of four letters or more."""
    groups = [group for group in str(name).split("=") if group]
    for whole in {str(name), *groups}:
        yield Planted(whole, kind, where)
    for group in groups:
        for component in group.split("^"):
            if len(component) >= 4 and component.title() not in ORDINARY_WORDS:
                yield Planted(component, kind, where)
