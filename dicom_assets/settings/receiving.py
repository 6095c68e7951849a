"""What is pushed to us: who may, how much of it at a time, and what becomes of it."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .archives import ARCHIVE_DEFAULTS, TlsSettings, read_tls
from .values import ae_title, host, path, port, quantity, switch, url, whole_number

#: variable -> default
RECEIVING_DEFAULTS = {
    "DICOM_ANONYMIZE_ON_UPLOAD": "false",
    "DICOM_ARRIVAL_SETTLE_SECONDS": "120",
    "DICOM_WATCH_FOLDER": "",
    "DICOM_RECEIVER_ADDRESS": "0.0.0.0",
    "DICOM_RECEIVER_TLS": "false",
    "DICOM_RECEIVER_CALLING_AE_TITLES": "",
    "DICOM_RECEIVER_CHECK_CALLED_AE_TITLE": "false",
    "DICOM_RECEIVER_PEERS": "",
    "DICOM_RECEIVER_ASSOCIATIONS": "100",
    "DICOM_RECEIVER_ASSOCIATIONS_A_PEER": "20",
    "DICOM_RECEIVER_ASSOCIATION_SECONDS": "14400",
    "DICOM_RECEIVER_FREE_MEGABYTES": "512",
    "DICOM_RECEIVER_COMMITMENT_PEERS": "",
    "DICOM_RETENTION_DAYS": "0",
    "DICOM_RETENTION_FREE_GIGABYTES": "0",
    "DICOM_FAILURE_WEBHOOK": "",
    "DICOM_FAILURE_WEBHOOK_AUTHORIZATION_FILE": "",
}

_LONGEST_ASSOCIATION = 7 * 86400

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class ReceiverSettings:
    """Of our Storage SCP. calling_ae_titles, networks: who may connect; empty: anybody. check_called: they have to call
    us by our AE title. associations: at a time; of one address: associations_a_peer. association_seconds: the longest
    that one may last. reserve: bytes of the disk that are left free. commitment_peers: AE title, host and port of those
    to whom reports of storage commitment go over an association of our own."""

    address: str
    port: int
    ae_title: str
    tls: TlsSettings | None
    calling_ae_titles: frozenset[str]
    check_called: bool
    networks: tuple[Network, ...]
    associations: int
    associations_a_peer: int
    association_seconds: float
    reserve: int
    commitment_peers: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class ArrivalSettings:
    """deidentify_at_once: arrivals become batches by themselves, and their originals are not kept. settle_seconds:
    quiet time after which a study is taken as whole. watch_folder: None where there is none."""

    deidentify_at_once: bool
    settle_seconds: float
    watch_folder: Path | None


@dataclass(frozen=True)
class RetentionSettings:
    """days: after which originals of finished batches, staged files and quarantine are deleted; 0: never. free: bytes
    that are to be free on the disk, for which originals of finished batches go earlier; 0: no such guard."""

    days: int
    free: int


@dataclass(frozen=True)
class WebhookSettings:
    """url: where failed runs are told; empty: nowhere. authorization_file: as an archive's."""

    url: str
    authorization_file: Path | None


def read_receiver(given: Mapping[str, str]) -> ReceiverSettings:
    """given: variables that are set and not empty. Raises BadInput, with a code for each kind of mistake."""
    value = _values(given)
    titles = frozenset(ae_title(one.strip()) for one in value("DICOM_RECEIVER_CALLING_AE_TITLES").split(","))
    return ReceiverSettings(
        address=_address(value("DICOM_RECEIVER_ADDRESS")),
        port=port(value("DICOM_RECEIVER_PORT")),
        ae_title=ae_title(value("DICOM_CALLING_AE_TITLE")),
        tls=read_tls(value) if switch(value("DICOM_RECEIVER_TLS")) else None,
        calling_ae_titles=titles - {""},
        check_called=switch(value("DICOM_RECEIVER_CHECK_CALLED_AE_TITLE")),
        networks=_networks(value("DICOM_RECEIVER_PEERS")),
        associations=_count(value("DICOM_RECEIVER_ASSOCIATIONS")),
        associations_a_peer=_count(value("DICOM_RECEIVER_ASSOCIATIONS_A_PEER")),
        association_seconds=quantity(
            value("DICOM_RECEIVER_ASSOCIATION_SECONDS"),
            "SETTING_RECEIVER_SECONDS",
            lambda seconds: 0 < seconds <= _LONGEST_ASSOCIATION,
        ),
        reserve=whole_number(value("DICOM_RECEIVER_FREE_MEGABYTES"), "SETTING_RECEIVER_COUNT") << 20,
        commitment_peers=_commitment_peers(value("DICOM_RECEIVER_COMMITMENT_PEERS")),
    )


def read_arrivals(given: Mapping[str, str]) -> ArrivalSettings:
    """As read_receiver."""
    value = _values(given)
    return ArrivalSettings(
        deidentify_at_once=switch(value("DICOM_ANONYMIZE_ON_UPLOAD")),
        settle_seconds=quantity(
            value("DICOM_ARRIVAL_SETTLE_SECONDS"), "SETTING_SETTLE_SECONDS", lambda seconds: 0 <= seconds <= 86400
        ),
        watch_folder=path(value("DICOM_WATCH_FOLDER")),
    )


def read_retention(given: Mapping[str, str]) -> RetentionSettings:
    """As read_receiver."""
    value = _values(given)
    return RetentionSettings(
        days=whole_number(value("DICOM_RETENTION_DAYS"), "SETTING_RETENTION"),
        free=whole_number(value("DICOM_RETENTION_FREE_GIGABYTES"), "SETTING_RETENTION") << 30,
    )


def read_webhook(given: Mapping[str, str]) -> WebhookSettings:
    """As read_receiver."""
    value = _values(given)
    try:
        where = url(value("DICOM_FAILURE_WEBHOOK"))
    except BadInput:
        raise BadInput("SETTING_WEBHOOK") from None
    return WebhookSettings(where, path(value("DICOM_FAILURE_WEBHOOK_AUTHORIZATION_FILE")))


def _values(given: Mapping[str, str]) -> Callable[[str], str]:
    return lambda name: given.get(name) or (ARCHIVE_DEFAULTS | RECEIVING_DEFAULTS)[name]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise BadInput("SETTING_RECEIVER_ADDRESS") from None


def _networks(text: str) -> tuple[Network, ...]:
    """Addresses (192.0.2.7) and networks (192.0.2.0/24) with commas between them."""
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError:
        raise BadInput("SETTING_RECEIVER_PEERS") from None


def _commitment_peers(text: str) -> tuple[tuple[str, str, int], ...]:
    """AET=host:port, with commas between them; an IPv6 address in brackets."""
    peers = []
    for one in filter(None, map(str.strip, text.split(","))):
        title, _, where = one.rpartition("=")
        name, _, number = where.rpartition(":")
        try:
            peers.append((ae_title(title.strip()), host(name.strip("[]")), port(number)))
        except BadInput:
            raise BadInput("SETTING_COMMITMENT_PEERS") from None
        if not all(peers[-1]):
            raise BadInput("SETTING_COMMITMENT_PEERS")
    return tuple(peers)


def _count(text: str) -> int:
    count = whole_number(text, "SETTING_RECEIVER_COUNT")
    if not 0 < count <= 1000:
        raise BadInput("SETTING_RECEIVER_COUNT")
    return count
