"""What reviewers decided of originals in quarantine: each time of exactly one content, and of one reason for which it
was kept back. One sealed table a study; rows are added, none is ever taken out."""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .atomic import exclusive_lock, remove_unfinished
from .tables import read_sealed, write_sealed
from .verdicts import BETWEEN, DISCARD
from .zones import Zones


@dataclass(frozen=True)
class Decision:
    """A row of `restricted/decisions/<study key>.parquet`."""

    item: str  #: `<batch>/<study key>/<id>`
    sha256: str  #: hex, of the original's file
    reason: str  #: the code for which it was in quarantine
    verdict: str  #: release or discard
    why: str  #: the reviewer's own words
    who: str  #: of the operating system's users
    when: str  #: UTC, ISO 8601
    blank: str = ""  #: rectangles that are blanked before it goes on, as pixels.boxes.Box.text, with blanks between

    @property
    def text(self) -> str:
        """As a part of StagedInstance.review."""
        return f"{self.verdict} {self.reason} {self.blank}".rstrip()


def decision(item: str, sha256: str, reason: str, verdict: str, why: str, blank: str = "") -> Decision:
    """Of this user, now."""
    return Decision(item, sha256, reason, verdict, why, _user(), datetime.now(UTC).isoformat(timespec="seconds"), blank)


def read_decisions(zones: Zones, study_key: str) -> list[Decision]:
    """In the order in which they were made; none where nobody has decided anything."""
    return read_sealed(zones.decisions(study_key), Decision)


def decisions_on(zones: Zones, study_key: str) -> dict[str, Decision]:
    """SHA-256 -> the last decision on that content."""
    return {one.sha256: one for one in read_decisions(zones, study_key)}


def reviews_on(zones: Zones, study_key: str) -> dict[str, str]:
    """SHA-256 -> all decisions on that content that count together, as StagedInstance.review has them: one discard, or
    behind the last discard the last release of each reason."""
    standing: dict[str, dict[str, Decision]] = {}
    for one in read_decisions(zones, study_key):
        earlier = standing.get(one.sha256, {})
        if one.verdict == DISCARD or any(other.verdict == DISCARD for other in earlier.values()):
            earlier = {}
        standing[one.sha256] = earlier | {one.reason: one}
    return {sha256: BETWEEN.join(one.text for one in decided.values()) for sha256, decided in standing.items()}


def discarded_of(zones: Zones, study_key: str) -> frozenset[str]:
    """SHA-256 of contents that count no more."""
    return frozenset(sha for sha, one in decisions_on(zones, study_key).items() if one.verdict == DISCARD)


def add_decisions(zones: Zones, study_key: str, decisions: Iterable[Decision]) -> None:
    """Durable. One that says what the last one on its content says already is not added."""
    with exclusive_lock(zones.lock("review"), wait=True):
        remove_unfinished(zones.decisions(study_key).parent)
        before = read_decisions(zones, study_key)
        last = {one.sha256: one.text for one in before}
        new = [one for one in decisions if last.get(one.sha256) != one.text]
        if new:
            write_sealed(zones.decisions(study_key), [*before, *new], Decision)


def _user() -> str:
    """By the system's own list: the environment says what its user likes."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
