"""The audit log's lines to a syslog server over TLS (RFC 5425), beside the file, which is the truth.

A server that does not answer stops nothing: what it has not taken goes with the next line. What it has taken stands in
`audit.sent`. A line counts as taken when the server has closed the connection after it in order, or by its end: syslog
acknowledges nothing, and this is as much as can be known. A line may come twice; its number tells.
"""

import json
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from ..errors import REASONS, Refused
from ..settings.auditing import SyslogSettings
from .atomic import exclusive_lock, write_file
from .audit_chain import decode_line
from .audit_message import syslog_message
from .zones import Zones

#: Seconds for a connection, from the first to the last byte
_SECONDS = 3.0
#: Seconds for which a server that did not answer is left alone
_PAUSE = 60.0
#: Lines a connection, and seconds after which the rest waits for the next line
_LINES, _LONGEST = 500, 10.0
#: Bytes at a time: the most that a record of TLS holds
_BLOCK = 1 << 14

#: Restricted root -> its server; and until when (monotonic) it is left alone
_servers: dict[Path, SyslogSettings] = {}
_silent_until: dict[Path, float] = {}


@dataclass(frozen=True)
class _Sent:
    """Of the log, as far as the server has taken it. hash: of the last line before offset, in bytes."""

    offset: int = 0
    hash: str = ""


def send_to(zones: Zones, server: SyslogSettings | None) -> None:
    """From now on, in this process. None: to nobody."""
    if server is None:
        _servers.pop(zones.restricted, None)
    else:
        _servers[zones.restricted] = server


def forward(zones: Zones) -> None:
    """What the server has not taken yet. Raises nothing: a code on stderr says that it failed."""
    server = _servers.get(zones.restricted)
    if server is None or time.monotonic() < _silent_until.get(zones.restricted, 0.0):
        return
    with suppress(Refused):  # another process is about it
        try:
            with exclusive_lock(zones.audit_log.with_suffix(".sending")):
                _forward(zones, server)
        except OSError:
            _silent_until[zones.restricted] = time.monotonic() + _PAUSE
            print(f"AUDIT_SYSLOG_FAILED: {REASONS.get('AUDIT_SYSLOG_FAILED', '')}", file=sys.stderr)


def _forward(zones: Zones, server: SyslogSettings) -> None:
    cursor, ends = zones.audit_log.with_suffix(".sent"), time.monotonic() + _LONGEST
    while time.monotonic() < ends:
        before = _read(cursor)
        sent, messages = _next(zones.audit_log, before)
        if messages:
            _send(server, b"".join(b"%d %s" % (len(message), message) for message in messages))
        if sent == before:
            return
        write_file(cursor, json.dumps(asdict(sent)).encode())


def _read(cursor: Path) -> _Sent:
    try:
        return _Sent(**json.loads(cursor.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return _Sent()


def _next(log: Path, sent: _Sent) -> tuple[_Sent, list[bytes]]:
    """How far it will be, and the messages up to there. A log that does not go on where it was left is sent as a whole;
    lines that are not as they were written are left out."""
    with log.open("rb") as file:
        file.seek(sent.offset)
        raw = [line for line in islice(file, _LINES) if line.endswith(b"\n")]
    lines = [decode_line(one) for one in raw]
    if sent.offset and (log.stat().st_size < sent.offset or (lines and lines[0] and lines[0].previous != sent.hash)):
        return _next(log, _Sent())
    last = next((line.hash for line in reversed(lines) if line), sent.hash)
    return _Sent(sent.offset + sum(map(len, raw)), last), [syslog_message(line) for line in lines if line]


def _send(server: SyslogSettings, frames: bytes) -> None:
    """Raises OSError. Our end of the connection is closed first, and what the server says to that is read: a refusal of
    our certificate, which TLS 1.3 tells late, comes then. SSLSocket.unwrap() would take it for a farewell."""
    context, received, to_send = _context(server), ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = time.monotonic() + _SECONDS
    with socket.create_connection((server.host, server.port), timeout=_SECONDS) as plain:
        connection = context.wrap_bio(received, to_send, server_hostname=server.host)

        def finish(step: Callable[[], object]) -> None:
            while True:
                with suppress(ssl.SSLWantReadError):
                    step()
                    return
                plain.settimeout(max(ends - time.monotonic(), 0.0))  # 0 raises where it would have to wait
                plain.sendall(to_send.read())
                content = plain.recv(_BLOCK)
                received.write(content) if content else received.write_eof()

        finish(connection.do_handshake)
        for start in range(0, len(frames), _BLOCK):
            connection.write(frames[start : start + _BLOCK])
        with suppress(ssl.SSLWantReadError):
            connection.read(1)  # what came with the handshake
        with suppress(ssl.SSLWantReadError):
            connection.unwrap()
        with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
            finish(lambda: connection.read(1))


def _context(server: SyslogSettings) -> ssl.SSLContext:
    """TLS 1.2 or 1.3; the server's certificate is checked against the authorities and its name. Raises OSError."""
    secret = server.key or server.certificate
    if secret is not None and secret.stat().st_uid and secret.stat().st_mode & 0o077:
        raise PermissionError
    context = ssl.create_default_context(cafile=server.authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.certificate is not None:
        context.load_cert_chain(server.certificate, server.key, password=b"")
    return context
