"""What the audit log tells of, and which event of DICOM PS3.15 A.5.3 each of it is."""

from enum import Enum

#: Codes of PS3.16 CID 400 (Audit Event ID) and CID 401 (Audit Event Type Code) that are in use, and their meanings
MEANINGS = {
    "110101": "Audit Log Used",
    "110102": "Begin Transferring DICOM Instances",
    "110103": "DICOM Instances Accessed",
    "110105": "DICOM Study Deleted",
    "110106": "Export",
    "110107": "Import",
    "110110": "Patient Record",
    "110113": "Security Alert",
    "110129": "Security Configuration",
    "110132": "Use of Restricted Function",
    "110134": "Audit Recording Started",
}


class Event(Enum):
    """name as the log has it, code of the EventID (CID 400), EventActionCode (Create, Read, Update, Delete, Execute),
    code of the EventTypeCode (CID 401) where the EventID asks for one. A row of the mapping is a patient's record; what
    is delivered has not arrived when its line is written, so it begins."""

    MAPPING_READ = ("mapping read", "110110", "R")
    MAPPING_WRITE = ("mapping write", "110110", "C")
    MAPPING_EXPORT = ("mapping export", "110106", "R")
    MAPPING_IMPORT = ("mapping import", "110107", "C")
    REIDENTIFY = ("reidentify", "110110", "R")
    LOOKUP = ("lookup", "110110", "R")
    FORGET = ("forget", "110110", "D")
    KEY_NEW = ("key new", "110113", "E", "110129")
    KEY_ROTATE = ("key rotate", "110113", "E", "110129")
    RELEASE = ("release", "110106", "R")
    WITHDRAW = ("withdraw", "110103", "D")
    PACK = ("release pack", "110106", "R")
    DELIVERY = ("delivery", "110102", "E")
    DELETE = ("delete", "110105", "D")
    REVIEW_READ = ("review read", "110103", "R")
    REVIEW_PICTURE = ("review picture", "110106", "R")
    REVIEW_RELEASE = ("review release", "110103", "U")
    REVIEW_DISCARD = ("review discard", "110103", "D")
    AUDIT_READ = ("audit read", "110101", "R")
    AUDIT_MENDED = ("audit mended", "110113", "E", "110134")
    AUDIT_BEGUN_LATE = ("audit begun late", "110113", "E", "110134")
    REFUSED = ("refused", "110113", "E", "110132")

    def __init__(self, label: str, code: str, action: str, kind: str = "") -> None:
        self.label = label
        self.code = code
        self.action = action
        self.kind = kind

    @property
    def outcome(self) -> int:
        """EventOutcomeIndicator: 0 success, 4 minor, 8 serious, 12 major failure."""
        return 8 if self is Event.REFUSED else 0
