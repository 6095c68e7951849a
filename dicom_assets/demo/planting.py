"""Identities in the less usual places, by trait of the study: private, nested, preamble, meta, overlay, tail."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from .attributes import coded, item, items, reference
from .plan import Slot
from .projections import draw_lines

#: Creators of the private blocks, invented but for the last, whose one element PS3.15 Table E.3.10-1 calls safe.
_ARCHIVE_CREATOR, _SCANNER_CREATOR = "LINDENHAGEN ARCHIVE 1.2", "AURIGA HEADER"
_SAFE_CREATOR = "Philips PET Private Group"


def plant(data_set: Dataset, slot: Slot) -> None:
    """Add what the study's traits ask for to a data set that is otherwise complete."""
    traits = slot.visit.traits
    if "private" in traits:
        _add_private(data_set, slot)
    if "nested" in traits:
        _add_nested(data_set, slot)
    if "overlay" in traits and "Rows" in data_set:
        _add_overlay(data_set, slot)
    if "tail" in traits and slot.number % 2 and "PixelData" in data_set:
        data_set.add_new(0xFFFCFFFC, "OB", _even(f"{slot.visit.person.natural_name} {slot.visit.patient_id}".encode()))


def preamble(slot: Slot) -> bytes:
    """128 bytes."""
    if "preamble" not in slot.visit.traits:
        return bytes(128)
    text = f"{slot.visit.person.natural_name} {slot.visit.patient_id} {slot.visit.accession_number}"
    return b"II*\0" + text.encode()[:124].ljust(124, b"\0")


def meta_elements(slot: Slot) -> Dataset:
    """Elements of group 0002 beyond the needed ones."""
    if "meta" not in slot.visit.traits:
        return Dataset()
    return item(
        SourceApplicationEntityTitle=slot.visit.site.ae_title,
        SendingApplicationEntityTitle=slot.visit.site.station,
        PrivateInformationCreatorUID=slot.visit.other_uid(9),
        PrivateInformation=_even(f"{slot.visit.person.natural_name}/{slot.visit.patient_id}".encode()),
    )


def _even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


def _add_private(data_set: Dataset, slot: Slot) -> None:
    visit = slot.visit
    name = visit.person.natural_name
    block = data_set.private_block(0x0009, _ARCHIVE_CREATOR, create=True)
    block.add_new(0x01, "LO", f"Filed for {name}")
    block.add_new(0x02, "SQ", items(item(PatientID=visit.patient_id, PatientName=visit.person.name)))
    block.add_new(0x03, "OB", _even(name.encode() + b"\0\1\2\3" + name.encode("utf-16-le") + b"\0\0"))
    block.add_new(0x04, "DA", visit.study_date)
    block.add_new(0x05, "PN", visit.site.reading)
    block.add_new(0x06, "SH", visit.accession_number)
    block.add_new(0x07, "UI", visit.other_uid(7))
    block.add_new(0x08, "UN", _even(f"{visit.patient_id} {visit.person.phone}".encode()))
    header = data_set.private_block(0x0029, _SCANNER_CREATOR, create=True)
    header.add_new(0x10, "OB", _even(b"SV10\4\3\2\1" + f"tPatientName={name};uid={visit.study_uid};".encode()))
    header.add_new(0x18, "LT", f"tReferenceImage0 = {slot.instance_uid}\r\nID = {visit.patient_id}")
    if slot.kind == "pt":
        safe = data_set.private_block(0x7053, _SAFE_CREATOR, create=True)
        safe.add_new(0x00, "DS", "0.000512")
        safe.add_new(0x09, "DS", "1.25")


def _add_nested(data_set: Dataset, slot: Slot) -> None:
    """Old identities in Original Attributes, four levels deep, and references to other instances of the corpus."""
    visit = slot.visit
    issuer = item(UniversalEntityID="mpi.lindenhagen.invalid", UniversalEntityIDType="DNS")
    other = item(
        PatientID=visit.person.other_id,
        IssuerOfPatientID="HARROWMERE-MPI",
        TypeOfPatientID="TEXT",
        IssuerOfPatientIDQualifiersSequence=items(
            item(
                UniversalEntityID=issuer.UniversalEntityID,
                UniversalEntityIDType="DNS",
                AssigningFacilitySequence=items(
                    item(LocalNamespaceEntityID=f"WARD {visit.person.natural_name}"[:64]),
                ),
            )
        ),
    )
    modified = item(
        PatientName=visit.person.birth_name,
        PatientID=f"OLD-{visit.person.other_id}",
        OtherPatientIDsSequence=items(other),
    )
    data_set.OriginalAttributesSequence = items(
        item(
            AttributeModificationDateTime=f"{visit.study_date}120000",
            ModifyingSystem=visit.site.station,
            SourceOfPreviousValues=visit.site.institution,
            ReasonForTheAttributeModification="COERCE",
            ModifiedAttributesSequence=items(modified),
        )
    )
    data_set.ImageComments = f"Compared with the images of {visit.person.natural_name}"
    data_set.PlacerOrderNumberImagingServiceRequest = f"PON-{91500 + visit.number}"
    data_set.FillerOrderNumberImagingServiceRequest = f"FON-{92600 + visit.number}"
    if "Rows" in data_set:
        first = visit.instance_uid(slot.series, 1)
        purpose = coded("121311", "DCM", "Localizer")
        data_set.ReferencedImageSequence = items(
            reference(data_set.SOPClassUID, first, PurposeOfReferenceCodeSequence=purpose)
        )
        if data_set.SOPClassUID == SecondaryCaptureImageStorage or slot.number > 1:
            purpose = coded("121320", "DCM", "Uncompressed predecessor")
            data_set.SourceImageSequence = items(
                reference(data_set.SOPClassUID, first, PurposeOfReferenceCodeSequence=purpose)
            )


def _add_overlay(data_set: Dataset, slot: Slot) -> None:
    """An overlay plane that spells the name, and texts about it."""
    rows, columns = data_set.Rows, data_set.Columns
    plane = (
        draw_lines(np.zeros((rows, columns), np.uint8), (slot.visit.person.natural_name, slot.visit.patient_id), 12)
        > 127
    )
    block = {
        0x0010: ("US", rows),
        0x0011: ("US", columns),
        0x0022: ("LO", f"Marked by {slot.visit.site.operator.split('^')[0]}"),
        0x0040: ("CS", "G"),
        0x0050: ("SS", [1, 1]),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x1500: ("LO", f"Label {slot.visit.person.natural_name}"),
        0x3000: ("OW", _even(np.packbits(plane.ravel(), bitorder="little").tobytes())),
        0x4000: ("LT", f"Drawn for {slot.visit.person.natural_name}"),
    }
    for element, (vr, value) in block.items():
        data_set.add_new((0x6000, element), vr, value)
