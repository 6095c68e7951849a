"""The scorer against outputs that are wrong on purpose: each fails its row, and only it."""

import datetime
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from benchmarks.proof.key import Action, Answer, read_key
from benchmarks.proof.output import Output, element_at, read_output
from benchmarks.proof.pixels import colour, meaning_of, set_pixels
from benchmarks.proof.score import Score, score
from benchmarks.proof.strict import Findings, look
from tests.proof.conftest import Case
from tests.proof.ideal import SHIFT, remove, with_other_pixels

NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}


class Copy:
    """A copy of the ideal output, to be spoilt."""

    def __init__(self, case: Case, folder: Path):
        self.case, self.folder = case, folder / "output"
        shutil.copytree(case.output, self.folder)

    def file(self, instance: str) -> Path:
        return self.folder / self.case.files[instance].name

    def row(self, action: Action, path: str = "") -> Answer:
        """The first of this action, there, of an instance with native pixels."""
        native = {one.uid for one in self.case.key.instances if one.transfer_syntax in NATIVE}
        rows = (one for one in self.case.key.answers if one.action is action and one.instance in native)
        return next(one for one in rows if path in ("", one.path))

    def spoil(self, instance: str, change: Callable[[Dataset], object]) -> None:
        data_set = dcmread(self.file(instance))
        change(data_set)
        data_set.save_as(self.file(instance), enforce_file_format=True)

    def read(self, *, has_mapping: bool = True) -> Output:
        return read_output(self.folder, self.case.key, self.case.mapping if has_mapping else None)

    def scored(self) -> Score:
        return score(self.case.key, self.read())

    def looked_at(self) -> Findings:
        return look(self.case.key, self.read())


@pytest.fixture
def copy(case: Case, tmp_path: Path) -> Copy:
    return Copy(case, tmp_path)


def put(answer: Answer, value: object) -> Callable[[Dataset], None]:
    def change(data_set: Dataset) -> None:
        element_at(data_set, answer.path).value = value

    return change


def put_back(data_set: Dataset, keyword: str, answer: Answer) -> None:
    setattr(data_set, keyword, answer.value)


@pytest.mark.parametrize("has_mapping", [True, False])
def test_what_is_as_the_key_says_passes_every_row(copy: Copy, has_mapping: bool) -> None:
    output = copy.read(has_mapping=has_mapping)
    result = score(copy.case.key, output)
    assert result.failures == []
    assert (result.percent, result.lenient_percent) == (100, 100)
    assert sum(result.total[action] for action in Action) == len(copy.case.key.answers)
    assert look(copy.case.key, output) == Findings()


def test_what_nothing_was_done_to_fails_whatever_had_to_change_and_nothing_else(case: Case) -> None:
    result = score(case.key, read_output(case.corpus, case.key))
    changes = {Action.TEXT_REMOVED, Action.DATE_SHIFTED, Action.UID_CHANGED, Action.PIXELS_HIDDEN}
    assert [one.answer for one in result.failures] == [one for one in case.key.answers if one.action in changes]


def test_every_action_is_asked_for(case: Case) -> None:
    assert {answer.action for answer in case.key.answers} == set(Action)


#: action, the place that is spoilt, and what is put there; None: the element goes
WRONG = [
    (Action.TAG_RETAINED, "(0010,0030)", None),
    (Action.TEXT_NOTNULL, "(0008,0030)", ""),
    (Action.TEXT_NOTNULL, "(0008,0021)", None),
    (Action.TEXT_NOTNULL, "(0008,0021)", ""),
    (Action.TEXT_NOTNULL, "(0020,0052)", None),
    (Action.TEXT_NOTNULL, "(0008,2112)[0](0008,1155)", None),
    (Action.TEXT_RETAINED, "(0010,1020)", "1.11"),
    (Action.TEXT_RETAINED, "(0020,0037)", ["1", "0", "0", "0", "0", "1"]),
    (Action.DATE_SHIFTED, "(0008,0021)", "original"),
    (Action.DATE_SHIFTED, "(0008,0021)", "UNKNOWN"),
    (Action.UID_CHANGED, "(0008,1110)[0](0008,1155)", "original"),
    (Action.UID_CHANGED, "(0008,1110)[0](0008,1155)", "2.25.077"),
    (Action.UID_CHANGED, "(0008,1110)[0](0008,1155)", f"2.25.{'7' * 60}"),
    (Action.UID_CONSISTENT, "(0020,0052)", "2.25.77"),
    (Action.PATID_CONSISTENT, "(0010,0020)", "SOMEBODY"),
]


@pytest.mark.filterwarnings("ignore:Invalid value", "ignore:The value length")  # of dates and UIDs that are none
@pytest.mark.parametrize(("action", "path", "value"), WRONG)
def test_a_wrong_value_fails_its_row_and_only_it(copy: Copy, action: Action, path: str, value: object) -> None:
    row = copy.row(action, path)
    if value is None:
        copy.spoil(row.instance, lambda data_set: remove(data_set, path))
    else:
        copy.spoil(row.instance, put(row, row.value if value == "original" else value))
    assert [failure.answer for failure in copy.scored().failures] == [row]


def test_text_that_had_to_go_fails_its_row_and_is_found_in_the_bytes(copy: Copy) -> None:
    row = copy.row(Action.TEXT_REMOVED, "(0008,0080)")
    copy.spoil(row.instance, lambda data_set: put_back(data_set, "InstitutionName", row))
    assert [failure.answer for failure in copy.scored().failures] == [row]
    assert [name for name, _ in copy.looked_at().found] == [copy.file(row.instance).name]


def test_one_word_or_other_marks_are_enough_to_fail(copy: Copy) -> None:
    row = copy.row(Action.TEXT_REMOVED, "(0010,1040)")
    for left in (row.value.split()[1], row.value.replace(" ", "_").upper()):
        copy.spoil(row.instance, lambda data_set, left=left: setattr(data_set, "PatientAddress", left))
        assert [failure.answer for failure in copy.scored().failures] == [row]


def test_a_clinical_word_that_is_lost_fails_its_row(copy: Copy) -> None:
    row = next(
        one
        for one in copy.case.key.answers
        if one.action is Action.TEXT_RETAINED
        and one.path == "(0008,1030)"
        and " " in one.text
        and one.text != one.value
    )
    first, rest = row.text.split(maxsplit=1)
    copy.spoil(row.instance, put(row, rest))
    assert [failure.answer for failure in copy.scored().failures] == [row]
    copy.spoil(row.instance, put(row, f"{first} of the {rest}"))
    assert copy.scored().failures == []


def test_a_name_without_its_accents_is_left_and_found(copy: Copy) -> None:
    row = next(one for one in copy.case.key.answers if one.path == "(0010,0010)" and "ß" in one.value)
    for left in ("Mussigmann", "MUESSIGMANN", "Müssigmann"):
        copy.spoil(row.instance, lambda data_set, left=left: setattr(data_set, "PatientName", left))
        assert [failure.answer for failure in copy.scored().failures] == [row]
        assert [name for name, _ in copy.looked_at().found] == [copy.file(row.instance).name]


@pytest.mark.parametrize("left", ["{family}", "{initial}{family}", "{family}{initial}", "{family}_{initial}"])
def test_a_name_with_its_initial_is_left_as_much_as_its_half(copy: Copy, left: str) -> None:
    row = copy.row(Action.TEXT_REMOVED, "(0008,0090)")
    family, given = row.value.split("^")[:2]
    text = left.format(family=family, initial=given[0])
    copy.spoil(row.instance, lambda data_set: setattr(data_set, "ReferringPhysicianName", text))
    assert [failure.answer for failure in copy.scored().failures] == [row]


@pytest.mark.parametrize(
    ("keyword", "value"), [("PhotometricInterpretation", "MONOCHROME1"), ("PixelRepresentation", 1), ("HighBit", 6)]
)
def test_pixels_that_mean_something_else_fail(copy: Copy, keyword: str, value: object) -> None:
    row = copy.row(Action.PIXELS_RETAINED)
    copy.spoil(row.instance, lambda data_set: setattr(data_set, keyword, value))
    assert [failure.answer for failure in copy.scored().failures] == [row]


def test_another_palette_means_other_pixels() -> None:
    data_set = Dataset()
    set_pixels(data_set, random.Random(1), 8, 8, bits=8)
    colour(data_set)
    was = meaning_of(data_set)
    data_set.RedPaletteColorLookupTableData = bytes(512)
    assert "PALETTE COLOR" in was and meaning_of(data_set) != was


def test_one_changed_sample_fails_the_pixels(copy: Copy) -> None:
    row = copy.row(Action.PIXELS_RETAINED)
    copy.spoil(row.instance, with_other_pixels)
    assert [failure.answer for failure in copy.scored().failures] == [row]


def test_text_left_in_pixels_is_shown_and_a_withheld_image_is_said(copy: Copy) -> None:
    rows = [one for one in copy.case.key.answers if one.action is Action.PIXELS_HIDDEN]
    shown, withheld = rows[0].instance, rows[1].instance
    original = dcmread(copy.case.corpus / next(one.file for one in copy.case.key.instances if one.uid == shown))
    copy.spoil(shown, lambda data_set: setattr(data_set, "PixelData", original.PixelData))
    copy.file(withheld).unlink()
    result = copy.scored()
    missing = [one for one in copy.case.key.answers if one.instance == withheld]
    assert [failure.answer for failure in result.failures] == [rows[0], *missing]
    assert result.withheld == 1


def test_a_dropped_instance_fails_all_its_rows(copy: Copy) -> None:
    instance = copy.row(Action.PIXELS_RETAINED).instance
    copy.file(instance).unlink()
    result = copy.scored()
    assert [one.answer for one in result.failures] == [one for one in copy.case.key.answers if one.instance == instance]
    assert result.percent < result.lenient_percent < 100
    assert copy.looked_at().dropped == 1


def test_files_that_nobody_asked_for_are_counted(copy: Copy) -> None:
    instance = copy.row(Action.PIXELS_RETAINED).instance
    shutil.copy(copy.file(instance), copy.folder / "again.dcm")
    (copy.folder / "notes.txt").write_text("nothing")
    assert copy.looked_at().added == 2


def test_a_date_that_moves_by_another_day_changes_an_interval(copy: Copy) -> None:
    row = copy.row(Action.DATE_SHIFTED, "(0008,0021)")
    other = datetime.date.fromisoformat(row.text) + datetime.timedelta(101)
    copy.spoil(row.instance, put(row, f"{other:%Y%m%d}"))
    assert [failure.answer.action for failure in copy.scored().failures] == [Action.DATE_CONSISTENT]
    assert copy.looked_at().uneven == 1


@pytest.mark.parametrize("change", [lambda rest: f"11{rest[2:]}", lambda rest: rest[:-5], lambda rest: ""])
def test_a_date_and_time_keeps_its_time_and_offset_letter_by_letter(copy: Copy, change: Callable[[str], str]) -> None:
    row = copy.row(Action.DATE_CONSISTENT, "(0008,002A)")
    moved = datetime.date.fromisoformat(row.text[:8]) + SHIFT
    copy.spoil(row.instance, put(row, f"{moved:%Y%m%d}{change(row.text[8:])}"))
    assert [failure.answer for failure in copy.scored().failures] == [row]


def test_where_times_move_along_so_may_those_of_a_date_and_time(copy: Copy) -> None:
    row = copy.row(Action.DATE_CONSISTENT, "(0008,002A)")
    next_day = datetime.date.fromisoformat(row.text[:8]) + SHIFT + datetime.timedelta(1)

    def move(data_set: Dataset) -> None:
        data_set.StudyTime = "010203"
        data_set.AcquisitionDateTime = f"{next_day:%Y%m%d}00{row.text[10:]}"

    copy.spoil(row.instance, move)
    assert copy.scored().failures == []


def test_a_word_that_stood_there_is_no_name_with_an_initial(copy: Copy) -> None:
    row = copy.row(Action.TEXT_REMOVED, "(0010,1040)")
    text = "THIN AXIAL - THI MAI NGUYEN"
    key = replace(copy.case.key, answers=[replace(row, value=text, text="THI MAI NGUYEN")])
    for left, failed in (("THIN AXIAL", 0), ("NGUYENT AXIAL", 1), ("THI AXIAL", 1)):
        copy.spoil(row.instance, lambda data_set, left=left: setattr(data_set, "PatientAddress", left))
        assert len(score(key, copy.read()).failures) == failed


def test_somebody_elses_old_uid_is_no_new_one(copy: Copy) -> None:
    row = copy.row(Action.UID_CHANGED, "(0008,1110)[0](0008,1155)")
    other = next(one for one in copy.case.key.instances if one.uid != row.instance)
    copy.spoil(row.instance, put(row, other.study))
    assert [failure.answer for failure in copy.scored().failures] == [row]


def test_one_new_uid_for_two_old_ones_fails_both(copy: Copy) -> None:
    uses = Counter(one.text for one in copy.case.key.answers if one.action is Action.UID_CONSISTENT)
    alone = [
        one
        for one in copy.case.key.answers
        if one.action is Action.UID_CONSISTENT and one.path == "(0008,2112)[0](0008,1155)" and uses[one.text] < 4
    ]
    first, second = alone[0].text, next(one.text for one in alone if one.text != alone[0].text)
    output = copy.read()
    rows = [one for one in copy.case.key.answers if one.action is Action.UID_CONSISTENT and one.text in (first, second)]
    output.uids[first] = output.uids[second]
    for row in rows:
        element_at(output.made[row.instance].data_set, row.path).value = output.uids[second]
    assert [failure.answer for failure in score(copy.case.key, output).failures] == rows


def test_two_patients_under_one_id_are_merged(copy: Copy, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping"
    shutil.copytree(copy.case.mapping, mapping)
    head, first, second, *rest = (mapping / "patients.csv").read_text("utf-8").splitlines()
    second = f"{second.rpartition(',')[0]},{first.rpartition(',')[2]}"
    (mapping / "patients.csv").write_text("\n".join([head, first, second, *rest]), "utf-8")
    assert look(copy.case.key, read_output(copy.folder, copy.case.key, mapping)).merged == 1


def test_the_search_reads_names_of_files_and_what_is_deflated(copy: Copy) -> None:
    rows = [one for one in copy.case.key.answers if one.action is Action.PATID_CONSISTENT]
    patient = rows[0].text
    first, second = [one.instance for one in rows if one.text == patient][:2]
    copy.file(first).rename(copy.folder / f"of-{patient}.dcm")

    def hide(data_set: Dataset) -> None:
        data_set.ImageComments = f"about {patient} only"
        data_set.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    copy.spoil(second, hide)
    found = {name for name, _ in copy.looked_at().found}
    assert found == {f"of-{patient}.dcm", copy.file(second).name}


def test_the_key_is_read_as_it_was_written(case: Case, tmp_path: Path) -> None:
    case.key.write(tmp_path)
    assert read_key(tmp_path) == case.key
