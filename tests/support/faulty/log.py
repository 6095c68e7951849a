"""What the faulty archive was asked for, and what it sent."""

from dataclasses import dataclass, field


@dataclass
class Request:
    """One C-FIND, C-GET or C-MOVE. named: the SOPInstanceUIDs in its identifier. sent: those that went out whole, in
    their order."""

    service: str
    level: str
    named: tuple[str, ...]
    sent: list[str] = field(default_factory=list)
