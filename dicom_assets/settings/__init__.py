"""The package's settings: the only room that reads the environment.

Variables, units and defaults are those of `.env.example`. A `.env` file in the working folder is read first; the
environment wins over it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import BadInput
from .archives import (
    ARCHIVE_DEFAULTS,
    DELIVERY_DEFAULTS,
    ArchiveSettings,
    DeliverySettings,
    read_archives,
    read_delivery,
)
from .auditing import AUDITING_DEFAULTS, SyslogSettings, read_syslog
from .hours import Hours, read_hours
from .receiving import (
    RECEIVING_DEFAULTS,
    ArrivalSettings,
    ReceiverSettings,
    RetentionSettings,
    WebhookSettings,
    read_arrivals,
    read_receiver,
    read_retention,
    read_webhook,
)
from .values import command

#: variable -> default, in the order of .env.example
DEFAULTS = {
    **ARCHIVE_DEFAULTS,
    "DICOM_PACS_HOURS": "",
    "DICOM_SITE_TIME_ZONE": "",
    **RECEIVING_DEFAULTS,
    "DICOM_RESTRICTED_ROOT": "data/restricted",
    "DICOM_RELEASED_ROOT": "data/released",
    "DICOM_PSEUDONYM_KEY_FILE": "data/keys/pseudonym.key",
    "DICOM_MAPPING_KEY_FILE": "data/keys/mapping.key",
    "DICOM_MAPPING_KEY_COMMAND": "",
    "DICOM_PROFILE": "basic",
    "DICOM_DEFACE_COMMAND": "",
    **DELIVERY_DEFAULTS,
    **AUDITING_DEFAULTS,
}

#: Variables that say more of an archive than its name and place
_OF_AN_ARCHIVE = re.compile(r"DICOM_PACS_([2-9]_.*|HOURS|DICOMWEB_.*|TLS|INSTANCES_PER_SECOND|QUERY_LIMIT)")


@dataclass(frozen=True)
class Settings:
    """One process's settings. Paths: absolute. archives: in the order in which they are asked; the first is always
    there, without host and URL where no archive is configured. mapping_key_command: a program and its arguments, which
    stands in for mapping_key_file; empty where there is none. deface_command: likewise, which removes faces."""

    archives: tuple[ArchiveSettings, ...]
    hours: Hours
    restricted_root: Path
    released_root: Path
    pseudonym_key_file: Path
    mapping_key_file: Path
    mapping_key_command: tuple[str, ...]
    profile: str
    deface_command: tuple[str, ...]
    delivery: DeliverySettings
    receiver: ReceiverSettings
    arrivals: ArrivalSettings
    retention: RetentionSettings
    webhook: WebhookSettings
    syslog: SyslogSettings | None

    @classmethod
    def from_env(cls, overrides: Mapping[str, str] = MappingProxyType({})) -> "Settings":
        """overrides: variable -> value, stronger than the environment; empty ones count as absent. Overrides that name
        an archive's host mean this archive alone: what the environment says of its archives' hours, limits and ways,
        and of further archives, is left out. Raises BadInput with a code where a variable cannot be used."""
        overrides = {name: value for name, value in overrides.items() if value}
        given = {**_env_file(Path(".env")), **os.environ}
        if "DICOM_PACS_HOST" in overrides:
            given = {name: value for name, value in given.items() if not _OF_AN_ARCHIVE.fullmatch(name)}
        given = {name: value for name, value in (given | overrides).items() if value}
        value = DEFAULTS | given
        if "://" in value["DICOM_RELEASED_ROOT"]:
            raise BadInput("SETTING_RELEASED_ROOT")
        settings = cls(
            archives=read_archives(given),
            hours=read_hours(value["DICOM_PACS_HOURS"], value["DICOM_SITE_TIME_ZONE"]),
            restricted_root=Path(value["DICOM_RESTRICTED_ROOT"]).absolute(),
            released_root=Path(value["DICOM_RELEASED_ROOT"]).absolute(),
            pseudonym_key_file=Path(value["DICOM_PSEUDONYM_KEY_FILE"]).absolute(),
            mapping_key_file=Path(value["DICOM_MAPPING_KEY_FILE"]).absolute(),
            mapping_key_command=command(value["DICOM_MAPPING_KEY_COMMAND"], "SETTING_KEY_COMMAND"),
            profile=value["DICOM_PROFILE"],
            deface_command=command(value["DICOM_DEFACE_COMMAND"], "SETTING_DEFACE_COMMAND"),
            delivery=read_delivery(given),
            receiver=read_receiver(given),
            arrivals=read_arrivals(given),
            retention=read_retention(given),
            webhook=read_webhook(given),
            syslog=read_syslog(given),
        )
        settings._refuse_overlapping_roots()
        return settings

    def _refuse_overlapping_roots(self) -> None:
        roots = (self.restricted_root.resolve(), self.released_root.resolve())
        if roots[0].is_relative_to(roots[1]) or roots[1].is_relative_to(roots[0]):
            raise BadInput("SETTING_ROOTS_OVERLAP")
        keys = [file.resolve() for file in (self.pseudonym_key_file, self.mapping_key_file)]
        if any(key.is_relative_to(root) for key in keys for root in roots):
            raise BadInput("SETTING_KEY_INSIDE_ROOT")
        if keys[0] == keys[1]:
            raise BadInput("SETTING_ONE_KEY_FOR_BOTH")


def _env_file(path: Path) -> dict[str, str]:
    """Its variables; none where there is no such file. Raises BadInput."""
    if not path.exists():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (ValueError, OSError):
        raise BadInput("SETTING_ENV_FILE") from None


def dagster_home(default: Path) -> Path:
    """DAGSTER_HOME, made absolute; default where it is empty. Set for this process and its children."""
    home = Path(os.environ.get("DAGSTER_HOME") or default).absolute()
    os.environ["DAGSTER_HOME"] = str(home)
    return home
