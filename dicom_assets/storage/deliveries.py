"""What was sent where, pseudonymous throughout: `restricted/ledger/<batch>/deliveries/<destination>.parquet`.

A destination is named by a digest, see workflow/destination.py.
"""

import time
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .tables import read_rows, write_rows
from .zones import Zones

#: begun: about to be sent, nothing is known of it since. committed: stored, and confirmed by storage commitment.
BEGUN, STORED, COMMITTED, REFUSED = "begun", "stored", "committed", "refused"

#: Seconds of answers that a killed process may lose: what they were for is sent again.
_WRITE_EVERY = 10.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Delivery:
    """One instance and what its destination last said of it."""

    sop_instance_uid: str  #: the new one
    sop_class_uid: str  #: empty where the file could not be looked at
    sha256: str  #: hex, of the file as it was proved
    state: str  #: begun, stored, committed or refused
    reason: str = ""  #: reason code where refused, or stored with a warning
    status: int | None = None  #: of the C-STORE response, where there was one
    when: str = field(default_factory=_now)  #: UTC, ISO 8601 with microseconds

    @property
    def is_stored(self) -> bool:
        return self.state in (STORED, COMMITTED)


class DeliveryRecord:
    """The rows of one batch and destination. known: SOPInstanceUID -> the latest row of any batch, since a study may be
    in several."""

    def __init__(self, zones: Zones, batch: str, destination: str, sop_instance_uids: Set[str]) -> None:
        self._path = zones.ledger(batch, f"deliveries/{destination}")
        self._rows = {row.sop_instance_uid: row for row in read_rows(self._path, Delivery)}
        self._written_at = time.monotonic()
        self.known: dict[str, Delivery] = {}
        for path in sorted(zones.restricted.glob(f"ledger/*/deliveries/{destination}.parquet")):
            self._learn(path, sop_instance_uids)

    def put(self, row: Delivery) -> None:
        """Written now and then, and by write()."""
        self._rows[row.sop_instance_uid] = self.known[row.sop_instance_uid] = row
        if time.monotonic() - self._written_at > _WRITE_EVERY:
            self.write()

    def write(self) -> None:
        write_rows(self._path, sorted(self._rows.values(), key=lambda row: row.sop_instance_uid), Delivery)
        self._written_at = time.monotonic()

    def _learn(self, path: Path, sop_instance_uids: Set[str]) -> None:
        for row in read_rows(path, Delivery):
            uid = row.sop_instance_uid
            if uid in sop_instance_uids and (uid not in self.known or row.when > self.known[uid].when):
                self.known[uid] = row
