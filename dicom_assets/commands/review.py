"""`dicom-assets review`: what lies in quarantine, and what a person decides of it. Each look and each decision stands
in the audit log before it happens."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from ..batches.key import check_key
from ..deid.profile import load_profile
from ..errors import REASONS, BadInput, DicomAssetsError
from ..pixels.boxes import ALL_FRAMES, Box
from ..pixels.cleaner import cleaner
from ..settings import Settings
from ..storage.audit import Event, record, refusals_recorded, usable_reason
from ..storage.decisions import read_decisions
from ..storage.instance_files import FileSource
from ..storage.permissions import refuse_open_folders
from ..storage.verdicts import DISCARD, RELEASE
from ..storage.zones import Zones
from ..workflow.job import coded_file_errors, zones_of
from ..workflow.review import Decided, check, decide
from ..workflow.review_header import Header, header_of
from ..workflow.review_items import WATCHED, Item, find_item, items, refusal_to_release
from ..workflow.review_pixels import Seen, check_place, draw, rectangles, seen
from .output import say

_COLUMNS = ("item", "reason", "modality", "bytes", "can", "decision")


def list_items(options: argparse.Namespace) -> int:
    """One line an original; counts by reason on stderr."""
    zones = zones_of(Settings.from_env())
    with refusals_recorded(zones, "review list"), coded_file_errors():
        refuse_open_folders(zones)
        batch = options.batch if options.batch in ("", WATCHED) else check_key(options.batch)
        record(zones, Event.REVIEW_READ, f"list of quarantine, {batch or 'all batches'}")
        found = [item for item in items(zones, batch) if options.reason in ("", item.reason)]
        rows = list(_rows(zones, found))
    if options.json:
        print(json.dumps(rows))
    elif rows:
        _print_table(rows)
    for reason, count in Counter(item.reason for item in found).most_common():
        say(f"{count} {'item' if count == 1 else 'items'}: {reason}: {REASONS.get(reason, '')}")
    if not rows:
        say("nothing lies in quarantine" + (" for this reason" if options.reason else ""))
    return 0


def show_item(options: argparse.Namespace) -> int:
    """The original's header, as far as it can be read, and what a program finds in its pixels; or one frame of them."""
    settings = Settings.from_env()
    zones, profile = zones_of(settings), load_profile(settings.profile)
    with refusals_recorded(zones, "review show"), coded_file_errors():
        refuse_open_folders(zones)
        item, _ = find_item(zones, options.item)
        if item is None:
            raise BadInput("REVIEW_ITEM_GONE")
        if options.png:
            check_place(zones, options.png)
        record(zones, Event.REVIEW_READ, f"{item.name} {item.reason}", options.reason)
        say("What follows identifies a patient; it stands in the audit log that you have read it.")
        with item.file.open("rb", buffering=0) as file:
            header = header_of(FileSource(file.fileno()), profile)
        if not options.png:
            _print_header(item, header, profile.name)
        image = seen(item.file, profile)
        boxes = _print_pixels(item, image) if image else ()
        if options.png:
            draw(zones, item, options.frame, boxes, options.png, options.reason)
            say("The picture identifies a patient: delete it once you have looked.")
    return 0


def release(options: argparse.Namespace) -> int:
    return _decide(options, RELEASE)


def discard(options: argparse.Namespace) -> int:
    return _decide(options, DISCARD)


def _decide(options: argparse.Namespace, verdict: str) -> int:
    """Nothing is done where one of the items is refused."""
    settings = Settings.from_env()
    zones = zones_of(settings)
    names = list(dict.fromkeys(options.items))
    with refusals_recorded(zones, f"review {verdict}"), coded_file_errors():
        refuse_open_folders(zones)
        blank = rectangles(options.blank)
        if not (why := usable_reason(options.reason)):
            raise BadInput("REVIEW_REASON_MISSING")
        for name in names:
            find_item(zones, name)
    for name in names:
        with refusals_recorded(zones, f"review {verdict} {name}"):
            check(zones, verdict, name, blank)
    done = []
    for name in names:
        with refusals_recorded(zones, f"review {verdict} {name}"):
            done.append(decide(zones, verdict, name, why, blank))
        _print_decided(verdict, done[-1])
    _say_what_is_next(done, settings.arrivals.deidentify_at_once)
    return 0


def _rows(zones: Zones, found: Sequence[Item]) -> Iterator[dict]:
    decided: dict[str, Mapping[str, str]] = {}
    for item in found:
        under = item.decided_under
        if under not in decided:
            decided[under] = {one.item: one.verdict for one in read_decisions(zones, under)}
        yield {
            "batch": item.batch,
            "study_key": item.study_key,
            "item": item.name,
            "reason": item.reason,
            "sentence": REASONS.get(item.reason, ""),
            "modality": _modality(item.modality),
            "bytes": item.file.stat().st_size,
            "can": [DISCARD] if refusal_to_release(zones, item) else [RELEASE, DISCARD],
            "decision": decided[under].get(item.name, ""),
        }


def _modality(text: str) -> str:
    """What is no term of the standard may be anything, a name too."""
    return text if not text or text in _modalities() else "?"


@cache
def _modalities() -> frozenset[str]:
    """PS3.16 CID 33."""
    from pydicom.sr.codedict import codes

    return frozenset(getattr(codes.cid33, keyword).value for keyword in codes.cid33.dir())


def _print_table(rows: Sequence[Mapping]) -> None:
    _print_aligned([_COLUMNS, *([_cell(row[name]) for name in _COLUMNS] for row in rows)])


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _print_header(item: Item, header: Header, profile: str) -> None:
    print(f"{item.name}  {item.reason}: {REASONS.get(item.reason, '')}")
    print(f"its pixels, for a DICOM viewer: {item.file}")
    print(f"{len(header.rows)} elements; what the profile {profile} does with each:")
    encoding = sys.stdout.encoding or "ascii"
    for row in header.rows:
        tag = f"({row.tag >> 16:04X},{row.tag & 0xFFFF:04X})"
        line = f"{'  ' * row.depth}{tag} {row.vr or '  '} {row.done:<10} {row.name:<36} {row.text}".rstrip()
        print(line.encode(encoding, "backslashreplace").decode(encoding))
    if header.code:
        print(f"reading ended at byte {header.position}: {header.code}: {REASONS.get(header.code, '')}")


def _print_pixels(item: Item, image: Seen) -> tuple[Box, ...]:
    """How large it is, why it is risky, and what a program would blank, numbered as in the picture."""
    extent = image.extent
    frames = f", {extent.frames} frames, counted from 0" if extent.frames > 1 else ""
    print(f"image: {extent.columns} pixels across, {extent.rows} down{frames}")
    if why := ", ".join(filter(None, (image.plan.sign, f"face {image.face}" if image.face else ""))):
        print(f"why it is risky: {why}")
    try:
        boxes = cleaner().find(item.file, image.plan)
    except DicomAssetsError as error:
        say(f"No program looked at it: {error}")
        return ()
    rows = [("box", "frame", "left", "top", "right", "bottom", "source")]
    for number, box in enumerate(boxes, 1):
        frame = "all" if box.frame == ALL_FRAMES else box.frame
        rows.append((number, frame, box.left, box.top, box.right, box.bottom, box.source))
    print(f"what a program would blank: {'' if boxes else 'nothing'}".rstrip())
    if boxes:
        _print_aligned([[str(cell) for cell in row] for row in rows])
    return boxes


def _print_decided(verdict: str, one: Decided) -> None:
    print(f"{one.item}  {f'{one.before}, before now' if one.before else verdict}")
    for other in one.also:
        print(f"{other}  {DISCARD}, as the other content")


def _say_what_is_next(done: Sequence[Decided], deidentify_at_once: bool) -> None:
    for run in sorted({one.run for one in done if one.run}):
        say(f"next: dicom-assets run {' '.join(run)}")
    if any(one.to_incoming for one in done):
        sensor = ", or wait for the sensor arrival_sensor of `make up`" if deidentify_at_once else ""
        say(f"next: dicom-assets plan --arrivals, once the study has settled{sensor}")
