"""What the report says of text in pixels: every image counted once, by codes and counts alone, and shown blanked."""

import html
import io
import json
import re
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicom_assets.deid.profile import load_profile
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.cleaned import Cleaned
from dicom_assets.storage.ledger import StudyRow
from dicom_assets.storage.quarantine import not_staged
from dicom_assets.workflow.report import batch_report, render_json, report_forms, report_schema
from dicom_assets.workflow.report_pixels import pixel_report
from dicom_assets.workflow.thumbnails import thumbnail_of
from dicom_assets.workflow.verdict import InstanceFacts, StudyVerdict, Thumbnail
from tests.support.browser import browser
from tests.support.programs import needs

KEY = "S-PIXELS"
PLAIN = Cleaned("capture", "header only", (), 1)
SCREEN = Cleaned("capture", "native", (("0,0,40,12", "detected"), ("50,0,90,12", "detected")), 1, texts=2, own_values=1)
LOOP = Cleaned(
    "ultrasound", "jpeg blocks", (("0,0,64,8", "region"), ("8,40,60,52", "device of Klinikum Nirgendheim")), 9, texts=1
)
WHOLE = Cleaned(
    "slide label", "recoded", (("0,0,99,99", "whole"),), 1, syntax="1.2.840.10008.1.2.4.80>1.2.840.10008.1.2.1"
)
NAMED = Cleaned("visible light", "rle", (("1,2,3,4@0", "reviewer"),), 1)


def staged(number, **values):
    row = not_staged(f"{number}.dcm", f"1.2.{number}")
    return replace(
        row, file=f"2.25.{number}.dcm", **{k: v.text if isinstance(v, Cleaned) else v for k, v in values.items()}
    )


def kept(number, reason, **values):
    return replace(not_staged(f"{number}.dcm", f"1.2.{number}"), reason=reason, **values)


ROWS = [
    *[staged(n, face="unknown" if n == 1 else "") for n in range(1, 5)],
    staged(5, pixels=PLAIN),
    staged(6, pixels=SCREEN),
    staged(7, pixels=LOOP),
    staged(8, pixels=WHOLE),
    staged(9, pixels=NAMED, review="release PIXELS_NEED_REVIEW 1,2,3,4@0"),
    staged(10, review="release TEXT_LEFT_IN_PIXELS"),
    staged(11, review="release SAME_UID_OTHER_CONTENT"),
    staged(12, face="recognisable", review="release FACE_RECOGNISABLE"),
    kept(13, "FACE_RECOGNISABLE", face="recognisable"),
    kept(14, "TEXT_LEFT_IN_PIXELS"),
    kept(15, "TEXT_LEFT_IN_PIXELS"),
    kept(16, "PIXEL_DATA_TRUNCATED"),
    staged(17),  # no image
]
IMAGES = {f"2.25.{number}" for number in range(1, 13)}


@pytest.fixture(scope="module")
def counted():
    return pixel_report(ROWS, IMAGES, IMAGES - {"2.25.4", "2.25.7"})


def report_of(rows=ROWS, thumbnails=(), **changes):
    instances = tuple(
        InstanceFacts(KEY, f"2.25.{n}", f"P/{n}.dcm", "US", "", "", "", 64, 64, int(f"2.25.{n}" in IMAGES), 9, "0" * 64)
        for n in [*range(1, 13), 17]
    )
    quarantined = [(KEY, row.reason, 1) for row in rows if row.reason]
    count = len(rows) - len(quarantined)
    ledger = StudyRow(KEY, "done", "", 1, len(rows), len(rows), 0, count, len(quarantined), count, 0, 9)
    report = batch_report(
        batch="cohort-20261122-001",
        profile=load_profile("basic"),
        rows=[ledger],
        verdicts=[StudyVerdict(KEY, (), (), instances, (), (), 0, tuple(thumbnails))],
        across=(),
        quarantined=quarantined,
        manifests=rows,
    )
    return replace(report, **changes)


def text_of(report):
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", report_forms(report)["html"].decode(), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(text))


def test_every_image_is_counted_once(counted):
    fates = {fate.name: (fate.images, fate.released) for fate in counted.fates}
    assert fates == {
        "header_only": (5, 4), "nothing_found": (1, 1), "cleaned": (4, 3), "vouched": (2, 2), "kept_back": (3, 0)
    }  # fmt: skip
    assert counted.images == len(IMAGES) + 3, "one of the quarantined is there for another reason"
    assert counted.kept_back == (("TEXT_LEFT_IN_PIXELS", 2), ("FACE_RECOGNISABLE", 1))
    assert (counted.faces.images, counted.faces.released, counted.faces_unknown) == (2, 1, 1)


def test_what_was_blanked_is_counted_by_way_and_source_and_no_site_s_word_goes_out(counted):
    assert dict(counted.areas) == {"detected": 2, "device": 1, "region": 1, "reviewer": 1, "whole": 1}
    assert dict(counted.how) == {"jpeg blocks": 1, "native": 1, "recoded": 1, "rle": 1}
    assert (counted.texts, counted.own_values, counted.images_with_own_values) == (3, 1, 1)
    assert counted.searched == 5 and dict(counted.signs)["capture"] == 2
    assert counted.syntaxes == (("1.2.840.10008.1.2.4.80>1.2.840.10008.1.2.1", 1),)
    assert all(b"Nirgendheim" not in content for content in report_forms(report_of()).values())


def test_the_page_says_what_became_of_the_text():
    text = text_of(report_of())
    for said in (
        "Text blanked What showed text is one value now; every pixel outside of it is as it was. 4 4",
        "2 × TEXT_LEFT_IN_PIXELS",
        "1 of 3 places with text, in 1 image, showed a name, number or date of the patient's own.",
        "known of the device 1",
        "JPEG-LS Lossless Image Compression is Explicit VR Little Endian now",
        "From 2 slices of the head a face could be rebuilt",
        "1 is released, 1 kept back",
        "113101 Clean Pixel Data Option: in the 4 in which text was blanked",
    ):
        assert said in text


def test_where_nothing_was_examined_nothing_is_called_judged():
    text = text_of(report_of(ROWS[:4], pixels="unexamined"))
    assert "Not examined 4 4" in text and "Judged by header" not in text


def test_a_batch_without_images_has_no_such_section():
    assert b'id="text"' not in report_forms(report_of(ROWS[-1:]))["html"]


def test_the_json_is_as_its_schema_says():
    content = json.loads(render_json(report_of()))
    judge = jsonschema.Draft202012Validator(json.loads(report_schema()))
    judge.validate(content)
    assert content["text_in_pixels"]["own_values"] == 1
    content["text_in_pixels"]["read"] = "Meier"
    assert not judge.is_valid(content)


def colour_image():
    """Three frames of 100 by 200 pixels, all grey."""
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 100, 200, 3
    frames = np.full((3, 100, 200), 400, np.int16)
    frames[:, 50:, :] = 800
    dataset.PixelData = frames.tobytes()
    return dataset


def test_a_picture_shows_the_frame_that_was_blanked_with_outlines():
    dataset = colour_image()
    plain = thumbnail_of(dataset, KEY)
    one = thumbnail_of(dataset, KEY, [Box(20, 10, 80, 30, 2), Box(0, 90, 9, 99, 1), Box(90, 10, 99, 30, 2)])
    assert (plain.blanked, one.blanked) == (0, 2)
    before, after = (np.asarray(Image.open(io.BytesIO(t.png)).convert("RGB")) for t in (plain, one))
    changed = (before != after).any(axis=2)
    assert changed[8:33, 17:83].any() and not changed[40:].any()
    assert not changed[14:26, 24:76].any(), "the area itself is as the file has it"


def test_pictures_of_blanked_images_come_first_and_leave_room_for_others():
    def picture(number, blanked):
        return Thumbnail(KEY, f"2.25.{number}", "US" if number % 2 else "CT", 1, 1, b"", blanked)

    shown = report_of(thumbnails=[picture(n, n % 3 == 0) for n in range(90)], failing=()).thumbnails
    assert [bool(one.blanked) for one in shown] == [True] * 12 + [False] * 12
    assert {one.modality for one in shown[:12]} == {one.modality for one in shown[12:]} == {"CT", "US"}


@needs("chromium")
def test_a_browser_shows_it_on_wide_and_narrow_screens_and_on_paper(tmp_path):
    thumbnails = [thumbnail_of(colour_image(), KEY, [Box(20, 10, 80, 30)]), thumbnail_of(colour_image(), "S-OTHER")]
    path = tmp_path / "report.html"
    path.write_bytes(report_forms(report_of(thumbnails=thumbnails))["html"])
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        widths = page.eval_on_selector_all(".fates i", "all => all.map(one => one.getBoundingClientRect().width)")
        assert len(widths) == 5 and min(widths) >= 4
        assert page.locator("#text .blanked img").count() == page.locator("#images img").count() == 1
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 688, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= 688
