"""The validation report of a batch in its forms: a page for people, JSON for programs, Parquet for analysis, and the
list of what is released for sha256sum."""

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.resources import files

from ..storage.atomic import LONG_AGO, remove_unfinished, write_if_changed
from ..storage.tables import to_parquet
from ..storage.zones import RELEASED_FILE, RELEASED_FOLDER, Zones
from .report_content import BatchReport, CheckResult, batch_report, released_list
from .report_page import render_html
from .report_verdict import totals_of, verdict_of

__all__ = [
    "FORMS",
    "SCHEMA",
    "BatchReport",
    "CheckResult",
    "batch_report",
    "render_json",
    "report_rows",
    "report_schema",
    "write_report",
]

FORMS = ("sha256", "parquet", "json", "html")  #: suffixes of the files that make up a report
#: Names the form of the JSON; the number after the last colon grows when a field changes its meaning or goes.
SCHEMA = "urn:dicom-assets:validation-report:1"


@dataclass(frozen=True)
class ReportRow:
    """A row of the Parquet form: one de-identified instance. findings: `check:reason:place`; passed where there is none
    of the instance or of its whole study. Of what is not released, no value of the file."""

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
    sha256: str
    pixels: str
    blanked: int
    released: bool
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
        passed = facts.instance not in failing
        rows.append(
            ReportRow(batch=report.batch, released=facts.is_released, passed=passed, findings=findings, **asdict(facts))
        )
    return to_parquet(rows, ReportRow)


def render_json(report: BatchReport) -> bytes:
    """All of the report but its pictures; report.schema.json describes it."""
    content = asdict(replace(report, thumbnails=()))
    del content["thumbnails"]
    content = {
        "schema": SCHEMA,
        "batch": content.pop("batch"),
        "verdict": asdict(verdict_of(report)),
        "totals": asdict(totals_of(report)),
        **content,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def report_schema() -> str:
    """The JSON Schema (2020-12) of the JSON form."""
    return files("dicom_assets.workflow").joinpath("report.schema.json").read_text("utf-8")


def report_forms(report: BatchReport) -> dict[str, bytes]:
    """Suffix -> content, in the order of FORMS: the page last, for it names the digests of the others."""
    forms = {
        "sha256": released_list(report.instances),
        "parquet": report_rows(report),
        "json": render_json(report),
    }
    digests = {suffix: sha256(content).hexdigest() for suffix, content in forms.items()}
    return {**forms, "html": render_html(report, digests)}


def write_report(zones: Zones, batch: str, report: BatchReport) -> dict[str, str]:
    """Suffix of each form -> its SHA-256."""
    remove_unfinished(zones.report(batch, "html").parent, LONG_AGO)
    forms = report_forms(report)
    for suffix, content in forms.items():
        write_if_changed(zones.report(batch, suffix), content, RELEASED_FILE, RELEASED_FOLDER)
    return {suffix: sha256(content).hexdigest() for suffix, content in forms.items()}
