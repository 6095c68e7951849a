"""The truth about every study of a batch: one row a study and stage, with counts that must add up."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import BadInput
from .atomic import delete
from .tables import read_rows, write_rows
from .zones import Zones

STAGES = ("pacs_studies", "raw_dicom", "anonymized_dicom", "mapping_table", "validation_report")


@dataclass(frozen=True)
class StudyRow:
    """Counts are instances; found is 0 or 1. What a later stage counts is 0 until that stage has run."""

    study_key: str
    state: str  #: found, done, failed, quarantined, incomplete
    reason: str  #: reason code; empty where done
    found: int
    expected: int | None  #: None: the archive cannot say
    received: int = 0
    missing: int = 0
    deidentified: int = 0
    quarantined: int = 0
    released: int = 0
    withheld: int = 0
    bytes: int = 0  #: received
    proved_by: str = ""  #: what the archive counted at to prove it complete: IMAGE, SERIES, STUDY; empty: not proved


def write_stage(zones: Zones, batch: str, stage: str, rows: Iterable[StudyRow]) -> None:
    """Rows of one stage. Where they differ from what stood there, the later stages' rows no longer rest on them
    and are removed, before anything else; those stages write them again."""
    path, rows = zones.ledger(batch, stage), sorted(rows, key=lambda row: row.study_key)
    if not path.is_file() or read_stage(zones, batch, stage) != rows:
        delete(zones.ledger(batch, later) for later in STAGES[STAGES.index(stage) + 1 :])
    write_rows(path, rows, StudyRow)


def read_stage(zones: Zones, batch: str, stage: str) -> list[StudyRow]:
    """No rows where the stage has not run."""
    return read_rows(zones.ledger(batch, stage), StudyRow)


def require_stage(zones: Zones, batch: str, stage: str) -> list[StudyRow]:
    """What a later stage rests on. Raises BadInput("STAGE_NOT_RUN"): no rows are not the same as no studies."""
    if not zones.ledger(batch, stage).is_file():
        raise BadInput("STAGE_NOT_RUN")
    return read_stage(zones, batch, stage)


def latest_rows(zones: Zones, batch: str) -> tuple[str, list[StudyRow]]:
    """The furthest stage that the batch has reached and its rows; ("", []) where it has not begun."""
    for stage in reversed(STAGES):
        if zones.ledger(batch, stage).is_file():
            return stage, read_stage(zones, batch, stage)
    return "", []


def batches_begun(zones: Zones) -> set[str]:
    """Batches of which a stage has left rows."""
    folder = zones.restricted / "ledger"
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as batches:
        return {batch.name for batch in batches}


def sums_that_fail(row: StudyRow, stage: str) -> list[str]:
    """Names of the sums that do not hold for a row of this stage."""
    reached = STAGES.index(stage)
    sums = {
        "found_is_0_or_1": row.found in (0, 1),
        "expected_is_received_plus_missing": row.expected is None or row.expected == row.received + row.missing,
        "received_is_deidentified_plus_quarantined": reached < 2 or row.received == row.deidentified + row.quarantined,
        "deidentified_is_released_plus_withheld": reached < 4 or row.deidentified == row.released + row.withheld,
    }
    return [name for name, holds in sums.items() if not holds]
