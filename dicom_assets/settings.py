"""The package's settings: the only module that reads the environment.

Variables, units and defaults are those of `.env.example`. A `.env` file in the working folder is read first; the
environment wins over it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .errors import BadInput

#: variable -> default, in the order of .env.example
DEFAULTS = {
    "DICOM_PACS_HOST": "",
    "DICOM_PACS_PORT": "11112",
    "DICOM_PACS_AE_TITLE": "",
    "DICOM_CALLING_AE_TITLE": "DICOM_ASSETS",
    "DICOM_PACS_RETRIEVE": "auto",
    "DICOM_PACS_DICOMWEB_URL": "",
    "DICOM_RECEIVER_PORT": "11112",
    "DICOM_ANONYMIZE_ON_UPLOAD": "false",
    "DICOM_RESTRICTED_ROOT": "data/restricted",
    "DICOM_RELEASED_ROOT": "data/released",
    "DICOM_PSEUDONYM_KEY_FILE": "data/keys/pseudonym.key",
    "DICOM_MAPPING_KEY_FILE": "data/keys/mapping.key",
    "DICOM_ARRIVAL_SETTLE_SECONDS": "120",
    "DICOM_PROFILE": "basic",
}


@dataclass(frozen=True)
class Settings:
    """One process's settings. Ports: 1 to 65535. Paths: as given, relative to the working folder."""

    pacs_host: str
    pacs_port: int
    pacs_ae_title: str
    calling_ae_title: str
    pacs_retrieve: str
    receiver_port: int
    restricted_root: Path
    released_root: Path
    pseudonym_key_file: Path
    profile: str

    @classmethod
    def from_env(cls, overrides: Mapping[str, str] = MappingProxyType({})) -> "Settings":
        """overrides: variable -> value, stronger than the environment; empty ones count as absent.
        Raises BadInput with a code where a variable cannot be used."""
        given = {**_env_file(Path(".env")), **os.environ, **{name: value for name, value in overrides.items() if value}}
        value = {name: given.get(name) or default for name, default in DEFAULTS.items()}
        if value["DICOM_PACS_RETRIEVE"] not in ("auto", "get", "move"):
            raise BadInput("SETTING_RETRIEVE")
        if "://" in value["DICOM_RELEASED_ROOT"]:
            raise BadInput("SETTING_RELEASED_ROOT")
        settings = cls(
            pacs_host=value["DICOM_PACS_HOST"].strip(),
            pacs_port=_port(value["DICOM_PACS_PORT"]),
            pacs_ae_title=_ae_title(value["DICOM_PACS_AE_TITLE"]),
            calling_ae_title=_ae_title(value["DICOM_CALLING_AE_TITLE"]),
            pacs_retrieve=value["DICOM_PACS_RETRIEVE"],
            receiver_port=_port(value["DICOM_RECEIVER_PORT"]),
            restricted_root=Path(value["DICOM_RESTRICTED_ROOT"]).absolute(),
            released_root=Path(value["DICOM_RELEASED_ROOT"]).absolute(),
            pseudonym_key_file=Path(value["DICOM_PSEUDONYM_KEY_FILE"]).absolute(),
            profile=value["DICOM_PROFILE"],
        )
        settings._refuse_overlapping_roots()
        return settings

    def _refuse_overlapping_roots(self) -> None:
        roots = (self.restricted_root.resolve(), self.released_root.resolve())
        if roots[0].is_relative_to(roots[1]) or roots[1].is_relative_to(roots[0]):
            raise BadInput("SETTING_ROOTS_OVERLAP")
        if any(self.pseudonym_key_file.resolve().is_relative_to(root) for root in roots):
            raise BadInput("SETTING_KEY_INSIDE_ROOT")


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


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise BadInput("SETTING_PORT")
    return int(text)


def _ae_title(text: str) -> str:
    if len(text) > 16 or not text.isascii() or not text.isprintable() or "\\" in text:
        raise BadInput("SETTING_AE_TITLE")
    return text.strip()
