"""What `echo` tells apart, each with a real peer; TLS is in test_tls.py, Orthanc in test_against_orthanc.py."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pynetdicom import evt

from dicom_assets.errors import BadInput, DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.echo import echo
from tests.pacs.conftest import BRISK, HASTY
from tests.pacs.peers import serving
from tests.support.ports import free_port


@contextlib.contextmanager
def answering(said: bytes, *, hang_up: bool = True) -> Iterator[Archive]:
    """A TCP port that says this to whatever it is told, to each who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(5)
                    peer.recv(65536)
                    peer.sendall(said)
                    if not hang_up:
                        ended.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            port = server.getsockname()[1]
            yield Archive("127.0.0.1", port, "ANYBODY", "DICOM_ASSETS", timeouts=BRISK)
        finally:
            ended.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "PACS_NOT_DICOM"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "PACS_NOT_DICOM"),
        (b"\x02\x00\xff\xff\xff\xff\x00\x01", "PACS_NOT_DICOM"),
        (b"\x02\x00\x00\x00\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00", "PACS_NOT_DICOM"),
        (b"\x02\x00\x00\x00\x00\x44\x00\x01" + bytes(66), "PACS_NO_COMMON_CONTEXT"),
        (b"\x02\x00\x00\x00\x00\x4c\x00\x01" + bytes(66) + b"\x21\x00\x00\x09" + bytes(4), "PACS_NOT_DICOM"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "PACS_TLS_REQUIRED"),
        (b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00", "PACS_ABORTED"),
        (b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x07", "PACS_REJECTED_CALLED_AE_TITLE"),
        (b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x03", "PACS_REJECTED_CALLING_AE_TITLE"),
        (b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x01", "PACS_REJECTED"),
        (b"\x03\x00\x00\x00\x00\x04\x00\x02\x03\x02", "PACS_BUSY"),
        (b"", "PACS_ABORTED"),
    ],
)
def test_each_answer_has_its_code(said: bytes, code: str) -> None:
    with answering(said) as archive, pytest.raises(DicomAssetsError) as raised:
        echo(archive)
    assert raised.value.code == code


@pytest.mark.parametrize("said", [b"", b"\x02", b"\x02\x00\x00\x00\x00\xff" + bytes(20)])
def test_a_peer_that_falls_silent_is_a_time_out(said: bytes) -> None:
    with (
        answering(said, hang_up=False) as archive,
        pytest.raises(RetryLater, match="PACS_TIMEOUT"),
    ):
        echo(replace(archive, timeouts=HASTY))


def test_a_host_without_a_name_and_a_closed_port() -> None:
    archive = Archive("no-such-host.invalid", 11112, "ANYBODY", "DICOM_ASSETS", timeouts=HASTY)
    with pytest.raises(RetryLater, match="PACS_HOST_UNKNOWN"):
        echo(archive)
    with pytest.raises(RetryLater, match="PACS_PORT_CLOSED"):
        echo(replace(archive, host="127.0.0.1", port=free_port()))


def test_a_host_that_is_out_of_reach() -> None:
    """No route leads a TCP connection to the broadcast address."""
    archive = Archive("255.255.255.255", 11112, "ANYBODY", "DICOM_ASSETS", timeouts=HASTY)
    with pytest.raises(RetryLater, match="PACS_UNREACHABLE"):
        echo(archive)


@pytest.mark.parametrize(
    ("handler", "error", "code"),
    [
        (lambda event: 0x0122, BadInput, "PACS_SERVICE_NOT_SUPPORTED"),
        (lambda event: 0x0124, BadInput, "PACS_NOT_AUTHORIZED"),
        (lambda event: event.assoc.abort() or 0, RetryLater, "PACS_REQUEST_ABORTED"),
    ],
)
def test_what_the_archive_answers_is_said(handler: Callable, error: type, code: str) -> None:
    with serving({evt.EVT_C_ECHO: handler}) as archive, pytest.raises(error, match=code):
        echo(archive)
