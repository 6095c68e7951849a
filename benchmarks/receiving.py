"""What is pushed: storescu to `dicom-assets receive` and to dcmtk's storescp, in turn, one sender and four at once.

Time runs from the start of the senders to the end of the last; the receivers listen before. On a disk storescp, which
leaves its files in the page cache, is followed by an fsync of each, as ours is durable when it answers.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.orthanc import program
from benchmarks.peers import first_line
from benchmarks.report import rate, spread, table
from benchmarks.run import Sample, Series, clear, module, together, warm

CORPORA = ("ct", "small")
QUICK = {"ct": "ct=200", "small": "small=500"}
SENDERS = (1, 4)
WITHOUT_NAGLE = {"TCP_NODELAY": "1"}
COLUMNS = ("receiver", "senders", "files/s", "MB/s", "seconds (min to max)", "x storescp", "x storescp +B")
#: Seconds until a receiver has to listen
_START = 60


@dataclass(frozen=True)
class Pass:
    """is_durable: files are on the disk at the end. is_once: one round on `ct` only."""

    title: str
    environment: Mapping[str, str]
    is_durable: bool = False
    is_once: bool = False


PASSES = (
    Pass("in memory, without Nagle's algorithm (TCP_NODELAY=1 for dcmtk)", WITHOUT_NAGLE),
    Pass("in memory, dcmtk as it comes, one round", {}, is_once=True),
    Pass("on disk, durable, without Nagle's algorithm", WITHOUT_NAGLE, is_durable=True),
)


class Ours:
    name = "dicom-assets receive"

    def command(self, port: int, _folder: Path, _senders: int) -> list[str]:
        return [sys.executable, "-m", "dicom_assets.cli", "receive", "--port", str(port)]

    def received(self, folder: Path) -> list[Path]:
        return list((folder / "restricted" / "incoming").glob("[!.]*/*.dcm"))

    def make_durable(self, _folder: Path) -> None:
        """It is."""


class Storescp:
    """As it comes, or with the options that are best for it: data sets go to disk as they are, in the largest PDUs."""

    def __init__(self, name: str, *options: str) -> None:
        self.name, self._options = name, options

    def command(self, port: int, folder: Path, senders: int) -> list[str]:
        forks = ["--fork"] if senders > 1 else []
        return [program("storescp"), *forks, *self._options, "-od", str(folder), str(port)]

    def received(self, folder: Path) -> list[Path]:
        return [path for path in folder.iterdir() if path.is_file()]

    def make_durable(self, folder: Path) -> None:
        for path in (*self.received(folder), folder):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)


OURS = Ours()
PEERS = (Storescp("storescp"), Storescp("storescp +B", "+B", "-pdu", "131072"))
RECEIVERS = (*PEERS, OURS)


def measure(options: Namespace, scratch: Path, corpora: Path) -> dict:
    """Print the tables. -> pass -> corpus -> row -> its runs"""
    if not program("storescp") or not program("storescu"):
        print("left out: receiving; dcmtk is not installed")
        return {}
    print(f"\n- {first_line(program('storescp'), '--version')}")
    measured = {}
    for one in PASSES:
        print(f"\n# Receiving, {one.title}")
        measured[one.title] = {}
        rounds = 1 if options.quick or one.is_once else options.rounds or 5
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir="/var/tmp" if one.is_durable else scratch) as folder:
            for name in CORPORA[:1] if one.is_once else CORPORA:
                if name in options.corpora:
                    corpus = corpora / name
                    if not corpus.is_dir():
                        module("gen_corpus", corpora, QUICK[name] if options.quick else name)
                    measured[one.title][name] = _corpus(one, name, corpus, rounds, Path(folder))
    return measured


def _corpus(one: Pass, name: str, corpus: Path, rounds: int, folder: Path) -> dict:
    files = sorted(corpus.rglob("*.dcm"))
    size = sum(path.stat().st_size for path in files)
    series = {(receiver, senders): Series() for senders in SENDERS for receiver in RECEIVERS}
    for _ in range(rounds):
        warm(corpus)
        for (receiver, senders), runs in series.items():
            sample, count = _once(one, receiver, senders, files, folder / "received")
            runs.on_corpus.append(sample)
            runs.failure = runs.failure or ("" if count == len(files) else f"{count} of {len(files)} files")
    print(f"\n## {name}: {len(files)} files, {size / 1e6:.0f} MB\n")
    print(_table(series, len(files), size), flush=True)
    return {f"{receiver.name}, {senders}": asdict(runs) for (receiver, senders), runs in series.items()}


def _once(one: Pass, receiver: Ours | Storescp, senders: int, files: list[Path], folder: Path) -> tuple[Sample, int]:
    """What it took, and how many files came."""
    clear(folder)
    folder.mkdir()
    with _listening(one, receiver, senders, folder) as port:
        send = [program("storescu"), "127.0.0.1", str(port)]
        commands = [[*send, *map(str, files[start::senders])] for start in range(senders)]
        sample, _ = together(commands, folder.parent / "log", os.environ | one.environment)
        begun = time.perf_counter()
        if one.is_durable:
            receiver.make_durable(folder)
        sample = replace(sample, wall=sample.wall + time.perf_counter() - begun)
    return sample, len(receiver.received(folder))


@contextmanager
def _listening(one: Pass, receiver: Ours | Storescp, senders: int, folder: Path) -> Iterator[int]:
    """The port of the receiver; the first connection only knocks."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ours = {
        "DICOM_RESTRICTED_ROOT": str(folder / "restricted"),
        "DICOM_RELEASED_ROOT": str(folder / "released"),
        "DICOM_PSEUDONYM_KEY_FILE": str(folder / "keys" / "pseudonym.key"),
        "DICOM_MAPPING_KEY_FILE": str(folder / "keys" / "mapping.key"),
    }
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        receiver.command(port, folder, senders), env=os.environ | one.environment | ours, cwd=folder, **silent
    )
    try:
        until = time.monotonic() + _START
        while not _knock(port):
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(f"{receiver.name} does not listen")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _knock(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _table(series: dict[tuple[Ours | Storescp, int], Series], files: int, size: int) -> str:
    rows = []
    for (receiver, senders), runs in series.items():
        if runs.failure:
            rows.append([receiver.name, str(senders), f"failed: {runs.failure}", *[""] * (len(COLUMNS) - 3)])
            continue
        peers = [series[peer, senders] for peer in PEERS] if receiver is OURS else []
        ratios = ["" if peer.failure else f"{peer.wall / runs.wall:.2f}" for peer in peers] or [""] * len(PEERS)
        figures = [rate(files / runs.wall), rate(size / 1e6 / runs.wall), spread(runs)]
        rows.append([receiver.name, str(senders), *figures, *ratios])
    return table(COLUMNS, rows)
