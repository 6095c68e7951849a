"""Sites that are killed: with one key, arrivals that are put there, processes that end with all of their children."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from dicom_assets.deid.pseudonyms import KEY_BYTES, PseudonymKey
from dicom_assets.storage.incoming import Incoming
from dicom_assets.storage.instance_header import LONGEST_META, length_of_meta
from tests.support.site import REPOSITORY, Site
from tests.support.waiting import wait_for
from tests.torture.support_studies import Pushed

#: A guard against hanging
_SECONDS = 600

KEY = PseudonymKey(bytes(range(KEY_BYTES)))


def new_site(folder: Path, **variables: str) -> Site:
    """Its pseudonym key is KEY, so that sites can be compared. Text is kept back, not blanked: that is quicker."""
    (folder / "keys").mkdir(parents=True, mode=0o700)
    key = folder / "keys" / "pseudonym.key"
    key.write_bytes(KEY.secret)
    key.chmod(0o600)
    site = Site(folder)
    site.keep_back_text()
    site.variables |= variables
    return site


def put(site: Site, instances: Iterable[Pushed]) -> None:
    """As if they had been pushed."""
    with Incoming(site.zones.incoming, KEY.study_key, KEY.file_name, 0).opened() as incoming:
        for one in instances:
            content = one.path.read_bytes()
            arriving = incoming.begin(MRImageStorage, one.sop_instance_uid, ExplicitVRLittleEndian)
            arriving.write(content[length_of_meta(content[:LONGEST_META]) :])
            arriving.keep()


def start(site: Site, *command: str, **options: object) -> subprocess.Popen:
    """In a process group of its own; options as subprocess.Popen's."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": site.folder}
    return subprocess.Popen(command, env=site.environment, start_new_session=True, **silent | options)


def kill(process: subprocess.Popen) -> None:
    """kill -9, its children too."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def release_undisturbed(folder: Path, instances: Iterable[Pushed]) -> Path:
    """The released root of a new site, where a worker has done it all at once; of two contents the first one."""
    site = new_site(folder)
    put(site, (one for one in instances if not one.content))
    assert start_worker(site).wait(_SECONDS) == 0
    return site.zones.released


def start_worker(site: Site) -> subprocess.Popen:
    """support_worker.py, after its imports."""
    command = (sys.executable, "-m", "tests.torture.support_worker")
    process = start(site, *command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    with process.stdout:
        assert process.stdout.readline() == "begins\n"
    return process


@contextmanager
def receiving(site: Site, port: int) -> Iterator[subprocess.Popen]:
    """`dicom-assets receive`, which listens; it has to end in order unless it was killed."""
    process = start(site, *site.command("receive", "--port", port))
    try:
        wait_for(lambda: process.poll() is not None or _listens(port), _SECONDS)
        assert process.poll() is None, "it did not start"
        yield process
        process.terminate()
        assert process.wait(_SECONDS) in (0, -signal.SIGKILL)
    finally:
        if process.poll() is None:
            kill(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
