"""The validation report of a batch in its three forms: a page for people, JSON for programs, Parquet for analysis."""

import json
from dataclasses import asdict, dataclass, replace

from ..storage.atomic import LONG_AGO, remove_unfinished, write_if_changed
from ..storage.tables import to_parquet
from ..storage.zones import RELEASED_FILE, RELEASED_FOLDER, Zones
from .report_content import BatchReport, CheckResult, batch_report
from .report_page import render_html

__all__ = ["BatchReport", "CheckResult", "batch_report", "render_html", "render_json", "report_rows", "write_report"]


@dataclass(frozen=True)
class ReportRow:
    """A row of the Parquet form: one de-identified instance. findings: `check:reason:place`; passed where there is none
    of the instance or of its whole study."""

    batch: str
    study_key: str
    instance: str
    released_path: str
    modality: str
    sop_class: str
    transfer_syntax: str
    manufacturer: str
    rows: int
    columns: int
    frames: int
    bytes: int
    passed: bool
    findings: tuple[str, ...]


def report_rows(report: BatchReport) -> bytes:
    """Parquet, one row an instance that was judged, released or not; the schema is ReportRow's."""
    failing = set(report.failing)
    said: dict[tuple[str, str], list[str]] = {}
    for finding in report.findings:
        text = f"{finding.check}:{finding.reason}:{finding.place}"
        said.setdefault((finding.study_key, finding.instance), []).append(text)
    rows = []
    for facts in report.instances:
        findings = (*said.get((facts.study_key, facts.instance), ()), *said.get((facts.study_key, ""), ()))
        rows.append(
            ReportRow(batch=report.batch, passed=facts.instance not in failing, findings=findings, **asdict(facts))
        )
    return to_parquet(rows, ReportRow)


def render_json(report: BatchReport) -> bytes:
    """All of the report but its pictures."""
    content = asdict(replace(report, thumbnails=()))
    del content["thumbnails"]
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def write_report(zones: Zones, batch: str, report: BatchReport) -> None:
    remove_unfinished(zones.report(batch, "html").parent, LONG_AGO)
    for suffix, content in (
        ("html", render_html(report)),
        ("parquet", report_rows(report)),
        ("json", render_json(report)),
    ):
        write_if_changed(zones.report(batch, suffix), content, RELEASED_FILE, RELEASED_FOLDER)
