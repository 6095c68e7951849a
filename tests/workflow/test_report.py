"""The report adds up, says why, reaches for nothing outside itself and is the same each time."""

import hashlib
import html
import json
import re
import subprocess
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicom_assets.deid.profile import load_profile
from dicom_assets.errors import REASONS
from dicom_assets.storage.ledger import StudyRow, write_stage
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.report import (
    SCHEMA,
    CheckResult,
    batch_report,
    render_json,
    report_forms,
    report_rows,
    report_schema,
)
from dicom_assets.workflow.report_flow import flow_of
from dicom_assets.workflow.report_tables import examples_of
from dicom_assets.workflow.report_verdict import totals_of, verdict_of
from dicom_assets.workflow.verdict import CHECKS, Finding
from tests.support.browser import browser
from tests.support.hand_deidentified import OLD_ROOT, PATIENT_ID, hand_made_study, planted, verdict_on
from tests.support.programs import needs

PROFILE = load_profile("basic")
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
        key_ids=["0123456789ab"],
    )
    return replace(report, **changes)


def page_of(report):
    return report_forms(report)["html"].decode()


def text_of(report):
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page_of(report), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(text))


def test_every_check_has_its_result_with_counts(verdicts):
    checks = {check.name: check for check in report_of(verdicts).checks}
    assert list(checks) == [*CHECKS, "mapping_is_one_to_one", "ledger_adds_up"]
    leak = checks["no_residual_identifiers"]
    assert (leak.passed, leak.looked_at, leak.failed) == (False, 4, 1)
    failing = {name for name, check in checks.items() if not check.passed}
    assert failing == {"no_residual_identifiers", "values_are_as_before"}


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
    assert REASONS["RESIDUAL_IDENTIFIER"] in text


def test_a_batch_without_loss_is_complete_and_clean(verdicts):
    assert "Complete and clean" in text_of(report_of(verdicts[:1], rows=(GOOD,)))


def test_a_profile_that_keeps_the_identity_is_never_called_clean(verdicts):
    for rows, left in (((GOOD,), ""), ((GOOD, GONE), "1 study was not found")):
        report = report_of(verdicts[:1], rows=rows, identity_removed=False)
        verdict, text = verdict_of(report), text_of(report)
        assert (verdict.state, verdict.tone) == ("identity_kept", "part") and left in verdict.sentence
        assert "still name their patients" in text and "lean" not in verdict.word


def test_a_check_that_was_not_made_takes_the_green_away(verdicts):
    report = report_of(verdicts[:1], rows=(GOOD,))
    first, *others = report.checks
    absent = replace(first, passed=False, looked_at=0, not_made="SECOND_READER_ABSENT")
    verdict = verdict_of(replace(report, checks=(absent, *others)))
    assert (verdict.state, verdict.tone) == ("not_fully_checked", "part") and "1 check was not made" in verdict.sentence


def test_a_batch_of_which_nothing_passed_says_so(verdicts):
    none = replace(GOOD, released=0, withheld=2, state="quarantined", reason="PIXELS_CHANGED")
    assert "Nothing released" in text_of(report_of(verdicts[:1], rows=(none,)))


def test_counts_that_contradict_each_other_come_first(verdicts):
    assert "Does not add up" in text_of(report_of(verdicts[:1], rows=(replace(GOOD, released=1),)))


def test_a_study_of_unknown_size_is_never_complete(verdicts):
    text = text_of(report_of(verdicts[:1], rows=(replace(GOOD, expected=None),)))
    assert "Complete and clean" not in text and "1 study's size is unknown" in text


def test_an_empty_batch_has_a_report():
    assert "Nothing released" in text_of(report_of([], rows=()))


def test_unexamined_pixels_are_said(verdicts):
    assert "Pixels were not examined" in text_of(report_of(verdicts, pixels="unexamined"))
    assert "Pixels were not examined" not in text_of(report_of(verdicts))


def test_the_page_needs_nothing_from_outside(verdicts):
    page = page_of(report_of(verdicts))
    assert not re.search(r"<script|https?://|@import|url\(", page)
    assert page.count('src="data:image/png;base64,') == len(re.findall(r"<img", page)) == 2


def test_text_from_files_is_escaped(verdicts):
    finding = Finding("S-<b>", "2.25.1", "file_opens", "FILE_UNREADABLE", "<script>alert(1)</script>")
    assert "<script" not in page_of(report_of(verdicts, findings=(finding,)))


def test_the_same_report_has_the_same_bytes_in_any_order(verdicts):
    one = report_of(verdicts)
    other = report_of(verdicts[::-1], rows=(LEAK, GOOD, GONE))
    assert report_forms(one) == report_forms(other)


def test_json_and_parquet_say_the_same_as_the_page(verdicts):
    report = report_of(verdicts)
    content = json.loads(render_json(report))
    assert [CheckResult(**check) for check in content["checks"]] == list(report.checks)
    assert "thumbnails" not in content
    table = pq.ParquetFile(pa.BufferReader(report_rows(report))).read(use_threads=False)
    assert table.column("passed").to_pylist() == table.column("released").to_pylist() == [True, True, True, False]
    assert table.column("findings").to_pylist()[3] == [
        "no_residual_identifiers:RESIDUAL_IDENTIFIER:(0020,4000) (identifier)",
        "values_are_as_before:VALUE_INVENTED:(0020,4000)",
    ]


def test_no_form_of_the_report_holds_a_value_of_the_originals(verdicts):
    report = report_of(verdicts)
    for content in report_forms(report).values():
        shown = content.decode("latin-1").casefold()
        assert not [v for v in ("isidora", "vandermolen", PATIENT_ID, "778812", "19610823", OLD_ROOT) if v in shown]


def test_the_json_is_what_its_published_schema_says_and_nothing_else(verdicts):
    schema = json.loads(report_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    for report in (report_of(verdicts), report_of([], rows=()), report_of(verdicts[:1], rows=(GOOD,))):
        content = json.loads(render_json(report))
        assert content["schema"] == schema["$id"] == SCHEMA
        judge.validate(content)
        for unknown in (content, content["rows"], content["checks"], content["findings"], content["instances"]):
            if one := unknown if isinstance(unknown, dict) else next(iter(unknown), None):
                one["unknown"] = ""
                assert not judge.is_valid(content)
                del one["unknown"]


def test_the_list_of_what_is_released_is_as_sha256sum_reads_it(verdicts, tmp_path):
    report = report_of(verdicts)
    forms = report_forms(report)
    lines = forms["sha256"].decode().splitlines()
    assert lines == sorted(lines, key=lambda line: line[66:]) and len(lines) == 3
    assert report.release_sha256 == hashlib.sha256(forms["sha256"]).hexdigest()
    page = forms["html"].decode()
    for said in (report.release_sha256, report.ledger_sha256, hashlib.sha256(forms["json"]).hexdigest()):
        assert said in page
    for line in lines:
        file = tmp_path / line[66:]
        file.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "list").write_bytes(forms["sha256"])
    for study in ("S-GOOD", "S-LEAK"):
        for facts in (one for one in report.instances if one.study_key == study and one.is_released):
            (tmp_path / facts.released_path).write_bytes(b"")
    done = subprocess.run(["sha256sum", "--check", "--quiet", "list"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1 and done.stdout.count(b"FAILED") == 3  # it read the list and found all three changed


def test_the_ledger_s_digest_is_that_of_the_ledger_s_file(verdicts, tmp_path):
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    report = report_of(verdicts)
    write_stage(zones, report.batch, "validation_report", [LEAK, GOOD, GONE])
    written = zones.ledger(report.batch, "validation_report").read_bytes()
    assert report.ledger_sha256 == hashlib.sha256(written).hexdigest()


def test_of_what_is_withheld_no_value_is_shown(verdicts):
    report = report_of(verdicts)
    (withheld,) = [one for one in report.instances if one.instance in report.failing]
    assert (withheld.released_path, withheld.modality, withheld.manufacturer, withheld.sha256) == ("", "", "", "")
    assert "Of 1 withheld instances no value is shown" in text_of(report)
    assert all(picture.instance not in report.failing for picture in report.thumbnails)


def test_a_failed_check_shows_where_by_pseudonym(verdicts):
    report = report_of(verdicts)
    row = next(part for part in page_of(report).split("<tr>") if "No residual identifiers" in part and "fails" in part)
    assert "study S-LEAK" in row and report.failing[0] in row and "ImageComments" in row


def test_at_most_five_examples_as_unlike_as_there_are(verdicts):
    findings = [Finding("S-LEAK", f"2.25.{n}", "file_opens", "FILE_UNREADABLE", "") for n in range(9)]
    findings.append(Finding("S-LEAK", "2.25.9", "file_opens", "ORIGINAL_UNREADABLE", ""))
    examples = examples_of(report_of(verdicts, findings=tuple(findings)))["file_opens"]
    assert [one.reason for one in examples] == ["FILE_UNREADABLE", "ORIGINAL_UNREADABLE", *["FILE_UNREADABLE"] * 3]


def test_a_check_that_was_not_made_is_neither_green_nor_red(verdicts):
    (good, *_), reason = verdicts, "SECOND_READER_ABSENT"
    report = report_of([replace(good, not_made=(("second_reader_opens_it", reason),))], rows=(GOOD,))
    (check,) = [check for check in report.checks if check.not_made]
    assert (check.name, check.passed, check.looked_at, check.failed) == ("second_reader_opens_it", False, 0, 0)
    text = text_of(report)
    assert "○ not made" in text and "✕ fails" not in text and reason in text
    assert (
        "passed every check that was made" in text and "1 check was not made" in text and "0 fail, 1 not made" in text
    )


def test_a_check_of_the_batch_as_a_whole_that_fails_speaks_against_all_of_it(verdicts):
    report = report_of(verdicts[:1], rows=(GOOD,))
    failing = [replace(one, passed=False, failed=1) if "mapping" in one.name else one for one in report.checks]
    verdict = verdict_of(replace(report, checks=tuple(failing)))
    assert (verdict.state, verdict.tone) == ("not_proved", "bad")


def test_the_flow_keeps_its_proportions_and_stays_in_its_frame(verdicts):
    kept_back = replace(GOOD, expected=40, received=10, missing=30, deidentified=0, quarantined=10, released=0)
    for rows in ((GOOD, GONE, LEAK), (GOOD,), (GONE,), (), (kept_back,), (replace(GOOD, expected=None),)):
        flow = flow_of(totals_of(report_of(verdicts, rows=rows)), arrival=False)
        assert all(one.lost + one.kept == one.whole for one in flow.sums)
        for before, after in zip(flow.steps, flow.steps[1:], strict=False):
            assert before.unit != after.unit or before.thickness_after == after.thickness
        for branch in flow.branches:
            across = [float(number) for number in re.findall(r"[\d.]+", branch.path)]
            assert branch.count > 0 and max(across) < flow.width and branch.y < flow.height
    assert [(one.what, one.count) for one in flow_of(totals_of(report_of(verdicts)), arrival=False).branches] == [
        ("not found", 1), ("missing", 1), ("quarantined", 2), ("withheld", 1)
    ]  # fmt: skip


def test_every_loss_leads_to_its_reason(verdicts):
    page = page_of(report_of(verdicts))
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert {"why-not-found", "why-missing", "why-quarantined", "why-withheld"} <= targets
    assert targets <= set(re.findall(r'id="([^"]+)"', page))


def test_every_text_can_be_read_on_its_ground_by_light_and_by_dark():
    """WCAG 2.1 AA: a contrast of 4.5 to 1."""
    css = files("dicom_assets.workflow").joinpath("report.css.j2").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    pairs = [(text, ground) for text in ("ink", "soft") for ground in ("paper", "ground")]
    pairs += [(tone, f"{tone}-ground") for tone in ("good", "part", "bad")] + [("part", "paper"), ("ink", "flow")]
    pairs += [("on-mark", tone) for tone in ("good", "part", "bad")]
    for colours in (light, dark):
        assert all(contrast(colours[text], colours[ground]) >= 4.5 for text, ground in pairs)


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@needs("chromium")
def test_a_browser_shows_and_prints_it(verdicts, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page_of(report_of(verdicts)), "utf-8")
    said, asked = [], []
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert "Clean, not complete" in page.inner_text(".verdict")
        page.click("text=− 1 withheld")  # in the picture of the flow
        assert page.url.endswith("#why-withheld")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 688, "height": 1000})  # A4 between its margins, 96 pixels an inch
        assert page.evaluate("document.documentElement.scrollWidth") <= 688
        assert page.locator(".verdict").bounding_box()["y"] + page.locator(".verdict").bounding_box()["height"] < 700
        for form in ("A4", "Letter"):
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=form))) > 1
    assert not said
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
