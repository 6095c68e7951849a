"""Certificates of an authority of the test's own, as PEM files."""

from dataclasses import dataclass
from pathlib import Path

import trustme

from dicom_assets.pacs.archive import Tls


@dataclass(frozen=True)
class Certificates:
    """authority: of all of them. archive, ours: certificate and key in one file."""

    authority: Path
    archive: Path
    ours: Path
    strangers_authority: Path
    strangers: Path

    @property
    def tls(self) -> Tls:
        """Ours, trusting the archive's."""
        return Tls(self.authority, self.ours)


def make_certificates(folder: Path) -> Certificates:
    authority, stranger = trustme.CA(), trustme.CA()
    made = Certificates(*(folder / f"{name}.pem" for name in ("authority", "archive", "ours", "stranger", "strangers")))
    authority.cert_pem.write_to_path(made.authority)
    stranger.cert_pem.write_to_path(made.strangers_authority)
    for issuer, path in ((authority, made.archive), (authority, made.ours), (stranger, made.strangers)):
        issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(path)
    return made
