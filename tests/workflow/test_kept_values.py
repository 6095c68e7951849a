"""What an output says is what its original said: each change that would mislead is named, honest cleaning is not."""

from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword

from dicom_assets.deid.residual import pieces_of
from dicom_assets.workflow.kept_values import compare_values, statement_problems
from dicom_assets.workflow.promises import Promises
from tests.support.hand_deidentified import as_bytes, in_sequence, planted

REMOVED = 0x00081090
KEPT = frozenset(
    tag_for_keyword(keyword)
    for keyword in "AnatomicRegionSequence PixelSpacing RescaleSlope ImageLaterality WindowCenter DiffusionBValue "
    "PhotometricInterpretation".split()
)
PROMISES = Promises(
    unchanged=KEPT, removed=frozenset({REMOVED}), digest="0a1b", codes=("113100",), longitudinal="MODIFIED"
)

Change = Callable[[Dataset], None]


def original() -> Dataset:
    dataset = planted(1)
    dataset.ImageLaterality, dataset.PatientAge, dataset.SeriesDescription = "L", "092Y", "Abdomen of Isidora"
    dataset.DiffusionBValue = 50.0
    dataset.private_block(0x0019, "ACME", create=True)
    in_sequence("AnatomicRegionSequence", CodeMeaning="Abdomen")(dataset)
    dataset.preamble = bytes(128)
    dataset.ManufacturerModelName = "Model 1"
    return dataset


def problems(*changes: Change, before: Dataset | None = None) -> set[tuple[str, str]]:
    source = as_bytes(before or original())
    output = before or original()
    del output.ManufacturerModelName
    for change in changes:
        change(output)
    return set(compare_values(pieces_of(source), pieces_of(as_bytes(output)), PROMISES))


def put(keyword: str, value: object) -> Change:
    return lambda dataset: setattr(dataset, keyword, value)


HONEST = {
    "nothing": lambda dataset: None,
    "a word less": put("SeriesDescription", "Abdomen of"),
    "what is left of a word": put("SeriesDescription", "Abdomen Isid"),
    "a placeholder": put("SeriesDescription", "ANONYMIZED"),
    "the pseudonym": put("PatientName", planted(1).PatientID),
    "an age that is capped": put("PatientAge", "090Y"),
    "another UID": put("StudyInstanceUID", "2.25.1"),
    "another date": put("StudyDate", "20200101"),
    "the statement": put("PatientIdentityRemoved", "YES"),
}


@pytest.mark.parametrize("change", HONEST.values(), ids=HONEST.keys())
def test_honest_cleaning_passes(change: Change) -> None:
    assert problems(change) == set()


WRONG = {
    "spacing": (put("PixelSpacing", [0.5, 0.7]), "VALUE_CHANGED", "(0028,0030)"),
    "slope": (put("RescaleSlope", "2"), "VALUE_CHANGED", "(0028,1053)"),
    "slope of nothing": (put("RescaleSlope", "0"), "VALUE_CHANGED", "(0028,1053)"),
    "side": (put("ImageLaterality", "R"), "VALUE_CHANGED", "(0020,0062)"),
    "side is gone": (lambda dataset: dataset.pop("ImageLaterality"), "VALUE_LOST", "(0020,0062)"),
    "side is empty": (put("ImageLaterality", ""), "VALUE_CHANGED", "(0020,0062)"),
    "inverted": (put("PhotometricInterpretation", "MONOCHROME1"), "VALUE_CHANGED", "(0028,0004)"),
    "binary number": (put("DiffusionBValue", 1000.0), "VALUE_CHANGED", "(0018,9087)"),
    "window that was not there": (put("WindowCenter", "40"), "VALUE_INVENTED", "(0028,1050)"),
    "somebody else's name": (put("ReferringPhysicianName", "Other^Doctor"), "VALUE_INVENTED", "(0008,0090)"),
    "somebody else's number": (put("AccessionNumber", "F99"), "VALUE_INVENTED", "(0008,0050)"),
    "somebody else's history": (
        put("AdditionalPatientHistory", "carcinoma"),
        *("VALUE_INVENTED", "(0010,21B0)"),
    ),
    "in a sequence": (
        in_sequence("AnatomicRegionSequence", CodeMeaning="Head"),
        *("VALUE_INVENTED", "(0008,2218)[0].(0008,0104)"),
    ),
    "a sequence is gone": (lambda dataset: dataset.pop("AnatomicRegionSequence"), "VALUE_LOST", "(0008,2218)"),
    "preamble": (put("preamble", b"x\x9c".ljust(128, b"\0")), "VALUE_INVENTED", "preamble"),
    "private value": (
        lambda dataset: dataset.private_block(0x0019, "ACME", create=True).add_new(8, "OB", b"x\x9c\0\1"),
        *("VALUE_INVENTED", "(0019,1008)"),
    ),
    "another age": (put("PatientAge", "012Y"), "VALUE_CHANGED", "(0010,1010)"),
    "what should be gone": (put("ManufacturerModelName", "Model 1"), "ELEMENT_NOT_REMOVED", "(0008,1090)"),
}


@pytest.mark.parametrize("change, reason, place", WRONG.values(), ids=WRONG.keys())
def test_a_change_that_misleads_is_named(change: Change, reason: str, place: str) -> None:
    assert problems(change) == {(reason, place)}


def test_the_same_bytes_in_another_character_set_are_another_text() -> None:
    source = as_bytes(original())
    output = source.replace(b"ISO_IR 100", b"ISO_IR 144")
    found = set(compare_values(pieces_of(source), pieces_of(output), Promises()))
    assert ("VALUE_INVENTED", "(0010,0010)") in found


def test_another_byte_order_of_the_same_values_passes() -> None:
    before, after = (dcmread(get_testdata_file(f"MR_small{order}.dcm")) for order in ("_bigendian", ""))
    for dataset in (before, after):
        dataset.DiffusionBValue, dataset.FrameIncrementPointer = 50.0, 0x00181063
        dataset.pop("DataSetTrailingPadding", None)
        dataset.preamble = bytes(128)
    source, output = pieces_of(as_bytes(before)), pieces_of(as_bytes(after))
    assert set(compare_values(source, output, Promises(unchanged=frozenset(piece.tag for piece in source)))) == set()


def test_a_false_statement_is_named() -> None:
    output = planted(1)
    assert {reason for reason, _ in statement_problems(pieces_of(as_bytes(output)), PROMISES)} == {"STATEMENT_WRONG"}
    in_sequence("DeidentificationMethodCodeSequence", CodeValue="113100")(output)
    output.DeidentificationMethod = "by profile 0a1b"
    output.LongitudinalTemporalInformationModified = "MODIFIED"
    assert not list(statement_problems(pieces_of(as_bytes(output)), PROMISES))
