"""A TCP connection, with TLS on it where that is asked for, and what went wrong where none came about."""

import socket
import ssl

from ..errors import BadInput, DicomAssetsError, RetryLater
from .tls import why_refused


def connect(host: str, port: int, seconds: float, context: ssl.SSLContext | None = None) -> socket.socket:
    """seconds: until the connection stands, and as many for TLS on it. Raises
    RetryLater: PACS_HOST_UNKNOWN, PACS_PORT_CLOSED, PACS_UNREACHABLE, PACS_TIMEOUT.
    BadInput: PACS_TLS_UNTRUSTED, PACS_TLS_NOT_OFFERED, PACS_TLS_CLIENT_REFUSED.
    """
    try:
        plain = socket.create_connection((host, port), timeout=seconds)
    except (socket.gaierror, UnicodeError):
        raise RetryLater("PACS_HOST_UNKNOWN") from None
    except ConnectionRefusedError:
        raise RetryLater("PACS_PORT_CLOSED") from None
    except TimeoutError:
        raise RetryLater("PACS_TIMEOUT") from None
    except OSError:
        raise RetryLater("PACS_UNREACHABLE") from None
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError as error:
        plain.close()
        raise _why_no_tls(error) from None


def _why_no_tls(error: OSError) -> DicomAssetsError:
    if isinstance(error, TimeoutError):
        return RetryLater("PACS_TIMEOUT")
    why = why_refused(error) if isinstance(error, ssl.SSLError) else None
    # Hanging up in the middle of the handshake is how a plain peer takes it.
    return BadInput("PACS_TLS_NOT_OFFERED") if why is None or why.code == "PACS_ABORTED" else why
