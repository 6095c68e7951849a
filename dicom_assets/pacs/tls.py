"""TLS on associations: PS3.15 annex B (BCP 195): TLS 1.2 or 1.3, forward secrecy, both sides with a certificate."""

import socket
import ssl

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Tls

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
_PLAIN_ANSWERS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}


def client_context(tls: Tls) -> ssl.SSLContext:
    """Raises BadInput("PACS_TLS_FILES") where a file is missing, unreadable, or the key does not fit."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls)
    context.check_hostname = tls.check_host
    return context


def server_context(tls: Tls) -> ssl.SSLContext:
    """For our receiver: the archive has to show a certificate that the authorities signed. Raises as client_context."""
    if tls.certificate is None:
        raise BadInput("PACS_TLS_FILES")
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(protocol: int, tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.load_verify_locations(cafile=tls.authorities)
        if tls.certificate is not None:
            # an encrypted key would ask for its password on the terminal
            context.load_cert_chain(tls.certificate, tls.key, password=b"")
    except (OSError, ValueError):
        raise BadInput("PACS_TLS_FILES") from None
    return context


def why_refused(error: ssl.SSLError) -> DicomAssetsError:
    """The code for a failed handshake or an alert of the peer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadInput("PACS_TLS_UNTRUSTED")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
        return RetryLater("PACS_ABORTED")
    reason = error.reason or ""
    if reason in _PLAIN_ANSWERS:
        return BadInput("PACS_TLS_NOT_OFFERED")
    return BadInput("PACS_TLS_CLIENT_REFUSED") if "ALERT" in reason else RetryLater("PACS_ABORTED")


def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Whether the peer, which did not understand plain DICOM, answers a TLS handshake. Nothing is trusted or sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it wants a certificate, or another version
    except OSError:
        return False
