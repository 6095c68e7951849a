"""What the sensors start by themselves, what they leave for later, and that they say why."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.definitions import build_defs
from dicom_assets.defs import sensors
from dicom_assets.defs.instance import open_instance
from dicom_assets.defs.lanes import AGAIN_LATER, LANE, TIMES
from dicom_assets.defs.partitions import STUDY_BATCH
from dicom_assets.defs.turn import PRIORITY
from dicom_assets.errors import RetryLater
from dicom_assets.settings import Settings
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.breaker import Breaker, breaker_folder
from dicom_assets.workflow.job import archives_of
from tests.support.ports import free_port

DAY = "20261122"


@pytest.fixture
def zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zones:
    monkeypatch.setenv("DICOM_PACS_HOST", "127.0.0.1")
    monkeypatch.setenv("DICOM_PACS_PORT", str(free_port()))
    monkeypatch.setenv("DICOM_PACS_AE_TITLE", "GONE")
    return Zones(tmp_path / "data" / "restricted", tmp_path / "data" / "released")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with open_instance(tmp_path / "home") as opened:
        yield opened


def tick(instance: dg.DagsterInstance, name: str) -> dg.SensorResult | dg.SkipReason:
    defs = build_defs()
    with dg.build_sensor_context(instance=instance, definitions=defs) as context:
        return getattr(sensors, name)(context, storage=defs.resources["storage"], pacs=defs.resources["pacs"])


def request(zones: Zones, source: str) -> str:
    return create_request(zones, source, DAY, "", [RequestRow(study_instance_uid="1.2.3")]).batch


def closed_now() -> str:
    """Hours that do not begin before the day after tomorrow."""
    return f"{date.today() + timedelta(days=3):%a} 12:00-13:00"


def test_requests_become_runs_and_arrivals_are_urgent(zones: Zones, instance: dg.DagsterInstance) -> None:
    cohort, arrival = request(zones, "cohort"), request(zones, "arrival")
    result = tick(instance, "batch_requests")
    tags = {one.partition_key: one.tags for one in result.run_requests}
    assert {one.run_key for one in result.run_requests} == {cohort, arrival} == set(tags)
    assert (tags[cohort][LANE], tags[arrival][LANE]) == ("usual", "urgent")
    assert int(tags[arrival][PRIORITY]) > 0
    assert PRIORITY not in tags[cohort]
    instance.add_dynamic_partitions(STUDY_BATCH, [cohort, arrival])
    assert tick(instance, "batch_requests").skip_message == "No request waits."


def test_outside_the_hours_only_arrivals_start(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_PACS_HOURS", closed_now())
    monkeypatch.setenv("DICOM_SITE_TIME_ZONE", "Europe/Berlin")
    batches = [request(zones, "cohort"), request(zones, "nightly")]
    message = tick(instance, "batch_requests").skip_message
    assert message.startswith("2 waiting for the archive's hours: they begin ")
    assert "12:00 CE" in message
    assert not any(batch in message for batch in batches)
    arrival = request(zones, "arrival")
    assert [one.partition_key for one in tick(instance, "batch_requests").run_requests] == [arrival]


def test_nothing_starts_while_the_archive_is_down(zones: Zones, instance: dg.DagsterInstance) -> None:
    request(zones, "arrival")
    open_breaker(zones)
    message = tick(instance, "batch_requests").skip_message
    assert message.startswith("1 waiting: no archive answers; the next try is at ")


def test_it_starts_where_another_archive_is_there(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_PACS_2_HOST", "127.0.0.1")
    batch = request(zones, "cohort")
    open_breaker(zones)
    assert [one.partition_key for one in tick(instance, "batch_requests").run_requests] == [batch]


def open_breaker(zones: Zones) -> None:
    breaker = Breaker(breaker_folder(zones), archives_of(Settings.from_env())[0])
    for _ in range(3):
        breaker.note(RetryLater("PACS_PORT_CLOSED"))


def test_a_batch_that_the_archive_kept_waiting_runs_again_and_again_less_often(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = request(zones, "nightly")
    assert tick(instance, "retry_batches").skip_message == "No batch waits for another run."
    ended = ended_run(instance, batch)
    assert tick(instance, "retry_batches").skip_message.startswith("1 waiting for another run: the next is due ")
    later(monkeypatch, minutes=7)
    (again,) = tick(instance, "retry_batches").run_requests
    assert (again.run_key, again.partition_key, again.tags[TIMES]) == (f"{batch}-again-1", batch, "1")
    ended_run(instance, batch, **{TIMES: "1"})
    assert not isinstance(tick(instance, "retry_batches"), dg.SensorResult)  # ten minutes now
    later(monkeypatch, minutes=14)
    (again,) = tick(instance, "retry_batches").run_requests
    assert again.run_key == f"{batch}-again-2"
    assert ended.run_id != instance.get_runs(limit=1)[0].run_id


@pytest.mark.parametrize(
    "tags",
    [
        {AGAIN_LATER: "no"},
        {AGAIN_LATER: "PACS_REJECTED_CALLED_AE_TITLE"},
        {TIMES: "20"},
        {"dagster/sensor_name": "another_sensor"},
    ],
    ids=["it went well in the end", "somebody has to look", "often enough", "started otherwise"],
)
def test_other_batches_do_not_run_again(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]
) -> None:
    ended_run(instance, request(zones, "nightly"), **tags)
    later(monkeypatch, minutes=600)
    assert isinstance(tick(instance, "retry_batches"), dg.SkipReason)


def test_a_batch_that_has_had_a_run_since_is_left_to_it(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = request(zones, "nightly")
    ended_run(instance, batch)
    ended_run(instance, batch, **{AGAIN_LATER: "no"})
    later(monkeypatch, minutes=600)
    assert isinstance(tick(instance, "retry_batches"), dg.SkipReason)


def ended_run(instance: dg.DagsterInstance, batch: str, **tags: str) -> dg.DagsterRun:
    """A run as the sensor starts it, that failed just now."""
    told = {AGAIN_LATER: "PACS_PORT_CLOSED", "dagster/sensor_name": "batch_requests", "dagster/partition": batch}
    job = build_defs().resolve_job_def("extract_batch")
    run = instance.create_run_for_job(job, tags=told | tags, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run)
    return run


def later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=minutes)

    monkeypatch.setattr(sensors, "datetime", Later)
