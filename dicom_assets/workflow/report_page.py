"""The report as one self-contained page: report.html.j2 says what stands where, report.css.j2 how it looks.

report_verdict.py   sums and the one word     report_tables.py   rows of the tables
report_flow.py      the way as a picture      report_content.py  all that it is made of
"""

import base64
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from ..batches.key import is_arrival
from ..deid.profile_file import OPTIONS
from ..errors import REASONS
from .report_content import BatchReport
from .report_flow import flow_of
from .report_tables import breakdown_of, examples_of, finding_groups, losses_of
from .report_verdict import spaced, totals_of, verdict_of

_FINDINGS_SHOWN = 100
_DATES = {
    "remove": "removed, or replaced by a dummy where the standard demands a value",
    "year": "the year alone is kept",
    "shift": "moved by one number of days a patient, which the keepers of key and mapping know; intervals are kept",
    "keep": "kept as they were",
}
_PIXELS = {
    "clean": "an image of a kind that often shows text is kept back unless it was cleaned",
    "quarantine": "an image of a kind that often shows text is kept back",
    "unexamined": "not examined: images are released as they are, whatever text is burned into them",
}


def render_html(report: BatchReport, digests: Mapping[str, str]) -> bytes:
    """UTF-8; no scripts, no references to anything outside the page. The same report gives the same bytes. digests:
    SHA-256 of the report's other forms, by suffix."""
    totals = totals_of(report)
    in_force = {value for value, scheme, _ in report.codes if scheme == "DCM"}
    page = _template().render(
        report=report,
        totals=totals,
        verdict=verdict_of(report),
        is_arrival=is_arrival(report.batch),
        flow=flow_of(totals, arrival=is_arrival(report.batch)),
        checks_that_hold=sum(check.passed for check in report.checks),
        checks_not_made=sum(bool(check.not_made) for check in report.checks),
        examples=examples_of(report),
        losses=losses_of(report),
        breakdown=breakdown_of(report),
        findings=finding_groups(report),
        findings_shown=_FINDINGS_SHOWN,
        notes=Counter(note.reason for note in report.notes).items(),
        pictures=[(t, base64.b64encode(t.png).decode("ascii")) for t in report.thumbnails],
        options=[(value, meaning, value in in_force) for value, meaning in OPTIONS.values()],
        dates=_DATES[report.dates],
        pixels=_PIXELS[report.pixels],
        digests=digests,
        reasons=REASONS,
    )
    return page.encode("utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(lambda name: files("dicom_assets.workflow").joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = spaced
    environment.filters["words"] = lambda name: name.replace("_", " ").capitalize().replace("Uids", "UIDs")
    return environment.get_template("report.html.j2")
