"""Text in images is found: generated frames with known text and without any, through the search that staging uses.

RECALL_FRAMES=1000 python -m pytest -q -s tests/torture/test_text_recall.py
"""

import os
from pathlib import Path

import pytest

from benchmarks.pixels.__main__ import FALSE, RECALL
from benchmarks.pixels.campaign import run
from benchmarks.pixels.frames import SEED, clean, with_text
from benchmarks.pixels.score import score
from benchmarks.pixels.table import contact_sheet, false_share, missed, recall, tables
from dicom_assets.pixels.boxes import Box

#: With text and without, half of them each
FRAMES = int(os.environ.get("RECALL_FRAMES", "12"))
#: The short form is too short for a rate: one miss and one false box are as much as it may show
_ONE = 1

pytest.importorskip("onnxruntime")


def test_text_is_found_and_nothing_else_is_taken_for_it(tmp_path: Path) -> None:
    looked = list(run(0, FRAMES // 2))
    print(tables(looked))
    contact_sheet(looked, tmp_path / "missed.png", SEED)
    strings = sum(len(frame.seen) for frame in looked)
    assert len(missed(looked)) <= max(_ONE, (1 - RECALL) * strings) and recall(looked) > 0.9
    assert false_share(looked) <= max(_ONE / (FRAMES // 2), FALSE)


def test_a_string_counts_as_found_only_where_boxes_hold_nine_tenths_of_its_ink() -> None:
    frame = with_text(0)
    one = frame.planted[0]
    rows, columns = one.ink.shape
    whole = Box(one.left, one.top, one.left + columns, one.top + rows)
    half = Box(one.left, one.top, one.left + columns // 2, one.top + rows)
    assert score(frame, [whole], 0).seen[0].is_found
    assert not score(frame, [half], 0).seen[0].is_found
    assert not score(frame, [], 0).seen[0].is_found


def test_frames_follow_from_their_number_and_only_those_with_text_have_any() -> None:
    one, same, other = with_text(3), with_text(3), with_text(4)
    assert (one.values == same.values).all() and [p.text for p in one.planted] == [p.text for p in same.planted]
    assert [p.text for p in other.planted] != [p.text for p in one.planted]
    assert not clean(3).planted and clean(3).values.std() > 0
