"""Several batches at once: one retrieves while another is worked on, and the archive never sees two of us."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.defs.lanes import AGAIN_LATER
from dicom_assets.demo.archive import LOOPBACK, EmbeddedArchive
from dicom_assets.demo.corpus import ABSENT_STUDY_INSTANCE_UID, Corpus
from tests.support.ports import free_port
from tests.support.site import Site
from tests.support.waiting import wait_for

_GUARD = 120  #: seconds


@pytest.fixture
def site(site: Site) -> Site:
    site.keep_back_text()
    return site


class CountedConnections:
    """A TCP relay before an archive. most: connections at a time, so far; total: of all time. passes: while it is clear
    the archive hears nothing of a connection that is new."""

    def __init__(self, port: int) -> None:
        self.most = self.total = 0
        self._target = port
        self.passes = threading.Event()
        self.passes.set()
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                # a client that hung up did so before this one came, whenever its thread takes note of it
                self._clients = [one for one in self._clients if not _has_hung_up(one)] + [client]
                self.most = max(self.most, len(self._clients))
                self.total += 1
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        self.passes.wait(_GUARD)
        with client, socket.create_connection((LOOPBACK, self._target)) as archive:
            back = threading.Thread(target=_copy, args=(archive, client), daemon=True)
            back.start()
            _copy(client, archive)
            back.join()


def _has_hung_up(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def counted(archive: EmbeddedArchive) -> Iterator[CountedConnections]:
    relay = CountedConnections(archive.port)
    yield relay
    relay.close()


def test_one_batch_retrieves_while_another_is_worked_on(
    site: Site, corpus: Corpus, counted: CountedConnections
) -> None:
    site.use(counted.port, "DEMO_ARCHIVE", DICOM_PACS_RETRIEVE="get", DICOM_PACS_ACSE_SECONDS=str(_GUARD))
    studies = [study.study_instance_uid for study in corpus.studies if study.modalities in (("MR",), ("CT",), ("CR",))]
    first, second = site.plan([[uid] for uid in studies[1:4]]), site.plan([studies[:1]])
    counted.most = 0
    before = counted.total
    counted.passes.clear()
    running = [_start(site, first)]
    wait_for(lambda: counted.total > before, _GUARD)
    running.append(_start(site, second))
    wait_for(lambda: "waiting for the archive: another batch retrieves" in _said(site, second), _GUARD)
    counted.passes.set()
    assert [process.wait(timeout=_GUARD) for process in running] == [0, 0]
    assert counted.most == 1
    assert _when(site.zones.resolved_studies(second)) < _when(site.zones.report(first, "json"))


def _start(site: Site, batch: str) -> subprocess.Popen:
    """`dicom-assets run`; what it says is kept in a file."""
    with (site.folder / f"{batch}.txt").open("wb") as said:
        command = site.command("run", batch)
        return subprocess.Popen(command, cwd=site.folder, env=site.environment, stdout=subprocess.DEVNULL, stderr=said)


def _said(site: Site, batch: str) -> str:
    return (site.folder / f"{batch}.txt").read_text()


def _when(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_outside_the_archives_hours_a_batch_waits_and_an_urgent_one_does_not(
    site: Site, corpus: Corpus, counted: CountedConnections
) -> None:
    study = next(study for study in corpus.studies if study.modalities == ("MR",))
    site.use(counted.port, "DEMO_ARCHIVE")
    batch = site.plan([[study.study_instance_uid]])
    site.variables["DICOM_PACS_HOURS"] = f"{date.today() + timedelta(days=3):%a} 12:00-13:00"
    before = counted.total
    process = _start(site, batch)
    try:
        wait_for(lambda: "waiting for the archive's hours: they begin" in _said(site, batch), _GUARD)
    finally:
        process.kill()
        process.wait()
    assert counted.total == before
    done = site.run("run", batch, "--urgent")
    assert done.returncode == 0, done.stderr
    assert [row["state"] for row in site.ledger(batch)] == ["done"]


def test_what_the_archive_that_is_down_may_hold_is_remembered_for_later(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    """The second archive is enough to start with. What it has is complete once the first has answered, too."""
    study = next(study for study in corpus.studies if study.modalities == ("MR",))
    batch = site.plan([[study.study_instance_uid], [ABSENT_STUDY_INSTANCE_UID]])
    second = {"HOST": LOOPBACK, "PORT": str(archive.port), "AE_TITLE": "DEMO_ARCHIVE"}
    site.use(free_port(), "GONE", **{f"DICOM_PACS_2_{name}": value for name, value in second.items()})
    done = site.run("run", batch)
    assert done.returncode == 3, done.stderr
    rows = site.ledger(batch)
    assert [row["reason"] for row in rows] == ["PACS_PORT_CLOSED"] * 2
    assert sorted(row["received"] for row in rows) == [0, len(study.instances)]
    with dg.DagsterInstance.from_config(str(site.dagster_home)) as instance:
        (run,) = instance.get_runs()
    assert run.tags[AGAIN_LATER] == "PACS_PORT_CLOSED"
