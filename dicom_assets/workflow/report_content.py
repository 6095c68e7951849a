"""What a batch's validation report says, before it is a page: counts, codes, pseudonymous keys, new UIDs; nothing
identifying, and nothing of the clock, so that the same input gives the same report."""

import platform
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Protocol

from ..storage.ledger import StudyRow, sums_that_fail
from ..storage.manifests import StagedInstance
from ..storage.tables import to_parquet
from .report_pixels import PixelReport, pixel_report
from .verdict import (
    CHECKS,
    Finding,
    InstanceFacts,
    StudyVerdict,
    Thumbnail,
    withheld_instances,
    without_withheld,
)

EDITION = "DICOM PS3.15 2026d"
_THUMBNAILS = 12
_PACKAGES = ("dicom-assets", "pydicom", "numpy", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle")
_ADDS_UP = "Requested = found + not found; expected = received + missing; received = de-identified + quarantined; "
_ADDS_UP += "de-identified = released + withheld, for every study."

Loss = tuple[str, str, int]  #: study key, reason code, instances


@dataclass(frozen=True)
class CheckResult:
    """looked_at, failed: instances, or what the sentence speaks of. not_made: reason code where the check could not be
    made (a tool is absent): then it has not passed, nor has it failed."""

    name: str
    passed: bool
    looked_at: int
    failed: int
    sentence: str
    not_made: str = ""


@dataclass(frozen=True)
class BatchReport:
    """The fields are those of report.schema.json, which describes each."""

    batch: str
    profile: str
    profile_digest: str
    pixels: str  #: the profile's rule for text in images: clean, quarantine, unexamined
    faces: str  #: the profile's rule for recognisable faces: withhold, deface, release
    dates: str  #: the profile's rule for dates: remove, year, shift, keep
    codes: tuple[tuple[str, str, str], ...]  #: (value, scheme, meaning) in (0012,0064) of every file
    switches_off: tuple[str, ...]  #: groups of elements that the profile leaves as they are
    overrides: int  #: elements that the profile treats by its author's own word
    identity_removed: bool  #: False: the profile keeps a name or a number of the patient, as every file says
    edition: str
    key_ids: tuple[str, ...]  #: of the pseudonym keys
    versions: tuple[tuple[str, str], ...]
    rows: tuple[StudyRow, ...]  #: the ledger's, of validation_report
    ledger_sha256: str  #: of the ledger's file that holds these rows
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    quarantined: tuple[Loss, ...]
    withheld: tuple[Loss, ...]
    instances: tuple[InstanceFacts, ...]
    release_sha256: str  #: of released_list()
    failing: tuple[str, ...]  #: new SOPInstanceUIDs that a finding withholds
    references: int
    text_in_pixels: PixelReport
    thumbnails: tuple[Thumbnail, ...]


class NamedProfile(Protocol):
    """Of a profile, all that a report needs."""

    name: str
    digest: str
    pixels: str
    faces: str
    dates: str
    codes: tuple[tuple[str, str, str], ...]
    groups: dict[str, bool]
    overrides: dict[int, str]
    removes_identity: bool


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
    held_back: Set[str] = frozenset(),
    key_ids: Iterable[str] = (),
    manifests: Iterable[StagedInstance] = (),
) -> BatchReport:
    """across: findings of compare_studies. more_checks: results of checks that are made elsewhere. held_back: new
    SOPInstanceUIDs that are withheld, beside those that a finding withholds. manifests: rows of every study's."""
    verdicts = sorted(verdicts, key=lambda verdict: verdict.study_key)
    rows = tuple(sorted(rows, key=lambda row: row.study_key))
    failing = {instance for verdict in verdicts for instance in withheld_instances(verdict, across)}
    findings = {*across, *(finding for verdict in verdicts for finding in verdict.findings)}
    shown = [without_withheld(verdict, failing | held_back) for verdict in verdicts]
    instances = tuple(facts for verdict in shown for facts in verdict.instances)
    return BatchReport(
        batch=batch,
        profile=profile.name,
        profile_digest=profile.digest,
        pixels=profile.pixels,
        faces=profile.faces,
        dates=profile.dates,
        codes=profile.codes,
        switches_off=tuple(sorted(name for name, on in profile.groups.items() if not on)),
        overrides=len(profile.overrides),
        identity_removed=profile.removes_identity,
        edition=EDITION,
        key_ids=tuple(sorted(set(key_ids))),
        versions=(*((name, version(name)) for name in _PACKAGES), ("Python", platform.python_version())),
        rows=rows,
        ledger_sha256=sha256(to_parquet(rows, StudyRow)).hexdigest(),
        checks=(*_check_results(verdicts, findings), *more_checks, _ledger_check(rows)),
        findings=_in_order(findings),
        notes=_in_order({note for verdict in verdicts for note in verdict.notes}),
        quarantined=tuple(sorted(quarantined)),
        withheld=tuple(sorted(withheld)),
        instances=instances,
        release_sha256=sha256(released_list(instances)).hexdigest(),
        failing=tuple(sorted(failing)),
        references=sum(verdict.references for verdict in verdicts),
        text_in_pixels=pixel_report(
            manifests,
            {facts.instance for facts in instances if facts.frames},
            {facts.instance for facts in instances if facts.is_released},
        ),
        thumbnails=_chosen([thumbnail for verdict in shown for thumbnail in verdict.thumbnails]),
    )


def released_list(instances: Iterable[InstanceFacts]) -> bytes:
    """`<sha256>  <path below the released root>`, a line for each released instance, by path: as sha256sum reads it."""
    released = sorted((one.released_path, one.sha256) for one in instances if one.is_released)
    return "".join(f"{digest}  {path}\n" for path, digest in released).encode()


def _check_results(verdicts: Sequence[StudyVerdict], findings: Iterable[Finding]) -> Iterable[CheckResult]:
    """A finding of a whole study counts once for each of its instances. A check that was not made of one study was not
    made of the batch; where it failed, it failed."""
    instances = {verdict.study_key: {facts.instance for facts in verdict.instances} for verdict in verdicts}
    for name, sentence in CHECKS.items():
        failed: set[str] = set()
        for finding in findings:
            if finding.check == name:
                failed |= {finding.instance} if finding.instance else instances.get(finding.study_key, set()) | {""}
        looked_at = max(sum(_looked_at(verdict, name) for verdict in verdicts), len(failed))
        reasons = [code for verdict in verdicts for check, code in verdict.not_made if check == name]
        not_made = reasons[0] if reasons and not failed else ""
        yield CheckResult(name, not failed and not not_made, looked_at, len(failed), sentence, not_made)


def _looked_at(verdict: StudyVerdict, check: str) -> int:
    """Instances of the study that the check was made of."""
    if check in dict(verdict.not_made):
        return 0
    if check == "pixels_are_intact":
        return sum(facts.frames > 0 for facts in verdict.instances)
    return dict(verdict.looked_at).get(check, len(verdict.instances))


def _ledger_check(rows: Sequence[StudyRow]) -> CheckResult:
    failed = sum(bool(sums_that_fail(row, "validation_report")) for row in rows)
    return CheckResult("ledger_adds_up", not failed, len(rows), failed, _ADDS_UP)


def _chosen(thumbnails: Sequence[Thumbnail]) -> tuple[Thumbnail, ...]:
    """At most twelve of images in which text was blanked, first, and twelve of others; each from as many modalities as
    there are."""
    rank: Counter[tuple[bool, str]] = Counter()
    ranked: dict[bool, list[tuple[int, str, Thumbnail]]] = {False: [], True: []}
    for thumbnail in sorted(thumbnails, key=_kind):
        is_plain, modality, *_ = _kind(thumbnail)
        ranked[is_plain].append((rank[is_plain, modality], modality, thumbnail))
        rank[is_plain, modality] += 1
    chosen = [one for kind in ranked.values() for one in sorted(kind, key=lambda entry: entry[:2])[:_THUMBNAILS]]
    return tuple(sorted((entry[2] for entry in chosen), key=_kind))


def _kind(thumbnail: Thumbnail) -> tuple[bool, str, str, str]:
    return not thumbnail.blanked, thumbnail.modality, thumbnail.study_key, thumbnail.instance


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.study_key, f.instance, f.check, f.reason, f.place)))
