"""Killed, failed, interrupted: running again does what is left and ends in the same bytes; no name escapes."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dicom_assets.definitions import build_defs
from dicom_assets.defs.instance import open_instance, run_batch
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus
from dicom_assets.storage.mapping import read_part
from tests.support.faulty_archive import AbortsInTheMiddle, DropsEveryNth, HoldsBack, RefusesAll, SendsNothing
from tests.support.search import hits_below, pattern_of
from tests.support.site import Site, adds_up, snapshot, totals


@pytest.fixture
def site(site: Site) -> Site:
    site.keep_back_text()
    return site


def test_an_instance_that_was_held_back_is_missed_withheld_and_asked_for_alone(site: Site, corpus: Corpus) -> None:
    study = next(study for study in corpus.studies if study.modalities == ("MR",) and len(study.instances) > 3)
    held = study.instances[1].sop_instance_uid
    with HoldsBack(corpus.folder, {held}) as archive:
        site.use(archive.port, archive.ae_title)
        batch = site.plan([[study.study_instance_uid]])
        assert site.run("run", batch).returncode == 3
        (row,) = site.ledger(batch)
        count = len(study.instances)
        assert (row["state"], row["expected"], row["received"], row["missing"]) == ("incomplete", count, count - 1, 1)
        assert (row["deidentified"], row["released"], row["withheld"]) == (count - 1, 0, count - 1)
        assert adds_up([row])
        assert not site.released_files()
        before = snapshot(site.zones.raw(batch, row["study_key"]), with_times=True)
        archive.release()
        done = site.materialize(batch)
        assert done.returncode == 0, done.stderr[-2000:]
    (row,) = site.ledger(batch)
    assert (row["state"], row["missing"], row["released"]) == ("done", 0, count)
    after = snapshot(site.zones.raw(batch, row["study_key"]), with_times=True)
    assert {name: after[name] for name in before if name.endswith(".dcm")} == {
        name: value for name, value in before.items() if name.endswith(".dcm")
    }


@pytest.mark.parametrize(
    ("archive_type", "arguments"),
    [(DropsEveryNth, {"n": 3}), (AbortsInTheMiddle, {"times": 1})],
    ids=["says success and drops instances", "aborts in the middle"],
)
def test_what_a_round_left_out_is_asked_for_again(
    site: Site, corpus: Corpus, archive_type: type[EmbeddedArchive], arguments: dict
) -> None:
    study = next(study for study in corpus.studies if study.modalities == ("MR",) and len(study.instances) > 3)
    with archive_type(corpus.folder, **arguments) as archive:
        site.use(archive.port, archive.ae_title, DICOM_PACS_RETRIEVE="get")
        batch = site.plan([[study.study_instance_uid]])
        assert site.run("run", batch).returncode == 0
    assert [row["state"] for row in site.ledger(batch)] == ["done"]


@pytest.mark.parametrize("archive_type", [SendsNothing, RefusesAll])
def test_success_without_instances_and_refusal_are_not_believed(
    site: Site, corpus: Corpus, archive_type: type[EmbeddedArchive]
) -> None:
    study = corpus.studies[1]
    with archive_type(corpus.folder) as archive:
        site.use(archive.port, archive.ae_title, DICOM_PACS_RETRIEVE="get")
        batch = site.plan([[study.study_instance_uid]])
        assert site.run("run", batch).returncode == 3
    (row,) = site.ledger(batch)
    assert row["state"] in ("incomplete", "failed")
    assert row["reason"]
    assert (row["received"], row["missing"], row["released"]) == (0, len(study.instances), 0)


def test_a_study_that_fails_leaves_its_row_and_the_others_go_on(site: Site, corpus: Corpus) -> None:
    first, second = [study for study in corpus.studies if study.modalities in (("MR",), ("CR",))][:2]
    held = {instance.sop_instance_uid for instance in first.instances}
    with HoldsBack(corpus.folder, held) as archive:
        site.use(archive.port, archive.ae_title)
        batch = site.plan([[first.study_instance_uid], [second.study_instance_uid]])
        assert site.run("run", batch).returncode == 3
    rows = {row["expected"] - row["received"]: row for row in site.ledger(batch)}
    assert rows[len(first.instances)]["state"] == "incomplete"
    assert (rows[0]["state"], rows[0]["released"]) == ("done", len(second.instances))


def test_killed_at_any_moment_and_run_again_it_ends_in_the_same_bytes(
    tmp_path: Path, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    undisturbed, disturbed = Site(tmp_path / "undisturbed"), Site(tmp_path / "disturbed")
    for site in (undisturbed, disturbed):
        site.folder.mkdir()
        site.keep_back_text()
        site.use(archive.port, "DEMO_ARCHIVE")
    (disturbed.folder / "keys").mkdir(mode=0o700)
    batch = undisturbed.plan_all(corpus)
    assert undisturbed.run("run", batch).returncode == 3
    key = disturbed.folder / "keys" / "pseudonym.key"
    key.write_bytes((undisturbed.folder / "keys" / "pseudonym.key").read_bytes())
    key.chmod(0o600)
    assert disturbed.plan_all(corpus) == batch
    moments = random.Random(7)
    for sign in ("raw/**/*", "raw/**/manifest.parquet", "staging/**/*", "mapping/*.parquet", "../released/**/*.dcm"):
        process = disturbed.start("run", batch)
        _wait_until(lambda sign=sign: any(disturbed.zones.restricted.glob(sign)))
        time.sleep(moments.random() * 0.4)
        assert process.poll() is None, "it was to be killed while at work"
        process.kill()
        process.wait()
        # after any crash: whatever is released has its mapping row
        mapped = set(read_part(disturbed.zones, batch, why="a test")["Anonymized Filename"])
        assert {str(path.relative_to(disturbed.zones.released)) for path in disturbed.released_files()} <= mapped
    assert disturbed.run("run", batch).returncode == 3
    assert snapshot(disturbed.zones.released) == snapshot(undisturbed.zones.released)
    names = {"raw", "staging", "mapping", "ledger", "quarantine"}
    for name in names:
        assert snapshot(disturbed.zones.restricted / name) == snapshot(undisturbed.zones.restricted / name), name


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_identifying_is_found_outside_restricted_even_after_a_crash(
    site: Site, corpus: Corpus, archive: EmbeddedArchive, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that raises with names in its text, in this process and in a worker; then a full run."""
    pattern = pattern_of(corpus.planted)
    assert pattern.search((corpus.folder / corpus.instances[0].path).read_bytes())  # the search does find
    site.use(archive.port, "DEMO_ARCHIVE")
    batch = site.plan_all(corpus)
    _crash_with_names_in_the_text(site, corpus, batch, monkeypatch)
    _damage_one_original(site, corpus, batch)
    assert site.run("run", batch).returncode == 3
    said = "".join(site.said) + "".join(capfd.readouterr())
    assert not [m.group() for m in pattern.finditer(said.encode())]
    assert "INTERNAL_ERROR: ValueError at" in said
    assert list(site.dagster_home.rglob("*.db"))
    assert not hits_below(site.dagster_home, pattern)
    assert site.released_files()
    assert not hits_below(site.zones.released, pattern)


def _crash_with_names_in_the_text(site: Site, corpus: Corpus, batch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dicom_assets.workflow import map as map_stage

    def crash(*_arguments: object) -> None:
        study = corpus.studies[0]
        raise ValueError(f"cannot map {study.patient_name} {study.patient_id} {study.study_instance_uid}")

    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patched, open_instance(site.dagster_home) as instance:
        patched.setattr(map_stage, "write_part", crash)
        outcome = run_batch(instance, build_defs(), batch)
    assert not outcome.success
    site.said.append(outcome.message)


def _damage_one_original(site: Site, corpus: Corpus, batch: str) -> None:
    """A manifest that points to a file that is gone: the worker fails on it."""
    folder = next(path for path in (site.zones.restricted / "staging" / batch).iterdir() if path.is_dir())
    (folder / "manifest.parquet").unlink()
    next((site.zones.restricted / "raw" / batch / folder.name).glob("*.dcm")).unlink()


def test_two_processes_do_not_work_on_one_batch(site: Site, corpus: Corpus, archive: EmbeddedArchive) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    batch = site.plan_all(corpus)
    first = site.start("run", batch)
    try:
        deadline = time.monotonic() + 60
        while not site.zones.lock(batch).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = site.run("run", batch)
    finally:
        first.wait(120)
    assert first.returncode == 3
    assert second.returncode in (1, 3)
    if second.returncode == 1:
        assert "BATCH_BUSY" in second.stderr
    assert totals(site.ledger(batch))["received"] == len(corpus.instances)


def test_the_sensor_turns_requests_into_partitions_and_runs_once(
    site: Site, corpus: Corpus, archive: EmbeddedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dicom_assets.defs.sensors import batch_requests

    site.use(archive.port, "DEMO_ARCHIVE")
    batch = site.plan_all(corpus)
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    defs = build_defs()
    with open_instance(site.dagster_home) as instance:
        context = dg.build_sensor_context(instance=instance, definitions=defs, resources=_resources())
        result = batch_requests(context)
        assert [request.partition_key for request in result.run_requests] == [batch]
        (added,) = result.dynamic_partitions_requests
        instance.add_dynamic_partitions(added.partitions_def_name, added.partition_keys)
        (again,) = batch_requests(context).run_requests
        assert again.run_key == result.run_requests[0].run_key, "of one key the daemon starts one run"


def _resources() -> dict[str, object]:
    from dicom_assets.defs.resources import PacsResource, StorageResource

    return {"storage": StorageResource(), "pacs": PacsResource()}
