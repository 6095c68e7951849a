"""dagster_home/examples: the services' commands and options exist, the units are what systemd takes, the proxy lets in
whom it should. Docker is not tried here."""

import base64
import http.client
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import yaml

from dicom_assets.settings import DEFAULTS
from tests.support.ports import free_port
from tests.support.programs import find_program
from tests.support.site import REPOSITORY
from tests.support.waiting import wait_for

EXAMPLES = REPOSITORY / "dagster_home" / "examples"
UNITS = sorted((EXAMPLES / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((EXAMPLES / "docker" / "compose.yaml").read_text())
SERVICES = {name: service for name, service in COMPOSE["services"].items() if name != "proxy"}
PROGRAMS = Path(sys.executable).parent
#: Dagster's own that the examples set, or ask for
OF_DAGSTER = {
    *("DAGSTER_HOME", "DAGSTER_REDACT_USER_CODE_ERRORS", "DAGSTER_DISABLE_TELEMETRY"),
    *(f"DAGSTER_POSTGRES_{name}" for name in ("HOST", "DB", "USER", "PASSWORD")),
}


def commands_of_units() -> list[list[str]]:
    lines = [line for unit in UNITS for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    return [shlex.split(line.removeprefix("ExecStart=")) for line in lines]


def commands_of_services() -> list[list[str]]:
    checks = [service["healthcheck"]["test"] for service in SERVICES.values() if "healthcheck" in service]
    direct = [check[1:] for check in checks if check[0] == "CMD"] + [
        shlex.split(check[1].partition(">")[0]) for check in checks if check[0] == "CMD-SHELL"
    ]
    return [service["command"] for service in SERVICES.values()] + [one for one in direct if one[0] != "python"]


def called(command: Sequence[str]) -> tuple[str, ...]:
    """Program and subcommands, without options."""
    words = [Path(command[0]).name, *command[1:]]
    return tuple(words[: next((at for at, word in enumerate(words) if word.startswith("-")), len(words))])


#: Prints what `program command ... --help` says, for each of the arguments, NUL between them: Dagster is imported once.
_HELP = """
import sys
from importlib.metadata import entry_points
for words in map(str.split, sys.argv[1:]):
    (program,) = entry_points(group="console_scripts", name=words[0])
    sys.argv = [*words, "--help"]
    try:
        program.load()()
    except SystemExit as end:
        print(f"exit code {end.code}", end="\\0")
"""


def test_every_program_command_and_option_exists() -> None:
    used: dict[tuple[str, ...], set[str]] = {}
    for command in commands_of_units() + commands_of_services():
        options = {word for word in command if word.startswith("--")}
        used.setdefault(called(command), set()).update(options)
    assert len(used) >= 7
    asked = [sys.executable, "-c", _HELP, *map(" ".join, used)]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True).stdout.split("\0")
    for (words, options), text in zip(used.items(), said[:-1], strict=True):
        assert text.endswith("exit code 0"), (words, text)
        assert options <= set(re.findall(r"--[a-z-]+", text)), words


def test_each_program_of_the_units_is_in_the_environment_that_make_installs() -> None:
    assert {str(Path(command[0]).parent) for command in commands_of_units()} == {"/opt/dicom-assets/.venv/bin"}
    assert {command[1:] for command in map(tuple, commands_of_units()) if "--read-only" in command}


def test_every_variable_is_one_of_the_settings() -> None:
    named = {
        name
        for path in EXAMPLES.rglob("*")
        if path.is_file()
        for name in re.findall(r"\b(?:DICOM|DAGSTER)_[A-Z0-9_]+", path.read_text())
    }
    assert named - OF_DAGSTER <= DEFAULTS.keys()
    assert {"DICOM_RESTRICTED_ROOT", "DAGSTER_HOME"} <= named


def test_only_the_code_location_and_the_receiver_see_identifiable_data() -> None:
    hidden = {
        unit.stem.rpartition("-")[2] for unit in UNITS if "\nInaccessiblePaths=/srv/dicom-assets " in unit.read_text()
    }
    assert hidden == {"daemon", "webserver", "operator"}
    mounts = {name: " ".join(service["volumes"]) for name, service in SERVICES.items()}
    assert {name for name, of in mounts.items() if "restricted" in of or "/srv/dicom-assets:/" in of} == {
        "code",
        "receiver",
    }


def test_only_the_proxy_and_the_receiver_are_reached_from_outside() -> None:
    assert {name for name, service in COMPOSE["services"].items() if "ports" in service} == {"proxy", "receiver"}
    servers = [command for command in commands_of_units() if "--host" in command]
    assert len(servers) == 2
    assert all(command[command.index("--host") + 1] == "127.0.0.1" for command in servers)
    assert [service["command"] for service in SERVICES.values() if "--read-only" in service["command"]]


def test_every_file_that_compose_names_is_there() -> None:
    folder = EXAMPLES / "docker"
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("/srv/dicom-assets") or (folder / source).is_file(), volume
        if build := service.get("build"):
            assert (folder / build["context"]).resolve() == REPOSITORY
            assert (REPOSITORY / build["dockerfile"]).is_file()
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()
    copied = re.findall(r"^COPY (.*) /", (folder / "Dockerfile").read_text(), re.MULTILINE)
    assert all((REPOSITORY / name).exists() for line in copied for name in line.split())


def test_both_ways_to_the_code_location_are_the_ones_that_it_serves() -> None:
    def server(path: Path) -> dict:
        (entry,) = yaml.safe_load(path.read_text())["load_from"]
        return entry["grpc_server"]

    code = next(command for command in commands_of_units() if "code-server" in command)
    assert server(EXAMPLES / "workspace.yaml")["socket"] == code[code.index("--socket") + 1]
    code, at = SERVICES["code"]["command"], server(EXAMPLES / "docker" / "workspace.yaml")
    assert (at["host"], str(at["port"])) == ("code", code[code.index("--port") + 1])


def test_with_postgresql_all_else_is_as_without() -> None:
    settings = yaml.safe_load((EXAMPLES / "dagster.postgres.yaml").read_text())
    assert settings.pop("storage")
    assert settings == yaml.safe_load((REPOSITORY / "dagster_home" / "dagster.yaml").read_text())


@pytest.mark.skipif(not find_program("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "systemd", tmp_path, dirs_exist_ok=True)
    units = sorted(tmp_path.glob("*.service"))
    for unit in units:
        unit.write_text(unit.read_text().replace("/opt/dicom-assets/.venv/bin", str(PROGRAMS)))

    def verified() -> subprocess.CompletedProcess:
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *units],
            env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = verified()
    assert (done.returncode, done.stderr) == (0, "")
    common = tmp_path / "dicom-assets-.service.d" / "10-common.conf"
    common.write_text(common.read_text().replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in verified().stderr  # it is looked at


class _Server(BaseHTTPRequestHandler):
    """Says its name, the path, and what of a login and a websocket reaches it."""

    def do_GET(self) -> None:
        of = (self.server.name, self.path, self.headers["Authorization"], self.headers["Upgrade"])
        body = " ".join(map(str, of)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def server(name: str) -> Iterator[int]:
    """Its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        running.name = name
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


class Proxy:
    """nginx with the example's configuration, before two small servers."""

    def __init__(self, folder: Path, readonly: int, operator: int) -> None:
        self.port = free_port()
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(folder / "certificate.pem", append=True)
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)
        (folder / "readers").write_text("reader:{PLAIN}look\noperator:{PLAIN}act\n")
        (folder / "operators").write_text("operator:{PLAIN}act\n")
        changed = {
            "/etc/nginx/dicom-assets": str(folder),
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "127.0.0.1:3000": f"127.0.0.1:{readonly}",
            "127.0.0.1:3001": f"127.0.0.1:{operator}",
        }
        http = ["access_log off;", *(f"{name}_temp_path {folder / name};" for name in _TEMPORARY)]
        for name in ("upstreams.conf", "dicom-assets.conf"):
            text = (EXAMPLES / "nginx" / name).read_text()
            for old, new in changed.items():
                text = text.replace(old, new)
            http.append(text)
        main = [f"daemon off; pid {folder}/pid; error_log {folder}/error.log;", "events {}", "http {", *http, "}"]
        if os.geteuid() == 0:
            main.insert(0, "user root;")  # of its workers, who have to read below a folder of ours
        (folder / "nginx.conf").write_text("\n".join(main) + "\n")
        command = [find_program("nginx"), "-e", folder / "error.log", "-c", folder / "nginx.conf"]
        self._process = subprocess.Popen(command)

    def ask(self, path: str, login: str = "", **headers: str) -> tuple[int, str]:
        if login:
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        connection = http.client.HTTPSConnection("localhost", self.port, context=self._context, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        assert self._process.poll() is None
        try:
            return self.ask("/")[0] == 401
        except OSError:
            return False

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)


_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    with server("webserver") as readonly, server("operator") as operator:
        running = Proxy(folder, readonly, operator)
        try:
            wait_for(running.answers, 60)
            yield running
        finally:
            running.close()


@pytest.mark.skipif(not find_program("nginx"), reason="nginx is not installed")
def test_the_proxy_lets_in_whom_it_should(proxy: Proxy) -> None:
    for path in ("/", "/graphql", "/server_info", "/operator/", "/operator/graphql"):
        assert proxy.ask(path)[0] == proxy.ask(path, "reader:wrong")[0] == 401
    assert proxy.ask("/graphql", "reader:look") == (200, "webserver /graphql None None")
    assert (
        proxy.ask("/operator/graphql", "reader:look")[0] == proxy.ask("/OPERATOR/../operator/", "reader:look")[0] == 401
    )
    assert proxy.ask("/operator/graphql", "operator:act") == (200, "operator /operator/graphql None None")
    websocket = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert proxy.ask("/graphql", "reader:look", **websocket) == (200, "webserver /graphql None websocket")
    own = f"https://localhost:{proxy.port}"
    assert proxy.ask("/operator/graphql", "operator:act", Origin=own)[0] == 200
    for origin in ("https://example.org", f"{own}.example.org", f"http://localhost:{proxy.port}", "null"):
        assert proxy.ask("/operator/graphql", "operator:act", Origin=origin, **websocket)[0] == 403
