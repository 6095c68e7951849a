"""The campaign's result as Markdown tables, and what was missed as a contact sheet."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pixels.frames import clean, with_text
from benchmarks.pixels.score import Looked, Seen
from benchmarks.report import table

_TILE = 300  #: pixels a side of a tile of the contact sheet


def tables(looked: Sequence[Looked]) -> str:
    """Recall of strings, those that a person reads without effort and the others; false boxes; time."""
    seen = [one for frame in looked for one in frame.seen]
    easy = [one for one in seen if one.string.is_easy]
    parts = [_recall("text that a person reads without effort", [("all", easy), *_groups(easy)])]
    parts.append(_recall("harder, not in the rows above", _harder(seen)))
    parts += [_false(looked), _time(looked)]
    return "\n\n".join(parts)


def recall(looked: Sequence[Looked]) -> float:
    """Recall of what a person reads without effort, 0 to 1."""
    easy = [one.is_found for frame in looked for one in frame.seen if one.string.is_easy]
    return sum(easy) / max(len(easy), 1)


def false_share(looked: Sequence[Looked]) -> float:
    """Of the frames without text, the share with a box."""
    without = [bool(frame.boxes) for frame in looked if not frame.seen]
    return sum(without) / max(len(without), 1)


def missed(looked: Sequence[Looked]) -> list[Seen]:
    return [one for frame in looked for one in frame.seen if one.string.is_easy and not one.is_found]


def contact_sheet(looked: Sequence[Looked], path: Path, seed: int, most: int = 60) -> None:
    """What a person reads and was not found, and clean frames with a box: a tile each, from the frames made again."""
    tiles = [_missed_tile(one, seed) for one in missed(looked)[:most]]
    tiles += [_false_tile(frame, seed) for frame in looked if frame.boxes and not frame.seen][:most]
    across = 6
    sheet = Image.new("RGB", (across * _TILE, max(1, -(-len(tiles) // across)) * _TILE))
    for at, tile in enumerate(tiles):
        sheet.paste(tile, (at % across * _TILE, at // across * _TILE))
    sheet.save(path)


def _groups(easy: Sequence[Seen]) -> Iterable[tuple[str, list[Seen]]]:
    for by in (
        lambda one: one.row,
        lambda one: _size(one.string.wish.size),
        lambda one: one.string.wish.script,
        lambda one: f"{one.string.wish.kind}s" if one.string.wish.kind != "short" else "two to four characters",
        lambda one: _way(one.string.wish.angle),
        lambda one: f"as {one.layout}",
    ):
        names = dict.fromkeys(sorted(map(by, easy)))
        yield from ((name, [one for one in easy if by(one) == name]) for name in names)


def _way(angle: int) -> str:
    return "level" if angle == 0 else "turned by 90, 180, 270 degrees" if angle % 90 == 0 else "aslant"


def _size(size: int) -> str:
    low, high = next(pair for pair in ((10, 12), (13, 16), (18, 24), (28, 60)) if size <= pair[1])
    return f"{low} to {high} pixels"


def _harder(seen: Sequence[Seen]) -> list[tuple[str, list[Seen]]]:
    groups: dict[str, list[Seen]] = {}
    for one in seen:
        if one.string.is_easy:
            continue
        wish = one.string.wish
        name = (
            "a single letter" if wish.kind == "marker"
            else "contrast below 20" if one.string.contrast < 20
            else "contrast of 20 to 40" if one.string.contrast < 40
            else "contrast below 3 times the noise" if one.string.contrast_to_noise < 3
            else "East Asian, below 14 pixels"
        )  # fmt: skip
        groups.setdefault(name, []).append(one)
    return sorted(groups.items())


def _recall(title: str, groups: Iterable[tuple[str, list[Seen]]]) -> str:
    rows = []
    for name, group in groups:
        found = sum(one.is_found for one in group)
        rows.append([name, str(len(group)), str(found), f"{100 * found / max(len(group), 1):.1f} %"])
    return table((title, "strings", "found", "recall"), rows)


def _false(looked: Sequence[Looked]) -> str:
    without = [frame for frame in looked if not frame.seen]
    groups = {"all": without}
    for frame in without:
        groups.setdefault(frame.row.removeprefix("clean: "), []).append(frame)
    rows = []
    for name, group in groups.items():
        false = sum(bool(frame.boxes) for frame in group)
        rows.append([name, str(len(group)), str(false), f"{100 * false / max(len(group), 1):.1f} %"])
    return table(("frames without text", "frames", "with a box", "share"), rows)


def _time(looked: Sequence[Looked]) -> str:
    rows = []
    for what, group in (
        ("single frames", [one for one in looked if not one.row.startswith("loop")]),
        ("loops of 9 frames", [one for one in looked if one.row.startswith("loop")]),
    ):
        if group:
            seconds = sorted(one.seconds for one in group)
            rows.append(
                [what, f"{median(seconds):.2f}", f"{seconds[-1 - len(seconds) // 20]:.2f}", f"{seconds[-1]:.2f}"]
            )
    return table(("seconds on one core", "median", "95th percentile", "longest"), rows)


def _missed_tile(one: Seen, seed: int) -> Image.Image:
    frame, wish = with_text(one.frame, seed), one.string.wish
    middle = one.string.top + one.string.ink.shape[0] // 2, one.string.left + one.string.ink.shape[1] // 2
    half = max(60, *(side // 2 + 10 for side in one.string.ink.shape))
    top, left = (
        min(max(at - half, 0), max(0, side - 2 * half)) for at, side in zip(middle, frame.shown.shape[1:3], strict=True)
    )
    picture = frame.shown[frame.only or 0][top : top + 2 * half, left : left + 2 * half]
    words = (
        f"{one.frame}: {frame.row}, {frame.layout}\n"
        f"{wish.script} {one.string.face} {wish.size} px, {wish.angle}\u00b0\n"
        f"contrast {one.string.contrast:.0f}, to noise {one.string.contrast_to_noise:.1f}, held {100 * one.held:.0f} %"
    )
    return _tile(picture, words)


def _false_tile(looked: Looked, seed: int) -> Image.Image:
    frame = clean(looked.number, seed)
    image = Image.fromarray(np.rint(frame.shown[0] * 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for box in looked.boxes:
        pen.rectangle(
            (box.left, box.top, box.right - 1, box.bottom - 1), outline=(255, 0, 0), width=max(1, frame.rows // 250)
        )
    return _tile(
        np.asarray(image, np.float32) / 255, f"{looked.number}: {looked.row}, {frame.layout}\n{frame.rows} rows"
    )


def _tile(picture: np.ndarray, words: str) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE))
    image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    image = image.resize(
        [round(side * (_TILE - 50) / max(image.size)) for side in image.size], Image.Resampling.BICUBIC
    )
    tile.paste(image, (0, 46))
    ImageDraw.Draw(tile).text((2, 0), words, fill=(255, 220, 0))
    return tile
