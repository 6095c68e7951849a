"""`report`: the verdict in a line, the paths, an exit code that tells, and the published schema."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from dicom_assets.deid.profile import load_profile
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.workflow.report import SCHEMA, BatchReport, batch_report, write_report
from tests.support.site import Site

BATCH = "cohort-20261122-001"
WHOLE = StudyRow("S-WHOLE", "done", "", 1, 2, 2, 0, 2, 0, 2, 0, 80_000)
HALF = replace(WHOLE, state="quarantined", reason="TEXT_IN_PIXELS_LIKELY", deidentified=1, quarantined=1, released=1)


def report(row: StudyRow) -> BatchReport:
    return batch_report(batch=BATCH, profile=load_profile("basic"), rows=[row], verdicts=[], across=())


def test_it_says_the_verdict_and_where_the_report_lies(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_report(site.zones, BATCH, report(WHOLE))
    done = site.run("report", BATCH)
    verdict, *paths = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert verdict.startswith("Complete and clean: ")
    assert [Path(path).suffix for path in paths] == [".html", ".json", ".parquet", ".sha256"]
    assert all(Path(path).is_file() for path in paths)
    schema = site.run("report", "schema")
    published = json.loads(schema.stdout)
    assert (schema.returncode, published["$id"]) == (0, SCHEMA)
    jsonschema.validate(json.loads(Path(paths[1]).read_bytes()), published)


def test_what_is_not_complete_and_what_is_not_there_have_exit_codes_of_their_own(tmp_path: Path) -> None:
    site = Site(tmp_path)
    absent = site.run("report", BATCH)
    assert (absent.returncode, absent.stdout) == (1, "") and "REPORT_NOT_MADE" in absent.stderr
    write_report(site.zones, BATCH, report(HALF))
    part = site.run("report", BATCH)
    assert part.returncode == 3 and part.stdout.startswith("Clean, not complete: ")
