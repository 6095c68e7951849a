"""What lies in quarantine for a reviewer: one item an original, under a name that tells nothing of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..batches.key import is_arrival
from ..errors import BadInput
from ..storage.atomic import UNFINISHED
from ..storage.decisions import Decision, read_decisions
from ..storage.manifests import MANIFEST, StagedInstance, manifest_of
from ..storage.set_aside import CONFLICT, NOT_LISTED, RECORD, SetAside
from ..storage.tables import read_sealed
from ..storage.zones import Zones
from .closing import is_closed
from .pixel_plan import LOOKED_AT

#: Below quarantine, in the place of a batch: what a watched folder brought and could not be taken
WATCHED = "watched"
#: Of a file that no record names
NO_RECORD = "ORIGINAL_NOT_RELEASED"

#: What never was part of a batch, and a person says that it should have been
CHOSEN = frozenset({CONFLICT, NOT_LISTED})
#: What kept an arrival back may be over: nothing is waived, it is taken in and judged again
MAY_BE_OVER = frozenset(
    {
        "INSTANCES_MISSING",
        "INTERNAL_ERROR",
        "LEDGER_DOES_NOT_ADD_UP",
        "MAPPING_ROW_MISSING",
        NO_RECORD,
        "PATIENT_PSEUDONYM_CONFLICT",
        "STUDY_INCOMPLETE",
        "TWO_PATIENTS_IN_STUDY",
        "WORKER_CRASHED",
    }
)
_NAME = re.compile(rf"(?:([a-z]+-\d+-\d+)/([a-z0-9]+)|{WATCHED})/([0-9a-f]{{12}})")
_RECORDS = (MANIFEST, RECORD)


@dataclass(frozen=True)
class Item:
    """One original in quarantine. batch: or WATCHED, and then no study_key. modality: as the original has it, which
    may be anything. is_aside: it was set aside before anything was made of it."""

    batch: str
    study_key: str
    file: Path
    reason: str
    sop_instance_uid: str
    modality: str
    is_aside: bool

    @property
    def name(self) -> str:
        """`<batch>/<study key>/<id>`, or `watched/<id>`."""
        return name_of(self.batch, self.study_key, self.file.name)

    @property
    def decided_under(self) -> str:
        """The key of its decisions."""
        return self.study_key or WATCHED


def name_of(batch: str, study_key: str, file: str) -> str:
    return "/".join(filter(None, (batch, study_key, _id(file))))


def _id(file: str) -> str:
    """Half of a file's name may be a digest of its content, which is nobody's business."""
    return sha256(file.encode()).hexdigest()[:12]


def items(zones: Zones, batch: str = "") -> Iterator[Item]:
    """All that lie there, of one batch where it is given, sorted."""
    quarantine = zones.restricted / "quarantine"
    for folder in [quarantine / batch] if batch else _folders(quarantine):
        if folder.name == WATCHED:
            yield from _items_in(folder, WATCHED, "")
        else:
            for study in _folders(folder):
                yield from _items_in(study, folder.name, study.name)


def items_of_study(zones: Zones, study_key: str) -> Iterator[Item]:
    """Of whichever batch."""
    for folder in _folders(zones.restricted / "quarantine"):
        yield from _items_in(folder / study_key, folder.name, study_key)


def find_item(zones: Zones, name: str) -> tuple[Item | None, list[Decision]]:
    """The item, None where it lies there no more, and what was decided of it. Raises BadInput("REVIEW_ITEM_UNKNOWN")
    where it never was one."""
    if (match := _NAME.fullmatch(name)) is None:
        raise BadInput("REVIEW_ITEM_UNKNOWN")
    batch, study_key = match[1] or WATCHED, match[2] or ""
    folder = zones.quarantine(batch, study_key)
    item = next((one for one in _items_in(folder, batch, study_key) if one.name == name), None)
    decided = [one for one in read_decisions(zones, study_key or WATCHED) if one.item == name]
    if item is None and not decided:
        raise BadInput("REVIEW_ITEM_UNKNOWN")
    return item, decided


def goes_to_incoming(zones: Zones, item: Item) -> bool:
    """Its batch takes nothing any more, or never had it: released, it is an arrival of its study."""
    if item.is_aside:
        return item.reason == NOT_LISTED or is_arrival(item.batch)
    return is_closed(zones, item.batch)


def refusal_to_release(zones: Zones, item: Item) -> str:
    """The code that says why nobody can vouch for it; empty where a person can."""
    if item.reason in (CHOSEN if item.is_aside else LOOKED_AT):
        return ""
    if item.is_aside or item.batch == WATCHED or item.reason not in MAY_BE_OVER:
        return "REVIEW_CANNOT_RELEASE"
    return "" if goes_to_incoming(zones, item) else "REVIEW_RUN_AGAIN"


def _items_in(folder: Path, batch: str, study_key: str) -> Iterator[Item]:
    if not folder.is_dir():
        return
    staged = {row.raw_file: row for row in read_sealed(manifest_of(folder), StagedInstance)}
    aside = {row.file: row for row in read_sealed(folder / RECORD, SetAside)}
    for file in sorted(folder.iterdir()):
        if file.name in _RECORDS or file.suffix == UNFINISHED or not file.is_file():
            continue
        row = aside.get(file.name) or staged.get(file.name)
        yield Item(
            batch=batch,
            study_key=study_key,
            file=file,
            reason=row.reason if row else NO_RECORD,
            sop_instance_uid=row.sop_instance_uid if row else "",
            modality=getattr(row, "modality", ""),
            is_aside=file.name in aside,
        )


def _folders(parent: Path) -> list[Path]:
    """None where parent is not there."""
    return sorted(folder for folder in parent.iterdir() if folder.is_dir()) if parent.is_dir() else []
