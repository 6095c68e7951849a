"""A line of the audit log as a syslog message: RFC 5424, with the XML of DICOM PS3.15 A.5.1 as its body."""

import base64
import os
import socket
from xml.etree import ElementTree

from .audit_chain import Line
from .audit_events import MEANINGS

_FACILITY = 10  #: security and authorization
_NOTICE, _WARNING = 5, 4  #: severities
_APPLICATION = "dicom-assets"
#: What the subject is: batches, pseudonyms, counts; no code of the standard's means that
_SUBJECT = {"csd-code": "SUBJECT", "codeSystemName": "99DICOMASSETS", "originalText": "Pseudonymous subject"}
_SYSTEM_OBJECT, _SECURITY_RESOURCE = "2", "13"  #: PS3.15 A.5.1: ParticipantObjectTypeCode and its role
_APPLICATION_SERVER = "4"  #: AuditSourceTypeCode


def syslog_message(line: Line) -> bytes:
    """Facility, severity and MSGID as PS3.15 A.6 has them; the body begins with a byte order mark (RFC 5424 6.4)."""
    priority = _FACILITY * 8 + (_WARNING if line.outcome else _NOTICE)
    header = f"<{priority}>1 {line.when} {_host()} {_APPLICATION} {os.getpid()} DICOM+RFC3881 - "
    return header.encode() + b"\xef\xbb\xbf" + audit_message(line)


def audit_message(line: Line) -> bytes:
    """One AuditMessage element. The line's own number and hash go with it, so that the receiver can vouch for them."""
    message = ElementTree.Element("AuditMessage")
    event = ElementTree.SubElement(
        message,
        "EventIdentification",
        EventActionCode=line.action,
        EventDateTime=line.when,
        EventOutcomeIndicator=str(line.outcome),
    )
    for name, code in (("EventID", line.code), ("EventTypeCode", line.kind)):
        if code:
            ElementTree.SubElement(event, name, _coded(code))
    ElementTree.SubElement(event, "EventOutcomeDescription").text = line.event
    user = {"UserID": line.who} | ({"AlternativeUserID": line.login} if line.login else {})
    ElementTree.SubElement(message, "ActiveParticipant", user, UserIsRequestor="true")
    source = ElementTree.SubElement(message, "AuditSourceIdentification", AuditSourceID=f"{_APPLICATION}@{_host()}")
    ElementTree.SubElement(source, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    _object(message, line)
    return ElementTree.tostring(message, encoding="utf-8", xml_declaration=True)


def _object(message: ElementTree.Element, line: Line) -> None:
    told = ElementTree.SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=str(line.number),
        ParticipantObjectTypeCode=_SYSTEM_OBJECT,
        ParticipantObjectTypeCodeRole=_SECURITY_RESOURCE,
    )
    ElementTree.SubElement(told, "ParticipantObjectIDTypeCode", _SUBJECT)
    ElementTree.SubElement(told, "ParticipantObjectName").text = line.subject
    for name, value in (("why", line.why), ("previous", line.previous), ("hash", line.hash)):
        if value:
            encoded = base64.b64encode(value.encode()).decode()
            ElementTree.SubElement(told, "ParticipantObjectDetail", type=name, value=encoded)


def _coded(code: str) -> dict[str, str]:
    return {"csd-code": code, "codeSystemName": "DCM", "originalText": MEANINGS[code]}


def _host() -> str:
    """Printable ASCII without blanks, as RFC 5424 wants it; its nil value where there is none."""
    return "".join(mark for mark in socket.gethostname() if "!" <= mark <= "~")[:255] or "-"
