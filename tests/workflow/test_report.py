"""The report adds up, says why, reaches for nothing outside itself and is the same each time."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicom_assets.errors import REASONS
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.workflow.report import CheckResult, batch_report, render_html, render_json, report_rows
from dicom_assets.workflow.verdict import CHECKS, Finding
from tests.support.hand_deidentified import OLD_ROOT, PATIENT_ID, hand_made_study, planted, verdict_on

PROFILE = SimpleNamespace(name="basic", digest="d1gest" * 8, pixels="clean")
GOOD = StudyRow("S-GOOD", "done", "", 1, 2, 2, 0, 2, 0, 2, 0, 80_000)
GONE = StudyRow("S-GONE", "not_found", "STUDY_NOT_FOUND", 0, 0)
LEAK = StudyRow("S-LEAK", "quarantined", "RESIDUAL_IDENTIFIER", 1, 5, 4, 1, 2, 2, 1, 1, 80_000)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    good = hand_made_study(folder, [planted(1), planted(2)], study_key="S-GOOD")
    leaking = [planted(1, study=2), planted(2, study=2)]
    leak = hand_made_study(
        folder, leaking, lambda ds: setattr(ds, "ImageComments", f"of {PATIENT_ID}"), study_key="S-LEAK"
    )
    return [verdict_on(study.task) for study in (good, leak)]


def report_of(verdicts, rows=(GOOD, GONE, LEAK), **changes):
    quarantined, withheld = [("S-LEAK", "PIXELS_CHANGED", 2)], [("S-LEAK", "RESIDUAL_IDENTIFIER", 1)]
    report = batch_report(
        batch="cohort-20261122-001",
        profile=PROFILE,
        rows=rows,
        verdicts=verdicts,
        across=(),
        more_checks=[CheckResult("mapping_is_one_to_one", True, 4, 0, "One is one.")],
        quarantined=quarantined if LEAK in rows else [],
        withheld=withheld if LEAK in rows else [],
    )
    return replace(report, **changes)


def text_of(report):
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", render_html(report).decode(), flags=re.S))


def test_every_check_has_its_result_with_counts(verdicts):
    checks = {check.name: check for check in report_of(verdicts).checks}
    assert list(checks) == [*CHECKS, "mapping_is_one_to_one", "ledger_adds_up"]
    leak = checks["no_residual_identifiers"]
    assert (leak.passed, leak.looked_at, leak.failed) == (False, 4, 1)
    assert all(check.passed for name, check in checks.items() if name != "no_residual_identifiers")


def test_the_page_names_every_loss_and_its_sums(verdicts):
    text = text_of(report_of(verdicts))
    for said in (
        "Clean, not complete",
        "3 requested = 2 found + 1 not found",
        "7 expected = 6 received + 1 missing",
        "6 received = 4 de-identified + 2 quarantined",
        "4 de-identified = 3 released + 1 withheld",
        "(0020,4000) (identifier) ImageComments",
        "DICOM PS3.15 2026d",
    ):
        assert said in text
    assert REASONS["RESIDUAL_IDENTIFIER"] in text.replace("&#39;", "'")


def test_a_batch_without_loss_is_complete_and_clean(verdicts):
    assert "Complete and clean" in text_of(report_of(verdicts[:1], rows=(GOOD,)))


def test_a_batch_of_which_nothing_passed_says_so(verdicts):
    none = replace(GOOD, released=0, withheld=2, state="quarantined", reason="PIXELS_CHANGED")
    assert "Nothing released" in text_of(report_of(verdicts[:1], rows=(none,)))


def test_counts_that_contradict_each_other_come_first(verdicts):
    assert "Does not add up" in text_of(report_of(verdicts[:1], rows=(replace(GOOD, released=1),)))


def test_a_study_of_unknown_size_is_never_complete(verdicts):
    text = text_of(report_of(verdicts[:1], rows=(replace(GOOD, expected=None),)))
    assert "Complete and clean" not in text and "1 study's size is unknown" in text.replace("&#39;", "'")


def test_an_empty_batch_has_a_report():
    assert "Nothing released" in text_of(report_of([], rows=()))


def test_unexamined_pixels_are_said(verdicts):
    assert "Pixels were not examined" in text_of(report_of(verdicts, pixels="unexamined"))
    assert "Pixels were not examined" not in text_of(report_of(verdicts))


def test_the_page_needs_nothing_from_outside(verdicts):
    page = render_html(report_of(verdicts)).decode()
    assert not re.search(r"<script|https?://|@import|url\(", page)
    assert page.count('src="data:image/png;base64,') == len(re.findall(r"<img", page)) == 2


def test_text_from_files_is_escaped(verdicts):
    finding = Finding("S-<b>", "2.25.1", "file_opens", "FILE_UNREADABLE", "<script>alert(1)</script>")
    assert b"<script" not in render_html(report_of(verdicts, findings=(finding,)))


def test_the_same_report_has_the_same_bytes_in_any_order(verdicts):
    one = report_of(verdicts)
    other = report_of(verdicts[::-1], rows=(LEAK, GOOD, GONE))
    for render in (render_html, render_json, report_rows):
        assert render(one) == render(other)


def test_json_and_parquet_say_the_same_as_the_page(verdicts):
    report = report_of(verdicts)
    content = json.loads(render_json(report))
    assert [CheckResult(**check) for check in content["checks"]] == list(report.checks)
    assert "thumbnails" not in content
    table = pq.ParquetFile(pa.BufferReader(report_rows(report))).read(use_threads=False)
    assert table.column("passed").to_pylist() == [True, True, True, False]
    assert table.column("findings").to_pylist()[3] == [
        "no_residual_identifiers:RESIDUAL_IDENTIFIER:(0020,4000) (identifier)"
    ]


def test_no_form_of_the_report_holds_a_value_of_the_originals(verdicts):
    report = report_of(verdicts)
    for content in (render_html(report), render_json(report), report_rows(report)):
        shown = content.decode("latin-1").casefold()
        assert not [v for v in ("isidora", "vandermolen", PATIENT_ID, "778812", "19610823", OLD_ROOT) if v in shown]
