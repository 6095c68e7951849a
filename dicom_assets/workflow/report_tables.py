"""The rows of the page's tables: losses by reason, findings, examples of a failed check, what was released of whom."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from ..errors import REASONS
from ..storage.ledger import sums_that_fail
from .report_content import BatchReport
from .verdict import Finding, InstanceFacts

_EXAMPLES = 5
_MANUFACTURERS = 6  #: with a column of their own


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
class Example:
    """Where a check failed: pseudonymous study key, new SOPInstanceUID (empty: the whole study), reason, place."""

    study_key: str
    instance: str
    reason: str
    place: str
    element: str = ""


@dataclass(frozen=True)
class ModalityCount:
    """Released instances. by_manufacturer: as Breakdown.manufacturers has them."""

    modality: str
    by_manufacturer: tuple[int, ...]
    studies: int
    instances: int
    frames: int
    size: str


@dataclass(frozen=True)
class Breakdown:
    """manufacturers: titles of columns, the last one may be of several. withheld: instances, of which no value is
    shown."""

    manufacturers: tuple[str, ...]
    total: ModalityCount
    rows: tuple[ModalityCount, ...]
    withheld: int

    @property
    def largest(self) -> int:
        """Of all counts of a modality and manufacturer."""
        return max((count for row in self.rows for count in row.by_manufacturer), default=0)


def losses_of(report: BatchReport) -> list[LossGroup]:
    """Every loss that the flow shows, by where it happened and why."""
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


def finding_groups(report: BatchReport) -> list[FindingGroup]:
    counts = Counter((f.study_key, f.check, f.reason, f.place) for f in report.findings)
    whole = {(f.study_key, f.check, f.reason, f.place) for f in report.findings if not f.instance}
    return [
        FindingGroup(*group, _element_name(group[3]), 0 if group in whole else count)
        for group, count in sorted(counts.items())
    ]


def examples_of(report: BatchReport) -> dict[str, list[Example]]:
    """Check -> a few of its failures, as unlike each other as there are. The ledger's name the sum that fails."""
    by_check: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_check[finding.check].append(finding)
    examples = {check: [_example(one) for one in _unlike(findings)] for check, findings in by_check.items()}
    examples["ledger_adds_up"] = [
        Example(row.study_key, "", reason, "")
        for row in report.rows
        for reason in sums_that_fail(row, "validation_report")
    ][:_EXAMPLES]
    return examples


def _unlike(findings: Sequence[Finding]) -> list[Finding]:
    """One of each reason and place first, then the second of each."""
    times: Counter[tuple[str, str]] = Counter()
    ranked = []
    for finding in findings:
        kind = (finding.reason, finding.place)
        ranked.append((times[kind], finding))
        times[kind] += 1
    return [finding for _, finding in sorted(ranked, key=lambda one: one[0])[:_EXAMPLES]]


def _example(finding: Finding) -> Example:
    return Example(finding.study_key, finding.instance, finding.reason, finding.place, _element_name(finding.place))


def _element_name(place: str) -> str:
    tags = re.findall(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", place)
    return keyword_for_tag(int("".join(tags[-1]), 16)) if tags else ""


def breakdown_of(report: BatchReport) -> Breakdown:
    """What is released, by modality and manufacturer of the de-identified files."""
    released = [facts for facts in report.instances if facts.is_released]
    counts = Counter(facts.manufacturer or "not said" for facts in released)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    columns, others = ordered[:_MANUFACTURERS], ordered[_MANUFACTURERS:]
    groups = defaultdict(list)
    for facts in released:
        groups[facts.modality or "not said"].append(facts)
    return Breakdown(
        manufacturers=(*columns, *([f"{len(others)} others"] if others else [])),
        total=_modality_count("All", released, columns, others),
        rows=tuple(_modality_count(modality, group, columns, others) for modality, group in sorted(groups.items())),
        withheld=len(report.instances) - len(released),
    )


def _modality_count(
    modality: str, group: Sequence[InstanceFacts], columns: Sequence[str], others: Sequence[str]
) -> ModalityCount:
    counts = Counter(facts.manufacturer or "not said" for facts in group)
    rest = [sum(counts[name] for name in others)] if others else []
    return ModalityCount(
        modality=modality,
        by_manufacturer=(*(counts[name] for name in columns), *rest),
        studies=len({facts.study_key for facts in group}),
        instances=len(group),
        frames=sum(facts.frames for facts in group),
        size=_size(sum(facts.bytes for facts in group)),
    )


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.2f} GB"
