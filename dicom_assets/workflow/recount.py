"""Nothing is lost: what was received of a study, counted again from the manifests and the files themselves."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..storage.manifests import RawInstance, StagedInstance
from .verdict import Finding

CHECK = "nothing_is_lost"


def recount(
    study_key: str,
    deidentified: int,
    raw: Sequence[RawInstance],
    manifest: Sequence[StagedInstance],
    staged_files: Iterable[str],
    missing_files: Iterable[str],
) -> list[Finding]:
    """deidentified: as the ledger has it. manifest: of staging, quarantined instances included. staged_files: names of
    what lies in the staging folder. missing_files: of what should lie there, or be released, and is not.

    Every original has one row that says what became of it, every such row its original, every output one row and every
    row its output. Instances are named by their output, or by their original's file, which is a pseudonym too."""
    problems = [
        *(("INSTANCE_LOST", Path(file).stem) for file in missing_files),
        *_against_originals(raw, manifest),
        *_against_outputs(manifest, staged_files),
    ]
    if sum(not row.reason for row in manifest) != deidentified:
        problems.append(("INSTANCE_COUNT_DIFFERS", ""))
    return [Finding(study_key, instance, CHECK, reason, "") for reason, instance in problems]


def _against_originals(raw: Sequence[RawInstance], manifest: Sequence[StagedInstance]) -> Iterator[tuple[str, str]]:
    told = Counter(row.raw_file for row in manifest)
    for file, times in Counter(row.file for row in raw).items():
        if told[file] == 0:
            yield "INSTANCE_LOST", Path(file).stem
        elif told[file] > 1 or times > 1:
            yield "INSTANCE_DOUBLED", Path(file).stem
    originals = {row.file for row in raw}
    for row in manifest:
        if row.raw_file not in originals:
            yield "INSTANCE_INVENTED", Path(row.file or row.raw_file).stem


def _against_outputs(manifest: Sequence[StagedInstance], staged_files: Iterable[str]) -> Iterator[tuple[str, str]]:
    outputs = Counter(row.file for row in manifest if not row.reason)
    for file, times in outputs.items():
        if times > 1:
            yield "INSTANCE_DOUBLED", Path(file).stem
    if set(staged_files) - outputs.keys():  # their names may be anybody's
        yield "INSTANCE_INVENTED", ""
