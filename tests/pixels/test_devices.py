"""Rules of known devices: the shipped ones, a site's own, and what makes a file unusable."""

import pytest

from dicom_assets.errors import BadInput
from dicom_assets.pixels.boxes import Box
from dicom_assets.pixels.devices import MATCHABLE, NOTHING_KNOWN, known_of, rules_in, shipped
from dicom_assets.pixels.triage import CLEAN, HEADER, judge

from .headers import US, Header, Site

ALOKA = {"Manufacturer": "ALOKA CO., LTD.", "ManufacturerModelName": "SSD-4000", "Rows": "480", "Columns": "640"}
OWN = """
[[device]]
name = "Scanner of ours"
source = "a page of its manual"
match = { Manufacturer = "Quarzwerk", Rows = 100, Columns = 200 }
keep = [[20, 10, 180, 90]]

[[device]]
name = "Its reports"
source = "seen"
match = { Manufacturer = "Quarzwerk", ImageType = "REPORT|PAGE" }
whole = true
"""


def test_a_known_device_has_its_boxes_and_other_sizes_have_none() -> None:
    known = known_of(ALOKA, "US", "")
    assert known.name == "Aloka SSD-4000"
    assert [box.text for box in known.boxes] == ["0,0,640,24", "0,444,640,480"]
    assert {box.source for box in known.boxes} == {"device Aloka SSD-4000"}
    assert known_of(ALOKA | {"Rows": "481"}, "US", "") is NOTHING_KNOWN
    assert known_of({**ALOKA, "ManufacturerModelName": "SSD-40001"}, "US", "") is NOTHING_KNOWN
    assert known_of({}, "US", "") is NOTHING_KNOWN


def test_a_dose_sheet_is_matched_by_modality_and_the_name_of_its_series() -> None:
    values = {"Manufacturer": "GE MEDICAL SYSTEMS", "SeriesDescription": "Dose Report", "Rows": "512", "Columns": "512"}
    assert [box.text for box in known_of(values, "CT", "").boxes] == ["0,0,512,110"]
    assert known_of(values, "MR", "") is NOTHING_KNOWN


def test_a_sites_own_rules_add_to_the_shipped_ones() -> None:
    values = {"Manufacturer": "quarzwerk GmbH", "Rows": "100", "Columns": "200"}
    known = known_of(values, "CT", OWN)
    assert sum((box.right - box.left) * (box.bottom - box.top) for box in known.boxes) == 200 * 100 - 160 * 80
    assert not known.whole
    assert known_of(values | {"ImageType": "DERIVED\\REPORT"}, "CT", OWN).whole
    assert known_of(values, "CT", "") is NOTHING_KNOWN


def test_a_device_that_writes_text_makes_any_image_one_to_be_cleaned() -> None:
    header = Header(values={"Manufacturer": "Quarzwerk", "Rows": "100", "Columns": "200"})
    verdict = judge(header, Site(device_rules=OWN))
    assert (verdict.outcome, verdict.code) == (CLEAN, "TEXT_IN_PIXELS_LIKELY")
    assert verdict.device.boxes
    assert judge(header, Site()).outcome == HEADER
    assert judge(Header(US, "US", ALOKA), Site()).device.boxes[0] == Box(0, 0, 640, 24, source="device Aloka SSD-4000")


def test_every_shipped_rule_has_a_source_and_rectangles_of_its_size() -> None:
    assert len({rule.name for rule in shipped()}) == len(shipped()) > 5
    for rule in shipped():
        assert rule.source
        assert rule.known.boxes
        assert set(rule.match) <= set(MATCHABLE)


GOOD = {"name": '"One"', "source": '"seen"', "match": '{ Manufacturer = "Q", Rows = 9, Columns = 9 }'}


def written(**keys: str) -> str:
    return "\n".join(["[[device]]", *(f"{key} = {value}" for key, value in {**GOOD, **keys}.items() if value)])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[device", "the file, which is no TOML"),
        ("rule = 1", "the names of the keys"),
        ("device = 1", "the names of the keys"),
        (written(), "device 1, blank, keep or whole: one of them"),
        (written(blank="[[0,0,1,1]]", whole="true"), "device 1, blank, keep or whole: one of them"),
        (written(whole="false"), "device 1, whole"),
        (written(blank="[]"), "device 1, blank"),
        (written(blank="[[0,0,10,1]]"), "device 1, blank"),
        (written(blank="[[3,0,3,1]]"), "device 1, blank"),
        (written(keep="[[-1,0,3,1]]"), "device 1, keep"),
        (written(keep="[[0.5,0,3,1]]"), "device 1, keep"),
        (written(blank="[[0,0,1,1]]", match='{ Manufacturer = "Q" }'), "device 1, match: Rows and Columns"),
        (written(whole="true", match="{ Rows = 9, Columns = 9 }"), "device 1, match"),
        (written(whole="true", match='{ PatientName = "Q" }'), "device 1, match"),
        (written(whole="true", match='{ Manufacturer = "(" }'), "device 1, match.Manufacturer"),
        (written(whole="true", match='{ Manufacturer = "" }'), "device 1, match.Manufacturer"),
        (written(whole="true", match="{ Manufacturer = 1 }"), "device 1, match.Manufacturer"),
        (written(whole="true", source='" "'), "device 1, source"),
        (written(whole="true", name='"a/b"'), "device 1, name"),
        (written(whole="true", color='"x"'), "device 1, the names of its keys"),
        (f"{written(whole='true')}\n{written(whole='1')}", "device 2, whole"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_to_look(text: str, place: str) -> None:
    with pytest.raises(BadInput) as error:
        rules_in(text)
    assert error.value.code == "DEVICE_RULES_UNUSABLE"
    assert error.value.__notes__ == [f"look at: {place}"]
