"""What Dagster is given, by name: a change here is a change of the public face."""

import itertools
from pathlib import Path

import dagster as dg

from dicom_assets.definitions import build_defs
from dicom_assets.defs.instance import first_failure
from dicom_assets.deid.profile import load_profile
from tests.support.site import REPOSITORY

ASSETS = ["pacs_studies", "raw_dicom", "anonymized_dicom", "mapping_table", "validation_report"]


def test_the_five_assets_stand_in_a_line_and_share_one_partitioning() -> None:
    graph = build_defs().resolve_asset_graph()
    assert [key.to_user_string() for key in graph.toposorted_asset_keys] == ["incoming_dicom", *ASSETS]
    for before, after in itertools.pairwise(ASSETS):
        assert graph.get(dg.AssetKey(after)).parent_keys == {dg.AssetKey(before)}
    assert {graph.get(dg.AssetKey(name)).partitions_def.name for name in ASSETS} == {"study_batch"}
    assert all(graph.get(dg.AssetKey(name)).description for name in ASSETS)


def test_what_is_pushed_to_us_stands_before_them_and_is_nothing_that_dagster_makes() -> None:
    defs = build_defs()
    incoming = defs.resolve_asset_graph().get(dg.AssetKey("incoming_dicom"))
    assert incoming.is_external
    assert not incoming.is_materializable
    assert {key.to_user_string() for key in incoming.child_keys} == {"pacs_studies"}
    selected = defs.resolve_job_def("extract_batch").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in selected} == set(ASSETS)


def test_the_code_version_of_anonymized_dicom_is_the_digest_of_the_rules(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('base = "basic"\noptions = ["clean_descriptors"]\n')

    def versions(profile: str) -> dict[str, str | None]:
        graph = build_defs(deid={"profile": profile}).resolve_asset_graph()
        return {name: graph.get(dg.AssetKey(name)).code_version for name in ASSETS}

    assert versions("basic") == dict.fromkeys(ASSETS) | {"anonymized_dicom": load_profile("basic").digest}
    assert versions(str(own))["anonymized_dicom"] == load_profile(str(own)).digest != load_profile("basic").digest
    assert versions(str(tmp_path / "missing.toml")) == dict.fromkeys(ASSETS)


def test_the_checks_are_statements_and_only_the_ledger_blocks() -> None:
    graph = build_defs().resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    assert checks == {
        ("pacs_studies", "every_study_found"),
        ("raw_dicom", "every_instance_received"),
        *((asset, "ledger_adds_up") for asset in ASSETS),
        *(
            ("validation_report", name)
            for name in (
                "conforms_as_before", "dates_are_consistent", "file_opens", "mapping_is_one_to_one",
                "no_identifiers_in_standard_tags", "no_private_elements", "no_residual_identifiers", "nothing_is_lost",
                "no_text_in_pixels", "pixels_are_intact", "second_reader_opens_it", "uids_are_consistent",
                "values_are_as_before",
            )
        ),
    }  # fmt: skip
    for key in graph.asset_check_keys:
        check = graph.get(key)
        assert check.blocking == (key.name == "ledger_adds_up")
        assert check.description
        assert check.partitions_def.name == "study_batch"


def test_jobs_sensors_and_schedule_have_their_names() -> None:
    repository = build_defs().get_repository_def()
    jobs = {"extract_batch", "plan_nightly", "deliver_released", "retire_batches"}
    assert jobs <= {job.name for job in repository.get_all_jobs()}
    sensors = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    names = ("arrival_sensor", "batch_requests", "retry_batches", "tell_failures")
    assert sensors == dict.fromkeys(names, dg.DefaultSensorStatus.RUNNING)
    schedules = {schedule.name: schedule.default_status for schedule in repository.schedule_defs}
    assert schedules == dict.fromkeys(("nightly", "retention"), dg.DefaultScheduleStatus.STOPPED)


def test_the_instance_that_the_command_line_makes_is_the_repositorys() -> None:
    ours = (REPOSITORY / "dagster_home" / "dagster.yaml").read_bytes()
    assert ours == (Path(REPOSITORY) / "dicom_assets" / "defs" / "dagster.yaml").read_bytes()
    assert b"NoOpComputeLogManager" in ours
    with dg.DagsterInstance.from_config(str(REPOSITORY / "dicom_assets" / "defs")) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_an_interruption_in_dagsters_own_code_is_said_to_be_one() -> None:
    @dg.op
    def interrupted() -> None:
        raise KeyboardInterrupt

    @dg.job
    def alone() -> None:
        interrupted()

    with dg.DagsterInstance.ephemeral() as instance:
        result = alone.execute_in_process(instance=instance, raise_on_error=False)
    assert first_failure(result.all_events).startswith("INTERRUPTED: ")
