"""An archive as its settings describe it. Files that hold a secret are refused where others can read them."""

import os
from pathlib import Path

from ..errors import BadInput, Refused
from ..pacs.archive import Archive, Timeouts, Tls
from ..settings.archives import ArchiveSettings, DeliverySettings, TlsSettings
from .destination import destination_of

_LONGEST_HEADER = 8192  #: bytes of an Authorization header


def archive_from(settings: ArchiveSettings) -> Archive:
    """Raises BadInput: SETTING_SECRET_FILE, SETTING_AUTHORIZATION; Refused: SECRET_FILE_OPEN_TO_OTHERS."""
    return Archive(
        host=settings.host,
        port=settings.port,
        called_ae_title=settings.ae_title,
        calling_ae_title=settings.calling_ae_title,
        retrieve=settings.retrieve,
        receiver_port=settings.receiver_port,
        timeouts=Timeouts(
            connect=settings.connect_seconds,
            acse=settings.acse_seconds,
            first_response=settings.first_response_seconds,
            stall=settings.stall_seconds,
            no_progress=settings.no_progress_seconds,
        ),
        name=settings.name,
        dicomweb_url=settings.dicomweb_url,
        dicomweb_authorization=authorization(settings.dicomweb_authorization_file),
        tls=None if settings.tls is None else tls_from(settings.tls),
        instances_per_second=settings.instances_per_second,
        default_character_set=settings.character_set,
        query_limit=settings.query_limit,
    )


def destination_from(settings: DeliverySettings, to: str, ours: Archive) -> Archive:
    """to: host:port:AET or a URL. ours: as in destination_of. Raises as that and as archive_from."""
    tls = None if settings.tls is None else tls_from(settings.tls)
    return destination_of(to, ours, tls, authorization(settings.authorization_file))


def tls_from(settings: TlsSettings) -> Tls:
    if settings.certificate is not None:
        _refuse_if_open(settings.key or settings.certificate)
    return Tls(settings.authorities, settings.certificate, settings.key, settings.check_host)


def authorization(path: Path | None) -> str:
    """The value of the Authorization header: the file's one line; empty without a file. Raises as archive_from."""
    if path is None:
        return ""
    _refuse_if_open(path)
    text = path.read_bytes()[: _LONGEST_HEADER + 1].decode("latin-1").strip()
    if not text or not text.isascii() or not text.isprintable() or len(text) > _LONGEST_HEADER:
        raise BadInput("SETTING_AUTHORIZATION")
    return text


def _refuse_if_open(path: Path) -> None:
    """As PostgreSQL judges the key of a client: nobody but its owner may read it; root's may be read by a group."""
    if not path.is_file():
        raise BadInput("SETTING_SECRET_FILE")
    status = path.stat()
    others = 0o027 if status.st_uid == 0 != os.geteuid() else 0o077
    if status.st_mode & others:
        raise Refused("SECRET_FILE_OPEN_TO_OTHERS")
