"""The syslog server that is told what the audit log says; none by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from .values import host, path, port

AUDITING_DEFAULTS = {
    "DICOM_AUDIT_SYSLOG_HOST": "",
    "DICOM_AUDIT_SYSLOG_PORT": "6514",
    "DICOM_AUDIT_SYSLOG_AUTHORITIES_FILE": "",
    "DICOM_AUDIT_SYSLOG_CERTIFICATE_FILE": "",
    "DICOM_AUDIT_SYSLOG_KEY_FILE": "",
}


@dataclass(frozen=True)
class SyslogSettings:
    """PEM files. certificate, key: ours; None where the server asks for none, or the key is in the same file."""

    host: str
    port: int
    authorities: Path
    certificate: Path | None
    key: Path | None


def read_syslog(given: Mapping[str, str]) -> SyslogSettings | None:
    """None where no server is named. Raises BadInput, with a code for each kind of mistake."""

    def value(name: str) -> str:
        return given.get(f"DICOM_AUDIT_SYSLOG_{name}") or AUDITING_DEFAULTS[f"DICOM_AUDIT_SYSLOG_{name}"]

    if not value("HOST"):
        return None
    authorities, certificate = path(value("AUTHORITIES_FILE")), path(value("CERTIFICATE_FILE"))
    key = path(value("KEY_FILE"))
    if authorities is None or (key is not None and certificate is None):
        raise BadInput("SETTING_AUDIT_SYSLOG")
    return SyslogSettings(host(value("HOST")), port(value("PORT")), authorities, certificate, key)
