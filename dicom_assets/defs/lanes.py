"""Tags of a run: how urgent it is, who started it, and whether another one is worth it. Words and codes only."""

from collections.abc import Mapping

import dagster as dg

from .turn import PRIORITY

#: `urgent` or `usual`. Usual runs at most a few at a time (dagster.yaml), so that an urgent one need not queue.
LANE = "dicom_assets/lane"
#: The asset with which a run of the command line begins.
STARTED_BY_HAND = "dicom_assets/started_by_hand"
#: Why another run is worth it: a reason code; `no` where the reason is gone.
AGAIN_LATER = "dicom_assets/again_later"
#: Which further run of its batch this is, from 1.
TIMES = "dicom_assets/times"

USUAL = {LANE: "usual"}
#: Not bound to the archive's hours; before the others in the queue, and at the archive.
URGENT = {LANE: "urgent", PRIORITY: "10"}


def lane_of(batch: str) -> Mapping[str, str]:
    """Batches of arrivals are urgent: somebody waits for them."""
    return URGENT if batch.startswith("arrival-") else USUAL


def is_urgent(run: dg.DagsterRun) -> bool:
    return run.tags.get(LANE) == URGENT[LANE]
