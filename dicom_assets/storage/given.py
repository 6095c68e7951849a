"""Pseudonyms that the site gave its patients by a file: one sealed table, for every batch from then on."""

from dataclasses import dataclass

from .audit import Event, record
from .tables import read_sealed, write_sealed
from .zones import Zones


@dataclass(frozen=True)
class GivenPseudonym:
    """A row of `restricted/mapping/given/pseudonyms.parquet`."""

    patient_id: str
    pseudonym: str


def read_given(zones: Zones, why: str) -> dict[str, str]:
    """Original patient ID -> pseudonym. The line in the audit log comes first. why: as read_parts()."""
    if not zones.given_pseudonyms.is_file():
        return {}
    record(zones, Event.MAPPING_READ, "given pseudonyms", why)
    return {row.patient_id: row.pseudonym for row in read_sealed(zones.given_pseudonyms, GivenPseudonym)}


def write_given(zones: Zones, given: dict[str, str]) -> None:
    """given: as read_given(), all of them."""
    rows = [GivenPseudonym(*pair) for pair in sorted(given.items())]
    write_sealed(zones.given_pseudonyms, rows, GivenPseudonym)
