"""The archives that the variables name, in order: DICOM_PACS_... is the first, DICOM_PACS_2_... to _9_ the others."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import BadInput

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
        tls=_tls(value) if _switch(value("DICOM_DELIVERY_TLS")) else None,
        authorization_file=_path(value("DICOM_DELIVERY_AUTHORIZATION_FILE")),
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
        return _number(own(f"{name}_SECONDS"), "SETTING_SECONDS", lambda value: 0 < value <= _LONGEST_SECONDS)

    return ArchiveSettings(
        name=str(number),
        host=_host(own("HOST")),
        port=_port(own("PORT")),
        ae_title=_ae_title(own("AE_TITLE")),
        calling_ae_title=_ae_title(of_all("DICOM_CALLING_AE_TITLE")),
        retrieve=_one_of(own("RETRIEVE"), _WAYS, "SETTING_RETRIEVE"),
        receiver_port=_port(of_all("DICOM_RECEIVER_PORT")),
        dicomweb_url=_url(own("DICOMWEB_URL")),
        dicomweb_authorization_file=_path(own("DICOMWEB_AUTHORIZATION_FILE")),
        tls=_tls(of_all) if _switch(own("TLS")) else None,
        connect_seconds=seconds("CONNECT"),
        acse_seconds=seconds("ACSE"),
        first_response_seconds=seconds("FIRST_RESPONSE"),
        stall_seconds=seconds("STALL"),
        no_progress_seconds=seconds("NO_PROGRESS"),
        instances_per_second=_number(own("INSTANCES_PER_SECOND"), "SETTING_RATE", lambda value: value >= 0),
        character_set=_one_of(own("CHARACTER_SET"), _CHARACTER_SETS, "SETTING_CHARACTER_SET"),
        query_limit=_count(own("QUERY_LIMIT")),
    )


def _tls(of_all: Callable[[str], str]) -> TlsSettings:
    authorities = _path(of_all("DICOM_TLS_AUTHORITIES_FILE"))
    certificate, key = _path(of_all("DICOM_TLS_CERTIFICATE_FILE")), _path(of_all("DICOM_TLS_KEY_FILE"))
    if authorities is None or (key is not None and certificate is None):
        raise BadInput("SETTING_TLS_FILES")
    return TlsSettings(authorities, certificate, key, _switch(of_all("DICOM_TLS_CHECK_HOST")))


def _host(text: str) -> str:
    text = text.strip()
    if not text.isprintable() or re.search(r"[\s/\\@]", text):
        raise BadInput("SETTING_HOST")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput("SETTING_PORT")
    return int(text)


def _ae_title(text: str) -> str:
    if len(text) > 16 or not text.isascii() or not text.isprintable() or "\\" in text:
        raise BadInput("SETTING_AE_TITLE")
    return text.strip()


def _url(text: str) -> str:
    """Without a slash at the end. A password does not belong into it."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        usable = usable and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable = False
    if text and (not usable or not text.isprintable() or " " in text):
        raise BadInput("SETTING_DICOMWEB_URL")
    return text.rstrip("/")


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _switch(text: str) -> bool:
    return _one_of(text, ("true", "false"), "SETTING_SWITCH") == "true"


def _one_of(text: str, allowed: tuple[str, ...] | set[str], code: str) -> str:
    if text not in allowed:
        raise BadInput(code)
    return text


def _number(text: str, code: str, is_allowed: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadInput(code) from None
    if not math.isfinite(value) or not is_allowed(value):
        raise BadInput(code)
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadInput("SETTING_QUERY_LIMIT")
    return int(text)
