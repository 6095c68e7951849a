"""What the validation reports say that a release pack repeats: what was asked for, what is missing, which checks hold.

Read from a report's JSON, of which only what stays the same over its versions is used.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TypeVar

from ..errors import REASONS, BadInput
from ..storage.ledger import StudyRow, sums_that_fail
from .report_content import CheckResult

Row = TypeVar("Row", StudyRow, CheckResult)


@dataclass(frozen=True)
class Loss:
    """Instances of a study that are not here. state: empty where they are quarantined, else as rejected.csv has it.
    instances: None where nobody can tell how many."""

    batch: str
    study_key: str
    state: str
    reason: str
    instances: int | None

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of rejected.csv; without the state, of quarantine.csv."""
        count = "" if self.instances is None else str(self.instances)
        state = (self.state,) if self.state else ()
        return self.batch, self.study_key, *state, self.reason, count, REASONS.get(self.reason, "")


@dataclass(frozen=True)
class PackedReport:
    batch: str
    verdict: str  #: its state: see BatchVerdict
    word: str  #: the verdict for people
    dates: str  #: the profile's rule, as is pixels
    pixels: str
    profile: str
    profile_digest: str
    edition: str
    versions: dict[str, str]
    key_ids: tuple[str, ...]
    release_digest: str  #: see digest_of_release()
    instances: tuple[tuple[str, str], ...]  #: what it has as released: path, SHA-256
    rows: tuple[StudyRow, ...]
    checks: tuple[CheckResult, ...]
    quarantined: tuple[Loss, ...]
    withheld: tuple[Loss, ...]

    @property
    def released(self) -> int:
        return sum(row.released for row in self.rows)

    @property
    def rejected(self) -> tuple[Loss, ...]:
        return (*(loss for row in self.rows if (loss := self._loss(row)) is not None), *self.withheld)

    def _loss(self, row: StudyRow) -> Loss | None:
        """What of the study never came, or came to nothing; what was quarantined or withheld is told elsewhere."""
        if row.reason == "STUDY_NOT_FOUND":
            return Loss(self.batch, row.study_key, "not found", row.reason, None)
        if row.state == "failed":
            return Loss(self.batch, row.study_key, "failed", row.reason, row.missing or None)
        if row.state == "incomplete" or row.missing:
            reason = row.reason if row.state == "incomplete" else "INSTANCES_MISSING"
            return Loss(self.batch, row.study_key, "incomplete", reason, row.missing or None)
        return None

    @property
    def sums_that_fail(self) -> list[str]:
        """Study keys whose counts do not add up."""
        return [row.study_key for row in self.rows if sums_that_fail(row, "validation_report")]


def digest_of_release(released: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of the list that a report gives of what its batch has released. released: (path, hex SHA-256)."""
    return sha256("".join(f"{digest}  {path}\n" for path, digest in sorted(released)).encode()).hexdigest()


def failed_checks(reports: Iterable[PackedReport]) -> tuple[str, ...]:
    """Names of the checks that something has failed, in any batch."""
    return tuple(sorted({check.name for report in reports for check in report.checks if check.failed}))


def report_from(content: bytes) -> PackedReport:
    """content: a report's JSON. Raises BadInput("PACK_REPORT_UNREADABLE")."""
    try:
        data = json.loads(content)
        batch = _text(data["batch"])
        return PackedReport(
            batch=batch,
            verdict=_text(data["verdict"]["state"]),
            word=_text(data["verdict"]["word"]),
            dates=_text(data["dates"]),
            pixels=_text(data["pixels"]),
            profile=_text(data["profile"]),
            profile_digest=_text(data["profile_digest"]),
            edition=_text(data["edition"]),
            versions={_text(name): _text(version) for name, version in data["versions"]},
            key_ids=tuple(map(_text, data["key_ids"])),
            release_digest=_text(data["release_sha256"]),
            instances=tuple(
                (_text(one["released_path"]), _text(one["sha256"])) for one in data["instances"] if one["released_path"]
            ),
            rows=tuple(_read_as(StudyRow, row) for row in data["rows"]),
            checks=tuple(_read_as(CheckResult, check) for check in data["checks"]),
            quarantined=tuple(_losses(batch, "", data["quarantined"])),
            withheld=tuple(_losses(batch, "withheld", data["withheld"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadInput("PACK_REPORT_UNREADABLE") from None


def _read_as(kind: type[Row], values: dict) -> Row:
    """Without fields that a later version may add."""
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    if not all(isinstance(known[field.name], field.type) for field in fields(kind) if field.name in known):
        raise TypeError
    return kind(**known)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _losses(batch: str, state: str, losses: Iterable) -> Iterator[Loss]:
    for study_key, reason, instances in losses:
        if not isinstance(instances, int):
            raise TypeError
        yield Loss(batch, _text(study_key), state, _text(reason), instances)
