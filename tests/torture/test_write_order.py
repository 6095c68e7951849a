"""Every file's way to disk, by strace: written, synced, named, its folder synced; only then is it acknowledged, told of
in a record, or its source deleted. What is looked at are the calls of real programs, not the files that they leave.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

import pytest

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from dicom_assets.storage.mapping import mapped_batches, read_part
from tests.support.durability import UNLINKS, Disk
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.site import REPOSITORY, Site
from tests.support.strace import Call, Recording, needs_strace
from tests.support.waiting import wait_for
from tests.torture.support_order import (
    acknowledgements,
    check_order,
    deleted_after,
    gone_for_good,
    named_after,
    tells_of,
    told_before,
)
from tests.torture.support_pushing import push
from tests.torture.support_sites import KEY, kill, new_site, put, start
from tests.torture.support_studies import make_conflict, make_study

pytestmark = needs_strace()

#: The five assets of a batch without Dagster, which takes its time
STAGES = """
import sys
from dicom_assets.settings import Settings
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import job_of
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
job = job_of(Settings.from_env())
for stage in (resolve_studies, retrieve_studies, deidentify_studies, map_batch, validate_and_release):
    stage(job, sys.argv[1])
"""
#: All that is over
RETENTION = """
import time
from dicom_assets.settings import RetentionSettings, Settings
from dicom_assets.workflow.job import zones_of
from dicom_assets.workflow.retire import retire_batches
retire_batches(zones_of(Settings.from_env()), RetentionSettings(days=1, free=0), time.time() + 2 * 86400)
"""
#: `receive`, which waits for no more than a moment before it looks into a watched file
RECEIVE_HASTILY = """
from dicom_assets import cli
from dicom_assets.workflow import watcher
watcher.QUIET = 0.1
cli.main(["receive"])
"""


def record(site: Site, output: Path, *command: object) -> Recording:
    """The command as a user would run it, recorded to its end."""
    recording = Recording(site.folder, output)
    done = subprocess.run(
        recording.command(command),
        env=site.environment | {"PYTHONPATH": str(REPOSITORY)},
        cwd=site.folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode in (0, 3), done.stderr
    return recording


def files_of(site: Site, pattern: str) -> dict[str, str]:
    """File name -> path, relative to the site's folder."""
    return {path.name: str(path.relative_to(site.folder)) for path in site.folder.glob(pattern)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site")


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("write('r/a')", "made under its final name"),
        ("write('r/.a'); rename('r/.a', 'r/a'); sync('r')", "before its bytes were safe"),
        ("write('r/.a'); sync('r/.a'); rename('r/.a', 'r/a')", "can be lost"),
        ("write('r/.a'); sync('r/.a'); mkdir('r/b'); rename('r/.a', 'r/b/a'); sync('r/b')", "can be lost"),
        (
            "write('r/.a'); sync('r/.a'); rename('r/.a', 'r/a'); sync('r'); write('r/a')",
            "written to under its final name",
        ),
        ("write('r/.a'); sync('r/.a'); rename('r/.a', 'r/a'); sync('r')", ""),
    ],
)
def test_a_wrong_order_is_seen(tmp_path: Path, steps: str, problem: str) -> None:
    (tmp_path / "r").mkdir()
    steps = f"""
from os import *
def write(path): fd = open(path, O_WRONLY | O_CREAT); __import__('os').write(fd, b'x'); close(fd)
def sync(path): fd = open(path, O_RDONLY); fsync(fd); close(fd)
{steps}
"""
    recording = Recording(tmp_path, tmp_path / "strace")
    subprocess.run(recording.command([sys.executable, "-ISc", steps]), cwd=tmp_path, check=True, timeout=120)
    with pytest.raises(AssertionError, match=problem) if problem else nullcontext():
        check_order(recording)


@contextmanager
def receiving(recording: Recording, site: Site, *command: str) -> Iterator[int]:
    """The command, which receives, recorded while it listens; ended in order. Its port."""
    site.variables["DICOM_RECEIVER_PORT"] = str(port := free_port())
    receiver = start(site, *recording.command(command))
    try:
        with socket.socket() as probe:
            wait_for(lambda: receiver.poll() is not None or not probe.connect_ex(("127.0.0.1", port)), 120)
        yield port
        os.killpg(receiver.pid, signal.SIGTERM)
        assert receiver.wait(120) == 0
    finally:
        if receiver.poll() is None:
            kill(receiver)


@needs("storescu")
def test_what_is_pushed(tmp_path: Path) -> None:
    """By three senders, two of them with instances in common, one with a duplicate and a conflict."""
    site, pushed = new_site(tmp_path / "site"), tmp_path / "pushed"
    pushed.mkdir()
    study = make_study(pushed, 1, 12)
    senders = [[study[:8], [study[0], make_conflict(study[1])]], [study[4:]], [make_study(pushed, 2, 4)]]
    recording = Recording(site.folder, tmp_path / "strace")
    with receiving(recording, site, *site.command("receive")) as port, ThreadPoolExecutor(len(senders)) as threads:
        assert list(threads.map(lambda parts: [push(port, part) for part in parts], senders)) == senders
    acknowledged = acknowledgements(recording.calls())
    assert Counter(uid for _, uid in acknowledged) == Counter(one.sop_instance_uid for one in chain(*chain(*senders)))
    conflict_acknowledged_at = [at for at, uid in acknowledged if uid == study[1].sop_instance_uid][-1]

    def check(call: Call, disk: Disk) -> Iterator[str]:
        for at, uid in acknowledged:
            if call.begun == at:
                stem = KEY.file_name(uid).removesuffix(".dcm")
                files = [file for file in disk.files() if re.fullmatch(rf"restricted/incoming/[^./]+/{stem}.*", file)]
                contents = 2 if at == conflict_acknowledged_at else 1
                if sum(map(disk.is_safe, files)) < contents:
                    yield f"{', '.join(files)}: acknowledged before {contents} of them were safe"

    check_order(recording, check)


def test_the_stages_of_a_batch_from_an_archive(site: Site, corpus: Corpus, tmp_path: Path) -> None:
    """Twice: the second time by a profile under which some of what was released is quarantined, and so taken back."""
    releases_all = site.folder / "all.toml"
    releases_all.write_text('base = "basic"\npixels = "unexamined"\n', encoding="utf-8")
    with EmbeddedArchive(corpus.folder) as archive:
        site.use(archive.port, archive.ae_title, DICOM_PROFILE=str(releases_all))
        studies = [next(one for one in corpus.studies if one.modalities == (modality,)) for modality in ("MR", "US")]
        batch = site.plan([[study.study_instance_uid] for study in studies])
        first = record(site, tmp_path / "first", sys.executable, "-c", STAGES, batch)
        released = files_of(site, "released/**/*.dcm")
        site.keep_back_text()
        second = record(site, tmp_path / "second", sys.executable, "-c", STAGES, batch)
    table = site.folder / "table.d" / "mapping.csv"
    exported = record(site, tmp_path / "exported", *site.command("mapping", "export", batch, "--out", table))
    retired = record(site, tmp_path / "retired", sys.executable, "-c", RETENTION)
    assert set() < set(files_of(site, "released/**/*.dcm")) < set(released)
    final_row = f"restricted/ledger/{batch}/validation_report.parquet"
    reports = [f"released/reports/{batch}.{suffix}" for suffix in ("html", "json", "parquet", "sha256")]
    for recording in (first, second):
        check_order(
            recording,
            tells_of(r"(.*)/manifest\.parquet", r"\1/[^/]*"),
            tells_of(r"restricted/(ledger|mapping|releases)/.*", r"(restricted|released)/.*"),
            gone_for_good(r"restricted/(mapping|releases)/.*", r"released/.*\.dcm"),
            named_after(
                r"released/.*\.dcm",
                f"restricted/mapping/{batch}.parquet", f"restricted/releases/{batch}.json", *reports,
            ),
            deleted_after(r"restricted/staging/.*\.dcm", lambda path: (released[Path(path).name], final_row)),
        )  # fmt: skip
    check_order(exported, told_before(r"table\.d/.*", f"mapping export.*{batch}"))
    check_order(retired, told_before(r"restricted/(raw|staging|quarantine)/([^/]*)/.*\.dcm", r'"delete".*\1 of \2:'))
    assert not list(site.zones.restricted.rglob("*.dcm"))


def test_a_folder(site: Site, corpus: Corpus, tmp_path: Path) -> None:
    """Twice: the second time with another content of an instance, so that what went out is taken back."""
    source = site.folder / "in"
    source.mkdir()
    for instance in corpus.studies[0].instances[:4]:
        shutil.copy(corpus.folder / instance.path, source)
    command = site.command("deidentify", source, site.folder / "out", "--mapping", site.folder / "map")
    first = record(site, tmp_path / "first", *command)
    released = files_of(site, "out/**/*.dcm")
    (source / "other.dcm").write_bytes(min(source.iterdir()).read_bytes() + bytes(2))
    second = record(site, tmp_path / "second", *command)
    assert len(files_of(site, "out/**/*.dcm")) == len(released) - 1
    tables = [f"map/{name}.csv" for name in ("mapping", "uids", "patients", "quarantine")]
    for recording in (first, second):
        check_order(recording, named_after(r"out/.*\.dcm", *tables), gone_for_good(r"map/.*", r"out/.*\.dcm"))


def test_a_batch_of_arrivals_whose_originals_are_not_kept(tmp_path: Path) -> None:
    """From the claim to the deletion; one instance of four is blocked, one disputed."""
    site, pushed = new_site(tmp_path / "site"), tmp_path / "pushed"
    pushed.mkdir()
    whole, blocked = make_study(pushed, 1, 2), make_study(pushed, 2, 2, is_blocked=True)
    disputed = make_study(pushed, 3, 1)
    put(site, [*whole, *blocked, *disputed, make_conflict(disputed[0])])
    recording = record(site, tmp_path / "strace", sys.executable, "-m", "tests.torture.support_worker")
    (batch,) = mapped_batches(site.zones)
    part = read_part(site.zones, batch, why="a test")
    released = dict(zip(part["Original Filename"], part["Anonymized Filename"], strict=True))
    assert len(released) == len(whole)
    final_row = f"restricted/ledger/{batch}/validation_report.parquet"
    mapping = f"restricted/mapping/{batch}.parquet"

    def kept(original: str) -> list[str]:
        name = original.removeprefix("restricted/raw/")
        if name in released:
            return [f"released/{released[name]}", mapping, final_row]
        return [f"restricted/quarantine/{name}", final_row]

    check_order(
        recording,
        tells_of(r"(.*)/manifest\.parquet", r"\1/[^/]*"),
        tells_of(r"restricted/(ledger|mapping|releases)/.*", r"(restricted|released)/.*"),
        tells_of(r"restricted/requests/.*", r"restricted/raw/.*"),
        deleted_after(r"restricted/raw/.*\.dcm", kept),
        gone_for_good(r"restricted/ledger/.*/closed", r"restricted/(raw|staging)/.*\.dcm"),
    )
    assert not list(site.zones.restricted.glob("raw/**/*.dcm"))


def test_a_watched_folder(tmp_path: Path) -> None:
    """A file leaves it when it is safe in incoming or, cut short, in quarantine."""
    watched, port = tmp_path / "site" / "watched", free_port()
    variables = {
        "DICOM_WATCH_FOLDER": str(watched),
        "DICOM_ARRIVAL_SETTLE_SECONDS": "0",
        "DICOM_RECEIVER_PORT": str(port),
    }
    site = new_site(tmp_path / "site", **variables)
    watched.mkdir()
    pushed = make_study(watched, 1, 3)
    cut = watched / "cut.dcm"
    cut.write_bytes(pushed[0].path.read_bytes()[:-99])
    recording = Recording(site.folder, tmp_path / "strace")
    with receiving(recording, site, sys.executable, "-c", RECEIVE_HASTILY):
        wait_for(lambda: not list(watched.iterdir()), 120)
    incoming = files_of(site, "restricted/incoming/*/*.dcm")
    (aside,) = files_of(site, "restricted/quarantine/watched/*.dcm").values()
    kept = {one.path.name: incoming[KEY.file_name(one.sop_instance_uid)] for one in pushed} | {cut.name: aside}
    deleted = {Path(call.paths[0]).name for call in recording.calls() if call.name in UNLINKS}
    assert kept.keys() <= deleted
    check_order(recording, deleted_after("watched/.*", lambda path: [kept[Path(path).name]]))


def test_an_upload(tmp_path: Path) -> None:
    """A study is declared whole when all of it is safe."""
    site, source = new_site(tmp_path / "site"), tmp_path / "source"
    source.mkdir()
    studies = [make_study(source, 1, 3), make_study(source, 2, 2)]
    recording = record(site, tmp_path / "strace", *site.command("upload", source))
    check_order(recording, tells_of(r"(restricted/incoming/[^/]*)/complete", r"\1/.*"))
    assert len(list(site.zones.incoming.glob("*/*.dcm"))) == sum(map(len, studies))
