"""Failed runs are told to an address of the site's: four words, at least once, and whatever that address does."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.definitions import build_defs
from dicom_assets.defs import webhook as module
from dicom_assets.defs.instance import open_instance, run_batch
from dicom_assets.defs.partitions import PARTITION
from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.archive import Timeouts
from dicom_assets.settings.receiving import WebhookSettings
from dicom_assets.workflow import webhook
from dicom_assets.workflow.webhook import FailedRun, tell
from tests.support.certificates import make_certificates
from tests.support.ports import free_port
from tests.support.site import Site
from tests.support.web_peer import Exchange, serving_web

_CLOCK = time.time
FAILED = FailedRun("a run", "extract_batch", "arrival-20261122-001", "DISK_FULL")


@dataclass
class Listener:
    """A web server that answers with this status, and what it was told."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    told: list[dict] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def respond(self, exchange: Exchange) -> None:
        self.told.append(json.loads(exchange.body()))
        self.authorizations.append(exchange.headers["Authorization"])
        exchange.reply(b"", "text/plain", self.status, self.headers)

    @property
    def codes(self) -> list[str]:
        return [one["code"] for one in self.told]


@contextlib.contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[Listener]:
    listener = Listener()
    with serving_web(lambda exchange: listener.respond(exchange), timeouts=Timeouts(), context=context) as (peer, _):
        listener.url = peer.dicomweb_url
        yield listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Site:
    """One whose failures are told to the listener."""
    site = Site(tmp_path / "site", {"DICOM_FAILURE_WEBHOOK": listener.url})
    site.folder.mkdir()
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return site


@pytest.fixture
def instance(site: Site) -> Iterator[dg.DagsterInstance]:
    with open_instance(site.dagster_home) as opened:
        yield opened


class Sensor:
    """Ticks as the daemon makes them, from after the first one."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.tick()

    def tick(self) -> str:
        """What it says."""
        defs = build_defs()
        with dg.build_sensor_context(instance=self.instance, definitions=defs, cursor=self.cursor) as context:
            result = module.tell_failures(context, storage=defs.resources["storage"])
        if isinstance(result, dg.SkipReason):
            return result.skip_message
        self.cursor = result.cursor
        return result.skip_reason.skip_message


@pytest.fixture
def sensor(instance: dg.DagsterInstance) -> Sensor:
    return Sensor(instance)


def failed_run(instance: dg.DagsterInstance, batch: str) -> str:
    """One whose process died; its id."""
    job = build_defs().resolve_job_def("extract_batch")
    run = instance.create_run_for_job(job, tags={PARTITION: batch}, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run)
    return run.run_id


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> float:
    """The clock stands at this time, so many seconds from now."""
    now = _CLOCK() + seconds
    monkeypatch.setattr(module.time, "time", lambda: now)
    return now


def test_a_run_that_fails_is_told_in_four_words(
    site: Site, sensor: Sensor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, job, batch and the code of the step that failed; nothing of what else stands in the event log."""
    monkeypatch.setenv("DICOM_PROFILE", "of-nobody")
    batch = create_request(site.zones, "cohort", "20261122", "Of Ottoline", [RequestRow(patient_id="QUILL-1")]).batch
    outcome = run_batch(sensor.instance, build_defs(), batch)
    assert not outcome.success
    assert sensor.tick() == "1 told."
    (run,) = sensor.instance.get_runs()
    assert listener.told == [{"run_id": run.run_id, "job": "extract_batch", "batch": batch, "code": "PROFILE_UNKNOWN"}]
    assert outcome.message.startswith("PROFILE_UNKNOWN: ")
    assert sensor.tick() == "0 told."


def test_a_run_without_a_failed_step_has_lost_its_process(sensor: Sensor, listener: Listener) -> None:
    failed_run(sensor.instance, "nightly-20261122-001")
    sensor.tick()
    assert listener.codes == ["WORKER_CRASHED"]


def test_what_a_step_says_and_is_no_code_of_ours_is_not_repeated(sensor: Sensor, listener: Listener) -> None:
    @dg.op
    def speaks() -> None:
        raise dg.Failure(description="Quillfeather^Ottoline: is not there")

    @dg.job
    def of_somebody() -> None:
        speaks()

    of_somebody.execute_in_process(instance=sensor.instance, raise_on_error=False)
    sensor.tick()
    assert (listener.codes, listener.told[0]["batch"]) == (["INTERNAL_ERROR"], "")


def test_while_the_webhook_is_down_failures_wait_in_order_and_pauses_grow(
    sensor: Sensor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [failed_run(sensor.instance, f"cohort-20261122-{number:03d}") for number in range(1, 4)]
    monkeypatch.setenv("DICOM_FAILURE_WEBHOOK", f"http://127.0.0.1:{free_port()}/")
    for tried_after, pause in ((0, 30), (40, 60)):
        now = later(monkeypatch, tried_after)
        assert sensor.tick().startswith("0 told; WEBHOOK_UNREACHABLE")
        assert json.loads(sensor.cursor)["due"] == now + pause
        assert sensor.tick().endswith("it is tried again later.")
    monkeypatch.setenv("DICOM_FAILURE_WEBHOOK", listener.url)
    later(monkeypatch, 200)
    assert sensor.tick() == "3 told."
    assert [one["run_id"] for one in listener.told] == runs


def test_what_was_told_before_the_webhook_refused_is_not_told_again(sensor: Sensor, listener: Listener) -> None:
    runs = [failed_run(sensor.instance, "cohort-20261122-001") for _ in range(2)]
    respond = listener.respond

    def only_the_first(exchange: Exchange) -> None:
        listener.status = 503 if listener.told else 200
        respond(exchange)

    listener.respond = only_the_first
    assert sensor.tick().startswith("1 told; WEBHOOK_REFUSED")
    listener.respond, listener.status = respond, 204
    sensor.cursor = json.dumps(json.loads(sensor.cursor) | {"due": 0})
    assert sensor.tick() == "1 told."
    assert [one["run_id"] for one in listener.told] == [runs[0], runs[1], runs[1]]


def test_more_failures_than_a_tick_tells_follow_in_the_next(
    sensor: Sensor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_A_TICK", 2)
    for _ in range(3):
        failed_run(sensor.instance, "cohort-20261122-001")
    assert [sensor.tick(), sensor.tick()] == ["2 told.", "1 told."]


def test_who_sets_it_later_is_told_of_what_fails_from_then_on(
    instance: dg.DagsterInstance, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_FAILURE_WEBHOOK", "")
    sensor = Sensor(instance)
    failed_run(instance, "cohort-20261122-001")
    assert sensor.tick() == "DICOM_FAILURE_WEBHOOK is not set."
    monkeypatch.setenv("DICOM_FAILURE_WEBHOOK", listener.url)
    assert sensor.tick() == "From now on."
    failed_run(instance, "cohort-20261122-002")
    sensor.tick()
    assert [one["batch"] for one in listener.told] == ["cohort-20261122-002"]


def code_of(url: str) -> str:
    """ "" where it was told."""
    try:
        tell(WebhookSettings(url, None), FAILED)
    except DicomAssetsError as error:
        return error.code
    return ""


def test_no_redirect_is_followed(listener: Listener) -> None:
    with listening() as elsewhere:
        listener.status, listener.headers = 307, {"Location": elsewhere.url}
        assert code_of(listener.url) == "WEBHOOK_REFUSED"
        assert elsewhere.told == []


def test_the_authorization_file_is_sent_and_has_to_be_ones_own(listener: Listener, tmp_path: Path) -> None:
    secret = tmp_path / "authorization"
    secret.write_text("Bearer of-nobody\n")
    secret.chmod(0o600)
    tell(WebhookSettings(listener.url, secret), FAILED)
    tell(WebhookSettings(listener.url, None), FAILED)
    assert listener.authorizations == ["Bearer of-nobody", None]
    secret.chmod(0o644)
    with pytest.raises(DicomAssetsError, match="SECRET_FILE_OPEN_TO_OTHERS"):
        tell(WebhookSettings(listener.url, secret), FAILED)


def test_the_webhooks_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.archive)
    with listening(context) as secure:
        assert code_of(secure.url) == "WEBHOOK_NOT_TRUSTED"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        assert code_of(secure.url) == ""
    with listening() as plain:
        assert code_of(plain.url.replace("http:", "https:")) == "WEBHOOK_NOT_TRUSTED"


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_a_webhook_that_does_not_come_to_an_end_is_left(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.5)
    is_over = threading.Event()

    def respond(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not is_over.wait(0.05):
            exchange.wfile.write(b"X: y\r\n" if drips else b"")

    listener.respond = respond
    try:
        assert code_of(listener.url) == "WEBHOOK_UNREACHABLE"
    finally:
        is_over.set()
