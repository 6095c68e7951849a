"""Storing at destinations that take some, refuse some, are busy, hang up or are not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.sop_class import CTImageStorage

from dicom_assets.errors import BadInput, DicomAssetsError, Refused, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.contexts import STORAGE_CLASSES
from dicom_assets.pacs.send import REFUSED, STORED, Answer, Parcel, send_instances
from tests.support.destination import EXPLICIT_LITTLE, JPEG_BASELINE, Destination
from tests.support.ports import free_port

AT_ONCE = (0.01, 0.01, 0.01)


@pytest.fixture
def parcels(tmp_path: Path) -> list[Parcel]:
    return [parcel(tmp_path, number) for number in range(5)]


def parcel(
    folder: Path, number: int, sop_class: str = CTImageStorage, syntax: str = EXPLICIT_LITTLE, size: int = 1000
) -> Parcel:
    """Its data set is no real one; nobody looks into it on the way."""
    path = folder / f"{number}.dcm"
    path.write_bytes(b"head" + bytes([number % 256]) * size + b"tail")
    uid = f"2.25.{number}"
    return Parcel(uid, sop_class, uid, syntax, lambda: path.open("rb"), 4, 4 + size)


def outcomes(destination: Archive, parcels: list[Parcel]) -> tuple[dict[str, Answer], DicomAssetsError | None]:
    """Answers by name, in the order in which they came, and what stopped it."""
    answers: dict[str, Answer] = {}

    def note(one: Parcel, answer: Answer) -> None:
        assert one.name not in answers
        answers[one.name] = answer

    try:
        send_instances(destination, parcels, note, AT_ONCE)
    except DicomAssetsError as error:
        return answers, error
    return answers, None


@pytest.fixture
def there() -> Iterator[Destination]:
    with Destination().running() as running:
        yield running


def test_a_data_set_arrives_as_its_bytes_without_what_stands_before_and_behind(
    there: Destination, tmp_path: Path
) -> None:
    sizes = [1, 2, 16_000, 65_536, 1_000_001]
    parcels = [parcel(tmp_path, number, size=size) for number, size in enumerate(sizes)]
    answers, failure = outcomes(there.archive(), parcels)
    assert failure is None
    assert set(answers.values()) == {Answer(STORED, "", 0x0000)}
    assert there.held == {f"2.25.{number}": bytes([number]) * size for number, size in enumerate(sizes)}
    assert there.associations == 1


REFUSALS = {
    0xA900: "SEND_DATA_SET_MISMATCH",
    0xA9FF: "SEND_DATA_SET_MISMATCH",
    0xC000: "SEND_NOT_UNDERSTOOD",
    0x0111: "SEND_DUPLICATE",
    0x0122: "SEND_SYNTAX_NOT_ACCEPTED",
    0x0124: "PACS_NOT_AUTHORIZED",
    0x4711: "PACS_UNKNOWN_STATUS",
}


def test_a_refused_instance_is_said_and_keeps_no_other(there: Destination, tmp_path: Path) -> None:
    statuses = {f"2.25.{number}": status for number, status in enumerate((*REFUSALS, 0x0000))}
    there.answers = statuses.__getitem__
    answers, failure = outcomes(there.archive(), [parcel(tmp_path, number) for number in range(len(statuses))])
    assert failure is None
    assert answers.popitem()[1] == Answer(STORED, "", 0x0000)
    assert [(answer.outcome, answer.reason, answer.status) for answer in answers.values()] == [
        (REFUSED, reason, status) for status, reason in REFUSALS.items()
    ]
    assert there.associations == 1


def test_a_warning_is_stored_and_said(there: Destination, parcels: list[Parcel]) -> None:
    warnings = [0xB000, 0xB006, 0xB007]
    there.answers = lambda uid: warnings[int(uid[-1])]
    answers, _ = outcomes(there.archive(), parcels[:3])
    assert [*answers.values()] == [Answer(STORED, "SEND_STORED_WITH_WARNING", status) for status in warnings]


@pytest.mark.parametrize("answer", [0xA700, 0x0110, None], ids=["out of resources", "processing failure", "hangs up"])
def test_what_may_pass_is_tried_again_over_another_association(
    there: Destination, parcels: list[Parcel], answer: int | None
) -> None:
    there.answers = lambda uid: answer if there.seen.count(uid) < 3 and uid == "2.25.0" else 0x0000
    answers, failure = outcomes(there.archive(), parcels)
    assert failure is None
    assert [one.outcome for one in answers.values()] == [STORED] * 5
    assert there.associations == 3


def test_one_instance_that_ends_every_association_does_not_keep_the_others(
    there: Destination, parcels: list[Parcel]
) -> None:
    there.answers = lambda uid: None if uid == "2.25.0" else 0x0000
    answers, failure = outcomes(there.archive(), parcels)
    assert failure is None
    assert answers.pop("2.25.0") == Answer(REFUSED, "PACS_ABORTED")
    assert [one.outcome for one in answers.values()] == [STORED] * 4


def test_a_destination_that_is_full_is_left_alone_after_a_few_tries(there: Destination, parcels: list[Parcel]) -> None:
    there.answers = lambda _uid: 0xA700
    answers, failure = outcomes(there.archive(), parcels)
    assert (answers, failure.code) == ({}, "PACS_OUT_OF_RESOURCES")
    assert len(there.seen) == len(AT_ONCE) + 1
    assert isinstance(failure, RetryLater)


def test_nobody_there_is_a_failure_and_no_refusal(parcels: list[Parcel]) -> None:
    answers, failure = outcomes(Archive("127.0.0.1", free_port(), "NOBODY", "DICOM_ASSETS"), parcels)
    assert not answers
    assert isinstance(failure, RetryLater)
    assert failure.code in ("PACS_PORT_CLOSED", "PACS_UNREACHABLE")


def test_a_wrong_ae_title_is_not_tried_again(there: Destination, parcels: list[Parcel]) -> None:
    answers, failure = outcomes(
        Archive("127.0.0.1", there.port, "SOMEBODY", "DICOM_ASSETS", timeouts=there.archive().timeouts), parcels
    )
    assert (answers, failure.code) == ({}, "PACS_REJECTED_CALLED_AE_TITLE")
    assert isinstance(failure, BadInput)


@pytest.mark.parametrize("with_others", [True, False])
def test_a_syntax_that_is_not_accepted_is_said_and_nothing_is_transcoded(
    there: Destination, parcels: list[Parcel], tmp_path: Path, with_others: bool
) -> None:
    compressed = parcel(tmp_path, 9, syntax=JPEG_BASELINE)
    answers, failure = outcomes(there.archive(), [compressed, *(parcels if with_others else [])])
    assert failure is None
    assert answers.pop("2.25.9") == Answer(REFUSED, "SEND_SYNTAX_NOT_ACCEPTED")
    assert len(answers) == len(there.held) == (5 if with_others else 0)


def test_more_kinds_than_an_association_has_room_for_go_over_several(tmp_path: Path) -> None:
    classes = STORAGE_CLASSES[:100]
    kinds = [(sop_class, syntax) for sop_class in classes for syntax in (EXPLICIT_LITTLE, JPEG_BASELINE)]
    parcels = [parcel(tmp_path, number, *kind, size=10) for number, kind in enumerate(kinds)]
    with Destination(classes=classes, syntaxes=(EXPLICIT_LITTLE, JPEG_BASELINE)).running() as there:
        answers, failure = outcomes(there.archive(), parcels)
        assert failure is None
        assert [one.outcome for one in answers.values()] == [STORED] * 200
        assert (len(there.held), there.associations) == (200, 2)


def test_a_file_that_must_not_go_out_stays_and_the_others_go(there: Destination, parcels: list[Parcel]) -> None:
    def forbidden():
        raise Refused("FILE_NOT_AS_RECORDED")

    parcels[2] = Parcel("2.25.2", CTImageStorage, "2.25.2", EXPLICIT_LITTLE, forbidden, 4, 10)
    answers, failure = outcomes(there.archive(), parcels)
    assert failure is None
    assert answers["2.25.2"] == Answer(REFUSED, "FILE_NOT_AS_RECORDED")
    assert "2.25.2" not in there.seen and len(there.held) == 4
