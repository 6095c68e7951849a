"""What is said of a failed run to an address of the site's: four words in a POST, to nobody else, and not for long."""

import json
import ssl
from dataclasses import asdict, dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from ..errors import DicomAssetsError, RetryLater
from ..pacs.archive import Timeouts
from ..pacs.http_line import HttpLine
from ..pacs.patience import Patience
from ..settings.receiving import WebhookSettings
from .archives import authorization

_SECONDS = 10.0  #: for the connection, and for all the rest
_NOT_TRUSTED = {"PACS_TLS_UNTRUSTED", "PACS_TLS_NOT_OFFERED", "PACS_TLS_CLIENT_REFUSED"}


@dataclass(frozen=True)
class FailedRun:
    """All that is told. batch: empty where the run had none. code: a key of errors.REASONS."""

    run_id: str
    job: str
    batch: str
    code: str


def tell(webhook: WebhookSettings, failed: FailedRun) -> None:
    """Post it; afterwards an answer of the class 2xx has come. No redirect is followed, no proxy asked; certificates
    are checked against the system's authorities (or SSL_CERT_FILE).

    Raises RetryLater: WEBHOOK_UNREACHABLE, WEBHOOK_NOT_TRUSTED, WEBHOOK_REFUSED; and as archives.authorization.
    """
    parts = urlsplit(webhook.url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    headers = {"Content-Type": "application/json"}
    if value := authorization(webhook.authorization_file):
        headers["Authorization"] = value
    patience = Patience(Timeouts(connect=_SECONDS, acse=_SECONDS))
    line = HttpLine(parts.hostname, parts.port or (80 if context is None else 443), context, patience)
    try:
        line.connect()
        with patience.negotiating():
            line.request("POST", parts.path or "/", json.dumps(asdict(failed)).encode(), headers)
            status = line.getresponse().status
        if line.failure is not None:  # in the middle of the answer's header
            raise line.failure
    except DicomAssetsError as error:
        raise RetryLater("WEBHOOK_NOT_TRUSTED" if error.code in _NOT_TRUSTED else "WEBHOOK_UNREACHABLE") from None
    except (OSError, HTTPException):
        raise RetryLater("WEBHOOK_UNREACHABLE") from None
    finally:
        line.close()
    if not 200 <= status < 300:
        raise RetryLater("WEBHOOK_REFUSED")
