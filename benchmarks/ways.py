"""The ways in which whole studies are retrieved: ours, dcmtk's, and a plain download."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.orthanc import AE_TITLE, CALLING_AE_TITLE, Orthanc, program
from benchmarks.peers import HERE, OURS
from benchmarks.run import clear, ended_process

METHODS = {"get": "C-GET", "move": "C-MOVE", "dicomweb": "WADO-RS"}

# dcmtk's programs with the options that are best for them: data sets go to disk as they are, in the largest PDUs.
_DCMTK_OPTIONS = "+B -pdu 131072"
_DCMTK = "-aet $CALLING -aec $CALLED -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$study 127.0.0.1 $DICOM_PORT"
_GETSCU = f"for study; do $GETSCU -S {_DCMTK_OPTIONS} -od $OUTPUT {_DCMTK}; done"
_MOVESCU = f"for study; do $MOVESCU -S -aem $CALLING {_DCMTK}; done"
_CURL = (
    "for study; do $CURL -sSf -o $OUTPUT/$study "
    "-H 'Accept: multipart/related; type=\"application/dicom\"; transfer-syntax=*' $DICOMWEB/studies/$study; done"
)


@dataclass(frozen=True)
class Way:
    """method: as in DICOM_PACS_RETRIEVE. program: that does it, "" for ours. script: for sh, with the studies as its
    arguments; for ours the first argument of fetch.py. receiver: a storescp has to listen."""

    name: str
    method: str
    script: str
    program: str = ""
    receiver: bool = False

    @property
    def is_ours(self) -> bool:
        return not self.program

    def is_installed(self) -> bool:
        return self.is_ours or program(self.program) is not None

    def arguments(self, what: Sequence[str]) -> list[str]:
        """what: studies; batches for `proved`."""
        if self.is_ours:
            return [sys.executable, str(HERE / "fetch.py"), self.script, *what]
        return ["sh", "-ec", self.script, "sh", *what]

    def has_all(self, output: Path, instances: int, studies: int) -> bool:
        """Whether so many came. A plain download is one file a study."""
        if self.is_ours:
            return sum(path.is_file() for path in output.rglob("*.dcm")) == instances
        return len(list(output.iterdir())) == (studies if self.method == "dicomweb" else instances)


OURS_BY_GET = Way(f"{OURS}, C-GET", "get", "instances")
PROVED = Way(f"{OURS}, C-GET, proved complete", "get", "proved")
MOVESCU = Way("movescu, storescp", "move", _MOVESCU, "movescu", receiver=True)
WAYS = (
    Way(f"{OURS}, C-GET, bytes alone", "get", "bytes"),
    Way(f"{OURS}, C-MOVE, bytes alone", "move", "bytes"),
    Way(f"{OURS}, WADO-RS, bytes alone", "dicomweb", "bytes"),
    OURS_BY_GET,
    PROVED,
    Way(f"{OURS}, C-MOVE", "move", "instances"),
    Way(f"{OURS}, WADO-RS", "dicomweb", "instances"),
    Way("getscu", "get", _GETSCU, "getscu"),
    MOVESCU,
    Way("curl", "dicomweb", _CURL, "curl"),
)


@dataclass(frozen=True)
class Place:
    """Where a way works: the archive, a scratch folder, and an environment that tells of both. more: what else is in
    the environment, as in the archive's own."""

    orthanc: Orthanc
    scratch: Path
    more: dict[str, str]

    @property
    def output(self) -> Path:
        return self.scratch / "output"

    def emptied(self) -> None:
        clear(self.output)
        self.output.mkdir()

    def environment(self, method: str = "auto") -> dict[str, str]:
        """Ours reads DICOM_...; the scripts of the others read the rest."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DICOM_", "DAGSTER_"))}
        programs = {name.upper(): program(name) or "" for name in ("getscu", "movescu", "storescp", "curl")}
        return {
            **inherited,
            **self.more,
            **programs,
            "OUTPUT": str(self.output),
            "CALLING": CALLING_AE_TITLE,
            "CALLED": AE_TITLE,
            "DICOM_PORT": str(self.orthanc.dicom_port),
            "DICOMWEB": self.orthanc.dicomweb_url.rstrip("/"),
            "DICOM_PACS_HOST": "127.0.0.1",
            "DICOM_PACS_PORT": str(self.orthanc.dicom_port),
            "DICOM_PACS_AE_TITLE": AE_TITLE,
            "DICOM_CALLING_AE_TITLE": CALLING_AE_TITLE,
            "DICOM_PACS_RETRIEVE": method,
            "DICOM_PACS_DICOMWEB_URL": self.orthanc.dicomweb_url,
            "DICOM_RECEIVER_PORT": str(self.orthanc.receiver_port),
            "DICOM_RESTRICTED_ROOT": str(self.output / "restricted"),
            "DICOM_RELEASED_ROOT": str(self.output / "released"),
            "DICOM_PSEUDONYM_KEY_FILE": str(self.scratch / "pseudonym.key"),
            "DICOM_MAPPING_KEY_FILE": str(self.scratch / "mapping.key"),
            "DICOM_PROFILE": str(HERE / "unexamined-basic.toml"),
            "DAGSTER_HOME": str(self.scratch / "dagster"),
        }

    @contextlib.contextmanager
    def receiver(self) -> Iterator[list[float]]:
        """A storescp that listens where the archive sends to; after the block the list has its peak megabytes."""
        environment, port = self.environment(), self.orthanc.receiver_port
        command = [environment["STORESCP"], *_DCMTK_OPTIONS.split(), "-od", str(self.output), str(port)]
        with (self.scratch / "storescp log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_until_it_listens(port)
            yield (peaks := [])
        finally:
            process.terminate()
            _, usage = ended_process(process)
        peaks.append(usage.ru_maxrss / 1000)


def _wait_until_it_listens(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise SystemExit("storescp does not start")
