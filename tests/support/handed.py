"""Files as people hand them over: small instances, ZIPs, and a medium with its DICOMDIR."""

import shutil
import subprocess
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pydicom.data import get_testdata_file

from dicom_assets.storage.instance_header import file_meta
from tests.storage.arriving import CT, LITTLE_ENDIAN, STUDY, data_set

#: A medium of 31 images of six studies; pydicom brings it
MEDIUM = Path(get_testdata_file("CT_small.dcm")).parent / "dicomdirtests"
MEDIUM_FOLDERS = ("77654033", "98892001", "98892003")
IMAGES, STUDIES = 31, 6


def part10(uid: str, study: str = STUDY, more: bytes = b"") -> bytes:
    return file_meta(CT, uid, LITTLE_ENDIAN) + data_set(uid, study, more=more)


def make_zip(path: Path, entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def medium_entries() -> dict[str, bytes]:
    """Name on the medium -> content."""
    files = [path for folder in MEDIUM_FOLDERS for path in (MEDIUM / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(MEDIUM)): path.read_bytes() for path in (MEDIUM / "DICOMDIR", *files)}


def copy_medium(folder: Path) -> list[Path]:
    """Its image files, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MEDIUM / "DICOMDIR", folder)
    for name in MEDIUM_FOLDERS:
        shutil.copytree(MEDIUM / name, folder / name)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "DICOMDIR")


def kill_when_there_are(process: subprocess.Popen, incoming: Path, instances: int, seconds: float = 60) -> None:
    """SIGKILL in the middle: when so many instances have come to incoming, or the process has ended."""
    deadline = time.monotonic() + seconds
    while sum(1 for _ in incoming.glob("s*/*.dcm")) < instances and process.poll() is None:
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.001)
    process.kill()
    process.wait()
