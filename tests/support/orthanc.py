"""A real Orthanc on free loopback ports, its storage in a folder of the test."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, build_context

from .programs import find_program

AE_TITLE = "ORTHANC"
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_SECONDS = 30


@dataclass(frozen=True)
class Orthanc:
    """Ports are on 127.0.0.1. receiver_port: where it sends what is moved to the AE title DICOM_ASSETS."""

    dicom_port: int
    http_port: int
    receiver_port: int
    ae_title: str = AE_TITLE

    @property
    def dicomweb_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web/"

    def store(self, paths: Iterable[Path]) -> None:
        """C-STORE of these files, each in its own transfer syntax."""
        files = [Path(path) for path in paths]
        headers = [dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True) for path in files]
        pairs = sorted({(h.file_meta.MediaStorageSOPClassUID, h.file_meta.TransferSyntaxUID) for h in headers})
        for start in range(0, len(pairs), 128):
            part = pairs[start : start + 128]
            contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in part]
            association = AE("STORER").associate("127.0.0.1", self.dicom_port, contexts, ae_title=self.ae_title)
            assert association.is_established
            for path, header in zip(files, headers, strict=True):
                if (header.file_meta.MediaStorageSOPClassUID, header.file_meta.TransferSyntaxUID) in part:
                    assert association.send_c_store(path).Status == 0x0000
            association.release()

    def rest(self, path: str) -> bytes:
        """Body of GET http://.../path."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/{path}", timeout=10) as response:
            return response.read()

    def files(self) -> dict[str, bytes]:
        """SOPInstanceUID -> the whole Part 10 file as Orthanc holds it."""
        held = {}
        for orthanc_id in json.loads(self.rest("instances")):
            tags = json.loads(self.rest(f"instances/{orthanc_id}/simplified-tags"))
            held[tags["SOPInstanceUID"].rstrip("\0 ")] = self.rest(f"instances/{orthanc_id}/file")
        return held

    def delete_instance(self, sop_instance_uid: str) -> None:
        for orthanc_id in json.loads(self.rest("instances")):
            tags = json.loads(self.rest(f"instances/{orthanc_id}/simplified-tags"))
            if tags["SOPInstanceUID"].rstrip("\0 ") == sop_instance_uid:
                url = f"http://127.0.0.1:{self.http_port}/instances/{orthanc_id}"
                urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def running_orthanc(folder: Path, more: Mapping[str, object] | None = None) -> Iterator[Orthanc]:
    """folder: an empty one for its storage and log. more: further keys of its configuration.

    It knows the AE titles DICOM_ASSETS (with a receiver at receiver_port) and NO_RECEIVER (where nothing listens).
    """
    orthanc = Orthanc(free_port(), free_port(), free_port())
    config = folder / "orthanc.json"
    config.write_text(json.dumps({**_configuration(orthanc, folder), **(more or {})}))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([find_program("Orthanc") or "Orthanc", str(config)], stdout=log, stderr=log)
        try:
            _wait_for(orthanc, process)
            yield orthanc
        finally:
            # Nothing in its storage is needed afterwards, and an orderly end takes three seconds.
            process.kill()
            process.wait()


def _configuration(orthanc: Orthanc, folder: Path) -> dict[str, object]:
    return {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(_PLUGIN)] if _PLUGIN.exists() else [],
        "HttpPort": orthanc.http_port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": orthanc.dicom_port,
        "DicomAet": orthanc.ae_title,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {
            "ours": ["DICOM_ASSETS", "127.0.0.1", orthanc.receiver_port],
            "nobody": ["NO_RECEIVER", "127.0.0.1", 1],
        },
        "SaveJobs": False,
        "OverwriteInstances": True,
    }


def _wait_for(orthanc: Orthanc, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "Orthanc ended; see orthanc.log in its folder"
        with contextlib.suppress(OSError, urllib.error.URLError):
            orthanc.rest("system")
            with socket.create_connection(("127.0.0.1", orthanc.dicom_port), timeout=1):
                return
        time.sleep(0.1)
    raise AssertionError("Orthanc did not answer in time")
