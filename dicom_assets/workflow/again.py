"""What is left to ask archives for, and whether another run is worth it without anybody doing anything."""

import random
from collections.abc import Iterable

from ..storage.ledger import StudyRow, read_stage
from ..storage.zones import Zones
from .breaker import DOWN

#: Reasons that mean "again later": the archive was down, busy, or broke off.
AGAIN_LATER = DOWN | {
    "PACS_BREAKER_OPEN",
    "PACS_STALLED",
    "PACS_ABORTED",
    "PACS_REQUEST_ABORTED",
    "PACS_UNREADABLE_ANSWER",
    "PACS_PROCESSING_FAILURE",
    "PACS_OUT_OF_RESOURCES",
    "PACS_RETRIEVE_CANCELLED",
    "PACS_SUBOPERATIONS_REFUSED",
    "RECEIVER_PORT_BUSY",
    "STUDY_SHRANK",
}

#: Further runs of a batch before somebody has to look: the last comes after about two and a half days
MOST_TIMES = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 300.0, 14400.0  #: seconds


def is_left_to_ask(zones: Zones, batch: str) -> bool:
    """False where every study that was found has come, and is proved complete."""
    rows = read_stage(zones, batch, "raw_dicom")
    return not rows or any(row.found and row.state != "done" for row in rows)


def reason_for_later(rows: Iterable[StudyRow]) -> str:
    """The first reason that means "again later"; empty where there is none."""
    return next((row.reason for row in rows if row.reason in AGAIN_LATER), "")


def pause_before(number: int, batch: str) -> float:
    """Seconds from the end of a run to the next, the number-th further one, from 1: five minutes, ten, ... four hours;
    up to a quarter more, another for each batch, so that not all come at once."""
    pause = min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE)
    return pause * random.Random(f"{batch} {number}").uniform(1, 1.25)
