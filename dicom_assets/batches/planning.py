"""Rows become batches: the archive says which studies a row means, and a batch holds so many of them.

What the archive does not know, or cannot tell apart, stays in the request as it was asked: `pacs_studies` then gives it
a row in the ledger. So nothing that was asked for disappears between the file and the ledger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import RetryLater
from ..pacs.archive import Archive
from ..pacs.find import StudyMatch, StudyQuery, find_studies
from ..storage.zones import Zones
from .request import Request, RequestRow, create_request, list_batches, requested_studies

STUDIES_A_BATCH = 250
INSTANCES_A_BATCH = 50_000


@dataclass(frozen=True)
class Found:
    """A row that the archive has answered: the studies that it means, or the code of why it means none."""

    matches: tuple[StudyMatch, ...]
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """Rows that are ready for batches. expected: instances a row, 0 where unknown."""

    rows: tuple[RequestRow, ...]
    expected: tuple[int, ...]
    not_found: int = 0
    ambiguous: int = 0
    merged: int = 0
    not_asked: int = 0  #: rows left as they are because the archive did not answer
    conflicting: int = 0  #: studies left out because rows gave them different pseudonyms


def ask(archive: Archive, row: RequestRow) -> Found:
    """The studies in the archive that row means. An accession number that several studies carry is ambiguous."""
    matches = find_studies(archive, query_of(row))
    if not matches:
        return Found((), "STUDY_NOT_FOUND")
    if row.accession_number and not row.study_instance_uid and len(matches) > 1:
        return Found((), "ACCESSION_NUMBER_AMBIGUOUS")
    return Found(tuple(matches))


def query_of(row: RequestRow) -> StudyQuery:
    return StudyQuery(
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        date_from=row.study_date_from,
        date_to=row.study_date_to,
        modalities=row.modalities,
    )


def plan_cohort(archive: Archive | None, rows: Iterable[RequestRow]) -> Plan:
    """Rows that name a StudyInstanceUID are taken as they are; the others are asked for now where the archive answers.
    archive None: not configured."""
    planned: dict[str, tuple[RequestRow, int]] = {}
    conflicting = set()
    counts = {"not_found": 0, "ambiguous": 0, "merged": 0, "not_asked": 0}
    for row in rows:
        for one, expected in _expand(archive, row, counts):
            name = one.study_instance_uid or one.canonical
            if name not in planned:
                planned[name] = (one, expected)
                continue
            counts["merged"] += 1
            earlier = planned[name][0]
            if earlier.pseudonym and one.pseudonym and earlier.pseudonym != one.pseudonym:
                conflicting.add(name)
            planned[name] = (replace(earlier, pseudonym=earlier.pseudonym or one.pseudonym), planned[name][1])
    kept = [pair for name, pair in planned.items() if name not in conflicting]
    return Plan(
        tuple(row for row, _ in kept), tuple(count for _, count in kept), conflicting=len(conflicting), **counts
    )


def _expand(archive: Archive | None, row: RequestRow, counts: dict[str, int]) -> list[tuple[RequestRow, int]]:
    if row.study_instance_uid:
        return [(row, 0)]
    if archive is None or counts["not_asked"]:
        counts["not_asked"] += 1
        return [(row, 0)]
    try:
        found = ask(archive, row)
    except RetryLater:
        counts["not_asked"] += 1
        return [(row, 0)]
    if found.reason:
        counts["not_found" if found.reason == "STUDY_NOT_FOUND" else "ambiguous"] += 1
        return [(row, 0)]
    return [(_row_of(match, row.pseudonym), match.number_of_instances or 0) for match in found.matches]


def _row_of(match: StudyMatch, pseudonym: str = "") -> RequestRow:
    return RequestRow(study_instance_uid=match.study_instance_uid, pseudonym=pseudonym)


def plan_window(archive: Archive, date_from: str, date_to: str, but_not: frozenset[str] = frozenset()) -> Plan:
    """All studies of the days from date_from to date_to (YYYYMMDD, both included), those in but_not left out."""
    matches = find_studies(archive, StudyQuery(date_from=date_from, date_to=date_to))
    new = [match for match in matches if match.study_instance_uid not in but_not]
    return Plan(
        tuple(_row_of(match) for match in new),
        tuple(match.number_of_instances or 0 for match in new),
        merged=len(matches) - len(new),
    )


def already_planned(zones: Zones, source: str) -> frozenset[str]:
    """StudyInstanceUIDs in all batches of a source."""
    return frozenset(requested_studies(zones, [key for key in list_batches(zones) if key.startswith(f"{source}-")]))


def write_batches(zones: Zones, source: str, day: str, name: str, plan: Plan) -> list[Request]:
    """One request file a batch of at most STUDIES_A_BATCH rows or INSTANCES_A_BATCH expected instances."""
    return [create_request(zones, source, day, name, rows) for rows in _split(plan.rows, plan.expected)]


def _split(rows: Sequence[RequestRow], expected: Sequence[int]) -> list[list[RequestRow]]:
    batches: list[list[RequestRow]] = []
    instances = 0
    for row, count in zip(rows, expected, strict=True):
        full = batches and (len(batches[-1]) == STUDIES_A_BATCH or instances + count > INSTANCES_A_BATCH)
        if not batches or full:
            batches.append([])
            instances = 0
        batches[-1].append(row)
        instances += count
    return batches
