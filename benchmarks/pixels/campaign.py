"""Frames given to the product's own search for text, in processes of their own as its workers are."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.pixels.frames import ROWS, SEED, Frame, clean, with_text
from benchmarks.pixels.score import Looked, score
from dicom_assets.pixels.boxes import Box


def run(first: int, frames: int, *, seed: int = SEED, jobs: int | None = None, row: str = "") -> Iterator[Looked]:
    """So many frames with text and as many without, from this number on. row: one of ROWS, of which alone so many
    frames are made."""
    if row:
        step = len(ROWS)
        todo = [(with_text, at, seed) for at in range(first, first + step * frames) if ROWS[at % step] == row][:frames]
    else:
        todo = [(make, number, seed) for number in range(first, first + frames) for make in (with_text, clean)]
    with ProcessPoolExecutor(jobs or os.cpu_count(), get_context("spawn")) as pool:
        yield from pool.map(_look, todo)


def _look(job: tuple) -> Looked:
    make, number, seed = job
    frame = make(number, seed)
    start = time.perf_counter()
    boxes = text_boxes(frame)
    return score(frame, boxes, time.perf_counter() - start)


def text_boxes(frame: Frame) -> list[Box]:
    from dicom_assets.pixels.found import text_in

    return text_in(frame, frame.header)
