"""A real Orthanc on free loopback ports, its storage in a folder of the test."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, build_context

from dicom_assets.demo.associations import MENDED

from .ports import free_port
from .programs import find_program

AE_TITLE = "ORTHANC"
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_CONFIGURATION = "orthanc.json"
_START_SECONDS = 30


@dataclass
class Orthanc:
    """folder: its configuration, storage and log. Ports are on 127.0.0.1. receiver_port: where it sends what is moved
    to the AE title DICOM_ASSETS."""

    folder: Path
    dicom_port: int
    http_port: int
    receiver_port: int
    ae_title: str = AE_TITLE
    process: subprocess.Popen | None = field(default=None, repr=False)

    def start(self) -> None:
        """With what it stored before, on the same ports; returns once it answers."""
        command = [find_program("Orthanc") or "Orthanc", str(self.folder / _CONFIGURATION)]
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        _wait_for(self)

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

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
            association = AE("STORER").associate(
                "127.0.0.1", self.dicom_port, contexts, ae_title=self.ae_title, evt_handlers=[MENDED]
            )
            assert association.is_established
            for path, header in zip(files, headers, strict=True):
                if (header.file_meta.MediaStorageSOPClassUID, header.file_meta.TransferSyntaxUID) in part:
                    assert association.send_c_store(path).Status == 0x0000
            association.release()

    def upload(self, paths: Iterable[Path]) -> None:
        """These files by its REST API, as they are: several times faster than store()."""
        for path in paths:
            request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/instances", Path(path).read_bytes())
            urllib.request.urlopen(request, timeout=10).close()

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


@contextlib.contextmanager
def running_orthanc(folder: Path, more: Mapping[str, object] | None = None) -> Iterator[Orthanc]:
    """folder: an empty one for its storage and log. more: further keys of its configuration.

    It knows the AE titles DICOM_ASSETS (with a receiver at receiver_port) and NO_RECEIVER (where nothing listens).
    """
    orthanc = Orthanc(folder, free_port(), free_port(), free_port())
    (folder / _CONFIGURATION).write_text(json.dumps({**_configuration(orthanc), **(more or {})}))
    try:
        orthanc.start()
        yield orthanc
    finally:
        # Nothing in its storage is needed afterwards, and an orderly end takes three seconds.
        orthanc.kill()


def _configuration(orthanc: Orthanc) -> dict[str, object]:
    return {
        "Name": "test",
        "StorageDirectory": str(orthanc.folder / "storage"),
        "IndexDirectory": str(orthanc.folder / "storage"),
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


def _wait_for(orthanc: Orthanc) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert orthanc.process.poll() is None, "Orthanc ended; see orthanc.log in its folder"
        with contextlib.suppress(OSError, urllib.error.URLError):
            orthanc.rest("system")
            with socket.create_connection(("127.0.0.1", orthanc.dicom_port), timeout=1):
                return
        time.sleep(0.1)
    raise AssertionError("Orthanc did not answer in time")
