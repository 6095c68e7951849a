"""What the status of a DIMSE response means. Every response passes `read_status`; the table is status.toml."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from ..errors import BadInput, DicomAssetsError, RetryLater
from .commands import Command

SERVICES = ("echo", "find", "get", "move", "store")
MEANINGS = ("success", "pending", "partial", "again_later", "configuration", "refused")


@dataclass(frozen=True)
class Meaning:
    """meaning: one of MEANINGS. reason: a reason code, empty for success and pending."""

    meaning: str
    reason: str

    @property
    def is_success(self) -> bool:
        return self.meaning == "success"

    @property
    def is_pending(self) -> bool:
        return self.meaning == "pending"

    def as_error(self) -> DicomAssetsError:
        """For what is neither success nor pending."""
        return RetryLater(self.reason) if self.meaning == "again_later" else BadInput(self.reason)


@dataclass(frozen=True)
class _Row:
    services: frozenset[str]
    first: int
    last: int
    meaning: Meaning


def _load() -> tuple[_Row, ...]:
    table = tomllib.loads(files("dicom_assets.pacs").joinpath("status.toml").read_text("utf-8"))
    return tuple(
        _Row(frozenset(row["services"]), row["from"], row["to"], Meaning(row["meaning"], row["reason"]))
        for row in table["status"]
    )


_ROWS = _load()
UNREADABLE = Meaning("again_later", "PACS_UNREADABLE_ANSWER")


def meaning_of(service: str, status: int) -> Meaning:
    """service: one of SERVICES. status: (0000,0900), 0x0000 to 0xFFFF."""
    return next(row.meaning for row in _ROWS if service in row.services and row.first <= status <= row.last)


def read_status(service: str, response: Command) -> Meaning:
    """The meaning of a response; one without a status is none that can be read."""
    return UNREADABLE if response.status is None else meaning_of(service, response.status)
