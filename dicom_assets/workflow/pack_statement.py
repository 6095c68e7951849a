"""The de-identification statement of a release pack: by which rules it was made, what is in it, which checks hold.

statement.json holds all of it; statement.md and README.txt say it in words and are made from it alone.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from ..deid.dictionary import tag_of
from ..deid.profile import Profile
from ..deid.profile_file import OPTIONS
from .pack_contents import ImageFacts
from .pack_layout import README, STATEMENT_TEXT
from .pack_reports import Loss, PackedReport
from .profile_summary import ELEMENTS, word_for
from .report_content import CheckResult

MADE_BY = f"dicom-assets {version('dicom-assets')}"
_TEMPLATES = {README: "pack_readme.txt.j2", STATEMENT_TEXT: "pack_statement.md.j2"}

Statement = dict[str, object]  #: as statement.json has it


def statement_of(
    profile: Profile, reports: Sequence[PackedReport], images: Sequence[ImageFacts], digests: Mapping[str, str]
) -> Statement:
    """digests: path below the pack -> SHA-256, of its tables and reports. The first three entries can only be stated;
    the others follow from the rest of the pack."""
    return {"made_by": MADE_BY, "profile": _profile(profile), "files": dict(sorted(digests.items()))} | told_by(
        reports, images
    )


def told_by(reports: Sequence[PackedReport], images: Sequence[ImageFacts]) -> Statement:
    """What whoever has the reports and the images can find out again."""
    losses = {
        "rejected": [loss for report in reports for loss in report.rejected],
        "quarantined": [loss for report in reports for loss in report.quarantined],
    }
    return {
        "batches": [report.batch for report in reports],
        "profile_digests": sorted({report.profile_digest for report in reports}),
        "edition": sorted({report.edition for report in reports}),
        "pseudonym_key_ids": sorted({key_id for report in reports for key_id in report.key_ids}),
        "versions": {report.batch: report.versions for report in reports},
        "counts": _counts(images),
        "modalities": {
            modality: _counts(one for one in images if one.modality == modality)
            for modality in sorted({one.modality for one in images})
        },
        "codes": _codes(images),
        "losses": {what: _by_reason(found) for what, found in losses.items()},
        "studies_requested": len({row.study_key for report in reports for row in report.rows}),
        "checks": {report.batch: [_check(one) for one in report.checks] for report in reports},
    }


def _profile(profile: Profile) -> Statement:
    return {
        "name": profile.name,
        "digest": profile.digest,
        "table": profile.table,
        "options": [
            {"option": option, "code": OPTIONS[option][0], "scheme": "DCM", "meaning": OPTIONS[option][1]}
            for option in sorted(profile.options, key=lambda option: OPTIONS[option][0])
        ],
        "groups": profile.groups,
        "dates": profile.dates,
        "shift_days": profile.shift_days,
        "pixels": profile.pixels,
        "encapsulated_documents": profile.encapsulated,
        "uid_root": profile.uid_root or "2.25",
        "issuer_of_patient_id_counts": profile.issuer_counts,
        "private_elements": profile.private_rule,
        "overrides": len(profile.overrides),
        "identity_removed": profile.removes_identity,
        "elements": {keyword: word_for(profile, tag_of(keyword)) for keyword in ELEMENTS},
    }


def _counts(images: Iterable[ImageFacts]) -> dict[str, int]:
    images = list(images)
    levels: dict[str, Callable[[ImageFacts], str]] = {
        "patients": lambda one: one.patient,
        "studies": lambda one: one.study,
        "series": lambda one: one.series,
        "instances": lambda one: one.path,
    }
    counts = {level: len({of(one) for one in images}) for level, of in levels.items()}
    return counts | {"bytes": sum(one.bytes for one in images)}


def _codes(images: Iterable[ImageFacts]) -> list[Statement]:
    """Of the De-identification Method Code Sequence, each with the number of images that have it."""
    found = Counter(code for one in images for code in one.codes)
    return [
        {"code": value, "scheme": scheme, "meaning": meaning, "instances": count}
        for (value, scheme, meaning), count in sorted(found.items())
    ]


def _by_reason(losses: Iterable[Loss]) -> list[Statement]:
    """instances: those that can be counted."""
    studies: Counter[tuple[str, str]] = Counter()
    instances: Counter[tuple[str, str]] = Counter()
    for loss in losses:
        studies[loss.state, loss.reason] += 1
        instances[loss.state, loss.reason] += loss.instances or 0
    return [
        {"state": state, "reason": reason, "studies": count, "instances": instances[state, reason]}
        for (state, reason), count in sorted(studies.items())
    ]


def _check(check: CheckResult) -> Statement:
    state = "not made" if check.not_made else "holds" if check.passed else "fails"
    return {
        "name": check.name,
        "state": state,
        "looked_at": check.looked_at,
        "failed": check.failed,
        "sentence": check.sentence,
    }


def to_json(statement: Statement) -> bytes:
    return (json.dumps(statement, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def texts_of(statement: Statement) -> dict[str, bytes]:
    """Name -> content of what is written for people."""
    return {name: _template(file).render(statement).encode("utf-8") for name, file in _TEMPLATES.items()}


@cache
def _template(name: str) -> Template:
    source = files("dicom_assets.workflow").joinpath(name).read_text("utf-8")
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(source)
