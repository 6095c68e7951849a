"""The way from request to release as a picture: a band that gets thinner wherever something is lost.

Two scales beside each other, each from its own whole: studies on the left, instances on the right. Lengths are units of
the SVG's view box, WIDTH by HEIGHT, y downwards.
"""

from dataclasses import dataclass

from .report_verdict import Totals, spaced

WIDTH, HEIGHT = 1032, 262
BAR = 10  #: width of the upright at each step
_TOP, _BAND = 84, 88  #: the band at its thickest
_STEPS_AT = (0, 168, 366, 556, 744, 926)
_THINNEST = 3  #: what is there is seen
_LABELS_AT = 226


@dataclass(frozen=True)
class Step:
    """thickness: of the band at this step; the band goes on to x_end, thickness_after thick."""

    label: str
    unit: str
    count: str
    x: float
    thickness: float
    x_end: float
    thickness_after: float


@dataclass(frozen=True)
class Branch:
    """What leaves the band: a stroke along path, thickness wide, and its label at (x, y)."""

    what: str
    count: int
    path: str
    thickness: float
    x: float
    y: float


@dataclass(frozen=True)
class Sum:
    """whole = kept + lost; share: what was kept, in percent of the whole. more: what the sum does not speak of."""

    whole: int
    kept: int
    lost: int
    whole_as: str
    kept_as: str
    lost_as: str
    more: str = ""

    @property
    def share(self) -> float:
        return round(100 * self.kept / self.whole, 2) if self.whole else 0.0


@dataclass(frozen=True)
class Flow:
    steps: tuple[Step, ...]
    branches: tuple[Branch, ...]
    sums: tuple[Sum, ...]
    top: int = _TOP
    width: int = WIDTH
    height: int = HEIGHT
    bar: int = BAR


def flow_of(totals: Totals, *, arrival: bool) -> Flow:
    """arrival: nothing was asked for, it came."""
    expected = spaced(totals.expected) + ("+" if totals.unknown else "")
    counts = (totals.requested, totals.found, totals.received + totals.missing)
    counts += (totals.received, totals.deidentified, totals.released)
    losses = (totals.requested - totals.found, 0, totals.missing, totals.quarantined, totals.withheld, 0)
    named = (
        *(("Arrived" if arrival else "Requested", "studies"), ("Found", "studies")),
        *((name, "instances") for name in ("Expected", "Received", "De-identified", "Released")),
    )
    steps, branches = [], []
    for at, ((label, unit), count, lost, x) in enumerate(zip(named, counts, losses, _STEPS_AT, strict=True)):
        whole = counts[0] if unit == "studies" else counts[2]
        thickness, after = _thickness(count, whole), _thickness(count - lost, whole)
        is_last_of_unit = at in (1, len(named) - 1)
        x_end = x + BAR if at == 1 else WIDTH if is_last_of_unit else _STEPS_AT[at + 1]
        shown = expected if label == "Expected" else spaced(count)
        steps.append(Step(label, unit, shown, x, thickness, x_end, after))
        if lost:
            what = ("not found", "", "missing", "quarantined", "withheld")[at]
            branches.append(_branch(what, lost, x + BAR, after, _thickness(lost, whole)))
    return Flow(tuple(steps), tuple(branches), _sums(totals, arrival=arrival))


def _thickness(count: int, whole: int) -> float:
    return round(max(_THINNEST, _BAND * count / whole), 1) if count > 0 and whole else 0.0


def _branch(what: str, count: int, x: float, above: float, thickness: float) -> Branch:
    """Along below what goes on, then round and down. above: thickness of what goes on."""
    y = _TOP + above + thickness / 2
    radius = thickness / 2 + 12
    turn = x + 44
    end = turn + radius
    path = f"M{x:.1f} {y:.1f}H{turn:.1f}A{radius:.1f} {radius:.1f} 0 0 1 {end:.1f} {y + radius:.1f}V{_LABELS_AT - 18}"
    return Branch(what, count, path, thickness, round(end, 1), _LABELS_AT)


def _sums(totals: Totals, *, arrival: bool) -> tuple[Sum, ...]:
    more = ""
    if totals.unknown:
        beside = spaced(totals.received - totals.received_of_known)
        studies = "study" if totals.unknown == 1 else "studies"
        more = f" (and {beside} of {spaced(totals.unknown)} {studies} of unknown size)"
    first = ("arrived" if arrival else "requested", "found", "not found")
    return (
        Sum(totals.requested, totals.found, totals.requested - totals.found, *first),
        Sum(totals.expected, totals.received_of_known, totals.missing, "expected", "received", "missing", more),
        Sum(totals.received, totals.deidentified, totals.quarantined, "received", "de-identified", "quarantined"),
        Sum(totals.deidentified, totals.released, totals.withheld, "de-identified", "released", "withheld"),
    )
