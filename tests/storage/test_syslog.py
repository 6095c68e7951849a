"""What the audit log says, told to a real syslog server over TLS; the file is written whatever becomes of that."""

import base64
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dicom_assets.settings.auditing import SyslogSettings
from dicom_assets.storage import syslog
from dicom_assets.storage.audit import Event, last_lines, record, verify
from dicom_assets.storage.syslog import send_to
from dicom_assets.storage.zones import Zones
from tests.support.certificates import Certificates, make_certificates
from tests.support.ports import free_port
from tests.support.waiting import wait_for

_FRAME = re.compile(rb"(\d+) ")
#: A guard against hanging
_SECONDS = 30


@dataclass
class Server:
    """Takes what comes, connection after connection; wants a certificate where it is told to."""

    certificates: Certificates
    port: int
    wants_certificate: bool = False
    messages: list[bytes] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.certificates.authority)
        context.load_cert_chain(self.certificates.archive)
        context.verify_mode = ssl.CERT_REQUIRED if self.wants_certificate else ssl.CERT_NONE
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            thread = threading.Thread(target=self._serve, args=(listener, context))
            thread.start()
            yield self
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_SECONDS)

    def _serve(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                received = b"".join(iter(lambda: connection.recv(4096), b""))
                self.messages += _messages(received)
                with suppress(OSError):
                    connection.unwrap()


def _messages(received: bytes) -> list[bytes]:
    """RFC 5425: the length, a blank, the message."""
    messages = []
    while received:
        frame = _FRAME.match(received)
        end = frame.end() + int(frame[1])
        assert len(received) >= end
        messages.append(received[frame.end() : end])
        received = received[end:]
    return messages


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = make_certificates(tmp_path_factory.mktemp("certificates"))
    made.ours.chmod(0o600)
    return made


@pytest.fixture
def server(certificates: Certificates) -> Server:
    return Server(certificates, free_port())


@pytest.fixture
def zones(tmp_path: Path, server: Server) -> Iterator[Zones]:
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    send_to(zones, SyslogSettings("127.0.0.1", server.port, server.certificates.authority, None, None))
    yield zones
    send_to(zones, None)


@pytest.fixture(autouse=True)
def _asks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "_PAUSE", 0.0)


def hashes(messages: list[bytes]) -> list[str]:
    return [
        base64.b64decode(detail.attrib["value"]).decode()
        for message in messages
        for detail in ElementTree.fromstring(message.partition(b"\xef\xbb\xbf")[2]).iter("ParticipantObjectDetail")
        if detail.attrib["type"] == "hash"
    ]


def test_each_line_is_a_message_of_the_standard(zones: Zones, server: Server) -> None:
    with server.running():
        record(zones, Event.REIDENTIFY, "P7", "Rückfrage")
        record(zones, Event.REFUSED, "mapping lookup: VALUE_UNKNOWN")
        wait_for(lambda: len(server.messages) == 2, _SECONDS)
    (line, refused) = last_lines(zones)
    header, _, body = server.messages[0].partition(b"\xef\xbb\xbf")
    assert re.fullmatch(rb"<85>1 \S+ \S+ dicom-assets \d+ DICOM\+RFC3881 - ", header)
    assert server.messages[1].startswith(b"<84>1 ")
    message = ElementTree.fromstring(body)
    assert [part.tag for part in message] == [
        "EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification"
    ]  # fmt: skip
    event = message.find("EventIdentification")
    assert event.attrib == {"EventActionCode": "R", "EventDateTime": line.when, "EventOutcomeIndicator": "0"}
    assert event.find("EventID").attrib == {
        "csd-code": "110110", "codeSystemName": "DCM", "originalText": "Patient Record"
    }  # fmt: skip
    assert message.find("ActiveParticipant").attrib["UserID"] == line.who
    told = message.find("ParticipantObjectIdentification")
    assert told.find("ParticipantObjectName").text == "P7"
    details = {one.attrib["type"]: one.attrib["value"] for one in told.iter("ParticipantObjectDetail")}
    assert {name: base64.b64decode(value).decode() for name, value in details.items()} == {
        "why": "Rückfrage",
        "hash": line.hash,
    }
    alert = ElementTree.fromstring(server.messages[1].partition(b"\xef\xbb\xbf")[2]).find("EventIdentification")
    assert alert.attrib["EventOutcomeIndicator"] == "8"
    assert alert.find("EventTypeCode").attrib["csd-code"] == refused.kind == "110132"


def test_what_a_server_missed_goes_with_the_next_line(
    zones: Zones, server: Server, capfd: pytest.CaptureFixture
) -> None:
    for number in range(3):
        record(zones, Event.MAPPING_READ, f"b-{number}")
    assert capfd.readouterr().err.count("AUDIT_SYSLOG_FAILED") == 3
    with server.running():
        record(zones, Event.MAPPING_READ, "b-3")
        record(zones, Event.MAPPING_READ, "b-4")
        wait_for(lambda: len(server.messages) == 5, _SECONDS)
    assert hashes(server.messages) == [line.hash for line in last_lines(zones)]
    assert verify(zones) == []
    assert capfd.readouterr().err == ""


def test_more_lines_than_a_connection_takes_go_in_several(
    zones: Zones, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "_LINES", 2)
    send_to(zones, None)
    for number in range(6):
        record(zones, Event.MAPPING_READ, f"b-{number}")
    send_to(zones, SyslogSettings("127.0.0.1", server.port, server.certificates.authority, None, None))
    with server.running():
        record(zones, Event.MAPPING_READ, "b-6")
        wait_for(lambda: len(server.messages) == 7, _SECONDS)
    assert hashes(server.messages) == [line.hash for line in last_lines(zones)]


def test_a_log_that_was_begun_anew_is_sent_as_a_whole(zones: Zones, server: Server) -> None:
    with server.running():
        record(zones, Event.MAPPING_READ, "b-0")
        for path in (zones.audit_log, zones.audit_head):
            path.unlink()
        record(zones, Event.MAPPING_READ, "b-0")
        record(zones, Event.MAPPING_READ, "b-1")
        wait_for(lambda: len(server.messages) == 3, _SECONDS)
    assert hashes(server.messages)[1:] == [line.hash for line in last_lines(zones)]


@pytest.mark.parametrize("is_right", [True, False])
def test_a_server_that_asks_for_our_certificate_gets_it_and_else_takes_nothing(
    zones: Zones, server: Server, is_right: bool, capfd: pytest.CaptureFixture
) -> None:
    server.wants_certificate = True
    ours = server.certificates.ours if is_right else None
    send_to(zones, SyslogSettings("127.0.0.1", server.port, server.certificates.authority, ours, None))
    with server.running():
        record(zones, Event.MAPPING_READ, "b-0")
    assert len(server.messages) == is_right
    assert ("AUDIT_SYSLOG_FAILED" in capfd.readouterr().err) != is_right
    assert verify(zones) == []


def test_a_server_that_nobody_vouches_for_is_told_nothing(zones: Zones, server: Server) -> None:
    trusting = SyslogSettings("127.0.0.1", server.port, server.certificates.strangers_authority, None, None)
    send_to(zones, trusting)
    with server.running():
        record(zones, Event.MAPPING_READ, "b-0")
        send_to(zones, replace(trusting, authorities=server.certificates.authority / "nowhere"))
        record(zones, Event.MAPPING_READ, "b-1")
    assert server.messages == []
    assert len(last_lines(zones)) == 2


def test_a_server_that_says_nothing_is_left_alone_for_a_while(
    zones: Zones, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(syslog, "_PAUSE", 60.0)
    monkeypatch.setattr(syslog, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", server.port)):
        for number in range(20):
            record(zones, Event.MAPPING_READ, f"b-{number}")
    assert capfd.readouterr().err.count("AUDIT_SYSLOG_FAILED") == 1
    assert len(last_lines(zones)) == 20
