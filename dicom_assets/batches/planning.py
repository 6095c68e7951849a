"""Rows become batches: the archives say which studies a row means, and a batch holds so many of them.

What the archives do not know, or cannot tell apart, stays in the request as it was asked: `pacs_studies` then gives it
a row in the ledger. So nothing that was asked for disappears between the file and the ledger.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import BadInput
from ..pacs.archive import Archive
from ..pacs.find import StudyMatch, StudyQuery, open_finder
from ..storage.zones import Zones
from .lookup import Lookup, names_only_a_uid
from .request import Request, RequestRow, create_request

STUDIES_A_BATCH = 250
INSTANCES_A_BATCH = 50_000


@dataclass(frozen=True)
class Plan:
    """Rows that are ready for batches. expected: instances a row, 0 where unknown."""

    rows: tuple[RequestRow, ...]
    expected: tuple[int, ...]
    not_found: int = 0
    ambiguous: int = 0
    merged: int = 0
    not_asked: int = 0  #: rows left as they are because an archive did not answer
    conflicting: int = 0  #: studies left out because rows gave them different pseudonyms
    unproved: int = 0  #: days on which studies without a time may be there that no archive tells of


def plan_cohort(archives: Sequence[Archive], rows: Sequence[RequestRow]) -> Plan:
    """Rows that name a StudyInstanceUID are taken as they are; the others are asked for now where the archives answer.
    archives: in their order; none where none is configured."""
    planned: dict[str, tuple[RequestRow, int]] = {}
    pseudonyms: dict[str, set[str]] = defaultdict(set)
    counts = {"not_found": 0, "ambiguous": 0, "merged": 0, "not_asked": 0}
    with Lookup(archives) as lookup:
        for row in rows:
            for one, expected in _expand(lookup if archives else None, row, counts):
                pseudonyms[_name(one)].update({one.pseudonym} - {""})
                # A row that has more keys than the UID may not be met by the study that another row means.
                question = one.study_instance_uid if names_only_a_uid(one) else one.canonical
                counts["merged"] += question in planned
                earlier, count = planned.get(question, (one, 0))
                planned[question] = replace(earlier, pseudonym=earlier.pseudonym or one.pseudonym), count or expected
        unproved = lookup.unproved
    conflicting = {name for name, given in pseudonyms.items() if len(given) > 1}
    kept = [pair for pair in planned.values() if _name(pair[0]) not in conflicting]
    return Plan(
        tuple(row for row, _ in kept),
        tuple(count for _, count in kept),
        conflicting=len(conflicting),
        unproved=unproved,
        **counts,
    )


def _name(row: RequestRow) -> str:
    return row.study_instance_uid or row.canonical


def _expand(lookup: Lookup | None, row: RequestRow, counts: dict[str, int]) -> list[tuple[RequestRow, int]]:
    """Raises BadInput where an archive refuses the question: nothing that waits would change that."""
    if row.study_instance_uid:
        return [(row, 0)]
    if lookup is None:
        counts["not_asked"] += 1
        return [(row, 0)]
    found = lookup.ask(row)
    if isinstance(found.error, BadInput):
        raise found.error
    if found.error is not None or not found.studies:
        counts[_KEPT.get(found.reason, "not_asked")] += 1
        return [(row, 0)]
    return [(_row_of(held.study, row.pseudonym), held.study.number_of_instances or 0) for held in found.studies]


#: Reason -> how rows are counted that stay as they are
_KEPT = {"STUDY_NOT_FOUND": "not_found", "ACCESSION_NUMBER_AMBIGUOUS": "ambiguous"}


def _row_of(match: StudyMatch, pseudonym: str = "") -> RequestRow:
    return RequestRow(study_instance_uid=match.study_instance_uid, pseudonym=pseudonym)


def plan_window(archives: Sequence[Archive], date_from: str, date_to: str) -> Plan:
    """All studies of the days from date_from to date_to (YYYYMMDD, both included) in any of the archives. All or
    nothing: raises where one of the archives does not answer."""
    planned: dict[str, int] = {}
    unproved = 0
    for archive in archives:
        with open_finder(archive) as finder:
            for match in finder.studies(StudyQuery(date_from=date_from, date_to=date_to)):
                planned.setdefault(match.study_instance_uid, match.number_of_instances or 0)
            unproved += finder.unproved
    return Plan(
        tuple(RequestRow(study_instance_uid=uid) for uid in planned),
        tuple(planned.values()),
        unproved=unproved,
    )


def write_batches(zones: Zones, source: str, day: str, name: str, plan: Plan) -> list[Request]:
    """One request file a batch of at most STUDIES_A_BATCH rows or INSTANCES_A_BATCH expected instances."""
    return [create_request(zones, source, day, name, rows) for rows in _split(plan.rows, plan.expected)]


def _split(rows: Iterable[RequestRow], expected: Iterable[int]) -> Iterator[list[RequestRow]]:
    batch: list[RequestRow] = []
    instances = 0
    for row, count in zip(rows, expected, strict=True):
        if batch and (len(batch) == STUDIES_A_BATCH or instances + count > INSTANCES_A_BATCH):
            yield batch
            batch, instances = [], 0
        batch.append(row)
        instances += count
    if batch:
        yield batch
