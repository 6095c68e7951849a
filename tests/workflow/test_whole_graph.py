"""The main job, end to end, as a user runs it: real archives, real Dagster, the command line in its own process."""

import csv
import json

import dagster as dg
import pydicom
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from dicom_assets.definitions import build_defs
from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import ABSENT_STUDY_INSTANCE_UID, Corpus
from dicom_assets.storage.mapping import COLUMNS
from tests.support.orthanc import Orthanc
from tests.support.programs import needs
from tests.support.site import Site, adds_up, snapshot, totals


def check_released(site: Site, corpus: Corpus, batch: str) -> None:
    """Ledger, released files, report and mapping tell one story, and it is the planned one."""
    rows = site.ledger(batch)
    count = len(corpus.instances)
    assert adds_up(rows)
    assert totals(rows) == {
        "found": len(corpus.studies), "expected": count, "received": count, "missing": 0,
        "deidentified": count, "quarantined": 0, "released": count, "withheld": 0,
    }  # fmt: skip
    files = site.released_files()
    assert len(files) == count
    report = json.loads(site.zones.report(batch, "json").read_bytes())
    assert all(check["passed"] for check in report["checks"])
    assert {str(site.zones.released / facts["released_path"]) for facts in report["instances"]} == set(map(str, files))
    assert b"<script" not in site.zones.report(batch, "html").read_bytes()
    done = site.run("mapping", "export", batch, "--out", site.folder / "mapping.csv")
    assert done.returncode == 0, done.stderr
    with (site.folder / "mapping.csv").open(newline="", encoding="utf-8") as file:
        mapping = list(csv.DictReader(file))
    assert tuple(mapping[0]) == COLUMNS
    assert sorted(row["Anonymized Filename"] for row in mapping) == [
        str(path.relative_to(site.zones.released)) for path in files
    ]
    assert {row["Original Patient ID"] for row in mapping} <= {study.patient_id for study in corpus.studies}
    assert site.zones.audit_log.read_text().count("mapping export") == 1
    done = site.run("verify", site.zones.released)
    assert done.returncode == 0, done.stdout


def stale_assets(site: Site, batch: str, profile: str) -> set[str]:
    """What Dagster's UI shows as out of date for the batch under a profile; asked of its own resolver."""
    graph = build_defs(deid={"profile": profile}).resolve_asset_graph()
    with dg.DagsterInstance.from_config(str(site.dagster_home)) as instance:
        resolver = CachingStaleStatusResolver(instance, graph, loading_context=LoadingContextForTest(instance))
        return {
            key.to_user_string()
            for key in graph.toposorted_asset_keys
            if resolver.get_status(key, batch) is StaleStatus.STALE
        }


@needs("Orthanc")
@pytest.mark.parametrize("retrieve", ["get", "move"])
def test_studies_in_a_real_orthanc_become_a_released_proved_batch(
    site: Site, corpus: Corpus, orthanc: Orthanc, retrieve: str
) -> None:
    site.use(
        orthanc.dicom_port,
        orthanc.ae_title,
        DICOM_PACS_RETRIEVE=retrieve,
        DICOM_RECEIVER_PORT=str(orthanc.receiver_port),
    )
    assert site.run("echo").returncode == 0
    batch = site.plan_all(corpus)
    done = site.run("run", batch)
    assert done.returncode == 0, done.stderr  # images that may show text are cleaned
    check_released(site, corpus, batch)
    by_uid = {one.sop_instance_uid: corpus.folder / one.path for one in corpus.instances}
    raw = sorted((site.zones.restricted / "raw").rglob("*.dcm"))
    assert len(raw) == len(by_uid)
    for path in raw:  # as they came: same syntax, same pixels
        came, sent = pydicom.dcmread(path), pydicom.dcmread(by_uid[pydicom.dcmread(path).SOPInstanceUID])
        assert came.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert came.get("PixelData") == sent.get("PixelData")


def test_the_embedded_archive_serves_a_cohort_by_any_identifier(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    one = corpus.studies[0]
    rows = [
        [one.patient_id, "", "", "", ""],
        [one.patient_id, "", one.study_instance_uid, "", ""],
        ["", "", ABSENT_STUDY_INSTANCE_UID, "", ""],
        ["no such patient", "", "", "", ""],
        ["", "", "", one.study_date, one.study_date],
    ]
    batch = site.plan(rows, "PatientID,AccessionNumber,StudyInstanceUID,StudyDateFrom,StudyDateTo")
    done = site.run("run", batch)
    assert done.returncode == 3, done.stderr
    wanted = {s.study_instance_uid for s in corpus.studies if s.patient_id == one.patient_id}
    wanted |= {s.study_instance_uid for s in corpus.studies if s.study_date == one.study_date}
    ledger = site.ledger(batch)
    assert adds_up(ledger)
    assert sum(row["found"] for row in ledger) == len(wanted)
    not_found = [row for row in ledger if not row["found"]]
    assert [(row["state"], row["reason"]) for row in not_found] == [("failed", "STUDY_NOT_FOUND")] * 2


def test_an_accession_number_of_two_studies_is_said_and_not_guessed(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    numbers = [study.accession_number for study in corpus.studies]
    shared = next((number for number in numbers if numbers.count(number) > 1), None)
    assert shared, "the corpus has two studies with one accession number"
    cohort = site.folder / "cohort.csv"
    cohort.write_text(f"AccessionNumber\n{shared}\n")
    done = site.run("plan", cohort)
    assert done.returncode == 3
    assert "ACCESSION_NUMBER_AMBIGUOUS" in done.stderr
    assert shared not in done.stderr
    assert site.run("run", done.stdout.strip()).returncode == 3
    assert [row["reason"] for row in site.ledger(done.stdout.strip())] == ["ACCESSION_NUMBER_AMBIGUOUS"]
    assert not site.released_files()


def test_a_date_window_is_planned_and_a_batch_run_twice_changes_nothing(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    done = site.run("plan", "--from", "1990-01-01", "--to", "2099-12-31", "--name", "all of it")
    assert done.returncode == 0, done.stderr
    batch = done.stdout.strip()
    assert site.run("run", batch).returncode == 0
    check_released(site, corpus, batch)
    assert stale_assets(site, batch, "basic") == set()
    assert stale_assets(site, batch, "hipaa-safe-harbor") == {"anonymized_dicom"}
    before = snapshot(site.zones.restricted, with_times=True) | snapshot(site.zones.released, with_times=True)
    site.variables["DICOM_PACS_PORT"] = "1"  # nothing is left to ask the archive for
    assert site.run("run", batch).returncode == 0
    assert snapshot(site.zones.restricted, with_times=True) | snapshot(site.zones.released, with_times=True) == before


def test_a_site_given_pseudonym_is_used_and_a_conflict_refused(
    site: Site, corpus: Corpus, archive: EmbeddedArchive
) -> None:
    site.use(archive.port, "DEMO_ARCHIVE")
    plain = [study for study in corpus.studies if study.modalities == ("CR",) or study.modalities == ("MR",)]
    first, second = next((a, b) for a in plain for b in plain if a.patient_id != b.patient_id)
    batch = site.plan([[first.study_instance_uid, "SITE-01"]], "StudyInstanceUID,Pseudonym")
    assert site.run("run", batch).returncode == 0
    assert {path.relative_to(site.zones.released).parts[0] for path in site.released_files()} == {"SITE-01"}
    assert all(pydicom.dcmread(path).PatientID == "SITE-01" for path in site.released_files())
    other = site.plan([[second.study_instance_uid, "SITE-01"]], "StudyInstanceUID,Pseudonym")
    assert site.run("run", other).returncode == 3
    assert [(row["reason"], row["received"]) for row in site.ledger(other)] == [("PATIENT_PSEUDONYM_CONFLICT", 0)]
