"""Which archive, under which names, and how long to wait for it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timeouts:
    """All in seconds, each more than 0."""

    connect: float = 10  #: until the TCP connection stands
    acse: float = 15  #: until an association is accepted, or a release confirmed
    first_response: float = 60  #: until the first sign of an answer to a C-ECHO, C-FIND, C-GET or C-MOVE
    stall: float = 60  #: without a byte of a response or an instance, once the answer has begun


@dataclass(frozen=True)
class Archive:
    """retrieve: `get` (C-GET), `move` (C-MOVE to our receiver_port), or `auto` (C-GET where the archive has it)."""

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    retrieve: str = "auto"
    receiver_port: int = 11112
    timeouts: Timeouts = field(default_factory=Timeouts)
