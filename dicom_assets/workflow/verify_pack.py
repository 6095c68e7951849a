"""The check of a release pack, anywhere: without mapping, settings or roots.

Each statement of a pack stands in several places, and is held against each of them. Who rewrites all of them alike
cannot be found so; the digest of the pack can, where the sender has told it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateError

from . import pack_layout as layout
from .job import Progress, no_progress
from .pack_found import FoundPack
from .pack_reports import PackedReport, digest_of_release, failed_checks
from .pack_statement import texts_of, told_by
from .pack_tables import manifest_row, occurrence_cells, occurrences, quarantine_rows, rejected_rows
from .verify import Verification, findings_of, verification
from .verify_file import VERIFY_CHECKS, FileFinding, shown

#: Check of a pack -> the plain statement that it proves
PACK_CHECKS = {
    "digest_is_the_one_given": "The SHA-256 of SHA256SUMS is the digest that was given.",
    "pack_is_whole": "SHA256SUMS names every other file with its digest, none is missing and none is there besides.",
    "manifest_is_true": "Each image has its row in manifest.csv and each row its image, and says what the image says.",
    "losses_add_up": "rejected.csv and quarantine.csv name what the reports name; requested is released + rejected + "
    "quarantined, and what the reports count as released is in the manifest.",
    "reports_agree": "The page of each report has the verdict of its JSON and the digests of JSON and Parquet, and the "
    "JSON names the images that its digest of the release is of.",
    "statement_is_true": "statement.json says what reports, tables and the codes in the images say.",
    "texts_are_true": "README.txt and statement.md say what statement.json says.",
    "dictionary_is_true": "dictionary.csv has each element that occurs in the images, with the number of images.",
}
_ONLY_STATED = {"made_by", "profile", "files"}  #: entries of the statement that do not follow from the rest of the pack
_SENTENCE = -1  #: place in a row of losses; in the words of the version that made it
_OWN_SCHEME = "99DICOMASSETS"

Problem = tuple[str, str]  #: path below the pack, reason code


@dataclass(frozen=True)
class PackVerification(Verification):
    """digest: of the pack, SHA-256 of SHA256SUMS; empty where there is none. failed_checks: of the reports, which says
    nothing against the pack. texts_compared: False where another version of this program wrote them."""

    digest: str
    batches: tuple[str, ...]
    failed_checks: tuple[str, ...]
    texts_compared: bool


def verify_pack(
    pack: Path, mapping: Path | None = None, digest: str = "", workers: int = 1, progress: Progress = no_progress
) -> PackVerification:
    """digest: hex, as the sender told it; empty: not compared. mapping, workers: as verify_folder has them.

    Raises BadInput("FOLDER_UNREADABLE"), BadInput("MAPPING_UNREADABLE")."""
    images = pack / layout.IMAGES
    is_there = images.is_dir() and not images.is_symlink()
    examined, findings = findings_of(images, mapping, workers, progress) if is_there else ([], [])
    findings = [FileFinding(f"{layout.IMAGES}/{one.path}", one.check, one.reason, one.place) for one in findings]
    seen = FoundPack(pack, [one.facts for one in examined if one.facts is not None])
    cannot = {"digest_is_the_one_given": not digest, "texts_are_true": not seen.made_here}
    made = [check for check in PACK_CHECKS if not cannot.get(check)]
    for check in made:
        findings += [FileFinding(path, check, reason, "") for path, reason in _CHECKS[check](seen, digest)]
    made += [check for check in VERIFY_CHECKS if mapping is not None or check != "mapping_is_one_to_one"]
    result = verification(made, findings, len(seen.images))
    return PackVerification(
        **vars(result),
        digest=seen.digest,
        batches=tuple(seen.reports),
        failed_checks=failed_checks(seen.reports.values()),
        texts_compared=seen.made_here,
    )


def _digest_given(pack: FoundPack, digest: str) -> Iterator[Problem]:
    if pack.digest != digest.strip().lower():
        yield layout.SUMS, "PACK_DIGEST_DIFFERS"


def _whole(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    if layout.SUMS in pack.unreadable:
        yield layout.SUMS, pack.unreadable[layout.SUMS]
        return
    listed, there = pack.sums, {name: digest for name, digest in pack.digests.items() if name != layout.SUMS}
    for name in listed.keys() | there.keys() | pack.expected:
        if name not in there and name != layout.SUMS:
            yield shown(name), "PACK_FILE_MISSING"
        elif name in there and name not in listed:
            yield name, "PACK_FILE_NOT_LISTED"
        elif name in there and listed[name] != there[name]:
            yield name, "PACK_FILE_CHANGED"
    for name in there:
        if not name.startswith(f"{layout.IMAGES}/") and name not in pack.expected:
            yield name, "UNEXPECTED_FILE"


def _manifest(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    if pack.manifest is None:
        yield layout.MANIFEST, pack.unreadable[layout.MANIFEST]
        return
    images = {f"{layout.IMAGES}/{one.path}": one for one in pack.images}
    rows = Counter(row[0] for row in pack.manifest)
    for path in images.keys() - rows.keys():
        yield path, "PACK_IMAGE_NOT_LISTED"
    for path in rows.keys() - images.keys():
        yield shown(path), "PACK_FILE_MISSING"
    for path, *cells, batches in pack.manifest:
        named = batches.split(" ")
        if path in images and (path, *cells, batches) != manifest_row(images[path], batches):
            yield path, "PACK_MANIFEST_WRONG"
        if rows[path] > 1 or not set(named) <= set(pack.batches) or named != sorted(set(named)):
            yield shown(path), "PACK_MANIFEST_WRONG"


def _losses(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    for name in pack.unreadable:
        if name.startswith(layout.REPORTS):
            yield shown(name), pack.unreadable[name]
    reports = list(pack.reports.values())
    compared = None if pack.made_here else _SENTENCE
    for name, expected in ((layout.REJECTED, rejected_rows(reports)), (layout.QUARANTINE, quarantine_rows(reports))):
        rows = pack.rows(name)
        if rows is None:
            yield name, pack.unreadable[name]
        elif sorted(row[:compared] for row in rows) != sorted(row[:compared] for row in expected):
            yield name, "PACK_LOSSES_WRONG"
    for report in reports:
        if report.sums_that_fail or not _all_accounted_for(report):
            yield f"{layout.REPORTS}/{report.batch}.json", "LEDGER_DOES_NOT_ADD_UP"
        released = [(row[0].removeprefix(f"{layout.IMAGES}/"), row[1]) for row in _rows_of(pack, report.batch)]
        if len(released) != report.released or digest_of_release(released) != report.release_digest:
            yield layout.MANIFEST, "PACK_RELEASED_WRONG"


def _rows_of(pack: FoundPack, batch: str) -> list[tuple[str, ...]]:
    return [row for row in pack.manifest or () if batch in row[-1].split(" ")]


def _all_accounted_for(report: PackedReport) -> bool:
    """What rows count as quarantined and withheld is named with its reason. Of what was pushed to us, files that were
    set aside are named beside it."""
    quarantined, withheld = Counter(), Counter()
    for loss in report.quarantined:
        quarantined[loss.study_key] += loss.instances
    for loss in report.withheld:
        withheld[loss.study_key] += loss.instances
    return all(
        row.quarantined <= quarantined[row.study_key] and row.withheld == withheld[row.study_key] for row in report.rows
    )


def _reports(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    for report in pack.reports.values():
        name = f"{layout.REPORTS}/{report.batch}"
        page = pack.content(f"{name}.html").decode("utf-8", "replace")
        digests = (pack.digests.get(f"{name}.{suffix}", "") for suffix in ("json", "parquet"))
        if not all(said in page for said in (*digests, report.release_digest, f"<strong>{report.word}</strong>")):
            yield f"{name}.html", "PACK_REPORT_WRONG"
        if digest_of_release(report.instances) != report.release_digest:
            yield f"{name}.json", "PACK_REPORT_WRONG"


def _statement(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    if layout.STATEMENT in pack.unreadable:
        yield layout.STATEMENT, pack.unreadable[layout.STATEMENT]
        return
    told = json.loads(json.dumps(told_by(list(pack.reports.values()), pack.images)))
    wrong = pack.statement.keys() - _ONLY_STATED != told.keys()
    wrong |= any(pack.statement.get(entry) != value for entry, value in told.items())
    if wrong or pack.statement.get("files") != _digests_of_tables(pack) or not _profile_is_that_of_the_images(pack):
        yield layout.STATEMENT, "PACK_STATEMENT_WRONG"


def _digests_of_tables(pack: FoundPack) -> dict[str, str]:
    texts = {layout.SUMS, layout.STATEMENT, layout.STATEMENT_TEXT, layout.README}
    return {name: pack.digests.get(name, "") for name in pack.expected if name not in texts}


def _profile_is_that_of_the_images(pack: FoundPack) -> bool:
    profile = pack.statement.get("profile")
    digest = profile.get("digest") if isinstance(profile, dict) else None
    if not isinstance(digest, str) or {report.profile_digest for report in pack.reports.values()} != {digest}:
        return False
    return all(
        {value for value, scheme, _ in one.codes if scheme == _OWN_SCHEME} == {digest[:16]} for one in pack.images
    ) and all(
        (report.profile, report.dates, report.pixels) == tuple(map(profile.get, ("name", "dates", "pixels")))
        for report in pack.reports.values()
    )


def _texts(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    """This version would write the same."""
    try:
        texts = texts_of(pack.statement)
    except (TemplateError, TypeError, ValueError, AttributeError, KeyError, ArithmeticError):
        yield layout.STATEMENT, "PACK_STATEMENT_WRONG"
        return
    for name, content in texts.items():
        if pack.digests.get(name) != hashlib.sha256(content).hexdigest():
            yield name, "PACK_TEXT_WRONG"


def _dictionary(pack: FoundPack, _digest: str) -> Iterator[Problem]:
    rows = pack.rows(layout.DICTIONARY)
    if rows is None:
        yield layout.DICTIONARY, pack.unreadable[layout.DICTIONARY]
        return
    named: Iterable = (row[:5] for row in rows if row[0] == layout.IMAGES)
    if Counter(named) != Counter(occurrence_cells(*one) for one in occurrences(pack.images).items()):
        yield layout.DICTIONARY, "PACK_DICTIONARY_WRONG"


_CHECKS: dict[str, Callable[[FoundPack, str], Iterator[Problem]]] = {
    "digest_is_the_one_given": _digest_given,
    "pack_is_whole": _whole,
    "manifest_is_true": _manifest,
    "losses_add_up": _losses,
    "reports_agree": _reports,
    "statement_is_true": _statement,
    "texts_are_true": _texts,
    "dictionary_is_true": _dictionary,
}
