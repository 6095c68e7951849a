"""The report as one self-contained page: what it shows is put together here, how it looks is report.html.j2."""

import base64
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from pydicom.datadict import keyword_for_tag

from ..batches.key import is_arrival
from ..errors import REASONS
from .report_content import BatchReport

_FINDINGS_SHOWN = 100


@dataclass(frozen=True)
class Verdict:
    """tone: good, part or bad."""

    tone: str
    mark: str
    word: str
    sentence: str


@dataclass(frozen=True)
class Step:
    """A step of the way from request to release. lost: how many went missing before this step, and as what."""

    label: str
    unit: str
    count: str
    share: int  #: percent of the first step of the same unit
    lost: int
    lost_as: str


@dataclass(frozen=True)
class LossGroup:
    """What was not released for one reason. studies: pseudonymous keys with their numbers of instances."""

    what: str
    reason: str
    sentence: str
    instances: int
    studies: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FindingGroup:
    """The same finding in the instances of one study. element: name of the place's element, where it is one.
    instances: 0 where it is of the whole study."""

    study_key: str
    check: str
    reason: str
    place: str
    element: str
    instances: int


@dataclass(frozen=True)
class ModalityCount:
    modality: str
    studies: int
    instances: int
    frames: int
    passed: int
    size: str


@dataclass(frozen=True)
class Totals:
    requested: int
    found: int
    expected: int  #: of the studies whose number of instances the archive could say
    unknown: int  #: studies whose number it could not say
    received: int
    received_of_known: int
    missing: int
    deidentified: int
    quarantined: int
    released: int
    withheld: int

    @property
    def lost(self) -> int:
        return self.missing + self.quarantined + self.withheld


def render_html(report: BatchReport) -> bytes:
    """UTF-8; no scripts, no references to anything outside the page. The same report gives the same bytes."""
    totals = _totals(report)
    page = _template().render(
        report=report,
        totals=totals,
        verdict=_verdict(report, totals),
        is_arrival=is_arrival(report.batch),
        steps=_steps(totals),
        losses=_losses(report),
        modalities=_modalities(report),
        findings=_finding_groups(report),
        findings_shown=_FINDINGS_SHOWN,
        notes=Counter(note.reason for note in report.notes).items(),
        pictures=[(t, base64.b64encode(t.png).decode("ascii")) for t in report.thumbnails],
        reasons=REASONS,
    )
    return page.encode("utf-8")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["count"] = lambda number: f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    environment.filters["words"] = lambda name: name.replace("_", " ").capitalize().replace("Uids", "UIDs")
    return environment.from_string(files("dicom_assets.workflow").joinpath("report.html.j2").read_text("utf-8"))


def _totals(report: BatchReport) -> Totals:
    rows = report.rows
    known = [row for row in rows if row.expected is not None]
    return Totals(
        requested=len(rows),
        found=sum(row.found for row in rows),
        expected=sum(row.expected for row in known),
        unknown=len(rows) - len(known),
        received_of_known=sum(row.received for row in known),
        **{
            name: sum(getattr(row, name) for row in rows)
            for name in ("received", "missing", "deidentified", "quarantined", "released", "withheld")
        },
    )


def _verdict(report: BatchReport, totals: Totals) -> Verdict:
    failed = [check.name for check in report.checks if not check.passed]
    if "ledger_adds_up" in failed:
        return Verdict(
            "bad", "✕", "Does not add up", "The counts of this batch contradict each other; trust none of it."
        )
    if is_arrival(report.batch) and not (totals.received or totals.missing):
        return Verdict("good", "✓", "Nothing new", "All that arrived had arrived before, and was dealt with then.")
    if not totals.released:
        return Verdict("bad", "✕", "Nothing released", "No instance of this batch passed; the reasons are below.")
    clean = "Every released instance passed every check against its original."
    if totals.found == totals.requested and not totals.lost and not totals.unknown and not failed:
        if not is_arrival(report.batch):
            return Verdict("good", "✓", "Complete and clean", f"All that was asked for is released. {clean}")
        if all(row.proved_by for row in report.rows if row.received):
            return Verdict("good", "✓", "Complete and clean", f"All that its senders counted is released. {clean}")
        unknown = "Whether more belongs to these studies, no sender has said."
        return Verdict("good", "✓", "Clean", f"All that arrived is released. {clean} {unknown}")
    left = [
        _number(totals.requested - totals.found, "study was not found", "studies were not found"),
        _number(totals.unknown, "study's size is unknown", "studies' sizes are unknown"),
        _number(totals.lost, "instance is not released", "instances are not released"),
    ]
    said = "; ".join(part for part in left if part)
    return Verdict(
        "part", "!", "Clean, not complete", f"{clean} {said[:1].upper()}{said[1:]}, each with its reason below."
    )


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}".replace(",", "\N{NARROW NO-BREAK SPACE}") if count else ""


def _steps(totals: Totals) -> list[Step]:
    def share(count: int, whole: int) -> int:
        return min(100, round(100 * count / whole)) if whole else 0

    whole = totals.received + totals.missing
    expected = f"{totals.expected}" + ("+" if totals.unknown else "")
    lost = totals.requested - totals.found
    return [
        Step("Requested", "studies", str(totals.requested), 100, 0, ""),
        Step("Found", "studies", str(totals.found), share(totals.found, totals.requested), lost, "not found"),
        Step("Expected", "instances", expected, 100, 0, ""),
        Step("Received", "instances", str(totals.received), share(totals.received, whole), totals.missing, "missing"),
        Step(
            *("De-identified", "instances", str(totals.deidentified), share(totals.deidentified, whole)),
            *(totals.quarantined, "quarantined"),
        ),
        Step(
            *("Released", "instances", str(totals.released), share(totals.released, whole)),
            *(totals.withheld, "withheld"),
        ),
    ]


def _losses(report: BatchReport) -> list[LossGroup]:
    """Every loss that the steps show, by where it happened and why."""
    groups: dict[tuple[int, str, str], dict[str, int]] = defaultdict(dict)
    for row in report.rows:
        if not row.found:
            groups[0, "not found", row.reason][row.study_key] = 0
        elif row.expected is None:
            groups[1, "size unknown", row.reason or "EXPECTED_COUNT_UNKNOWN"][row.study_key] = 0
        if row.missing:
            groups[2, "missing", row.reason][row.study_key] = row.missing
    for order, what, losses in ((3, "quarantined", report.quarantined), (4, "withheld", report.withheld)):
        for study_key, reason, count in losses:
            groups[order, what, reason][study_key] = groups[order, what, reason].get(study_key, 0) + count
    return [
        LossGroup(what, reason, REASONS.get(reason, ""), sum(studies.values()), tuple(sorted(studies.items())))
        for (_, what, reason), studies in sorted(groups.items())
    ]


def _finding_groups(report: BatchReport) -> list[FindingGroup]:
    counts = Counter((f.study_key, f.check, f.reason, f.place) for f in report.findings)
    whole = {(f.study_key, f.check, f.reason, f.place) for f in report.findings if not f.instance}
    return [
        FindingGroup(*group, _element_name(group[3]), 0 if group in whole else count)
        for group, count in sorted(counts.items())
    ]


def _element_name(place: str) -> str:
    tags = re.findall(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", place)
    return keyword_for_tag(int("".join(tags[-1]), 16)) if tags else ""


def _modalities(report: BatchReport) -> list[ModalityCount]:
    failing = set(report.failing)
    groups = defaultdict(list)
    for facts in report.instances:
        groups[facts.modality or "none"].append(facts)
    return [
        ModalityCount(
            modality=modality,
            studies=len({facts.study_key for facts in group}),
            instances=len(group),
            frames=sum(facts.frames for facts in group),
            passed=sum(facts.instance not in failing for facts in group),
            size=_size(sum(facts.bytes for facts in group)),
        )
        for modality, group in sorted(groups.items())
    ]


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.2f} GB"
