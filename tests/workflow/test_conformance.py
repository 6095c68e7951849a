"""New errors of the output are found by their places, as dciodvfy has them."""

from pathlib import Path

import pytest

from dicom_assets.deid.residual import pieces_of
from dicom_assets.workflow import conformance, second_reader
from dicom_assets.workflow.conformance import Case, judge, shape_of
from dicom_assets.workflow.promises import Promises
from tests.support.hand_deidentified import as_bytes, by_hand, hand_made_study, planted, verdict_on
from tests.support.programs import needs

IMAGE_TYPE = 0x00080008


NOTHING = Promises()


def judged(folder: Path, *changes, promises: Promises = NOTHING):
    original, output = planted(1), by_hand(planted(1))
    for change in changes:
        change(output)
    for name, dataset in (("before", original), ("after", output)):
        (folder / name).write_bytes(as_bytes(dataset))
    (judgement,) = judge([Case(b"", folder / "before", folder / "after")], promises)
    return judgement.problems, judgement.notes


def test_errors_that_the_original_has_do_not_count(tmp_path):
    assert judged(tmp_path) == ((), ())


def test_a_required_element_that_is_gone_is_found(tmp_path):
    problems, notes = judged(tmp_path, lambda ds: ds.pop("ImageType"))
    assert (problems, notes) == ((("CONFORMANCE_LOST", "(0008,0008)"),), ())


def test_a_value_that_breaks_its_vr_is_found_and_not_told(tmp_path):
    (tmp_path / "before").write_bytes(as_bytes(planted(1)))
    (tmp_path / "after").write_bytes(as_bytes(planted(1)).replace(b"20517 ", b"20\x01\x7f7 "))
    (judgement,) = judge([Case(b"", tmp_path / "before", tmp_path / "after")], NOTHING)
    assert judgement.problems == (("CONFORMANCE_LOST", "(0020,0010)"),)


def test_what_the_profile_always_removes_is_a_note(tmp_path):
    promises = Promises(removed=frozenset({IMAGE_TYPE}))
    problems, notes = judged(tmp_path, lambda ds: ds.pop("ImageType"), promises=promises)
    assert (problems, notes) == ((), (("CONFORMANCE_GIVEN_UP_BY_PROFILE", "(0008,0008)"),))


def test_what_the_program_does_not_judge_before_is_noted_and_after_is_found(tmp_path):
    (tmp_path / "good").write_bytes(as_bytes(planted(1)))
    (tmp_path / "bad").write_bytes(b"no DICOM")
    cases = [Case(b"1", tmp_path / "bad", tmp_path / "good"), Case(b"2", tmp_path / "good", tmp_path / "bad")]
    before, after = judge(cases, Promises())
    assert (before.problems, before.notes) == ((), (("CONFORMANCE_NOT_JUDGED", ""),))
    assert (after.problems, after.notes) == ((("CONFORMANCE_TOOL_GAVE_UP", ""),), ())


def test_the_shape_of_a_header_is_its_elements_filled_or_empty():
    def shape(*changes):
        output = by_hand(planted(1))
        for change in changes:
            change(output)
        return shape_of(pieces_of(as_bytes(planted(1))), pieces_of(as_bytes(output)))

    assert shape() == shape(lambda ds: setattr(ds, "InstanceNumber", 7))
    assert shape() == shape(lambda ds: ds.ReferencedImageSequence.append(ds.ReferencedImageSequence[0]))
    assert shape() != shape(lambda ds: setattr(ds, "InstanceNumber", None))
    assert shape() != shape(lambda ds: ds.pop("InstanceNumber"))


def test_one_instance_speaks_for_all_of_its_shape(tmp_path):
    originals = [planted(number) for number in (1, 2, 3)]
    verdict = verdict_on(hand_made_study(tmp_path, originals, lambda ds: ds.pop("ImageType")).task)
    assert dict(verdict.looked_at)[conformance.CHECK] == 2
    assert {one.instance for one in verdict.findings} == {str(by_hand(originals[2]).SOPInstanceUID)}


@pytest.mark.parametrize(
    "tool, check, reason",
    [
        (conformance, "conforms_as_before", "CONFORMANCE_TOOL_ABSENT"),
        (second_reader, "second_reader_opens_it", "SECOND_READER_ABSENT"),
    ],
)
def test_a_tool_that_is_absent_is_said_and_withholds_nothing(tool, check, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "program", lambda: None)
    verdict = verdict_on(hand_made_study(tmp_path, [planted(1)]).task)
    assert verdict.not_made == ((check, reason),) and check not in dict(verdict.looked_at)
    assert verdict.findings == ()


@needs("dcmdump")
def test_dcmtk_names_the_files_that_it_cannot_read(tmp_path):
    content = as_bytes(by_hand(planted(1)))
    files = {
        "good.dcm": content,
        "short of pixels.dcm": content[:-200],
        "cut in the header.dcm": content[:700],
        "good again.dcm": content,
    }
    for name, one in files.items():
        (tmp_path / name).write_bytes(one)
    bad = second_reader.unreadable(sorted(tmp_path.iterdir()))
    assert {path.name for path in bad} == {"short of pixels.dcm", "cut in the header.dcm"}
    assert second_reader.unreadable([tmp_path / "good.dcm"]) == set()
