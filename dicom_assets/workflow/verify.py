"""The independent checks on a folder of de-identified files, for `dicom-assets verify`: without the originals, and
with the mapping where there is one. Reads, and writes nothing.

verify_file.py   one file alone          verify_mapping.py   what deidentify --mapping wrote
verify_pack.py   a release pack
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import BadInput, from_os_error
from .job import Progress, no_progress
from .pack_layout import files_below
from .parallel import Steps, map_studies, parts_of
from .verify_file import VERIFY_CHECKS, Examined, FileFinding, examine, shown
from .verify_mapping import Mapping, read_mapping, unmatched_files


@dataclass(frozen=True)
class Verification:
    files: int
    passed: bool
    checks: tuple[tuple[str, int], ...]  #: (check, number of files that failed it), every check that was made
    findings: tuple[FileFinding, ...]


def verify_folder(
    folder: Path, mapping: Path | None = None, workers: int = 1, progress: Progress = no_progress
) -> Verification:
    """Every *.dcm below folder, and every other file with a DICOM preamble; what else is there is a finding. Links are
    not followed. workers: processes; 1: none beside this one.

    Raises BadInput("FOLDER_UNREADABLE"), BadInput("MAPPING_UNREADABLE")."""
    examined, findings = findings_of(folder, mapping, workers, progress)
    made = [check for check in VERIFY_CHECKS if mapping is not None or check != "mapping_is_one_to_one"]
    return verification(made, findings, sum(one.facts is not None for one in examined))


def findings_of(
    folder: Path, mapping: Path | None, workers: int, progress: Progress
) -> tuple[list[Examined], list[FileFinding]]:
    """Of each file alone, of the files beside each other, and of the mapping."""
    if not folder.is_dir():
        raise BadInput("FOLDER_UNREADABLE")
    known = read_mapping(mapping) if mapping is not None else None
    examined = _examined(folder, known, workers, progress)
    findings = [finding for one in examined for finding in one.findings]
    findings += _repeated(examined) + _mixed_folders(examined)
    if known is not None:
        seen = {one.name for one in examined if one.facts is not None}
        contradictions = (*known.contradictions, *unmatched_files(known, seen))
        findings += [FileFinding(name, "mapping_is_one_to_one", reason, "") for name, reason in contradictions]
    return examined, findings


def verification(made: Iterable[str], findings: Iterable[FileFinding], files: int) -> Verification:
    """made: the checks that were made."""
    ordered = sorted(set(findings), key=lambda f: (f.path, f.check, f.reason, f.place))
    failed = {check: len({f.path for f in ordered if f.check == check}) for check in made}
    return Verification(files, not ordered, tuple(failed.items()), tuple(ordered))


@dataclass(frozen=True)
class _Part:
    folder: Path
    names: tuple[str, ...]
    known: Mapping | None


def _examined(folder: Path, known: Mapping | None, workers: int, progress: Progress) -> list[Examined]:
    try:
        names = sorted(name for name, _entry in files_below(folder))
    except OSError as error:
        raise from_os_error(error) from None
    parts = [_Part(folder, tuple(part), known) for part in parts_of(names)]
    with progress("verifying", len(parts)) as step:
        if workers == 1 or len(parts) < 2:
            return [one for part in parts for one in _step_after(part, step)]
        outcomes = map_studies(_steps, parts, workers, step)
    return [one for outcome in outcomes for one in outcome.result or _unexamined(outcome.task.names, outcome.code)]


def _step_after(part: _Part, step: Callable[[], object]) -> list[Examined]:
    examined = examine(part.folder, part.names, part.known)
    step()
    return examined


def _steps(part: _Part) -> Steps[list[Examined]]:
    (examined,) = yield [partial(examine, part.folder, part.names, part.known)]
    return examined


def _unexamined(names: Sequence[str], code: str) -> Iterator[Examined]:
    """One of these files ended the process that looked at it; nobody can tell which."""
    for name in map(shown, names):
        yield Examined(name, (FileFinding(name, "file_opens", code, ""),))


def _mixed_folders(examined: Iterable[Examined]) -> list[FileFinding]:
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in examined:
        for held, value in one.held:
            places[held].add(value)
    mixed = []
    for (held, what), values in places.items():
        if len(values) > 1:
            paths = {held} if what.endswith("of folder") else values
            mixed += [FileFinding(path, "uids_are_consistent", "UID_INCONSISTENT", "folder") for path in paths]
    return mixed


def _repeated(examined: Iterable[Examined]) -> list[FileFinding]:
    instances: dict[str, list[str]] = defaultdict(list)
    for one in examined:
        if one.facts is not None:
            instances[one.facts.instance].append(one.name)
    return [
        FileFinding(name, "uids_are_consistent", "UID_NOT_UNIQUE", "(0008,0018)")
        for uid, names in instances.items()
        if uid and len(names) > 1
        for name in names
    ]
