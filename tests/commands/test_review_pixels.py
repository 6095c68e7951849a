"""`dicom-assets review` of an image: what would be blanked, a picture of it, and rectangles of the reviewer's own."""

import json
import re
import stat

import numpy as np
import pydicom
import pytest
from PIL import Image

from dicom_assets.demo.studies import small_corpus
from dicom_assets.storage.audit import last_lines
from tests.support.pushing import keep_back_a_capture
from tests.support.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A capture has arrived, and lies in quarantine."""
    folder = tmp_path_factory.mktemp("site")
    corpus = small_corpus(folder / "corpus")
    site = Site(folder / "site")
    keep_back_a_capture(site, corpus)
    return site


@pytest.fixture
def item(site: Site) -> str:
    return json.loads(site.run("review", "list", "--json").stdout)[0]["item"]


def test_a_reviewer_sees_what_would_be_blanked_as_numbers_and_as_a_picture(site: Site, item: str) -> None:
    (original,) = (site.zones.restricted / "quarantine").rglob("*.dcm")
    header = pydicom.dcmread(original, stop_before_pixels=True)
    shown = site.run("review", "show", item)
    assert shown.returncode == 0, shown.stderr
    assert f"image: {header.Columns} pixels across, {header.Rows} down" in shown.stdout
    assert "why it is risky: said to be burned in" in shown.stdout
    boxes = re.findall(r"^\d+ +all +(\d+) +(\d+) +(\d+) +(\d+) +detected$", shown.stdout, re.M)
    assert boxes and all(int(left) < int(right) <= header.Columns for left, _, right, _ in boxes)

    picture = site.folder / "look.png"
    done = site.run("review", "show", item, "--png", picture, "--reason", "a look")
    assert done.returncode == 0, done.stderr
    assert "PatientName" not in done.stdout and "delete it" in done.stderr
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    with Image.open(picture) as image:
        assert image.size == (header.Columns, header.Rows)
        left, top, right, bottom = map(int, boxes[0])
        around = np.asarray(image.convert("RGB"))[max(top - 3, 0) : bottom + 3, max(left - 3, 0) : right + 3]
    assert (around == (255, 176, 0)).all(axis=2).sum() > right - left
    assert [(line.event, line.subject, line.why) for line in last_lines(site.zones, 2)] == [
        ("review read", f"{item} TEXT_IN_PIXELS_LIKELY", "a look"),
        ("review picture", f"{item} TEXT_IN_PIXELS_LIKELY frame 0", "a look"),
    ]
    once_more = site.run("review", "show", item, "--png", picture)
    assert once_more.returncode == 1 and "REVIEW_PICTURE_EXISTS" in once_more.stderr
    absent = site.run("review", "show", item, "--png", site.folder / "other.png", "--frame", "7")
    assert absent.returncode == 1 and not (site.folder / "other.png").exists()


def test_rectangles_of_the_reviewer_become_part_of_the_decision(site: Site, item: str) -> None:
    outside = site.run("review", "release", item, "--blank", "0,0,99999,9", "--reason", "a name")
    assert outside.returncode == 1 and "REVIEW_RECTANGLE_OUTSIDE" in outside.stderr
    broken = site.run("review", "release", item, "--blank", "Meier", "--reason", "a name")
    assert broken.returncode == 2 and "REVIEW_RECTANGLE_UNREADABLE" in broken.stderr and "Meier" not in broken.stderr
    done = site.run("review", "release", item, "--blank", "1,2,30,12", "--blank", "40,2,50,9@0", "--reason", "a name")
    assert (done.returncode, done.stdout) == (0, f"{item}  release\n"), done.stderr
    assert last_lines(site.zones, 1)[0].subject == f"{item} TEXT_IN_PIXELS_LIKELY 1,2,30,12 40,2,50,9@0"
