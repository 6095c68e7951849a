"""The archives that the variables name, in order: DICOM_PACS_... is the first, DICOM_PACS_2_... to _9_ the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .values import ae_title, host, one_of, path, port, quantity, switch, url, whole_number

#: variable -> default. Of the second archive those that most sites need; each DICOM_PACS_X has its DICOM_PACS_2_X.
ARCHIVE_DEFAULTS = {
    "DICOM_PACS_HOST": "",
    "DICOM_PACS_PORT": "11112",
    "DICOM_PACS_AE_TITLE": "",
    "DICOM_CALLING_AE_TITLE": "DICOM_ASSETS",
    "DICOM_PACS_RETRIEVE": "auto",
    "DICOM_RECEIVER_PORT": "11112",
    "DICOM_PACS_DICOMWEB_URL": "",
    "DICOM_PACS_DICOMWEB_AUTHORIZATION_FILE": "",
    "DICOM_PACS_TLS": "false",
    "DICOM_TLS_AUTHORITIES_FILE": "",
    "DICOM_TLS_CERTIFICATE_FILE": "",
    "DICOM_TLS_KEY_FILE": "",
    "DICOM_TLS_CHECK_HOST": "true",
    "DICOM_PACS_CHARACTER_SET": "ISO_IR 100",
    "DICOM_PACS_QUERY_LIMIT": "0",
    "DICOM_PACS_2_HOST": "",
    "DICOM_PACS_2_PORT": "",
    "DICOM_PACS_2_AE_TITLE": "",
    "DICOM_PACS_2_RETRIEVE": "",
    "DICOM_PACS_2_DICOMWEB_URL": "",
    "DICOM_PACS_2_TLS": "",
    "DICOM_PACS_CONNECT_SECONDS": "10",
    "DICOM_PACS_ACSE_SECONDS": "15",
    "DICOM_PACS_FIRST_RESPONSE_SECONDS": "60",
    "DICOM_PACS_STALL_SECONDS": "60",
    "DICOM_PACS_NO_PROGRESS_SECONDS": "90",
    "DICOM_PACS_INSTANCES_PER_SECOND": "0",
}

DELIVERY_DEFAULTS = {
    "DICOM_DELIVERY_TO": "",
    "DICOM_DELIVERY_TLS": "false",
    "DICOM_DELIVERY_AUTHORIZATION_FILE": "",
}

#: What one archive's name and place says nothing about another's
_ITS_OWN = ("HOST", "AE_TITLE", "DICOMWEB_URL", "DICOMWEB_AUTHORIZATION_FILE")
_FURTHER = range(2, 10)

_WAYS = ("auto", "get", "move", "dicomweb")
#: Defined Terms for character sets without code extensions, PS3.3 C.12.1.1.2
_CHARACTER_SETS = {f"ISO_IR {number}" for number in (13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192, 203)}
_CHARACTER_SETS |= {"GB18030", "GBK"}
_LONGEST_SECONDS = 86400


@dataclass(frozen=True)
class TlsSettings:
    """PEM files. certificate, key: ours; None where the archive asks for none, or the key is in the same file."""

    authorities: Path
    certificate: Path | None
    key: Path | None
    check_host: bool


@dataclass(frozen=True)
class ArchiveSettings:
    """name: its number, from "1". Ports: 1 to 65535. Times in seconds. instances_per_second, query_limit: 0 is none.
    dicomweb_authorization_file: its one line is sent as the Authorization header."""

    name: str
    host: str
    port: int
    ae_title: str
    calling_ae_title: str
    retrieve: str
    receiver_port: int
    dicomweb_url: str
    dicomweb_authorization_file: Path | None
    tls: TlsSettings | None
    connect_seconds: float
    acse_seconds: float
    first_response_seconds: float
    stall_seconds: float
    no_progress_seconds: float
    instances_per_second: float
    character_set: str
    query_limit: int


def read_archives(given: Mapping[str, str]) -> tuple[ArchiveSettings, ...]:
    """given: variables that are set and not empty. Raises BadInput, with a code for each kind of mistake."""
    numbers = [n for n in _FURTHER if given.get(f"DICOM_PACS_{n}_HOST") or given.get(f"DICOM_PACS_{n}_DICOMWEB_URL")]
    return (_archive(given, 1), *(_archive(given, number) for number in numbers))


@dataclass(frozen=True)
class DeliverySettings:
    """to: host:port:AET or a URL; empty: none. authorization_file: as an archive's."""

    to: str
    tls: TlsSettings | None
    authorization_file: Path | None


def read_delivery(given: Mapping[str, str]) -> DeliverySettings:
    """As read_archives. The certificates are those for the archives."""

    def value(name: str) -> str:
        return given.get(name) or (ARCHIVE_DEFAULTS | DELIVERY_DEFAULTS)[name]

    return DeliverySettings(
        to=value("DICOM_DELIVERY_TO").strip(),
        tls=read_tls(value) if switch(value("DICOM_DELIVERY_TLS")) else None,
        authorization_file=path(value("DICOM_DELIVERY_AUTHORIZATION_FILE")),
    )


def _archive(given: Mapping[str, str], number: int) -> ArchiveSettings:
    def of_all(name: str) -> str:
        return given.get(name) or ARCHIVE_DEFAULTS[name]

    def own(name: str) -> str:
        """What is said of this archive, else of the first, else the default."""
        first = f"DICOM_PACS_{name}"
        if number == 1:
            return of_all(first)
        return given.get(f"DICOM_PACS_{number}_{name}") or ("" if name in _ITS_OWN else of_all(first))

    def seconds(name: str) -> float:
        return quantity(own(f"{name}_SECONDS"), "SETTING_SECONDS", lambda value: 0 < value <= _LONGEST_SECONDS)

    return ArchiveSettings(
        name=str(number),
        host=host(own("HOST")),
        port=port(own("PORT")),
        ae_title=ae_title(own("AE_TITLE")),
        calling_ae_title=ae_title(of_all("DICOM_CALLING_AE_TITLE")),
        retrieve=one_of(own("RETRIEVE"), _WAYS, "SETTING_RETRIEVE"),
        receiver_port=port(of_all("DICOM_RECEIVER_PORT")),
        dicomweb_url=url(own("DICOMWEB_URL")),
        dicomweb_authorization_file=path(own("DICOMWEB_AUTHORIZATION_FILE")),
        tls=read_tls(of_all) if switch(own("TLS")) else None,
        connect_seconds=seconds("CONNECT"),
        acse_seconds=seconds("ACSE"),
        first_response_seconds=seconds("FIRST_RESPONSE"),
        stall_seconds=seconds("STALL"),
        no_progress_seconds=seconds("NO_PROGRESS"),
        instances_per_second=quantity(own("INSTANCES_PER_SECOND"), "SETTING_RATE", lambda value: value >= 0),
        character_set=one_of(own("CHARACTER_SET"), _CHARACTER_SETS, "SETTING_CHARACTER_SET"),
        query_limit=whole_number(own("QUERY_LIMIT"), "SETTING_QUERY_LIMIT"),
    )


def read_tls(of_all: Callable[[str], str]) -> TlsSettings:
    authorities = path(of_all("DICOM_TLS_AUTHORITIES_FILE"))
    certificate, key = path(of_all("DICOM_TLS_CERTIFICATE_FILE")), path(of_all("DICOM_TLS_KEY_FILE"))
    if authorities is None or (key is not None and certificate is None):
        raise BadInput("SETTING_TLS_FILES")
    return TlsSettings(authorities, certificate, key, switch(of_all("DICOM_TLS_CHECK_HOST")))
