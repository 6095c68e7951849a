"""The audit log: who did what, when and why, one line before each read, export, release, deletion and refusal."""

import getpass
import json
import os
from datetime import UTC, datetime
from enum import Enum

from .atomic import fsync_folder, make_folder
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER, Zones


class Event(Enum):
    """What happens, and the event of DICOM PS3.15 A.5 that it is: code of the EventID (CID 400), action (Create, Read,
    Update, Delete, Execute)."""

    MAPPING_READ = ("mapping read", "110103", "R")
    MAPPING_EXPORT = ("mapping export", "110106", "R")
    MAPPING_IMPORT = ("mapping import", "110107", "C")
    REIDENTIFY = ("reidentify", "110103", "R")
    LOOKUP = ("lookup", "110103", "R")
    FORGET = ("forget", "110105", "D")
    KEY_NEW = ("key new", "110100", "C")
    KEY_ROTATE = ("key rotate", "110100", "U")
    RELEASE = ("release", "110106", "C")
    WITHDRAW = ("withdraw", "110105", "D")
    PACK = ("release pack", "110106", "R")
    DELIVERY = ("delivery", "110104", "R")
    DELETE = ("delete", "110105", "D")
    REVIEW_READ = ("review read", "110103", "R")
    REVIEW_RELEASE = ("review release", "110103", "U")
    REVIEW_DISCARD = ("review discard", "110105", "D")
    AUDIT_READ = ("audit read", "110101", "R")
    REFUSED = ("refused", "110113", "E")


def record(zones: Zones, event: Event, subject: str, why: str = "") -> None:
    """Append a line, durably, before what it tells of is done. subject: batch keys, pseudonyms, study keys, counts,
    codes; never an original value. why: a person's reason, or the stage's name."""
    line = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _user(),
        "event": event.value[0],
        "subject": subject,
        "why": why,
    }
    make_folder(zones.audit_log.parent, RESTRICTED_FOLDER)
    handle = os.open(zones.audit_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, RESTRICTED_FILE)
    with os.fdopen(handle, "ab") as file:
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fsync_folder(zones.audit_log.parent)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
