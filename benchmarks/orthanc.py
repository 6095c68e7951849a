"""A real archive to retrieve from: Orthanc on free loopback ports, its storage in a folder of the benchmark.

Only the standard library, as in run.py.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

AE_TITLE = "ORTHANC"
CALLING_AE_TITLE = "DICOM_ASSETS"
_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_SECONDS = 60


@dataclass(frozen=True)
class Orthanc:
    """Ports are on 127.0.0.1. receiver_port: where it sends what is moved to CALLING_AE_TITLE."""

    dicom_port: int
    http_port: int
    receiver_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/"

    @property
    def dicomweb_url(self) -> str:
        return f"{self.url}dicom-web/"

    def ask(self, path: str) -> object:
        """The JSON of GET url/path."""
        with urllib.request.urlopen(self.url + path, timeout=_START_SECONDS) as response:
            return json.load(response)

    def studies(self) -> list[str]:
        """StudyInstanceUIDs, sorted."""
        return sorted(study["MainDicomTags"]["StudyInstanceUID"] for study in self.ask("studies?expand"))


def program(name: str) -> str | None:
    """Its path; programs of the virtual environment are left out, since pynetdicom's have dcmtk's names."""
    found = shutil.which(name)
    if found is None or Path(found).parent == Path(sys.prefix) / "bin":
        found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
    return found


@contextlib.contextmanager
def running_orthanc(folder: Path, environment: Mapping[str, str]) -> Iterator[Orthanc]:
    """folder: of its configuration, storage and log; what an earlier one stored there, it has."""
    folder.mkdir(exist_ok=True)
    orthanc = Orthanc(*_free_ports(3))
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(orthanc, folder)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("Orthanc"), str(configuration)], stdout=log, stderr=log, env=dict(environment)
        )
    try:
        _wait_for(orthanc, process)
        yield orthanc
    finally:
        process.terminate()
        process.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_together:
        servers = [open_together.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _configuration(orthanc: Orthanc, folder: Path) -> dict[str, object]:
    """Its defaults but for names, ports and places."""
    return {
        "Name": "benchmark",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(_DICOMWEB)] if _DICOMWEB.exists() else [],
        "HttpPort": orthanc.http_port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": orthanc.dicom_port,
        "DicomAet": AE_TITLE,
        "DicomModalities": {"benchmark": [CALLING_AE_TITLE, "127.0.0.1", orthanc.receiver_port]},
        "SaveJobs": False,
    }


def _wait_for(orthanc: Orthanc, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            orthanc.ask("system")
            with socket.create_connection(("127.0.0.1", orthanc.dicom_port), timeout=1):
                return
        time.sleep(0.1)
    raise SystemExit("Orthanc does not start")
