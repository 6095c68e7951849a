"""What a reviewer decides of originals in quarantine, and what becomes of them.

A release vouches for exactly one content and one reason; it passes by no rule of de-identification and no check of the
validation. Of an image it may name rectangles: these are blanked before it goes on, and nothing else is. Where the
batch has its original still, the batch is run again; else the original goes back to incoming as an arrival of its
study. Of a conflict one content is released and the others are discarded. A discarded content is deleted here and used
for nothing if it comes again; it stays in the ledger with the reason that it had.

The order is what keeps a crash harmless: audit log, decision, what is discarded goes, what is released moves by one
rename. Killed anywhere, the same call again completes.

What was decided can be decided otherwise as long as a batch has the original, and that batch is run again; or as long
as it waits in incoming.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ..batches.key import is_arrival
from ..errors import BadInput, Refused
from ..pixels.boxes import Box
from ..storage.atomic import delete, exclusive_lock, fsync_folder, make_folder, sha256
from ..storage.audit import Event, record
from ..storage.decisions import Decision, add_decisions, decision, discarded_of
from ..storage.incoming import Incoming
from ..storage.manifests import batches_holding, held_by
from ..storage.set_aside import CONFLICT, name_in_raw
from ..storage.verdicts import DISCARD, RELEASE
from ..storage.zones import RESTRICTED_FOLDER, Zones
from .arrivals import planning
from .job import coded_file_errors
from .pixel_plan import LOOKED_AT
from .review_items import WATCHED, Item, find_item, goes_to_incoming, items_of_study, name_of, refusal_to_release
from .review_pixels import check_rectangles

_EVENTS = {RELEASE: Event.REVIEW_RELEASE, DISCARD: Event.REVIEW_DISCARD}


@dataclass(frozen=True)
class Decided:
    """before: it was decided, and done, earlier. to_incoming: it waits there as an arrival. run: arguments of
    `dicom-assets run` that take up what was decided; empty where there is nothing to run. also: names of what was
    discarded with it."""

    item: str
    before: str = ""
    to_incoming: bool = False
    run: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def check(zones: Zones, verdict: str, name: str, blank: Sequence[Box] = ()) -> None:
    """blank: of a release, what is not to be seen. Raises BadInput: REVIEW_ITEM_UNKNOWN, REVIEW_RECTANGLE_OUTSIDE,
    REVIEW_NOTHING_TO_BLANK; Refused: REVIEW_BATCH_NOT_OVER, REVIEW_CANNOT_RELEASE, REVIEW_RUN_AGAIN, REVIEW_OTHER_HELD,
    REVIEW_DECIDED_OTHERWISE."""
    with coded_file_errors():
        item, decided = find_item(zones, name)
        if blank and (item or decided[-1]).reason not in LOOKED_AT:
            raise BadInput("REVIEW_NOTHING_TO_BLANK")
        if item is None:
            if (decided[-1].verdict, decided[-1].blank) != (verdict, _as_text(blank)):
                check_rectangles(_holder(zones, decided[-1])[1], blank)
            return
        if item.batch != WATCHED and not zones.ledger(item.batch, "validation_report").is_file():
            raise Refused("REVIEW_BATCH_NOT_OVER")
        if verdict == RELEASE:
            if code := refusal_to_release(zones, item):
                raise Refused(code)
            if item.reason == CONFLICT and _is_other_held(zones, item):
                raise Refused("REVIEW_OTHER_HELD")
            check_rectangles(item.file, blank)


def decide(zones: Zones, verdict: str, name: str, why: str, blank: Sequence[Box] = ()) -> Decided:
    """Raises as check(), Refused("BATCH_BUSY") where a batch that is concerned is at work, and as audit.record()."""
    with coded_file_errors(), _alone(zones, name) as (item, rivals):
        check(zones, verdict, name, blank)
        if item is None:
            return _decide_again(zones, verdict, name, why, _as_text(blank))
        decisions = [decision(item.name, sha256(item.file), item.reason, verdict, why, _as_text(blank))]
        losers = _losers(zones, item, rivals) if verdict == RELEASE else []
        others = [(other, sha256(file)) for other, file in losers]
        decisions += [
            decision(other, digest, item.reason, DISCARD, why)
            for other, digest in others
            if digest != decisions[0].sha256
        ]
        _carry_out(zones, item, decisions, [file for _, file in losers])
        is_arriving = verdict == RELEASE and goes_to_incoming(zones, item)
        return Decided(
            name,
            to_incoming=is_arriving,
            run=() if is_arriving else _run(zones, verdict, item),
            also=tuple(one.item for one in decisions[1:]),
        )


def _decide_again(zones: Zones, verdict: str, name: str, why: str, blank: str) -> Decided:
    """Of an item that lies there no more."""
    last = find_item(zones, name)[1][-1]
    if (last.verdict, last.blank) == (verdict, blank):
        return Decided(name, before=verdict)
    with planning(zones):  # what waits in incoming stays there meanwhile
        batch, _ = _holder(zones, last)
        with exclusive_lock(zones.lock(batch)) if batch else nullcontext():
            new = decision(name, last.sha256, last.reason, verdict, why, blank)
            record(zones, _EVENTS[verdict], _told(new), why)
            add_decisions(zones, _study_of(last), [new])
    return Decided(name, run=(batch, "--from", "anonymized_dicom")) if batch else Decided(name, to_incoming=True)


def _holder(zones: Zones, decided: Decision) -> tuple[str, Path]:
    """A batch that has the content still, empty where it waits in incoming, and the file. Raises
    Refused("REVIEW_DECIDED_OTHERWISE") where it is in neither."""
    study_key = _study_of(decided)
    for batch in batches_holding(zones, study_key):
        for file, row in held_by(zones, study_key, [batch]).values():
            if row.sha256 == decided.sha256 and file.is_file():
                return batch, file
    for file in (zones.incoming / study_key).glob(f"*-{decided.sha256[:16]}.dcm"):
        if sha256(file) == decided.sha256:
            return "", file
    raise Refused("REVIEW_DECIDED_OTHERWISE")


def _study_of(decided: Decision) -> str:
    return decided.item.split("/")[-2]


def _carry_out(zones: Zones, item: Item, decisions: Sequence[Decision], losers: Sequence[Path]) -> None:
    """decisions: the item's first."""
    for one in decisions:
        record(zones, _EVENTS[one.verdict], _told(one), one.why)
    add_decisions(zones, item.decided_under, decisions)
    own = decisions[0]
    if own.verdict == DISCARD:
        delete([item.file])
        return
    raw = zones.raw(item.batch, item.study_key) / name_in_raw(item.file.name)
    delete(file for file in losers if file != raw)
    if goes_to_incoming(zones, item):
        name = f"{Path(raw.name).stem}-{own.sha256[:16]}.dcm"
        Incoming(zones.incoming, str, str, reserve=0).take_back(item.file, item.study_key, name)
    elif item.is_aside:
        make_folder(raw.parent, RESTRICTED_FOLDER)
        item.file.replace(raw)  # the other content, if it is there, goes with this
        fsync_folder(raw.parent)
        fsync_folder(item.file.parent)


def _told(one: Decision) -> str:
    """As the audit log has it."""
    return f"{one.item} {one.reason} {one.blank}".rstrip()


def _as_text(blank: Sequence[Box]) -> str:
    return " ".join(box.text for box in blank)


@contextmanager
def _alone(zones: Zones, name: str) -> Iterator[tuple[Item | None, list[Item]]]:
    """The item and its rivals, and nobody works on their batches meanwhile."""
    seen = _with_rivals(zones, name)
    with ExitStack() as locks:
        for batch in sorted({one.batch for one in seen} - {WATCHED}):
            locks.enter_context(exclusive_lock(zones.lock(batch)))
        if _with_rivals(zones, name) != seen:
            raise Refused("BATCH_BUSY")
        yield (seen[0], seen[1:]) if seen else (None, [])


def _with_rivals(zones: Zones, name: str) -> list[Item]:
    """The item, and whatever else lies in quarantine for the same conflict: of all arrivals, or of its own batch."""
    item, _ = find_item(zones, name)
    if item is None or not item.is_aside or item.reason != CONFLICT:
        return [] if item is None else [item]
    return [item] + [
        one
        for one in items_of_study(zones, item.study_key)
        if one.is_aside and one.reason == CONFLICT and one.sop_instance_uid == item.sop_instance_uid
        if one.file != item.file and (one.batch == item.batch or (is_arrival(one.batch) and is_arrival(item.batch)))
    ]


def _losers(zones: Zones, item: Item, rivals: Sequence[Item]) -> list[tuple[str, Path]]:
    """Name and file of every other content of a conflict; the one that an archive sent first lies in the raw folder."""
    found = [(one.name, one.file) for one in rivals]
    if item.reason == CONFLICT and not goes_to_incoming(zones, item):
        raw = zones.raw(item.batch, item.study_key) / name_in_raw(item.file.name)
        found += [(name_of(item.batch, item.study_key, raw.name), raw)] if raw.is_file() else []
    return found


def _is_other_held(zones: Zones, item: Item) -> bool:
    """Another content of the instance is no open question: some batch has taken it."""
    settled = discarded_of(zones, item.study_key) | {sha256(item.file)}
    batches = batches_holding(zones, item.study_key)
    held = (held_by(zones, item.study_key, [batch]).get(item.sop_instance_uid) for batch in batches)
    return any(one is not None and one[1].sha256 not in settled for one in held)


def _run(zones: Zones, verdict: str, item: Item) -> tuple[str, ...]:
    """What takes up a decision that changes what becomes of the batch."""
    changes = verdict == RELEASE or item.reason in (CONFLICT, "TWO_PATIENTS_IN_STUDY")
    if not changes or (is_arrival(item.batch) and (item.is_aside or goes_to_incoming(zones, item))):
        return ()
    if item.is_aside:
        return (item.batch, "--from", "raw_dicom")
    is_there = (zones.raw(item.batch, item.study_key) / item.file.name).is_file()
    return (item.batch, "--from", "anonymized_dicom") if is_there else (item.batch,)
