"""Wrong settings, dead archives, full disks: one clear message with a code and what to do, exit code 1, nothing half
done."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.errors import REASONS
from tests.support.faulty_archive import Hangs
from tests.support.orthanc import Orthanc
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.site import Site


@pytest.fixture
def site(site: Site) -> Site:
    site.keep_back_text()
    return site


def assert_says(done: subprocess.CompletedProcess, code: str) -> None:
    """One message: the code and its sentence, and no traceback."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.count(f"{code}: {REASONS[code]}") == 1
    assert "Traceback" not in done.stderr + done.stdout
    codes = set(re.findall(r"^([A-Z][A-Z_]+):", done.stderr, re.MULTILINE))
    assert codes == {code}


def tables(site: Site) -> list[Path]:
    return list(site.zones.restricted.rglob("*.parquet"))


@pytest.mark.parametrize(
    "command", [["echo"], ["find"], ["plan", "--from", "2020-01-01", "--to", "2020-02-01"], ["run"]]
)
def test_an_archive_that_is_down(site: Site, corpus: Corpus, command: list[str]) -> None:
    site.use(free_port(), "DEMO_ARCHIVE")
    batch = site.plan_all(corpus)
    done = site.run(*command, *([batch] if command == ["run"] else []))
    assert_says(done, "PACS_PORT_CLOSED")
    assert tables(site) == [site.zones.request(batch)]
    assert not site.zones.released.exists()


@pytest.mark.parametrize("command", [["echo"], ["run"]])
def test_a_wrong_called_ae_title(site: Site, corpus: Corpus, archive: EmbeddedArchive, command: list[str]) -> None:
    site.use(archive.port, "SOMEBODY_ELSE")
    batch = site.plan_all(corpus)
    assert_says(site.run(*command, *([batch] if command == ["run"] else [])), "PACS_REJECTED_CALLED_AE_TITLE")
    assert tables(site) == [site.zones.request(batch)]


@needs("Orthanc")
def test_a_wrong_ae_title_at_a_real_orthanc(site: Site, orthanc: Orthanc) -> None:
    site.use(orthanc.dicom_port, "SOMEBODY_ELSE")
    assert_says(site.run("echo"), "PACS_REJECTED_CALLED_AE_TITLE")


def test_no_archive_configured(site: Site) -> None:
    assert_says(site.run("echo"), "PACS_NOT_CONFIGURED")


def test_a_port_that_answers_nothing(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site.use(silent.getsockname()[1], "DEMO_ARCHIVE")
        assert_says(site.run("echo"), "PACS_TIMEOUT")


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "COHORT_UNREADABLE"), (b"\xff\xfe\x00bad", "COHORT_UNREADABLE"), (b"Name\nx\n", "COHORT_COLUMNS")],
)
def test_an_unreadable_cohort_file(site: Site, content: bytes | None, code: str) -> None:
    path = site.folder / "cohort.csv"
    if content is not None:
        path.write_bytes(content)
    assert_says(site.run("plan", path), code)
    assert not site.zones.requests.exists()


def test_an_unknown_batch_a_bad_setting_and_an_open_key_file(site: Site) -> None:
    assert_says(site.run("run", "cohort-20260131-001"), "BATCH_UNKNOWN")
    assert_says(site.run("ledger", "../../etc/passwd"), "BATCH_KEY_MALFORMED")
    (site.folder / "keys" / "pseudonym.key").chmod(0o644)
    assert_says(site.run("run", "cohort-20260131-001"), "KEY_FILE_OPEN_TO_OTHERS")
    site.variables["DICOM_PACS_PORT"] = "none"
    assert_says(site.run("echo"), "SETTING_PORT")


@pytest.mark.skipif(os.geteuid() != 0 and os.environ.get("CI") != "true", reason="mounting a tmpfs needs root")
@pytest.mark.parametrize("room", ["released", "restricted"])
def test_a_full_disk_stops_the_run_and_freeing_it_lets_it_finish(
    site: Site, corpus: Corpus, archive: EmbeddedArchive, room: str
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    root = site.folder / room
    root.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], check=False)
    if mounted.returncode and os.environ.get("CI") != "true":
        pytest.skip("this machine does not let root mount a tmpfs")
    assert not mounted.returncode
    try:
        batch = site.plan_all(corpus)
        assert_says(site.run("run", batch), "DISK_FULL")
        assert not list(site.folder.rglob("*.part"))
        released = {path.name for path in site.released_files()}
        subprocess.run(["mount", "-o", "remount,size=200m", str(root)], check=True)
        assert site.run("run", batch).returncode == 3
        assert released <= {path.name for path in site.released_files()}
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_an_archive_that_hangs_is_given_up(site: Site, corpus: Corpus) -> None:
    """With the default limits this takes about two minutes: one study, two rounds of 60 seconds of silence."""
    study = corpus.studies[1]
    with Hangs(corpus.folder) as archive:
        site.use(archive.port, archive.ae_title, DICOM_PACS_RETRIEVE="get")
        batch = site.plan([[study.study_instance_uid]])
        done = site.run("run", batch)
    assert done.returncode == 3
    (row,) = site.ledger(batch)
    assert (row["state"], row["reason"], row["received"]) == ("incomplete", "PACS_STALLED", 0)
    assert "PACS_STALLED" in done.stderr


def test_usage_errors_exit_with_2(site: Site, tmp_path: Path) -> None:
    for arguments in (
        [],
        ["plan"],
        ["plan", tmp_path / "x.csv", "--from", "2020-01-01"],
        ["mapping", "export", "--out", "x"],
    ):
        assert site.run(*arguments).returncode == 2
    assert site.run("find", "--from", "01/02/2020").returncode == 2
    assert site.run("--help").returncode == 0
