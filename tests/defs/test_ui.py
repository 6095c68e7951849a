"""Dagster's UI and daemon as `make up` starts them: a planned batch runs by itself, and a browser shows it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page

from dicom_assets.defs.instance import open_instance
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.studies import small_corpus
from tests.support.browser import browser
from tests.support.ports import free_port
from tests.support.programs import needs
from tests.support.site import REPOSITORY, Site
from tests.support.waiting import wait_for

pytestmark = needs("chromium")


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chromium:
        yield chromium.new_page(viewport={"width": 1600, "height": 900})


def test_a_planned_batch_runs_by_itself_and_the_browser_shows_it(tmp_path: Path, page: Page) -> None:
    site = Site(tmp_path / "site")
    site.folder.mkdir()
    corpus = small_corpus(tmp_path / "corpus")
    with EmbeddedArchive(corpus.folder) as archive:
        site.use(archive.port, archive.ae_title)
        batch = site.plan([[corpus.studies[1].study_instance_uid]])
        with running_ui(site) as url:
            wait_for(lambda: site.zones.report(batch, "html").is_file(), 150)
            page.goto(f"{url}/asset-groups")
            for asset in ("pacs_studies", "raw_dicom", "anonymized_dicom", "mapping_table", "validation_report"):
                page.get_by_text(asset).first.wait_for(timeout=30_000)
            page.goto(f"{url}/assets/validation_report?view=checks")
            page.get_by_text("no_residual_identifiers").first.wait_for(timeout=30_000)
            page.goto(f"{url}/assets/raw_dicom?view=partitions")
            page.get_by_text(batch).first.wait_for(timeout=30_000)
    page.goto(site.zones.report(batch, "html").as_uri())
    assert "Complete and clean" in page.inner_text("body")
    assert batch in page.inner_text("body")


@contextmanager
def running_ui(site: Site) -> Iterator[str]:
    """`dagster dev -w workspace.yaml` on a free loopback port, with the home that the command line makes; its URL."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DAGSTER_HOME", str(site.dagster_home))
        open_instance(site.dagster_home).dispose()
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", "workspace.yaml", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", url.rpartition(":")[2]],
        cwd=REPOSITORY,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: answers(f"{url}/server_info"), 90)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False
