"""What is wrong with a DICOMweb server, told apart."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.archive import Archive, Timeouts, Tls
from dicom_assets.pacs.dicomweb import open_dicomweb
from dicom_assets.pacs.qido import echo_dicomweb
from dicom_assets.pacs.status import meaning_of
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.web_peer import Exchange, serving_web

HASTY = Timeouts(connect=2, acse=2, first_response=2, stall=2, no_progress=4)
LENIENT = Timeouts(connect=20, acse=20, first_response=20, stall=20)


def code_of_echo(archive: Archive) -> str:
    try:
        echo_dicomweb(archive)
    except DicomAssetsError as error:
        return error.code
    return ""


def at(url: str, timeouts: Timeouts = LENIENT, **more: object) -> Archive:
    return Archive("", 0, "", "DICOM_ASSETS", "dicomweb", timeouts=timeouts, dicomweb_url=url, **more)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://archive.example/dicom-web",
        "archive.example/dicom-web",
        "http:///dicom-web",
        "http://archive.example:99999/",
        "http://archive.example:port/",
        "http://user:secret@archive.example/",
        "http://archive.example/dicom-web?token=secret",
        "http://archive.example/dicom-web#here",
        "http://archive.example/a b",
        "http://archive.example/\r\nX: y",
        "http://[::1/",
    ],
)
def test_an_unusable_url_is_refused(url: str) -> None:
    assert code_of_echo(at(url)) == "PACS_DICOMWEB_URL"


def test_a_host_that_nobody_knows() -> None:
    assert code_of_echo(at("http://no-such-host.invalid/")) == "PACS_HOST_UNKNOWN"


def test_a_closed_port() -> None:
    assert code_of_echo(at(f"http://127.0.0.1:{free_port()}/")) == "PACS_PORT_CLOSED"


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert code_of_echo(at(f"http://127.0.0.1:{mute.getsockname()[1]}/", HASTY)) == "PACS_TIMEOUT"


@pytest.mark.parametrize("said", [b"220 mail.example ESMTP\r\n", b"\x07\0\0\0\0\x04\0\0\0\0", b"HTTP/1.1 ok\r\n\r\n"])
def test_something_that_speaks_another_protocol(said: bytes) -> None:
    with answering(said) as port:
        assert code_of_echo(at(f"http://127.0.0.1:{port}/")) == "PACS_NOT_DICOMWEB"


def test_a_server_that_hangs_up() -> None:
    with answering(b"") as port:
        assert code_of_echo(at(f"http://127.0.0.1:{port}/")) == "PACS_ABORTED"


class answering:
    """A port that says the same to everybody, whatever was asked, and hangs up."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def __enter__(self) -> int:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self._server.getsockname()[1]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._said)

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


HTML = (b"<html>hello</html>", "text/html")


@pytest.mark.parametrize(
    ("respond", "code"),
    [
        (lambda exchange: exchange.reply_rows([]), ""),
        (lambda exchange: exchange.reply(b"", "text/plain", 204), ""),
        (lambda exchange: exchange.reply(*HTML), "PACS_NOT_DICOMWEB"),
        (lambda exchange: exchange.reply(*HTML, 404), "PACS_NOT_DICOMWEB"),
        (lambda exchange: exchange.reply(b"[{", "application/dicom+json"), "PACS_UNREADABLE_ANSWER"),
        (lambda exchange: exchange.reply(b'{"a": 1}', "application/dicom+json"), "PACS_UNREADABLE_ANSWER"),
        (lambda exchange: exchange.reply(b"[" * 99999, "application/dicom+json"), "PACS_UNREADABLE_ANSWER"),
        (lambda exchange: exchange.reply(b'["M\xfcller"]', "application/json"), "PACS_UNREADABLE_ANSWER"),
        (lambda exchange: exchange.reply(b"[]", "application/json", length=100), "PACS_ABORTED"),
        (lambda exchange: exchange.reply_rows([], headers={"Content-Encoding": "gzip"}), "PACS_UNREADABLE_ANSWER"),
        (lambda exchange: exchange.reply(*HTML, 302, {"Location": "http://127.0.0.1:1/"}), "PACS_DICOMWEB_URL"),
        (lambda exchange: exchange.reply(*HTML, 400), "PACS_IDENTIFIER_REFUSED"),
        (lambda exchange: exchange.reply(*HTML, 401), "PACS_NOT_AUTHORIZED"),
        (lambda exchange: exchange.reply(*HTML, 403), "PACS_NOT_AUTHORIZED"),
        (lambda exchange: exchange.reply(*HTML, 405), "PACS_SERVICE_NOT_SUPPORTED"),
        (lambda exchange: exchange.reply(*HTML, 406), "PACS_REQUEST_REFUSED"),
        (lambda exchange: exchange.reply(*HTML, 413), "PACS_QUERY_CAPPED"),
        (lambda exchange: exchange.reply(*HTML, 429), "PACS_BUSY"),
        (lambda exchange: exchange.reply(*HTML, 500), "PACS_PROCESSING_FAILURE"),
        (lambda exchange: exchange.reply(*HTML, 503, {"Retry-After": "86400"}), "PACS_BUSY"),
        (lambda exchange: exchange.reply(*HTML, 507), "PACS_OUT_OF_RESOURCES"),
        (lambda exchange: exchange.reply(*HTML, 999), "PACS_UNKNOWN_STATUS"),
    ],
)
def test_each_answer_has_its_code(respond: Callable[[Exchange], None], code: str) -> None:
    with serving_web(respond, timeouts=LENIENT) as (archive, _):
        assert code_of_echo(archive) == code


@pytest.mark.parametrize("service", ["qido", "wado", "stow"])
def test_every_status_has_a_meaning_and_only_good_ones_have_no_reason(service: str) -> None:
    for status in range(1000):
        meaning = meaning_of(service, status)
        assert meaning.is_success == (meaning.reason == "") == (status in _GOOD[service])


_GOOD = {"qido": range(200, 300), "wado": range(200, 206), "stow": range(200, 300)}


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    def respond(exchange: Exchange) -> None:
        if len(asked) < 3:
            exchange.reply(*HTML, 503, {"Retry-After": "0"})
        else:
            exchange.reply_rows([])

    with serving_web(respond, timeouts=LENIENT) as (archive, asked):
        assert code_of_echo(archive) == ""


def test_a_busy_server_is_not_asked_for_ever() -> None:
    with serving_web(lambda exchange: exchange.reply(*HTML, 503, {"Retry-After": "0"}), timeouts=LENIENT) as (
        archive,
        asked,
    ):
        assert code_of_echo(archive) == "PACS_BUSY"
    assert len(asked) == 3


def test_an_answer_that_stops_in_the_middle_is_given_up() -> None:
    def respond(exchange: Exchange) -> None:
        exchange.reply(b"[", "application/dicom+json", length=100)
        exchange.close_connection = False
        end.wait(30)

    end = threading.Event()
    with serving_web(respond, timeouts=HASTY) as (archive, _):
        try:
            assert code_of_echo(archive) == "PACS_STALLED"
        finally:
            end.set()


def test_an_answer_that_comes_byte_by_byte_is_given_up() -> None:
    def respond(exchange: Exchange) -> None:
        exchange.reply(b"[", "application/dicom+json", length=10_000)
        while not end.wait(0.1):
            exchange.wfile.write(b" ")

    end = threading.Event()
    with serving_web(respond, timeouts=HASTY) as (archive, _):
        try:
            assert code_of_echo(archive) == "PACS_STALLED"
        finally:
            end.set()


def test_credentials_go_out_in_a_header_and_nothing_shows_them() -> None:
    def respond(exchange: Exchange) -> None:
        is_known = exchange.headers["Authorization"] == "Bearer opensesame"
        exchange.reply(b"[]", "application/dicom+json", 200 if is_known else 401)

    with serving_web(respond, timeouts=LENIENT) as (archive, _):
        known = replace(archive, dicomweb_authorization="Bearer opensesame")
        assert code_of_echo(known) == ""
        assert code_of_echo(archive) == "PACS_NOT_AUTHORIZED"
        assert "opensesame" not in repr(known)


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with serving_web(lambda exchange: exchange.reply_rows([]), timeouts=LENIENT) as (archive, _):
        assert code_of_echo(archive) == ""


def test_a_connection_is_kept_and_opened_again_where_the_server_closed_it() -> None:
    def respond(exchange: Exchange) -> None:
        ports.append(exchange.client_address[1])
        exchange.reply_rows([])
        if len(ports) == 2:
            time.sleep(0.05)
            exchange.connection.shutdown(socket.SHUT_RDWR)
            exchange.close_connection = True

    ports: list[int] = []
    with serving_web(respond, timeouts=LENIENT) as (archive, _), open_dicomweb(archive) as web:
        for _ in range(4):
            with web.request("qido", "studies", "application/dicom+json") as answer:
                assert answer.read() == b"[]"
            time.sleep(0.1)
    assert ports[0] == ports[1] != ports[2] == ports[3]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """PEM files, certificate and key in one: of the server, of a client, and of a stranger; each signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client", "stranger"):
        subject = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} "
        command = subject + f"-addext subjectAltName=IP:127.0.0.1 -keyout {folder}/{name}.pem -out {folder}/{name}.crt"
        subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
        with (folder / f"{name}.pem").open("a") as file:
            file.write((folder / f"{name}.crt").read_text())
    return {name: folder / f"{name}.pem" for name in ("server", "client", "stranger")}


@needs("openssl")
@pytest.mark.parametrize(
    ("authority", "ours", "code"),
    [
        ("server", "client", ""),
        ("server", "stranger", "PACS_TLS_CLIENT_REFUSED"),
        ("server", None, "PACS_TLS_CLIENT_REFUSED"),
        ("stranger", "client", "PACS_TLS_UNTRUSTED"),
    ],
)
def test_tls_is_mutual(certificates: dict[str, Path], authority: str, ours: str | None, code: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates["client"]))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates["server"])
    tls = Tls(certificates[authority], certificates.get(ours) if ours else None)
    with serving_web(lambda exchange: exchange.reply_rows([]), timeouts=LENIENT, context=context) as (archive, _):
        assert code_of_echo(replace(archive, tls=tls)) == code


@needs("openssl")
def test_tls_that_only_one_side_speaks(certificates: dict[str, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates["server"])
    with serving_web(lambda exchange: exchange.reply_rows([]), timeouts=LENIENT, context=context) as (archive, _):
        plain = replace(archive, dicomweb_url=archive.dicomweb_url.replace("https", "http"))
        assert code_of_echo(plain) == "PACS_TLS_REQUIRED"
        assert code_of_echo(archive) == "PACS_TLS_UNTRUSTED"  # no authority of this system signed it
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        secure = at(f"https://127.0.0.1:{port}/", tls=Tls(certificates["server"]))
        assert code_of_echo(secure) == "PACS_TLS_NOT_OFFERED"
