"""What was received, counted again: each way in which an instance can be lost, doubled or invented."""

from dataclasses import replace

import pytest

from dicom_assets.storage.manifests import RawInstance, StagedInstance
from dicom_assets.workflow.recount import recount

RAW = [RawInstance(f"{name}.dcm", "", "", "", 0, "") for name in ("aaa", "bbb", "ccc")]


def staged(raw_file, file, reason=""):
    return StagedInstance(raw_file, "", reason, file, "", "", "", "", "", "", (), (), (), "", "")


STAGED = [staged("aaa.dcm", "2.25.1.dcm"), staged("bbb.dcm", "2.25.2.dcm"), staged("ccc.dcm", "", "PIXELS_NEED_REVIEW")]
FILES = ["2.25.1.dcm", "2.25.2.dcm"]

CASES = {
    "nothing": (RAW, STAGED, FILES, [], 2, set()),
    "all are released already": (RAW, STAGED, [], [], 2, set()),
    "a row": (RAW, STAGED[1:], FILES[1:], [], 2, {("INSTANCE_LOST", "aaa"), ("INSTANCE_COUNT_DIFFERS", "")}),
    "the row of a quarantined one": (RAW, STAGED[:2], FILES, [], 2, {("INSTANCE_LOST", "ccc")}),
    "a file": (RAW, STAGED, FILES[1:], ["2.25.1.dcm"], 2, {("INSTANCE_LOST", "2.25.1")}),
    "both rows": (RAW[1:], STAGED[1:], FILES[1:], [], 2, {("INSTANCE_COUNT_DIFFERS", "")}),
    "an original's row": (RAW[1:], STAGED, FILES, [], 2, {("INSTANCE_INVENTED", "2.25.1")}),
    "a file without a row": (RAW, STAGED, [*FILES, "Smith^John.dcm"], [], 2, {("INSTANCE_INVENTED", "")}),
    "two outputs of an original": (
        *(RAW[:2], [*STAGED[:2], staged("bbb.dcm", "2.25.3.dcm")], [*FILES, "2.25.3.dcm"], []),
        *(3, {("INSTANCE_DOUBLED", "bbb")}),
    ),
    "two originals of an output": (
        *(RAW, [*STAGED[:2], replace(STAGED[1], raw_file="ccc.dcm")], FILES, [], 3),
        {("INSTANCE_DOUBLED", "2.25.2")},
    ),
}


@pytest.mark.parametrize("raw, manifest, files, missing, count, expected", CASES.values(), ids=CASES.keys())
def test_what_is_lost_doubled_or_invented_is_named(raw, manifest, files, missing, count, expected):
    found = recount("s", count, raw, manifest, files, missing)
    assert {(one.reason, one.instance) for one in found} == expected
    assert {one.check for one in found} <= {"nothing_is_lost"}
