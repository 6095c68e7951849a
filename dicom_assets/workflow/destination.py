"""Where released instances go: `host:port:AET`, or the root URL of a DICOMweb service."""

import hashlib
import re

from ..errors import BadInput
from ..pacs.archive import Archive, Tls

_DICOM = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5}):(?P<ae_title>[ -\[\]-~]{1,16})")
_DICOMWEB = re.compile(r"https?://[A-Za-z0-9._\-\[\]:]+(/[!-\"$->@-~]*)?")


def destination_of(text: str, ours: Archive, tls: Tls | None = None, authorization: str = "") -> Archive:
    """ours: an archive that lends our calling AE title, receiver port and timeouts, and nothing else: its credentials
    go nowhere else. Raises BadInput("DELIVERY_TO_MALFORMED"), also for a URL with a password."""
    dicom = _DICOM.fullmatch(text.strip())
    if dicom and 0 < int(dicom["port"]) < 65536 and dicom["ae_title"].strip():
        host, port, ae_title, url = dicom["host"].strip("[]"), int(dicom["port"]), dicom["ae_title"].strip(), ""
    elif _DICOMWEB.fullmatch(text.strip()):
        host, port, ae_title, url = "", 0, "", text.strip().rstrip("/") + "/"
    else:
        raise BadInput("DELIVERY_TO_MALFORMED")
    return Archive(
        host=host,
        port=port,
        called_ae_title=ae_title,
        calling_ae_title=ours.calling_ae_title,
        receiver_port=ours.receiver_port,
        timeouts=ours.timeouts,
        name="delivery",
        dicomweb_url=url,
        dicomweb_authorization=authorization if url else "",
        tls=tls,
    )


def kind_of(destination: Archive) -> str:
    return "dicomweb" if destination.dicomweb_url else "dicom"


def address_of(destination: Archive) -> str:
    """As it is given on the command line; for the audit log only."""
    return destination.dicomweb_url or f"{destination.host}:{destination.port}:{destination.called_ae_title}"


def digest_of(destination: Archive) -> str:
    """Names the destination's record: 16 hex digits. Host names have no case."""
    if destination.dicomweb_url:
        scheme, _, rest = destination.dicomweb_url.partition("://")
        host, slash, path = rest.partition("/")
        named = f"{scheme}://{host.lower()}{slash}{path}"
    else:
        named = f"{destination.host.lower()}:{destination.port}:{destination.called_ae_title}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]
