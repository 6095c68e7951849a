"""How it stands with what was pushed to us: what arrives, waits, is in work, lies in quarantine; and how much room is
left. Counts, seconds, bytes and codes only. It looks at folders, and reads no instance."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ..batches.request import list_batches
from ..settings import Settings
from ..storage.incoming import WaitingStudy, instances_in, waiting_studies
from ..storage.ledger import batches_begun, read_stage
from ..storage.manifests import StagedInstance, manifest_of
from ..storage.set_aside import RECORD, SetAside
from ..storage.tables import read_rows
from ..storage.zones import Zones
from .arrivals import arrival_batches
from .closing import is_finished
from .job import zones_of

#: Of a file in quarantine that no record names
_NO_RECORD = "ORIGINAL_NOT_RELEASED"


@dataclass(frozen=True)
class Health:
    """arriving: of studies that have not settled. settled: of those that have, and that no batch has taken yet.
    oldest_waiting_seconds: since something came last for the study that has waited longest; 0 where none waits.
    wait_for_operator: settled studies are taken by hand. quarantined: reason code -> instances in quarantine.
    released_today: instances of batches that came to their end today. reserve_bytes: of the disks, that arrivals leave
    free."""

    arriving_studies: int
    arriving_instances: int
    settled_studies: int
    settled_instances: int
    oldest_waiting_seconds: int
    wait_for_operator: bool
    arrival_batches_in_work: int
    unfinished_batches: int
    quarantined: Mapping[str, int]
    released_today: int
    restricted_free_bytes: int
    released_free_bytes: int
    reserve_bytes: int

    @property
    def concerns(self) -> list[str]:
        """Reason codes of what needs a person."""
        low = min(self.restricted_free_bytes, self.released_free_bytes) <= self.reserve_bytes
        found = {
            "DISK_RESERVE_REACHED": low,
            "QUARANTINE_NOT_EMPTY": bool(self.quarantined),
            "ARRIVALS_WAIT_FOR_OPERATOR": self.wait_for_operator and self.settled_studies > 0,
        }
        return [code for code, is_true in found.items() if is_true]


def health(settings: Settings) -> Health:
    """Raises OSError."""
    zones, now, settle_seconds = zones_of(settings), time.time(), settings.arrivals.settle_seconds
    waiting = waiting_studies(zones.incoming)
    settled = [study for study in waiting if study.is_settled(now, settle_seconds)]
    instances, settled_instances = _instances(waiting), _instances(settled)
    unfinished = unfinished_batches(zones)
    return Health(
        arriving_studies=len(waiting) - len(settled),
        arriving_instances=instances - settled_instances,
        settled_studies=len(settled),
        settled_instances=settled_instances,
        oldest_waiting_seconds=int(now - waiting[0].changed_at) if waiting else 0,
        wait_for_operator=not settings.arrivals.deidentify_at_once,
        arrival_batches_in_work=len([batch for batch in unfinished if is_arrival(batch)]),
        unfinished_batches=len(unfinished),
        quarantined=_quarantined(zones),
        released_today=_released_since(zones, _midnight()),
        restricted_free_bytes=_free_bytes(zones.restricted),
        released_free_bytes=_free_bytes(zones.released),
        reserve_bytes=settings.receiver.reserve,
    )
