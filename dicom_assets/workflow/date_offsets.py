"""Dates of original and output side by side: what the profile's date policy promises, seen from outside and without
the key. Under `shift` all dates of a patient differ from the original's by one number of days, and by nothing else.

What is no date, or stands for none (years before 1901 and from 2100), cannot be shifted: only a placeholder is left.
"""

import calendar
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VM

from ..deid.residual import Piece
from .content_items import CONTENT_SEQUENCES
from .promises import Promises
from .verdict import Finding, StudyVerdict

CHECK = "dates_are_consistent"
#: Dates and times that tell nothing
_PLACEHOLDERS = frozenset({"", "19000101", "19000101000000", "000000"})
_YEARS = range(1901, 2100)
_DATE = re.compile(r"([0-9]{4})(?:\.?([0-9]{2})\.?([0-9]{2}))()")
_DATE_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})?([0-9]{2})?((?:[0-9]{2}){0,3}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)"  # PS3.5 6.2
)

Problem = tuple[str, str]  #: reason code, place


class Offset(NamedTuple):
    """By how many days dates of an instance differ from the original's: least to most, which are the same where the day
    is told. dates: how many. place: of the first."""

    least: int
    most: int
    dates: int
    place: str


class InstanceOffsets(NamedTuple):
    """instance: its new SOPInstanceUID. patient: the pseudonym that it holds."""

    instance: str
    patient: str
    offsets: tuple[Offset, ...]


def compare_dates(
    original: Sequence[Piece], output: Sequence[Piece], promises: Promises
) -> tuple[list[Problem], list[Offset]]:
    """What is wrong with dates whatever the patient's offset is, and the offsets. original: at the output's paths."""
    dates = [piece for piece in output if piece.vr in ("DA", "DT", "TM") and not piece.zone]
    tags = {piece.tag for piece in dates}
    before = {(piece.path, piece.tag): piece.value for piece in original if piece.tag in tags and not piece.zone}
    problems: list[Problem] = []
    places: dict[tuple[int, int], list[str]] = defaultdict(list)
    for piece in dates:
        new = _text(piece.value)
        old = _text(before.get((piece.path, piece.tag), b""))
        if new in _PLACEHOLDERS:
            if _must_be_moved(piece, old, promises):
                problems.append(("DATE_OFF", piece.place))
            continue
        reason = _reason_against(piece, old, new, promises)
        if not reason and _policy_of(piece, promises) == "shift" and piece.vr != "TM":
            for range_ in (_days_between(*pair, piece.vr) for pair in _pairs(old, new)):
                if range_ is None or range_ == (0, 0):
                    reason = "DATE_NOT_SHIFTED" if old == new else "DATE_OFF"
                elif range_ != ():
                    places[range_].append(piece.place)
        if reason:
            problems.append((reason, piece.place))
    problems += _lost(original, output, promises)
    return problems, [Offset(*days, len(where), where[0]) for days, where in places.items()]


def _lost(original: Sequence[Piece], output: Sequence[Piece], promises: Promises) -> Iterator[Problem]:
    """Dates that the profile promises to keep among the others, and that are gone from a data set that is there."""
    if promises.dates != "shift":
        return
    there = {(piece.path, piece.tag) for piece in output}
    items = {path for path, _ in there}
    for piece in original:
        if piece.tag in promises.moved_dates and piece.vr in ("DA", "DT") and not piece.zone and piece.path in items:
            old = _text(piece.value)
            if (piece.path, piece.tag) not in there and old and _must_be_moved(piece, old, promises):
                yield "DATE_LOST", piece.place


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _pairs(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Value by value; as many of both."""
    return zip(_values(old), _values(new), strict=True)


def _values(text: str) -> list[str]:
    return [value.strip(" \0") for value in text.split("\\")]


def _policy_of(piece: Piece, promises: Promises) -> str:
    """`shift`, `year`, `keep`, or `remove`, where nothing but a placeholder is right. Times of the day are kept or
    removed."""
    if piece.tag in promises.kept_dates:
        return "keep"
    if piece.tag in promises.moved_dates or piece.tag >> 16 & 1:
        return "keep" if piece.vr == "TM" and promises.dates == "shift" else promises.dates
    return "remove"


def _must_be_moved(piece: Piece, old: str, promises: Promises) -> bool:
    """Whether a placeholder there hides a date that the profile promises to keep in its place among the others."""
    policy = _policy_of(piece, promises)
    is_content = any(tag in CONTENT_SEQUENCES for tag, _ in piece.path)  # the item's concept may ask for a placeholder
    if policy != "shift" or is_content or old in _PLACEHOLDERS or piece.vr == "TM":
        return False
    values = _values(old)
    one_only = dictionary_has_tag(piece.tag) and dictionary_VM(piece.tag) == "1"
    if one_only and len(values) > 1:
        return False
    return all(_is_real(value, piece.vr) for value in values)


def _reason_against(piece: Piece, old: str, new: str, promises: Promises) -> str:
    policy = _policy_of(piece, promises)
    if policy == "remove":
        return "DATE_LEFT"
    if not old or old.count("\\") != new.count("\\"):
        return "DATE_INVENTED"
    if policy == "keep" and old != new:
        return "DATE_OFF"
    if policy == "year" and not all(_is_year_of(*pair, piece.vr) for pair in _pairs(old, new)):
        return "DATE_LEFT"
    return ""


def _is_year_of(old: str, new: str, vr: str) -> bool:
    return new == (f"{old[:4]}0101" if vr == "DA" else old[:4] if vr == "DT" else "") or new in _PLACEHOLDERS


def _read(value: str, vr: str) -> tuple[date, date, str] | None:
    """The first and the last day that it may mean, and all but the day; None where it is no date."""
    match = (_DATE if vr == "DA" else _DATE_TIME).fullmatch(value)
    if match is None:
        return None
    year, month, day, rest = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    if day:
        return first, first, rest
    last_month = int(month or 12)
    last = date(first.year, last_month, calendar.monthrange(first.year, last_month)[1])
    return first, last, f"{len(value)}:{rest}"


def _is_real(value: str, vr: str) -> bool:
    """Somebody's date, or nothing at all: one of several values may be empty."""
    read = _read(value, vr)
    return not value or (read is not None and read[0].year in _YEARS)


def _days_between(old: str, new: str, vr: str) -> tuple[int, int] | tuple[()] | None:
    """Least and most; nothing where both are empty; None where they are not one date moved by days alone."""
    if not old and not new:
        return ()
    before, after = _read(old, vr), _read(new, vr)
    if before is None or after is None or before[0].year not in _YEARS or before[2] != after[2]:
        return None
    # Of a month or year its first day was moved, and the day cut off again.
    return (after[0] - before[0]).days, (after[1] - before[0]).days


def settle_offsets(
    study_key: str, instances: Iterable[InstanceOffsets]
) -> tuple[list[Finding], tuple[tuple[str, int], ...]]:
    """Findings where an instance's dates are off its patient's offset, as most of the study's dates have it; and
    (patient, days) of each patient that has dates."""
    instances = list(instances)
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for one in instances:
        for offset in one.offsets:
            if offset.least == offset.most:
                counts[one.patient][offset.least] += offset.dates
    findings, settled = [], []
    for patient, days in sorted(counts.items()):
        (most, times), *others = days.most_common(2)
        if others and others[0][1] == times:
            findings.append(Finding(study_key, "", CHECK, "DATE_OFFSETS_DIFFER", ""))
            continue
        settled.append((patient, most))
        findings += [
            Finding(study_key, one.instance, CHECK, "DATE_OFF", offset.place)
            for one in instances
            for offset in one.offsets
            if one.patient == patient and not offset.least <= most <= offset.most
        ]
    return findings, tuple(settled)


def compare_offsets(verdicts: Iterable[StudyVerdict], known: Mapping[str, set[int]]) -> list[Finding]:
    """A patient has one offset over all studies of the batch, and in all batches. known: pseudonym -> days, as earlier
    batches have them. Where the earlier ones do not tell, the most frequent is right, if there is one."""
    offsets = [(verdict.study_key, *offset) for verdict in verdicts for offset in verdict.date_offsets]
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for _, patient, days in offsets:
        counts[patient][days] += 1
    right = {patient: known.get(patient) or _most_frequent(days) for patient, days in counts.items()}
    return [
        Finding(key, "", CHECK, "DATE_OFFSETS_DIFFER", "") for key, patient, days in offsets if right[patient] != {days}
    ]


def _most_frequent(days: Counter[int]) -> set[int]:
    """One, or all that are as frequent as each other."""
    most = max(days.values())
    return {one for one, times in days.items() if times == most}
