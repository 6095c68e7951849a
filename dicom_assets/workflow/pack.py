"""A release pack: what a batch or a cohort has released, with all that a researcher needs to use it and others need to
check it. Pseudonymous, and the same to the byte for the same release.

pack_layout.py     what lies where        pack_contents.py   what an image tells of itself
pack_tables.py     the tables             pack_reports.py    what the validation reports tell
pack_statement.py  statement and README   pack_images.py     images on their way in
verify_pack.py     the check of a pack    pack_found.py      a pack as it is found
"""

import hashlib
import os
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..batches.key import check_key
from ..batches.request import list_batches, load_request
from ..deid.profile import Profile
from ..errors import BadInput, Refused
from ..storage.atomic import UNFINISHED, exclusive_lock, fsync_folder, make_folder, sha256, write_file
from ..storage.audit import Event, record
from ..storage.forgotten import is_forgotten
from ..storage.zones import RELEASED_FILE, RELEASED_FOLDER, Zones
from . import pack_layout as layout
from .job import Progress, coded_file_errors, no_progress
from .outgoing import Outgoing, listed_instances
from .pack_contents import ImageFacts
from .pack_images import copy_images
from .pack_reports import PackedReport, digest_of_release, failed_checks, report_from
from .pack_statement import statement_of, texts_of, to_json
from .pack_tables import tables_of

_NOT_PROVED = ("does_not_add_up", "not_proved")  #: verdicts on the whole batch, of which no instance can be singled out
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can state


@dataclass(frozen=True)
class Pack:
    """path: the folder, or the ZIP file. digest: SHA-256 of SHA256SUMS. failed_checks: names, of any batch's report.
    not_whole: number of requested studies of which something or all is not in it."""

    path: Path
    digest: str
    batches: tuple[str, ...]
    images: int
    failed_checks: tuple[str, ...]
    not_whole: int


def batches_of_cohort(zones: Zones, name: str) -> list[str]:
    """Batches whose request has this name. Raises BadInput("COHORT_UNKNOWN")."""
    batches = [batch for batch in list_batches(zones) if name and load_request(zones, batch).name == name]
    if not batches:
        raise BadInput("COHORT_UNKNOWN")
    return batches


def make_pack(
    zones: Zones,
    profile: Profile,
    batches: Sequence[str],
    out: Path,
    *,
    link: bool = False,
    zipped: bool = False,
    why: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
) -> Pack:
    """out: the folder to make; with zipped, a ZIP file of that name. link: images are second names of the released
    files. It gets its name when it is whole and durable, and its digest is in the audit log; interrupted and made again
    it is made anew.

    Raises BadInput or Refused where a batch is not released or not proved, has another profile than this one, a file or
    report is not as it was proved, or something else lies at out; Refused("BATCH_BUSY") while a batch is worked on."""
    batches = sorted(set(batches))
    out = _place(zones, out, zipped)
    with coded_file_errors(), ExitStack() as held:
        held.enter_context(exclusive_lock(zones.lock("pack"), wait=True))
        for batch in batches:
            _require(zones, batch)
            held.enter_context(exclusive_lock(zones.lock(batch)))
        record(zones, Event.PACK, ", ".join(batches), why)
        reports = [_report(zones, batch, profile) for batch in batches]
        images, batches_of = _images(zones, reports)
        folder = held.enter_context(_unfinished(out))
        facts = copy_images(images, folder / layout.IMAGES, link, workers, progress)
        digest = _complete(zones, profile, reports, facts, batches_of, folder)
        made = Pack(
            path=out,
            digest=digest,
            batches=tuple(batches),
            images=len(facts),
            failed_checks=failed_checks(reports),
            not_whole=len({(loss.batch, loss.study_key) for of in reports for loss in (*of.rejected, *of.quarantined)}),
        )
        record(zones, Event.PACK, f"{', '.join(batches)}: {len(facts)} instances, digest {digest}", why)
        _publish(_zipped(folder, out.stem) if zipped else folder, out)
    return made


def _place(zones: Zones, out: Path, zipped: bool) -> Path:
    """Where the pack will be. Raises BadInput("PACK_INTO_DATA_ROOT"): there it would be taken for something else;
    Refused("PACK_PLACE_TAKEN") where anything but a pack lies there."""
    out = out.resolve()
    out = out.with_name(f"{out.name}.zip") if zipped and out.suffix != ".zip" else out
    if any(out.is_relative_to(root.resolve()) for root in (zones.restricted, zones.released)):
        raise BadInput("PACK_INTO_DATA_ROOT")
    if out.exists() and not (out.is_file() if zipped else (out / layout.SUMS).is_file()):
        raise Refused("PACK_PLACE_TAKEN")
    return out


def _require(zones: Zones, batch: str) -> None:
    """Raises BadInput where there is no such batch. Where the mapping was forgotten, requests went with it, and what
    was released can be handed over all the same."""
    if is_forgotten(zones):
        check_key(batch)
    else:
        load_request(zones, batch)


def _report(zones: Zones, batch: str, profile: Profile) -> PackedReport:
    path = zones.report(batch, "json")
    if not path.is_file():
        raise BadInput("BATCH_NOT_RELEASED")
    report = report_from(path.read_bytes())
    if report.profile_digest != profile.digest:
        raise BadInput("PACK_PROFILE_DIFFERS")
    if report.verdict in _NOT_PROVED:
        raise Refused("PACK_NOT_PROVED")
    return report


def _images(zones: Zones, reports: Sequence[PackedReport]) -> tuple[list[Outgoing], dict[str, str]]:
    """Each released file once, and its batches, separated by blanks."""
    by_file: dict[str, Outgoing] = {}
    batches_of: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        released = listed_instances(zones, report.batch)
        if digest_of_release((one.file, one.sha256) for one in released) != report.release_digest:
            raise BadInput("PACK_REPORT_DIFFERS")
        for one in released:
            if by_file.setdefault(one.file, one).sha256 != one.sha256:
                raise Refused("FILE_NOT_AS_RECORDED")
            batches_of[one.file].append(report.batch)
    return [by_file[file] for file in sorted(by_file)], {file: " ".join(of) for file, of in batches_of.items()}


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """An empty folder beside out, gone afterwards unless it was given another name; one that a killed process left is
    made anew."""
    folder = out.with_name(f".{out.name}{UNFINISHED}")
    make_folder(out.parent, RELEASED_FOLDER)
    _remove(folder)
    folder.mkdir(RELEASED_FOLDER)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".zip").unlink(missing_ok=True)


def _complete(
    zones: Zones,
    profile: Profile,
    reports: Sequence[PackedReport],
    facts: Sequence[ImageFacts],
    batches_of: dict[str, str],
    folder: Path,
) -> str:
    """Write all that is not an image; the digest of the pack."""
    content = tables_of(profile, reports, facts, batches_of)
    for report in reports:
        for suffix in layout.REPORT_SUFFIXES:
            content[f"{layout.REPORTS}/{report.batch}.{suffix}"] = zones.report(report.batch, suffix).read_bytes()
    statement = statement_of(profile, reports, facts, {name: _digest(data) for name, data in content.items()})
    content |= texts_of(statement) | {layout.STATEMENT: to_json(statement)}
    digests = {name: _digest(data) for name, data in content.items()}
    digests |= {f"{layout.IMAGES}/{one.path}": one.sha256 for one in facts}
    content[layout.SUMS] = layout.to_sums(digests)
    for name, data in content.items():
        write_file(folder / name, data, RELEASED_FILE, RELEASED_FOLDER)
    for place, _folders, _files in os.walk(folder):
        fsync_folder(Path(place))
    return _digest(content[layout.SUMS])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zipped(folder: Path, name: str) -> Path:
    """A durable ZIP file of the folder, beside it, in which the folder has this name; nothing in it is compressed,
    images hardly could be."""
    path = folder.with_suffix(".zip")
    with path.open("wb") as file:
        os.fchmod(file.fileno(), RELEASED_FILE)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for file_name, entry in sorted(layout.files_below(folder), key=lambda one: one[0]):
                about = zipfile.ZipInfo(f"{name}/{file_name}", _ZIP_TIME)
                about.external_attr = RELEASED_FILE << 16
                about.file_size = entry.stat().st_size
                with Path(entry.path).open("rb") as source, archive.open(about, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    return path


def _publish(made: Path, out: Path) -> None:
    """Raises Refused("PACK_PLACE_TAKEN") where anything else lies at out. The same pack may: whoever made it was killed
    before saying so."""
    if out.exists() or out.is_symlink():
        if not _are_the_same(made, out):
            raise Refused("PACK_PLACE_TAKEN")
        return
    made.rename(out)
    fsync_folder(out.parent)


def _are_the_same(made: Path, out: Path) -> bool:
    """A pack is told by its list of digests; whether its files still fit is for verify to say."""
    one, other = (path / layout.SUMS if path.is_dir() else path for path in (made, out))
    return other.is_file() and sha256(one) == sha256(other)
