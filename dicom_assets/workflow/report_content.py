"""What a batch's validation report says, before it is a page: counts, codes, pseudonymous keys, new UIDs; nothing
identifying, and nothing of the clock, so that the same input gives the same report."""

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from ..storage.ledger import StudyRow, sums_that_fail
from .verdict import CHECKS, Finding, InstanceFacts, StudyVerdict, Thumbnail, withheld_instances

EDITION = "DICOM PS3.15 2026d"
_THUMBNAILS = 12
_PACKAGES = ("dicom-assets", "pydicom", "numpy", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle")
_ADDS_UP = "Requested = found + not found; expected = received + missing; received = de-identified + quarantined; "
_ADDS_UP += "de-identified = released + withheld, for every study."

Loss = tuple[str, str, int]  #: study key, reason code, instances


@dataclass(frozen=True)
class CheckResult:
    """looked_at, failed: instances, or what the sentence speaks of. An empty check has not passed."""

    name: str
    passed: bool
    looked_at: int
    failed: int
    sentence: str


@dataclass(frozen=True)
class BatchReport:
    """rows: ledger rows of validation_report. failing: new SOPInstanceUIDs that a finding withholds."""

    batch: str
    profile: str
    profile_digest: str
    pixels: str  #: the profile's rule for text in images: clean, quarantine, unexamined
    edition: str
    versions: tuple[tuple[str, str], ...]
    rows: tuple[StudyRow, ...]
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    quarantined: tuple[Loss, ...]
    withheld: tuple[Loss, ...]
    instances: tuple[InstanceFacts, ...]
    failing: tuple[str, ...]
    references: int
    thumbnails: tuple[Thumbnail, ...]


class NamedProfile(Protocol):
    """Of a profile, all that a report needs."""

    name: str
    digest: str
    pixels: str


def batch_report(
    *,
    batch: str,
    profile: NamedProfile,
    rows: Iterable[StudyRow],
    verdicts: Iterable[StudyVerdict],
    across: Sequence[Finding],
    more_checks: Sequence[CheckResult] = (),
    quarantined: Iterable[Loss] = (),
    withheld: Iterable[Loss] = (),
) -> BatchReport:
    """across: findings of compare_studies. more_checks: results of checks that are made elsewhere."""
    verdicts = sorted(verdicts, key=lambda verdict: verdict.study_key)
    rows = tuple(sorted(rows, key=lambda row: row.study_key))
    failing = {instance for verdict in verdicts for instance in withheld_instances(verdict, across)}
    findings = {*across, *(finding for verdict in verdicts for finding in verdict.findings)}
    return BatchReport(
        batch=batch,
        profile=profile.name,
        profile_digest=profile.digest,
        pixels=profile.pixels,
        edition=EDITION,
        versions=(*((name, version(name)) for name in _PACKAGES), ("Python", platform.python_version())),
        rows=rows,
        checks=(*_check_results(verdicts, findings), *more_checks, _ledger_check(rows)),
        findings=_in_order(findings),
        notes=_in_order({note for verdict in verdicts for note in verdict.notes}),
        quarantined=tuple(sorted(quarantined)),
        withheld=tuple(sorted(withheld)),
        instances=tuple(facts for verdict in verdicts for facts in verdict.instances),
        failing=tuple(sorted(failing)),
        references=sum(verdict.references for verdict in verdicts),
        thumbnails=_chosen([t for verdict in verdicts for t in verdict.thumbnails if t.instance not in failing]),
    )


def _check_results(verdicts: Sequence[StudyVerdict], findings: Iterable[Finding]) -> Iterable[CheckResult]:
    """A finding of a whole study counts once for each of its instances."""
    instances = {verdict.study_key: {facts.instance for facts in verdict.instances} for verdict in verdicts}
    with_pixels = {facts.instance for verdict in verdicts for facts in verdict.instances if facts.frames}
    total = sum(map(len, instances.values()))
    for name, sentence in CHECKS.items():
        failed = set()
        for finding in findings:
            if finding.check == name:
                failed |= {finding.instance} if finding.instance else instances.get(finding.study_key, set()) | {""}
        looked_at = len(with_pixels | failed) if name == "pixels_are_intact" else total
        yield CheckResult(name, not failed, looked_at, len(failed), sentence)


def _ledger_check(rows: Sequence[StudyRow]) -> CheckResult:
    failed = sum(bool(sums_that_fail(row, "validation_report")) for row in rows)
    return CheckResult("ledger_adds_up", not failed, len(rows), failed, _ADDS_UP)


def _chosen(thumbnails: Sequence[Thumbnail]) -> tuple[Thumbnail, ...]:
    """At most twelve, from as many modalities as there are."""
    rank: Counter[str] = Counter()
    ranked = []
    for thumbnail in sorted(thumbnails, key=lambda t: (t.modality, t.study_key, t.instance)):
        ranked.append((rank[thumbnail.modality], thumbnail.modality, thumbnail))
        rank[thumbnail.modality] += 1
    chosen = sorted(ranked, key=lambda entry: entry[:2])[:_THUMBNAILS]
    return tuple(sorted((entry[2] for entry in chosen), key=lambda t: (t.modality, t.study_key, t.instance)))


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.study_key, f.instance, f.check, f.reason, f.place)))
