"""How far a batch of arrivals is, by what is on disk."""

from collections.abc import Callable
from pathlib import Path

from dicom_assets.storage.incoming import waiting_studies
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.arrivals import arrival_batches
from dicom_assets.workflow.closing import is_finished
from tests.support.site import Site

#: What shows how far a batch is, in the order in which it appears
SIGNS: dict[str, Callable[[Zones, str], Path]] = {
    "planned": Zones.request,
    "resolved": lambda zones, batch: zones.ledger(batch, "pacs_studies"),
    "taken": lambda zones, batch: zones.ledger(batch, "raw_dicom"),
    "de-identified": lambda zones, batch: zones.ledger(batch, "anonymized_dicom"),
    "mapped": Zones.mapping,
    "mapping counted": lambda zones, batch: zones.ledger(batch, "mapping_table"),
    "reported": lambda zones, batch: zones.report(batch, "json"),
    "released": lambda zones, batch: zones.ledger(batch, "validation_report"),
    "closing": Zones.closed,
}


class Progress:
    """Of the batches that a site makes from now on: one, or more where planning is killed."""

    def __init__(self, site: Site) -> None:
        self.site, self._before = site, set(arrival_batches(site.zones))

    def _batches(self) -> set[str]:
        return set(arrival_batches(self.site.zones)) - self._before

    def has(self, sign: str) -> bool:
        return any(SIGNS[sign](self.site.zones, batch).exists() for batch in self._batches())

    def furthest(self) -> str:
        return ["begun", *filter(self.has, SIGNS)][-1]

    def pauses(self) -> dict[str, float]:
        """Seconds from each sign of the one batch, which has them all, to the next."""
        (batch,) = self._batches()
        times = [path(self.site.zones, batch).stat().st_mtime for path in SIGNS.values()]
        times.append(2 * times[-1] - times[-2])  # the last is written twice: as long as it took, it may take again
        return {sign: max(times[at + 1] - times[at], 0) for at, sign in enumerate(SIGNS)}


def is_all_done(site: Site) -> bool:
    """Nothing waits, nothing is taken whose request is still to be written, and every batch has come to its end."""
    zones = site.zones
    if waiting_studies(zones.incoming):
        return False
    batches = arrival_batches(zones)
    taken = {folder.name for folder in zones.raw_batch("").glob("*/")}
    return taken <= set(batches) and all(is_finished(zones, batch) for batch in batches)
