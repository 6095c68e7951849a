"""What a batch's report comes to: its sums, and one word."""

from dataclasses import dataclass

from ..batches.key import is_arrival
from .report_content import BatchReport


@dataclass(frozen=True)
class Totals:
    """requested, found, unknown: studies; the rest instances. patients, released_studies: of what is released."""

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
    patients: int
    released_studies: int

    @property
    def lost(self) -> int:
        return self.missing + self.quarantined + self.withheld


@dataclass(frozen=True)
class BatchVerdict:
    """state: complete_and_clean, clean, clean_not_complete, not_fully_checked, identity_kept, nothing_new,
    nothing_released, not_proved or does_not_add_up. tone: good, part or bad."""

    state: str
    tone: str
    word: str
    sentence: str


def totals_of(report: BatchReport) -> Totals:
    rows = report.rows
    known = [row for row in rows if row.expected is not None]
    released = [one for one in report.instances if one.is_released]
    return Totals(
        requested=len(rows),
        found=sum(row.found for row in rows),
        expected=sum(row.expected for row in known),
        unknown=len(rows) - len(known),
        received_of_known=sum(row.received for row in known),
        patients=len({one.released_path.partition("/")[0] for one in released}),
        released_studies=sum(row.released > 0 for row in rows),
        **{
            name: sum(getattr(row, name) for row in rows)
            for name in ("received", "missing", "deidentified", "quarantined", "released", "withheld")
        },
    )


def verdict_of(report: BatchReport) -> BatchVerdict:
    totals, arrival = totals_of(report), is_arrival(report.batch)
    failed = {check.name for check in report.checks if not check.passed and not check.not_made}
    if "ledger_adds_up" in failed:
        sentence = "The counts of this batch contradict each other; trust none of it."
        return BatchVerdict("does_not_add_up", "bad", "Does not add up", sentence)
    if of_the_whole := failed - {finding.check for finding in report.findings}:
        checks = numbered(len(of_the_whole), "check fails", "checks fail")
        sentence = f"{checks} for the batch as a whole, and no instance of it can be singled out; do not use it."
        return BatchVerdict("not_proved", "bad", "Not proved", sentence)
    if arrival and not (totals.received or totals.missing):
        sentence = "All that arrived had arrived before, and was dealt with then."
        return BatchVerdict("nothing_new", "good", "Nothing new", sentence)
    if not totals.released:
        sentence = "No instance of this batch passed; the reasons are below."
        return BatchVerdict("nothing_released", "bad", "Nothing released", sentence)
    clean, left = _clean(report), ""
    if totals.found < totals.requested or totals.lost or totals.unknown or failed:
        left = _left(totals)
    if not report.identity_removed:
        sentence = f"By the will of their profile, the files still name their patients: they are patient data. {left}"
        return BatchVerdict("identity_kept", "part", "Identity kept", sentence.strip())
    if left:
        return BatchVerdict("clean_not_complete", "part", "Clean, not complete", f"{clean} {left}")
    if not arrival:
        whole, sentence = True, f"All that was asked for is released. {clean}"
    elif whole := all(row.proved_by for row in report.rows if row.received):
        sentence = f"All that its senders counted is released. {clean}"
    else:
        sentence = f"All that arrived is released. {clean} Whether more belongs to these studies, no sender has said."
    if any(check.not_made for check in report.checks):
        return BatchVerdict("not_fully_checked", "part", "Clean as far as checked", sentence)
    if whole:
        return BatchVerdict("complete_and_clean", "good", "Complete and clean", sentence)
    return BatchVerdict("clean", "good", "Clean", sentence)


def _clean(report: BatchReport) -> str:
    not_made = sum(bool(check.not_made) for check in report.checks)
    if not not_made:
        return "Every released instance passed every check against its original."
    could_not = numbered(not_made, "check was not made", "checks were not made")
    return f"Every released instance passed every check that was made against its original; {could_not}."


def _left(totals: Totals) -> str:
    left = (
        numbered(totals.requested - totals.found, "study was not found", "studies were not found"),
        numbered(totals.unknown, "study's size is unknown", "studies' sizes are unknown"),
        numbered(totals.lost, "instance is not released", "instances are not released"),
    )
    said = "; ".join(part for part in left if part)
    return f"{said}, each with its reason below." if said else "A check failed; its findings are below."


def numbered(count: int, one: str, many: str) -> str:
    """`1 234 studies`; empty for none."""
    return f"{spaced(count)} {one if count == 1 else many}" if count else ""


def spaced(count: int) -> str:
    """Thousands apart, as ISO 80000-1 writes them."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
