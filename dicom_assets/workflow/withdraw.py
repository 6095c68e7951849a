"""What a batch has released, and taking back what it would no longer release.

A changed profile, key or verdict can turn a released instance into one that is not: its file must not stay behind.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..storage.atomic import delete, sha256, write_if_changed
from ..storage.audit import Event, record
from ..storage.manifests import StagedInstance, manifest_of
from ..storage.tables import read_sealed
from ..storage.zones import Zones
from .report import FORMS


@dataclass(frozen=True)
class Release:
    """inputs: digest of all that the release rests on; empty while it is under way. files: below the released root.
    reports: suffix of each form of the batch's report -> its SHA-256."""

    inputs: str
    files: tuple[str, ...]
    reports: dict[str, str] = field(default_factory=dict)


def read_release(zones: Zones, batch: str) -> Release:
    """Nothing released where nothing is written down."""
    path = _record(zones, batch)
    if not path.is_file():
        return Release("", ())
    data = json.loads(path.read_bytes())
    return Release(data["inputs"], tuple(data["files"]), data.get("reports", {}))


def released_originals(zones: Zones, batch: str, study_key: str) -> set[str]:
    """Names, in the study's raw folder, of the originals of what this batch has released and is there."""
    files = set(read_release(zones, batch).files)
    staged = read_sealed(manifest_of(zones.staging(batch, study_key)), StagedInstance)
    return {
        row.raw_file for row in staged if row.released_path in files and (zones.released / row.released_path).is_file()
    }


def begin_release(zones: Zones, batch: str, files: Iterable[str]) -> None:
    """Before the first file goes out: these too may be there from now on."""
    _write(zones, batch, Release("", tuple(sorted({*read_release(zones, batch).files, *files}))))


def finish_release(
    zones: Zones, batch: str, inputs: str, files: Iterable[str], reports: Mapping[str, str] = MappingProxyType({})
) -> None:
    _write(zones, batch, Release(inputs, tuple(sorted(files)), dict(reports)))


def report_stands(zones: Zones, batch: str) -> bool:
    """Each form of the batch's report is there, and as it was when the release was finished."""
    digests = read_release(zones, batch).reports
    paths = {suffix: zones.report(batch, suffix) for suffix in FORMS}
    return all(path.is_file() and sha256(path) == digests.get(suffix) for suffix, path in paths.items())


def withdraw(zones: Zones, batch: str, but_not: Iterable[str]) -> int:
    """Delete released files of this batch other than but_not, if no other batch has released them too; how many."""
    stale = set(read_release(zones, batch).files) - set(but_not)
    if stale:
        stale -= {file for other in _others(zones, batch) for file in read_release(zones, other).files}
    if stale:
        record(zones, Event.WITHDRAW, f"{batch}: {len(stale)} instances")
    delete(zones.released / file for file in sorted(stale))
    return len(stale)


def is_released_by_this_batch_alone(zones: Zones, batch: str, file: str) -> bool:
    return file in read_release(zones, batch).files and not any(
        file in read_release(zones, other).files for other in _others(zones, batch)
    )


def _others(zones: Zones, batch: str) -> list[str]:
    return [path.stem for path in _folder(zones).glob("*.json") if path.stem != batch]


def _folder(zones: Zones) -> Path:
    return zones.restricted / "releases"


def _record(zones: Zones, batch: str) -> Path:
    return _folder(zones) / f"{batch}.json"


def _write(zones: Zones, batch: str, release: Release) -> None:
    write_if_changed(_record(zones, batch), json.dumps(asdict(release)).encode())
