"""What the embedded archive negotiates: query models, storage classes, transfer syntaxes; and the level of a query."""

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

_PATIENT_ROOT = (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
)
_STUDY_ROOT = (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)


def query_models() -> tuple[str, ...]:
    return (*_PATIENT_ROOT, *_STUDY_ROOT)


def storage_sop_classes() -> list[str]:
    return [context.abstract_syntax for context in AllStoragePresentationContexts]


def accepted_transfer_syntaxes() -> list[str]:
    """All that a file may be stored in; Deflated is left out, since it inflates without a limit."""
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]
    syntaxes += [*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes]
    return [syntax for syntax in syntaxes if syntax != DeflatedExplicitVRLittleEndian]


def query_level(event: evt.Event) -> str | None:
    """PATIENT, STUDY, SERIES or IMAGE; None where the identifier has no level that its information model knows."""
    level = str(event.identifier.get("QueryRetrieveLevel", ""))
    known = {"STUDY", "SERIES", "IMAGE"}
    if event.context.abstract_syntax in _PATIENT_ROOT:
        known.add("PATIENT")
    return level if level in known else None
