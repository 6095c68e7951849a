"""The result as tables in Markdown: a column a tool, a row an action."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar

from benchmarks.proof.key import Action
from benchmarks.proof.score import FAMILIES, Score
from benchmarks.proof.strict import Findings
from benchmarks.report import table

_T = TypeVar("_T", Score, Findings)


@dataclass
class Result:
    """Of one tool, over one corpus or several."""

    score: Score = field(default_factory=Score)
    findings: Findings = field(default_factory=Findings)

    def add(self, score: Score, findings: Findings) -> None:
        self.score, self.findings = _sum(self.score, score), _sum(self.findings, findings)

    @property
    def is_perfect(self) -> bool:
        seen = self.findings
        return not (self.score.failures or seen.dropped or seen.added or seen.uneven or seen.merged or seen.found)


def _sum(one: _T, other: _T) -> _T:
    return type(one)(*(getattr(one, part.name) + getattr(other, part.name) for part in fields(one)))


def tables(results: Mapping[str, Result]) -> str:
    """results: tool and version -> its result."""
    scores, findings = [one.score for one in results.values()], [one.findings for one in results.values()]
    head = ("failed of asked", *results)
    rows = [_row(action, action, scores) for action in Action]
    rows += [_row(label, family, scores) for family, label in FAMILIES.items()]
    rows.append(["**all, strictly**", *(f"**{_percent(score.percent)}**" for score in scores)])
    rows.append(["all, as the challenge counts", *(_percent(score.lenient_percent) for score in scores)])
    strict = [
        ["instances not written", *(str(one.dropped) for one in findings)],
        ["files added or unreadable", *(str(one.added) for one in findings)],
        ["patients whose intervals changed", *(str(one.uneven) for one in findings)],
        ["patients merged under one ID", *(str(one.merged) for one in findings)],
        ["files with a planted string anywhere", *(str(len(one.found)) for one in findings)],
        ["images with text kept back", *(str(score.withheld) for score in scores)],
    ]
    return f"{table(head, rows)}\n\n{table(('besides', *results), strict)}"


def failures(score: Score, most: int = 20) -> str:
    """Which rows failed, by action and place, with one example each; nothing in them is real."""
    counted = Counter((failure.answer.action, failure.answer.path, failure.is_missing) for failure in score.failures)
    first = {}
    for failure in score.failures:
        first.setdefault((failure.answer.action, failure.answer.path, failure.is_missing), failure)
    lines = []
    for place, count in counted.most_common(most):
        action, path, is_missing = place
        example = first[place]
        found = "no such instance" if is_missing else repr(example.found)
        lines.append(f"{count:6} {action} {path}: {example.answer.text!r} of {example.answer.value!r} -> {found}")
    return "\n".join(lines)


def _row(label: str, what: str, scores: Iterable[Score]) -> list[str]:
    return [label, *(f"{score.failed[what]:,} of {score.total[what]:,}" for score in scores)]


def _percent(value: float) -> str:
    """Cut, not rounded: 100 % means all."""
    return f"{int(value * 1000) / 1000:.3f} %".replace("100.000", "100")
