"""What the sensors start by themselves, what they leave for later, and that they say why."""

import socket
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.definitions import build_defs
from dicom_assets.defs import processes, sensors
from dicom_assets.defs.instance import open_instance
from dicom_assets.defs.lanes import AGAIN_LATER, LANE, TIMES
from dicom_assets.defs.partitions import PARTITION, STUDY_BATCH
from dicom_assets.defs.processes import RUN_PROCESS, STEP_PROCESS, note_process
from dicom_assets.defs.turn import PRIORITY
from dicom_assets.errors import RetryLater
from dicom_assets.settings import Settings
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.ledger import write_stage
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.breaker import Breaker, breaker_folder
from dicom_assets.workflow.job import archives_of
from tests.support.ports import free_port

DAY = "20261122"
LAUNCHED = {".dagster/grpc_info": "{}"}  #: as a run has it that the daemon started


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


def test_requests_become_runs_and_arrivals_are_left_to_their_own_sensor(
    zones: Zones, instance: dg.DagsterInstance
) -> None:
    cohort, _arrival = request(zones, "cohort"), request(zones, "arrival")
    (asked,) = tick(instance, "batch_requests").run_requests
    assert asked.run_key == asked.partition_key == cohort
    assert asked.tags[LANE] == "usual"
    assert PRIORITY not in asked.tags
    a_run(instance, cohort)
    assert tick(instance, "batch_requests").skip_message == "No request waits."


def test_a_batch_is_not_lost_where_the_daemon_is_killed_between_partition_and_run(
    zones: Zones, instance: dg.DagsterInstance
) -> None:
    batch = request(zones, "cohort")
    instance.add_dynamic_partitions(STUDY_BATCH, [batch])
    assert [one.run_key for one in tick(instance, "batch_requests").run_requests] == [batch]


def test_a_batch_that_began_elsewhere_or_that_a_command_line_holds_gets_no_run(
    zones: Zones, instance: dg.DagsterInstance
) -> None:
    begun, held = request(zones, "cohort"), request(zones, "cohort")
    write_stage(zones, begun, "pacs_studies", [])
    with exclusive_lock(zones.lock(f"{held}.run")):
        assert tick(instance, "batch_requests").skip_message == "No request waits."
    assert [one.partition_key for one in tick(instance, "batch_requests").run_requests] == [held]


def test_outside_the_hours_nothing_starts(
    zones: Zones, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_PACS_HOURS", closed_now())
    monkeypatch.setenv("DICOM_SITE_TIME_ZONE", "Europe/Berlin")
    batches = [request(zones, "cohort"), request(zones, "nightly")]
    message = tick(instance, "batch_requests").skip_message
    assert message.startswith("2 waiting for the archive's hours: they begin ")
    assert "12:00 CE" in message
    assert not any(batch in message for batch in batches)


def test_nothing_starts_while_the_archive_is_down(zones: Zones, instance: dg.DagsterInstance) -> None:
    request(zones, "cohort")
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


def a_run(instance: dg.DagsterInstance, batch: str, **tags: str) -> dg.DagsterRun:
    """One that has begun."""
    job = build_defs().resolve_job_def("extract_batch")
    return instance.create_run_for_job(job, tags={PARTITION: batch, **tags}, status=dg.DagsterRunStatus.STARTED)


def ended_run(instance: dg.DagsterInstance, batch: str, **tags: str) -> dg.DagsterRun:
    """A run as the sensor starts it, that failed just now."""
    told = {AGAIN_LATER: "PACS_PORT_CLOSED", "dagster/sensor_name": "batch_requests"}
    run = a_run(instance, batch, **told | tags)
    instance.report_run_failed(run)
    return run


def later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=minutes)

    monkeypatch.setattr(sensors, "datetime", Later)


_GONE = f"{socket.gethostname()}:999999999:1"


@pytest.mark.parametrize(
    ("tags", "age", "is_ended"),
    [
        ({STEP_PROCESS: f"itself {_GONE}"}, 0, True),
        ({STEP_PROCESS: f"another {_GONE}", **LAUNCHED}, 0, False),
        ({RUN_PROCESS: _GONE}, 0, True),
        ({RUN_PROCESS: _GONE, **LAUNCHED}, 0, False),
        ({STEP_PROCESS: "itself another-host:1:1", **LAUNCHED}, 300, False),
        (LAUNCHED, 0, False),
        (LAUNCHED, 300, True),
        ({}, 300, False),
    ],
    ids=[
        "its process is gone", "the process of the run that it takes the place of", "of a command line",
        "a command line's, started again in the UI", "on another host", "not at its first step yet",
        "never came to its first step", "started by nobody that we know",
    ],
)  # fmt: skip
def test_a_run_whose_process_was_killed_does_not_count_as_in_progress_for_ever(
    zones: Zones,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tags: dict[str, str],
    age: float,
    is_ended: bool,
) -> None:
    run = a_run(instance, "cohort-20261122-001")
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    instance.add_run_tags(run.run_id, {name: value.replace("itself", run.run_id) for name, value in tags.items()})
    now = time.time() + age
    monkeypatch.setattr(processes.time, "time", lambda: now)
    tick(instance, "batch_requests")
    assert instance.get_run_by_id(run.run_id).is_finished == is_ended


def test_a_run_that_lives_goes_on(zones: Zones, instance: dg.DagsterInstance) -> None:
    run = a_run(instance, "cohort-20261122-001", **LAUNCHED)
    note_process(instance, run)
    tick(instance, "batch_requests")
    assert not instance.get_run_by_id(run.run_id).is_finished
