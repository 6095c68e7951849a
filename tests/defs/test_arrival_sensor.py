"""What was pushed to us gets its batches and runs, whatever was killed meanwhile; and an idle tick looks at nothing."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.batches.request import RequestRow, create_request, list_batches
from dicom_assets.definitions import build_defs
from dicom_assets.defs import arrival_sensor as module
from dicom_assets.defs.instance import open_instance
from dicom_assets.defs.lanes import LANE, TIMES
from dicom_assets.defs.partitions import PARTITION, STUDY_BATCH
from dicom_assets.defs.turn import PRIORITY
from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from dicom_assets.errors import RetryLater
from dicom_assets.storage.atomic import exclusive_lock
from dicom_assets.storage.incoming import waiting_studies
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.closing import is_finished
from tests.support.pushing import job_at, push
from tests.support.site import Site

DAY = "20261122"
_CLOCK = time.time
LATER = 4000.0  #: seconds: longer than the longest time between two looks


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """One that de-identifies at once, and waits ten minutes for more."""
    site = Site(tmp_path / "site", {"DICOM_ANONYMIZE_ON_UPLOAD": "true", "DICOM_ARRIVAL_SETTLE_SECONDS": "600"})
    site.folder.mkdir()
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return site


@pytest.fixture
def instance(site: Site) -> Iterator[dg.DagsterInstance]:
    with open_instance(site.dagster_home) as opened:
        yield opened


class Sensor:
    """Ticks as the daemon makes them: the cursor of one is given to the next."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None

    def tick(self, *, is_killed: bool = False) -> dg.SensorResult:
        """is_killed: the daemon is, after it added the partitions and before it noted anything."""
        defs = build_defs()
        with dg.build_sensor_context(instance=self.instance, definitions=defs, cursor=self.cursor) as context:
            given = {name: defs.resources[name] for name in ("storage", "pacs", "deid")}
            result = module.arrival_sensor(context, **given)
        if isinstance(result, dg.SkipReason):
            return dg.SensorResult(skip_reason=result)
        for asked in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(STUDY_BATCH, asked.partition_keys)
        if not is_killed:
            self.cursor = result.cursor
        return result

    def keys(self) -> list[str]:
        """Of the runs that a tick asks for."""
        return [one.run_key for one in self.tick().run_requests or ()]


@pytest.fixture
def sensor(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Sensor:
    """It looks again at once, however long a look took."""
    monkeypatch.setattr(module, "_REST", 0.0)
    return Sensor(instance)


@pytest.fixture
def zones(site: Site) -> Zones:
    return site.zones


def pushed(site: Site, corpus: Corpus, studies: int = 1, *, seconds_ago: float = 1000) -> None:
    """So many studies of the corpus, which came so long ago."""
    job = job_at(site)
    push(job, [corpus.folder / one.path for study in corpus.studies[:studies] for one in study.instances])
    grown_old(job.zones, seconds_ago)


def grown_old(zones: Zones, seconds_ago: float = 100) -> None:
    """Nothing has changed in the folders since."""
    studies = (study.folder for study in waiting_studies(zones.incoming))
    for folder in (*studies, zones.incoming, zones.requests):
        if folder.is_dir():
            os.utime(folder, (time.time() - seconds_ago,) * 2)


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = _CLOCK() + seconds
    monkeypatch.setattr(module.time, "time", lambda: now)


def a_run(instance: dg.DagsterInstance, batch: str, status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    job = build_defs().resolve_job_def("extract_batch")
    run = instance.create_run_for_job(job, tags={PARTITION: batch, **tags}, status=dg.DagsterRunStatus.STARTED)
    if status is dg.DagsterRunStatus.FAILURE:
        instance.report_run_failed(run)
    if status is dg.DagsterRunStatus.CANCELED:
        instance.report_run_canceled(run)
    return run


def requested(zones: Zones) -> str:
    """An arrival batch that somebody planned."""
    return create_request(zones, "arrival", DAY, "", [RequestRow(study_instance_uid="1.2.3")]).batch


def test_what_has_settled_becomes_a_batch_and_an_urgent_run(site: Site, sensor: Sensor, corpus: Corpus) -> None:
    pushed(site, corpus, 2)
    result = sensor.tick()
    (batch,) = list_batches(site.zones)
    (asked,) = result.run_requests
    assert (asked.run_key, asked.partition_key, asked.tags[LANE]) == (batch, batch, "urgent")
    assert int(asked.tags[PRIORITY]) > 0
    assert waiting_studies(site.zones.incoming) == []
    assert sensor.instance.get_dynamic_partitions(STUDY_BATCH) == [batch]


def test_what_is_still_arriving_is_waited_for_and_no_longer(
    site: Site, sensor: Sensor, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(site, corpus, seconds_ago=300)
    assert "1 arriving, 0 waiting" in sensor.tick().skip_reason.skip_message
    assert list_batches(site.zones) == []
    grown_old(site.zones, 300)
    sensor.tick()
    assert "nothing is due" in sensor.tick().skip_reason.skip_message
    later(monkeypatch, 301)
    assert len(sensor.keys()) == 1


def unexpected(*_arguments: object, **_more: object) -> None:
    raise AssertionError("a look at the disk")


def test_an_idle_tick_looks_at_two_folders_times_and_asks_dagster_nothing(
    site: Site, sensor: Sensor, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_ANONYMIZE_ON_UPLOAD", "false")
    pushed(site, corpus)
    sensor.tick()
    for name in ("waiting_studies", "arrival_batches", "next_runs", "health", "plan_arrivals"):
        monkeypatch.setattr(module, name, unexpected)
    result = sensor.tick()
    assert "nothing is due" in result.skip_reason.skip_message
    assert not result.asset_events


def test_a_change_in_the_moment_of_a_look_is_not_overlooked(
    site: Site, sensor: Sensor, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks of file systems stand still for some milliseconds: two changes may have one time."""
    later(monkeypatch, 0)
    pushed(site, corpus)
    now = module.time.time()
    os.utime(site.zones.incoming, (now, now))
    monkeypatch.setenv("DICOM_ARRIVAL_SETTLE_SECONDS", "1000")
    sensor.tick()
    monkeypatch.setenv("DICOM_ARRIVAL_SETTLE_SECONDS", "0")
    os.utime(site.zones.incoming, (now, now))
    assert len(sensor.keys()) == 1


def test_after_a_long_look_it_rests_and_not_for_ever(
    zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REST", 1e9)
    sensor.tick()
    batch = requested(zones)
    assert "nothing is due" in sensor.tick().skip_reason.skip_message
    later(monkeypatch, -3600)  # somebody has set the clock back
    assert sensor.keys() == [batch]


def test_the_cursor_holds_counts_and_moments_only(site: Site, sensor: Sensor, corpus: Corpus) -> None:
    pushed(site, corpus, 2, seconds_ago=300)
    sensor.tick()
    cursor = json.loads(sensor.cursor)
    observed = cursor.pop("observed")
    assert set(cursor) == {"at", "changed", "due", "rest", "observed_at"}
    assert observed["arriving_studies"] == 2
    assert all(isinstance(value, int) or not value for value in observed.values())
    for study in waiting_studies(site.zones.incoming):
        assert study.study_key not in sensor.cursor


def test_without_the_variable_arrivals_wait_for_an_operator_whose_batches_run(
    site: Site, sensor: Sensor, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOM_ANONYMIZE_ON_UPLOAD", "false")
    pushed(site, corpus, 2)
    message = sensor.tick().skip_reason.skip_message
    assert "2 waiting for an operator: dicom-assets plan --arrivals" in message
    assert list_batches(site.zones) == []
    site.variables["DICOM_ANONYMIZE_ON_UPLOAD"] = "false"
    batch = site.run("plan", "--arrivals").stdout.strip()
    assert sensor.keys() == [batch]


def test_a_batch_is_not_lost_where_the_daemon_is_killed_between_partition_and_run(
    site: Site, sensor: Sensor, corpus: Corpus
) -> None:
    pushed(site, corpus)
    (asked,) = sensor.tick(is_killed=True).run_requests
    assert sensor.instance.get_dynamic_partitions(STUDY_BATCH) == [asked.partition_key]
    assert sensor.keys() == [asked.run_key]


def test_a_batch_in_work_gets_no_second_run(zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(sensor.instance, requested(zones), dg.DagsterRunStatus.STARTED)
    assert sensor.keys() == []
    later(monkeypatch, LATER)
    assert sensor.keys() == []


def test_a_batch_that_a_command_line_is_about_to_run_is_left_to_it(zones: Zones, sensor: Sensor) -> None:
    batch = requested(zones)
    with exclusive_lock(zones.lock(f"{batch}.run")):
        assert sensor.keys() == []
    sensor.cursor = None
    assert sensor.keys() == [batch]


def test_a_failed_run_is_followed_by_others_after_growing_pauses(
    zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = requested(zones)
    a_run(sensor.instance, batch, dg.DagsterRunStatus.FAILURE)
    assert sensor.keys() == []
    later(monkeypatch, 400)
    assert sensor.keys() == [f"{batch}-again-1"]
    a_run(sensor.instance, batch, dg.DagsterRunStatus.FAILURE, **{TIMES: "1"})
    later(monkeypatch, 500)
    assert sensor.keys() == []
    later(monkeypatch, 1200)
    assert sensor.keys() == [f"{batch}-again-2"]


@pytest.mark.parametrize(
    ("status", "times"),
    [(dg.DagsterRunStatus.FAILURE, 20), (dg.DagsterRunStatus.CANCELED, 0)],
    ids=["often enough", "somebody cancelled it"],
)
def test_other_batches_are_left_to_a_person(
    zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch, status: dg.DagsterRunStatus, times: int
) -> None:
    a_run(sensor.instance, requested(zones), status, **{TIMES: str(times)})
    later(monkeypatch, 100_000)
    assert sensor.keys() == []


def test_a_full_disk_keeps_what_arrives_waiting_and_not_what_makes_room(
    zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = requested(zones)

    def full(*_arguments: object, **_more: object) -> None:
        raise RetryLater("DISK_FULL")

    monkeypatch.setattr(module, "plan_arrivals", full)
    assert sensor.keys() == [batch]
    a_run(sensor.instance, batch, dg.DagsterRunStatus.STARTED)
    later(monkeypatch, 61)
    assert sensor.tick().skip_reason.skip_message.startswith("DISK_FULL: ")


def test_more_batches_than_a_tick_takes_follow_in_the_next(
    zones: Zones, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "A_TICK", 2)
    batches = [requested(zones) for _ in range(3)]
    first = sensor.keys()
    assert first == batches[:2]
    for batch in first:
        a_run(sensor.instance, batch, dg.DagsterRunStatus.STARTED)
    assert sensor.keys() == batches[2:]


def test_it_runs_to_its_end_and_is_observed_when_its_numbers_change(
    site: Site, sensor: Sensor, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(site, corpus)
    result = sensor.tick()
    (asked,) = result.run_requests
    (observation,) = result.asset_events
    assert observation.asset_key == dg.AssetKey("incoming_dicom")
    assert observation.metadata["batches_in_work"].value == observation.metadata["studies_in_work"].value == 1
    done = (
        build_defs()
        .resolve_job_def("extract_batch")
        .execute_in_process(instance=sensor.instance, partition_key=asked.partition_key, tags=asked.tags)
    )
    assert done.success
    assert is_finished(site.zones, asked.partition_key)
    later(monkeypatch, 61)
    (observation,) = sensor.tick().asset_events
    assert observation.metadata["batches_in_work"].value == 0
    assert observation.metadata["released_today"].value > 0
    later(monkeypatch, LATER * 2)
    result = sensor.tick()
    assert (list(result.asset_events), result.run_requests) == ([], [])
