"""Which archive, under which names, by which ways, and how long to wait for it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Timeouts:
    """All in seconds, each more than 0. A retrieval that makes progress is never cut for being long."""

    connect: float = 10  #: until the TCP connection, and TLS on it, stand
    acse: float = 15  #: until an association is accepted, or a release confirmed
    first_response: float = 60  #: until the first sign of an answer to a request
    stall: float = 60  #: without a byte of a response or an instance, once the answer has begun
    no_progress: float = 90  #: with bytes, but without an instance, an answer or a count that is new


@dataclass(frozen=True)
class Tls:
    """Mutual TLS after PS3.15 B.12 (BCP 195). PEM files. authorities: who signs the archive's certificate."""

    authorities: Path
    certificate: Path | None = None  #: ours, with its chain; None: the archive asks for none
    key: Path | None = None  #: of our certificate; None: in the same file
    check_host: bool = True  #: the certificate of the archive has to name the host that we connect to


@dataclass(frozen=True)
class Archive:
    """retrieve: `get` (C-GET), `move` (C-MOVE to our receiver_port), `dicomweb` (WADO-RS), or `auto`: C-GET where the
    archive has it, else C-MOVE, else WADO-RS. host is empty where there is DICOMweb only."""

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    retrieve: str = "auto"
    receiver_port: int = 11112
    timeouts: Timeouts = field(default_factory=Timeouts)
    name: str = "1"  #: its number in the settings' ordered list
    dicomweb_url: str = ""  #: root of QIDO-RS, WADO-RS and STOW-RS; empty: none
    dicomweb_authorization: str = field(default="", repr=False)  #: value of the Authorization header; empty: none
    tls: Tls | None = None  #: None: plain TCP
    instances_per_second: float = 0  #: at most so many are taken; 0: no limit
    default_character_set: str = "ISO_IR 100"  #: of answers that declare none and are not ASCII (a Defined Term)
    query_limit: int = 0  #: answers after which the archive is known to stop; 0: not known
