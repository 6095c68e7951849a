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
from pydicom.uid import UID

from ..batches.key import is_arrival
from ..deid.profile_file import OPTIONS
from ..errors import REASONS
from .kept_values import CLEAN_PIXEL_DATA
from .report_content import BatchReport
from .report_flow import flow_of
from .report_tables import breakdown_of, examples_of, finding_groups, losses_of
from .report_verdict import spaced, totals_of, verdict_of
from .verdict import Thumbnail

_FINDINGS_SHOWN = 100
_DATES = {
    "remove": "removed, or replaced by a dummy where the standard demands a value",
    "year": "the year alone is kept",
    "shift": "moved by one number of days a patient, which the keepers of key and mapping know; intervals are kept",
    "keep": "kept as they were",
}
_PIXELS = {
    "clean": "an image that may show text is searched, and what is found is blanked; what nothing cleans is kept back",
    "quarantine": "an image of a kind that often shows text is kept back",
    "unexamined": "not examined: images are released as they are, whatever text is burned into them",
}
_FACES = {
    "withhold": "a scan from which a face could be rebuilt is kept back unless a person releases it",
    "deface": "a scan from which a face could be rebuilt goes through the site's own program, and else is kept back",
    "release": "a scan from which a face could be rebuilt is released as it is",
}
_FATES = {
    "cleaned": ("Text blanked", "What showed text is one value now; every pixel outside of it is as it was."),
    "nothing_found": ("Searched, nothing found", "Kind or header speaks for text; a search of the pixels found none."),
    "vouched": ("Seen by a person", "A reviewer has looked at the original and let it go as it is."),
    "header_only": ("Judged by header", "Neither kind nor header speaks for text; the pixels were not searched."),
    "kept_back": ("Kept back", "Not cleaned, or not for a program to judge. Nothing of it is released."),
}
_SOURCES = {
    "detected": "text that was found",
    "region": "beside the ultrasound regions",
    "device": "known of the device",
    "whole": "the whole image",
    "reviewer": "named by a reviewer",
}
_HOW = {
    "native": "in the pixels themselves, not compressed",
    "rle": "in the RLE segments",
    "jpeg blocks": "in the blocks of the JPEG, the others untouched",
    "recoded": "decoded and encoded again without loss",
}


def render_html(report: BatchReport, digests: Mapping[str, str]) -> bytes:
    """UTF-8; no scripts, no references to anything outside the page. The same report gives the same bytes. digests:
    SHA-256 of the report's other forms, by suffix."""
    totals = totals_of(report)
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
        blanked=[_picture(one) for one in report.thumbnails if one.blanked],
        pictures=[_picture(one) for one in report.thumbnails if not one.blanked],
        options=[(value, meaning, _claimed(report, value)) for value, meaning in OPTIONS.values()],
        dates=_DATES[report.dates],
        pixels=_PIXELS[report.pixels],
        faces=_FACES[report.faces],
        text=report.text_in_pixels,
        fates=_FATES,
        ways=_HOW,
        sources=_SOURCES,
        syntaxes=[(*map(_syntax_name, change.split(">")), count) for change, count in report.text_in_pixels.syntaxes],
        digests=digests,
        reasons=REASONS,
    )
    return page.encode("utf-8")


def _picture(thumbnail: Thumbnail) -> tuple[Thumbnail, str]:
    return thumbnail, base64.b64encode(thumbnail.png).decode("ascii")


def _claimed(report: BatchReport, code: str) -> str:
    """In which files an option of PS3.15 is claimed; empty where in none."""
    if any((code, "DCM") == claimed[:2] for claimed in report.codes):
        return "in all"
    cleaned = next(fate.images for fate in report.text_in_pixels.fates if fate.name == "cleaned")
    return f"in the {spaced(cleaned)} in which text was blanked" if code == CLEAN_PIXEL_DATA and cleaned else ""


def _syntax_name(uid: str) -> str:
    return UID(uid).name


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
