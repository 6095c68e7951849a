"""A reviewer names rectangles of an image: these are blanked before it goes on, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_assets.demo.corpus import Corpus
from dicom_assets.demo.studies import small_corpus
from dicom_assets.errors import BadInput, Refused
from dicom_assets.pixels.boxes import Box
from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.decisions import Decision, read_decisions
from dicom_assets.storage.tables import from_table, to_table
from dicom_assets.workflow.deidentify import deidentify_studies
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.map import map_batch
from dicom_assets.workflow.release import validate_and_release
from dicom_assets.workflow.review import Decided, check, decide
from dicom_assets.workflow.review_items import Item, items, refusal_to_release
from dicom_assets.workflow.review_pixels import check_place, check_rectangles, rectangles, seen
from tests.support.pushing import keep_back_a_capture
from tests.support.site import Site

WHY = "a name in the corner"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Job:
    """At a site whose batch of one capture is in quarantine, and keeps its original."""
    return keep_back_a_capture(Site(tmp_path_factory.mktemp("reviewed") / "site"), corpus)


def again(job: Job, batch: str) -> None:
    """`run BATCH --from anonymized_dicom`."""
    deidentify_studies(job, batch)
    map_batch(job, batch)
    validate_and_release(job, batch)


def only_item(job: Job) -> Item:
    (item,) = items(job.zones)
    return item


def pixels_of(file: Path) -> np.ndarray:
    return pydicom.dcmread(file).pixel_array


def test_a_rectangle_that_is_not_within_the_image_decides_nothing(job: Job, tmp_path: Path) -> None:
    item = only_item(job)
    extent = seen(item.file, job.profile).extent
    good = Box(0, 0, extent.columns, extent.rows)
    check(job.zones, "release", item.name, [good, replace(good, frame=extent.frames - 1)])
    for bad in (
        replace(good, right=good.right + 1),
        replace(good, bottom=good.bottom + 1),
        replace(good, frame=extent.frames),
    ):
        with pytest.raises(BadInput, match="REVIEW_RECTANGLE_OUTSIDE"):
            decide(job.zones, "release", item.name, WHY, [good, bad])
    assert not read_decisions(job.zones, item.study_key)
    (tmp_path / "no image").write_bytes(b"no image")
    with pytest.raises(BadInput, match="REVIEW_RECTANGLE_OUTSIDE"):
        check_rectangles(tmp_path / "no image", [good])
    assert seen(tmp_path / "no image", job.profile) is None


def test_what_a_person_can_vouch_for_and_what_nobody_can(job: Job) -> None:
    item = only_item(job)
    for reason in ("TEXT_LEFT_IN_PIXELS", "PIXELS_EXTRA_MISSING", "FACE_RECOGNISABLE", "PIXEL_CLEANING_TOOK_TOO_LONG"):
        assert refusal_to_release(job.zones, replace(item, reason=reason)) == ""
    for reason in ("OVERLAY_IN_PIXEL_DATA", "PIXEL_DECODER_CRASHED", "PIXELS_NOT_DECODABLE"):
        assert refusal_to_release(job.zones, replace(item, reason=reason)) == "REVIEW_CANNOT_RELEASE"


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,x", "5,0,5,9", "-1,0,5,9", "0,0,5,9@x", "0,0,5,9@-2", "0,0,5,9@-1"]
)
def test_what_is_no_rectangle_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="REVIEW_RECTANGLE_UNREADABLE"):
        rectangles(["0,0,5,9", text])
    assert rectangles(["0,0,5,9@3", "0,0,5,9@3"]) == (Box(0, 0, 5, 9, 3, "reviewer"),)


def test_decisions_from_before_there_were_rectangles_are_read() -> None:
    old = Decision("b/s/i", "ab", "TEXT_IN_PIXELS_LIKELY", "release", WHY, "who", "when")
    table = to_table([old], Decision).drop_columns(["blank"])
    assert from_table(table, Decision) == [old] and old.text == "release TEXT_IN_PIXELS_LIKELY"


def test_no_picture_of_an_original_lands_among_what_is_released_or_over_another_file(job: Job, tmp_path: Path) -> None:
    job.zones.released.mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(job.zones.released)
    for place in (job.zones.released / "one.png", tmp_path / "link" / "one.png"):
        with pytest.raises(Refused, match="REVIEW_PICTURE_IN_RELEASED"):
            check_place(job.zones, place)
    (tmp_path / "dangling.png").symlink_to("nowhere")
    with pytest.raises(BadInput, match="REVIEW_PICTURE_EXISTS"):
        check_place(job.zones, tmp_path / "dangling.png")
    check_place(job.zones, tmp_path / "one.png")


def test_what_a_reviewer_names_is_blanked_and_all_else_as_it_was(job: Job) -> None:
    item = only_item(job)
    before = pixels_of(item.file)
    for box in (Box(3, 5, 160, 105), Box(0, 0, 120, 80)):
        done = decide(job.zones, "release", item.name, WHY, [box])
        assert done == Decided(item.name, run=(item.batch, "--from", "anonymized_dicom"))
        again(job, item.batch)
        (released,) = job.zones.released.rglob("*.dcm")
        after = pixels_of(released)
        inside = np.zeros(before.shape[:2], bool)
        inside[box.top : box.bottom, box.left : box.right] = True
        assert len(np.unique(after[inside].reshape(inside.sum(), -1), axis=0)) == 1
        assert np.array_equal(after[~inside], before[~inside]) and not np.array_equal(after, before)
        assert pydicom.dcmread(released, stop_before_pixels=True).BurnedInAnnotation == "NO"
        assert decide(job.zones, "release", item.name, WHY, [box]).before == "release"
    assert [one.text for one in read_decisions(job.zones, item.study_key)] == [
        "release TEXT_IN_PIXELS_LIKELY 3,5,160,105",
        "release TEXT_IN_PIXELS_LIKELY 0,0,120,80",
    ]
    subjects = [line.subject for line in last_lines(job.zones) if line.event == "review release"]
    assert subjects == [f"{item.name} TEXT_IN_PIXELS_LIKELY {place}" for place in ("3,5,160,105", "0,0,120,80")]
