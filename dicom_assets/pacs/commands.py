"""Command sets of DIMSE messages (PS3.7 6.3, annex E): Implicit VR Little Endian, a few elements each."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import RetryLater

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP = 0x0100, 0x8100
N_ACTION_RQ, N_ACTION_RSP = 0x0130, 0x8130
C_CANCEL_RQ = 0x0FFF

#: (0000,0800) where no data set follows; any other value says that one does
NO_DATA_SET = 0x0101
_DATA_SET = 0x0001
_MEDIUM = 0

#: element number in group 0000 -> keyword and how its value is encoded
_ELEMENTS = {
    0x0002: ("AffectedSOPClassUID", "UI"),
    0x0003: ("RequestedSOPClassUID", "UI"),
    0x0100: ("CommandField", "US"),
    0x0110: ("MessageID", "US"),
    0x0120: ("MessageIDBeingRespondedTo", "US"),
    0x0600: ("MoveDestination", "AE"),
    0x0700: ("Priority", "US"),
    0x0800: ("CommandDataSetType", "US"),
    0x0900: ("Status", "US"),
    0x0902: ("ErrorComment", "LO"),
    0x1000: ("AffectedSOPInstanceUID", "UI"),
    0x1001: ("RequestedSOPInstanceUID", "UI"),
    0x1002: ("EventTypeID", "US"),
    0x1008: ("ActionTypeID", "US"),
    0x1020: ("NumberOfRemainingSuboperations", "US"),
    0x1021: ("NumberOfCompletedSuboperations", "US"),
    0x1022: ("NumberOfFailedSuboperations", "US"),
    0x1023: ("NumberOfWarningSuboperations", "US"),
    0x1030: ("MoveOriginatorApplicationEntityTitle", "AE"),
    0x1031: ("MoveOriginatorMessageID", "US"),
}
_BY_KEYWORD = {keyword: (number, vr) for number, (keyword, vr) in _ELEMENTS.items()}
_GROUP_LENGTH = struct.Struct("<HHII")
_HEADER = struct.Struct("<HHI")
_SHORT = struct.Struct("<HHIH")
_US = struct.Struct("<H")


@dataclass(frozen=True)
class Command:
    """values: keyword -> number or text, unpadded; only elements of the table above."""

    values: Mapping[str, int | str]

    @property
    def field(self) -> int:
        """(0000,0100): which message it is; 0 where the peer left it out."""
        return self.number("CommandField") or 0

    @property
    def message_id(self) -> int:
        return self.number("MessageID") or 0

    @property
    def status(self) -> int | None:
        return self.number("Status")

    @property
    def has_data(self) -> bool:
        """A data set follows."""
        return self.number("CommandDataSetType") != NO_DATA_SET

    def number(self, keyword: str) -> int | None:
        value = self.values.get(keyword)
        return value if isinstance(value, int) else None

    def text(self, keyword: str) -> str:
        value = self.values.get(keyword)
        return value if isinstance(value, str) else ""


def request(field: int, message_id: int, sop_class_uid: str, *, has_data: bool, **more: int | str) -> Command:
    """A C- request for this SOP class, of medium priority."""
    return Command(
        {
            "AffectedSOPClassUID": sop_class_uid,
            "CommandField": field,
            "MessageID": message_id,
            **({} if field == C_ECHO_RQ else {"Priority": _MEDIUM}),
            "CommandDataSetType": _DATA_SET if has_data else NO_DATA_SET,
            **more,
        }
    )


def response(to: Command, status: int, **more: int | str) -> Command:
    """The response to a request, without a data set."""
    named = ("AffectedSOPClassUID", "AffectedSOPInstanceUID")
    return Command(
        {
            **{keyword: to.values[keyword] for keyword in named if keyword in to.values},
            "CommandField": to.field | 0x8000,
            "MessageIDBeingRespondedTo": to.message_id,
            "CommandDataSetType": NO_DATA_SET,
            "Status": status,
            **more,
        }
    )


def cancel(message_id: int) -> Command:
    """C-CANCEL of the request with this message ID (PS3.7 9.3.2.3)."""
    return Command(
        {"CommandField": C_CANCEL_RQ, "MessageIDBeingRespondedTo": message_id, "CommandDataSetType": NO_DATA_SET}
    )


def encode(command: Command) -> bytes:
    """The command set with its group length."""
    pieces = []
    for number, vr, value in sorted((*_BY_KEYWORD[keyword], value) for keyword, value in command.values.items()):
        if vr == "US":
            pieces.append(_SHORT.pack(0, number, 2, value))
        else:
            text = value.encode("ascii", "replace")
            text += (b"\0" if vr == "UI" else b" ") * (len(text) % 2)
            pieces.append(_HEADER.pack(0, number, len(text)) + text)
    body = b"".join(pieces)
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def decode(encoded: bytes) -> Command:
    """What follows group 0000 is no part of it: Orthanc 1.10 appends the list of failed instances, unannounced, to its
    last response. Raises RetryLater("PACS_UNREADABLE_ANSWER") where it is no command set."""
    values: dict[str, int | str] = {}
    at = 0
    try:
        while at < len(encoded):
            group, number, length = _HEADER.unpack_from(encoded, at)
            at += 8
            value = encoded[at : at + length]
            if group != 0 and values:
                break
            if group != 0 or len(value) != length:
                raise RetryLater("PACS_UNREADABLE_ANSWER")
            at += length
            if number in _ELEMENTS and value:
                keyword, vr = _ELEMENTS[number]
                values[keyword] = _US.unpack(value[:2])[0] if vr == "US" else value.decode("ascii").strip(" \0")
    except (struct.error, UnicodeDecodeError):
        raise RetryLater("PACS_UNREADABLE_ANSWER") from None
    return Command(values)
