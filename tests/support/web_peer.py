"""A DICOMweb server made for one test: a real HTTP server on loopback whose every answer the test writes."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from dicom_assets.pacs.archive import Archive, Timeouts

DELIMITER = b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n"
LAST_DELIMITER = b"\r\n--edge--\r\n"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=edge'


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"

    @property
    def resource(self) -> str:
        """The path below the root."""
        return urlsplit(self.path).path.removeprefix("/dicom-web/")

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def reply(
        self, body: bytes, content_type: str, status: int = 200, headers: dict | None = None, length: int | None = None
    ) -> None:
        """length: what Content-Length states; a larger one than the body has ends the connection behind it."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    def reply_rows(self, rows: list[dict], status: int = 200, headers: dict | None = None) -> None:
        self.reply(json.dumps(rows).encode(), "application/dicom+json", status, headers)

    def reply_parts(self, files: list[bytes], *, status: int = 200, cut: int = 0) -> None:
        """cut: so many bytes of the body's end are not sent."""
        body = b"".join(DELIMITER + file for file in files) + LAST_DELIMITER
        self.reply(body[: len(body) - cut], MULTIPART, status, length=len(body))

    def do_GET(self) -> None:
        self.server.asked.append(self)
        with contextlib.suppress(OSError):
            self.server.respond(self)

    do_POST = do_GET

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        pass  # a client that hung up


@contextlib.contextmanager
def serving_web(
    respond: Callable[[Exchange], None], *, timeouts: Timeouts, context: ssl.SSLContext | None = None
) -> Iterator[tuple[Archive, list[Exchange]]]:
    """An archive that has only DICOMweb, and the requests that came to it."""
    server = _Server(("127.0.0.1", 0), Exchange)
    server.respond, server.asked = respond, []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    port = server.server_address[1]
    url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}/dicom-web"
    try:
        yield Archive("", 0, "", "DICOM_ASSETS", "dicomweb", timeouts=timeouts, dicomweb_url=url), server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
