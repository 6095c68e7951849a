"""What became of everything that was acknowledged: each instance is released or quarantined, once, and nothing is left
behind."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.storage.atomic import sha256
from dicom_assets.storage.ledger import read_stage, sums_that_fail
from dicom_assets.storage.manifests import StagedInstance, manifest_of
from dicom_assets.storage.mapping import mapped_batches, read_part
from dicom_assets.storage.set_aside import CONFLICT, RECORD, SetAside
from dicom_assets.storage.tables import read_sealed
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.arrivals import arrival_batches
from dicom_assets.workflow.closing import is_finished
from tests.torture.support_studies import Pushed


@dataclass(frozen=True)
class Outcome:
    """released: path below the released root -> SHA-256. quarantined: reason code -> instances. batches: how many it
    took, which is no part of the outcome."""

    released: dict[str, str]
    quarantined: Counter[str]
    batches: int = field(compare=False)

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {code}" for code, count in sorted(self.quarantined.items()))
        return (
            f"{len(self.released)} released, {self.quarantined.total()} quarantined ({reasons}), {self.batches} batches"
        )


def judge(zones: Zones, acknowledged: Iterable[Pushed]) -> Outcome:
    """Of arrivals whose originals are not kept, after the last run. acknowledged: all that was pushed, and nothing else
    was. Fails where anything is lost, doubled, unmapped, torn or left."""
    batches = arrival_batches(zones)
    _none([batch for batch in batches if not is_finished(zones, batch)], "not finished")
    _none([bad for batch in batches for bad in _bad_sums(zones, batch)], "sums that do not hold")
    released = files_below(zones.released)
    mapped = _mapped(zones)
    assert {file: new for file, (_, new) in mapped.items()} == released, "mapping and release are not the same"
    quarantined = _quarantined(zones)
    _each_is_somewhere_once(set(acknowledged), [old for old, _ in mapped.values()], list(quarantined))
    _none(_left_behind(zones), "left behind")
    return Outcome(released, Counter(reason for _, reason in quarantined), len(batches))


def judge_incoming(zones: Zones, key: PseudonymKey, acknowledged: set[Pushed], sent: set[Pushed]) -> int:
    """Of instances that no batch has taken yet: how many there are. sent: what may be there, too, without conflicts."""
    places = {f"{key.study_key(one.study_instance_uid)}/{key.file_name(one.sop_instance_uid)}": one for one in sent}
    found = files_below(zones.incoming, "*/*") | files_below(zones.incoming, ".*/*/*")
    assert found.keys() <= places.keys(), "what nobody sent, or a leftover"
    _none([path for path, digest in found.items() if digest != places[path].sha256], "torn")
    _none([path for path, one in places.items() if one in acknowledged and path not in found], "lost")
    return len(found)


def files_below(root: Path, pattern: str = "*.dcm") -> dict[str, str]:
    """Path below root -> SHA-256."""
    return {str(path.relative_to(root)): sha256(path) for path in sorted(root.rglob(pattern)) if path.is_file()}


def _none(found: list[object], what: str) -> None:
    assert not found, f"{what}: {found}"


def _bad_sums(zones: Zones, batch: str) -> list[str]:
    stage = "validation_report"
    return [f"{batch}: {name}" for row in read_stage(zones, batch, stage) for name in sums_that_fail(row, stage)]


def _mapped(zones: Zones) -> dict[str, tuple[str, str]]:
    """Path below the released root -> SHA-256 of the original, and of what was released; over all batches."""
    mapped: dict[str, tuple[str, str]] = {}
    for batch in mapped_batches(zones):
        part = read_part(zones, batch, why="a test")
        columns = ("Anonymized Filename", "sha256_original", "sha256_anonymized")
        for file, old, new in zip(*(part[name] for name in columns), strict=True):
            assert file not in mapped, "two mapping rows of one file"
            mapped[file] = old, new
    return mapped


def _quarantined(zones: Zones) -> list[tuple[str, str]]:
    """SHA-256 and reason of every file in quarantine, each of which has one."""
    found = []
    for folder in sorted((zones.restricted / "quarantine").glob("*/*/")):
        reasons = {row.raw_file: row.reason for row in read_sealed(manifest_of(folder), StagedInstance)}
        reasons |= {row.file: row.reason for row in read_sealed(folder / RECORD, SetAside)}
        for path in sorted(folder.glob("*.dcm")):
            assert reasons.get(path.name), "quarantined without a reason"
            found.append((sha256(path), reasons[path.name]))
    return found


def _each_is_somewhere_once(acknowledged: set[Pushed], released: list[str], quarantined: list[tuple[str, str]]) -> None:
    places = Counter(released) + Counter(digest for digest, _ in quarantined)
    expected = {one.sha256: one for one in acknowledged}
    _none([one for digest, one in expected.items() if places[digest] != 1], "lost, or there twice")
    assert places.keys() == expected.keys(), "what nobody sent"
    contents = Counter(one.sop_instance_uid for one in acknowledged)
    reasons = dict(quarantined)
    for digest, one in expected.items():
        if contents[one.sop_instance_uid] > 1:
            assert digest in released or reasons[digest] == CONFLICT
        else:
            assert (digest in reasons) == one.is_blocked, "quarantined without need, or released in spite of it"
    uids = Counter(expected[digest].sop_instance_uid for digest in released)
    assert max(uids.values(), default=0) <= 1, "two contents of one instance are released"


def _left_behind(zones: Zones) -> list[str]:
    """Originals and staged copies outside quarantine, and instances that were on their way to a name anywhere."""
    areas = [zones.restricted / name for name in ("incoming", "raw", "staging")]
    left = [path for area in areas for path in area.rglob("*.dcm")]
    unfinished = [path for root in (zones.restricted, zones.released) for path in root.rglob("*.part")]
    return sorted(map(str, left + [path for path in unfinished if path.read_bytes()[128:132] == b"DICM"]))
