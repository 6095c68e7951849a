"""From a pseudonym back to what it stands for, and the other way: the mapping is searched, and the audit log tells of
it twice: that a value is looked for, before anything is read, and what was found, before anybody sees it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BadInput
from ..storage.audit import Event, record
from ..storage.forgotten import refuse_forgotten
from ..storage.mapping import Part, mapped_batches, read_parts
from ..storage.zones import Zones

_LEVELS = ("Study", "Series", "SOP")
_OLD_UIDS = tuple(f"Original {level} Instance UID" for level in _LEVELS)
_NEW_UIDS = tuple(f"Anonymized {level} Instance UID" for level in _LEVELS)
_OLD = ("Original Patient ID", *_OLD_UIDS)
_NEW = ("Anonymized ID", "study_key", *_NEW_UIDS)
_COLUMNS = ("batch", *_OLD, *_NEW, "Original Filename", "Anonymized Filename", "uids")


@dataclass(frozen=True)
class Found:
    """One instance that has to do with what was looked for. row: column -> value, without `uids`. uid: the pair of
    (old, new) that was asked for where it is no column's, such as a frame of reference's; else empty."""

    row: dict[str, str]
    uid: tuple[str, str] | tuple[()]

    @property
    def pseudonym(self) -> str:
        return self.row["Anonymized ID"]


def reidentify(zones: Zones, pseudonym: str, why: str) -> list[Found]:
    """pseudonym: a patient's, a study key, or any new UID. Raises BadInput: AUDIT_REASON_MISSING, PSEUDONYM_UNKNOWN;
    Refused("MAPPING_FORGOTTEN"); as storage.mapping.read_parts()."""
    found = _search(zones, pseudonym, _NEW, 1, Event.REIDENTIFY, why)
    if not found:
        raise BadInput("PSEUDONYM_UNKNOWN")
    _record_found(zones, Event.REIDENTIFY, found, why)
    return found


def look_up(zones: Zones, original: str, why: str) -> list[Found]:
    """original: a patient ID, byte for byte, or any UID that was replaced. Raises BadInput: AUDIT_REASON_MISSING,
    AUDIT_REASON_UNUSABLE where the reason holds it, ORIGINAL_UNKNOWN; else as reidentify()."""
    if original and original in why:
        raise BadInput("AUDIT_REASON_UNUSABLE")
    found = _search(zones, original, _OLD, 0, Event.LOOKUP, why)
    if not found:
        raise BadInput("ORIGINAL_UNKNOWN")
    _record_found(zones, Event.LOOKUP, found, why)
    return found


def _record_found(zones: Zones, event: Event, found: list[Found], why: str, at_most: int = 10) -> None:
    """Whose identity it is about: each patient's pseudonym, or how many there are."""
    names = sorted({one.pseudonym for one in found})
    told = ", ".join(names) if len(names) <= at_most else f"{len(names)} pseudonyms"
    record(zones, event, f"{told}: {len(found)} instances", why)


def _search(zones: Zones, value: str, columns: tuple[str, ...], side: int, event: Event, why: str) -> list[Found]:
    """columns: in which the value may stand. side: 0 where it is an old UID, 1 where it is a new one."""
    if not why.strip():
        raise BadInput("AUDIT_REASON_MISSING")
    refuse_forgotten(zones)
    if not value:
        return []
    # What is looked for may be anything that somebody typed: the line does not hold it.
    parts = read_parts(zones, mapped_batches(zones), _COLUMNS, event=event, subject="a value is looked for", why=why)
    return [one for _, part in parts for one in _matches(part, value, columns, side)]


def _matches(part: Part, value: str, columns: tuple[str, ...], side: int) -> Iterator[Found]:
    for values in zip(*part.values(), strict=True):
        row = dict(zip(part, values, strict=True))
        uids = row.pop("uids")
        if any(row[column] == value for column in columns):
            yield Found(row, ())
        elif f'"{value}"' in uids:
            yield from (Found(row, pair) for pair in json.loads(uids).items() if pair[side] == value)
