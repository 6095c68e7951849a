"""From what is asked for to batches: nothing is lost between the archives, nothing asked for twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.batches.lookup import Lookup
from dicom_assets.batches.planning import plan_cohort, plan_window, write_batches
from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.storage.zones import Zones
from tests.pacs.conftest import HASTY
from tests.support.capped_archive import Study, capped_archive
from tests.support.ports import free_port

#: Who holds what: the first archive 1 and 2, the second 2 (another count) and 3; patient A has a study in each.
FIRST = [Study("1.2.1", "A", AccessionNumber="X1"), Study("1.2.2", "B", AccessionNumber="X2")]
SECOND = [
    Study("1.2.2", "B", AccessionNumber="X2", NumberOfStudyRelatedInstances="9"),
    Study("1.2.3", "A", AccessionNumber="X3"),
    Study("1.2.4", "C", AccessionNumber="X4"),
    Study("1.2.5", "D", AccessionNumber="X4"),
]


@pytest.fixture
def archives() -> Iterator[tuple[Archive, Archive]]:
    with capped_archive(FIRST) as (_, first), capped_archive(SECOND) as (_, second):
        yield first, replace(second, name="2")


def down(name: str) -> Archive:
    return Archive("127.0.0.1", free_port(), "DOWN", "DICOM_ASSETS", timeouts=HASTY, name=name)


def asked(archives: tuple[Archive, ...], *rows: RequestRow) -> list[tuple[list[tuple[str, str]], str, str]]:
    """For each row (UID, archive) of its studies, the reason and the code of the error."""
    with Lookup(archives, rows) as lookup:
        found = [lookup.ask(row) for row in rows]
    return [
        (
            sorted((held.study.study_instance_uid, held.archive.name) for held in one.studies),
            one.reason,
            one.error.code if one.error else "",
        )
        for one in found
    ]


@pytest.mark.parametrize(
    ("row", "studies", "reason"),
    [
        (RequestRow(study_instance_uid="1.2.1"), [("1.2.1", "1")], ""),
        (RequestRow(study_instance_uid="1.2.2"), [("1.2.2", "1")], ""),
        (RequestRow(study_instance_uid="1.2.3"), [("1.2.3", "2")], ""),
        (RequestRow(study_instance_uid="1.2.9"), [], "STUDY_NOT_FOUND"),
        (RequestRow(study_instance_uid="1.2.3", patient_id="B"), [], "STUDY_NOT_FOUND"),
        (RequestRow(patient_id="A"), [("1.2.1", "1"), ("1.2.3", "2")], ""),
        (RequestRow(patient_id="B"), [("1.2.2", "1")], ""),
        (RequestRow(accession_number="X3"), [("1.2.3", "2")], ""),
        (RequestRow(accession_number="X4"), [], "ACCESSION_NUMBER_AMBIGUOUS"),
    ],
)
def test_what_the_first_archive_lacks_is_asked_of_the_next(
    archives: tuple[Archive, Archive], row: RequestRow, studies: list, reason: str
) -> None:
    assert asked(archives, row) == [(studies, reason, "")]


def test_where_an_archive_does_not_answer_another_may_have_the_study(archives: tuple[Archive, Archive]) -> None:
    by_uid, missing = RequestRow(study_instance_uid="1.2.3"), RequestRow(study_instance_uid="1.2.1")
    patient = RequestRow(patient_id="A")
    found, lost, part = asked((down("1"), archives[1]), by_uid, missing, patient)
    assert found == ([("1.2.3", "2")], "", "")
    assert lost[0] == [] and lost[1] == lost[2] != ""
    assert part[0] == [("1.2.3", "2")] and part[2] == lost[2]  # the first may hold more of this patient


def test_many_uids_are_asked_for_together_and_each_that_is_not_named_by_itself() -> None:
    held = [Study(f"1.2.{number}") for number in range(250)]
    rows = [RequestRow(study_instance_uid=f"1.2.{number}") for number in range(255)]
    for manner, queries in (({}, 3 + 5), ({"lists": False}, 3 + 255 - 3), ({"cap": 40}, 3 + 255 - 120)):
        with capped_archive(held, **manner) as (peer, archive):
            answers = asked((archive,), *rows)
        assert [bool(studies) for studies, _, _ in answers] == [True] * 250 + [False] * 5
        assert len(peer.asked) == queries
        assert peer.associations == 1


def test_an_archive_that_does_not_answer_is_left_alone_after_two_rows() -> None:
    gone = down("1")
    talked = []

    class Talking:
        def __init__(self, archive: Archive, _hang_up: object) -> None:
            talked.append(archive.name)

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    rows = [RequestRow(patient_id=str(number)) for number in range(50)]
    with Lookup((gone,), rows, Talking) as lookup:
        codes = {lookup.ask(row).error.code for row in rows}
    assert len(codes) == 1
    assert talked == ["1", "1"]


def test_a_cohort_becomes_studies_and_what_is_not_known_stays_a_row(archives: tuple[Archive, Archive]) -> None:
    rows = [
        RequestRow(patient_id="A", pseudonym="P1"),
        RequestRow(patient_id="nobody"),
        RequestRow(accession_number="X4"),
        RequestRow(accession_number="X1"),
        RequestRow(study_instance_uid="9.9"),
    ]
    plan = plan_cohort(archives, rows)
    assert [row.study_instance_uid or row.patient_id or row.accession_number for row in plan.rows] == [
        "1.2.1",
        "1.2.3",
        "nobody",
        "X4",
        "9.9",
    ]
    assert {row.pseudonym for row in plan.rows[:2]} == {"P1"}
    assert (plan.not_found, plan.ambiguous, plan.merged, plan.not_asked) == (1, 1, 1, 0)


def test_a_row_with_a_wrong_key_beside_the_uid_does_not_stand_for_the_study(
    archives: tuple[Archive, Archive],
) -> None:
    wrong = RequestRow(study_instance_uid="1.2.1", patient_id="WRONG")
    plan = plan_cohort(archives, [wrong, RequestRow(accession_number="X1")])
    assert plan.rows == (wrong, RequestRow(study_instance_uid="1.2.1"))


def test_a_patient_who_may_have_more_elsewhere_stays_a_row(archives: tuple[Archive, Archive]) -> None:
    plan = plan_cohort((archives[0], down("2")), [RequestRow(patient_id="A"), RequestRow(accession_number="X1")])
    assert [row.patient_id or row.study_instance_uid for row in plan.rows] == ["A", "1.2.1"]
    assert plan.not_asked == 1
    assert plan_cohort((), [RequestRow(patient_id="A")]).not_asked == 1


def test_an_archive_that_refuses_the_question_is_an_error() -> None:
    with (
        capped_archive([Study("1.2.1", "A")], omits=frozenset({"StudyInstanceUID"})) as (_, archive),
        pytest.raises(BadInput, match="PACS_ANSWER_INCOMPLETE"),
    ):
        plan_cohort((archive,), [RequestRow(patient_id="A")])


def test_a_window_is_what_any_archive_has_and_nothing_where_one_does_not_answer(
    archives: tuple[Archive, Archive],
) -> None:
    plan = plan_window(archives, "20240101", "20240131")
    assert sorted(row.study_instance_uid for row in plan.rows) == [f"1.2.{number}" for number in range(1, 6)]
    assert dict(zip((row.study_instance_uid for row in plan.rows), plan.expected, strict=True))["1.2.2"] == 1
    with pytest.raises(RetryLater):
        plan_window((archives[0], down("2")), "20240101", "20240131")


def test_a_window_is_planned_over_the_limit_of_the_archive(tmp_path: Path) -> None:
    held = [
        Study(f"1.2.{number}", str(number), StudyTime=f"{number // 60:02d}{number % 60:02d}00") for number in range(600)
    ]
    with capped_archive(held, cap=100) as (_, archive):
        plan = plan_window((archive,), "20240101", "20240131")
    batches = write_batches(Zones(tmp_path / "restricted", tmp_path / "released"), "cohort", "20260131", "", plan)
    uids = [row.study_instance_uid for batch in batches for row in batch.rows]
    assert sorted(uids) == sorted(study.StudyInstanceUID for study in held)
    assert [len(batch.rows) for batch in batches] == [250, 250, 100]


def test_the_next_key_follows_the_last_one(tmp_path: Path) -> None:
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    create_request(zones, "cohort", "20260131", "", [])
    zones.request("cohort-20260131-001").rename(zones.request("cohort-20260131-1200"))
    (zones.requests / "cohort-20260131-9999.studies.parquet").touch()
    assert create_request(zones, "cohort", "20260131", "", []).batch == "cohort-20260131-1201"
    assert create_request(zones, "nightly", "20260131", "", []).batch == "nightly-20260131-001"
