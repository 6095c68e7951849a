"""Everything that was asked for is found, or an error says that it cannot be; from archives with limits and quirks."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from dicom_assets.errors import BadInput, DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.find import StudyQuery, find_studies, open_finder
from tests.support.capped_archive import CappedArchive, Study, capped_archive

ALL_DAYS = StudyQuery(date_from="20140101", date_to="20260101")
CANCELLED, LIMIT, NO_RESOURCES = 0xFE00, 0xB001, 0xA700


def studies(count: int, days: int, seed: int = 1) -> list[Study]:
    """Spread over so many days, with times."""
    random, first = Random(seed), date(2015, 1, 1)
    return [
        Study(
            f"1.2.826.0.1.3680043.10.1337.99.{number}",
            f"{random.randrange(10**7):07d}",
            f"{first + timedelta(random.randrange(days)):%Y%m%d}",
            f"{random.randrange(24):02d}{random.randrange(60):02d}{random.randrange(60):02d}",
        )
        for number in range(count)
    ]


def uids(of: Iterable) -> set[str]:
    return {getattr(study, "StudyInstanceUID", None) or study.study_instance_uid for study in of}


def assert_finds(held: list[Study], query: StudyQuery = ALL_DAYS, **manner: object) -> CappedArchive:
    with capped_archive(held, **manner) as (peer, archive):
        found = find_studies(archive, query)
    assert len(found) == len(held)
    assert uids(found) == uids(held)
    return peer


def refusing(code: str) -> AbstractContextManager:
    return pytest.raises(DicomAssetsError, match=code)


@pytest.mark.parametrize(
    "manner",
    [
        {"said": None, "order": "date"},
        {"said": None, "order": "latest"},
        {"said": None, "order": "shuffled"},
        {"said": CANCELLED, "order": "shuffled"},
        {"said": LIMIT, "order": "date"},
        {"said": NO_RESOURCES, "order": "date"},
    ],
)
@pytest.mark.parametrize("days", [2, 400])
def test_no_study_is_lost_or_found_twice_where_the_archive_has_a_limit(manner: dict, days: int) -> None:
    assert_finds(studies(300, days), cap=20, **manner)


def test_three_thousand_studies_twenty_at_a_time() -> None:
    peer = assert_finds(studies(3000, 200), cap=20)
    assert len(peer.asked) < 6 * 3000 / 20


def test_a_limit_that_is_known_is_met_exactly() -> None:
    held = studies(7, 7)
    with capped_archive(held, cap=5) as (_, archive):
        assert len(find_studies(archive, ALL_DAYS)) == 5  # nobody can know
        assert uids(find_studies(replace(archive, query_limit=5), ALL_DAYS)) == uids(held)


def test_as_many_studies_as_the_limit_are_all_of_them() -> None:
    assert_finds(studies(20, 5), cap=20)
    assert_finds(studies(20, 1), cap=20)


def test_an_archive_without_a_limit_is_asked_a_few_times_more_only_for_its_longest_list() -> None:
    with capped_archive(studies(150, 30)) as (peer, archive), open_finder(archive) as finder:
        assert len(list(finder.studies(ALL_DAYS))) == 150
        first = len(peer.asked)
        assert first == 3
        for month in range(1, 10):
            list(finder.studies(StudyQuery(date_from=f"20150{month}01", date_to=f"20150{month}28")))
        assert len(peer.asked) == first + 9


def test_more_studies_in_one_second_than_the_archive_lists_are_an_error() -> None:
    held = [replace(study, StudyTime="101010") for study in studies(30, 1)]
    for manner in ({}, {"said": CANCELLED}):
        with capped_archive(held, cap=20, **manner) as (_, archive), refusing("PACS_WINDOW_FULL"):
            find_studies(archive, ALL_DAYS)
    assert_finds(held)


@pytest.mark.parametrize("ignored", ["StudyDate", "StudyTime"])
@pytest.mark.parametrize("said", [None, CANCELLED])
@pytest.mark.parametrize("order", ["date", "latest"])
def test_an_archive_with_a_limit_that_ignores_ranges_is_soon_given_up(
    ignored: str, said: int | None, order: str
) -> None:
    days = 1 if ignored == "StudyTime" else 400
    with capped_archive(studies(200, days), cap=20, said=said, order=order, ignores=frozenset({ignored})) as (
        peer,
        archive,
    ):
        with refusing("PACS_WINDOW_FULL"):
            find_studies(archive, ALL_DAYS)
        assert len(peer.asked) < 100


def test_an_archive_without_a_limit_that_ignores_dates_does_not_widen_the_window() -> None:
    with capped_archive(studies(33, 4), ignores=frozenset({"StudyDate"})) as (_, archive):
        found = find_studies(archive, StudyQuery(date_from="20150102", date_to="20150103"))
    assert {study.study_date for study in found} == {"20150102", "20150103"}


@pytest.mark.parametrize("order", ["date", "latest", "shuffled"])
@pytest.mark.parametrize("said", [None, CANCELLED])
def test_studies_without_a_date_or_a_time_are_found_by_patient(order: str, said: int | None) -> None:
    held = studies(150, 3)
    untimed = [replace(study, StudyTime="") for study in held[:4]] + held[4:]
    assert_finds(untimed, cap=20, order=order, said=said)
    undated = [replace(study, StudyDate="") for study in held[:4]] + held[4:]
    assert_finds(undated, StudyQuery(), cap=20, order=order, said=said)


def test_studies_without_a_time_that_nothing_else_finds_are_an_error_or_said() -> None:
    held = studies(150, 1)
    untimed = [replace(study, StudyTime="") for study in held[:40]] + held[40:]
    latest_first = capped_archive(untimed, cap=20, order="latest", wildcards=False)
    with latest_first as (_, archive), refusing("PACS_WINDOW_FULL"):
        find_studies(archive, ALL_DAYS)
    with capped_archive(held, cap=20, wildcards=False) as (_, archive), open_finder(archive) as finder:
        assert uids(finder.studies(ALL_DAYS)) == uids(held)
        assert finder.unproved == 1


@pytest.mark.parametrize("seed", range(15))
def test_archives_of_all_kinds_are_listed_completely_or_not_at_all(seed: int) -> None:
    random = Random(seed)
    held = studies(random.choice([9, 10, 21, 60, 150]), random.choice([1, 2, 10, 1000]), seed)
    for number in range(random.choice([0, 0, 5])):
        held[number] = replace(held[number], **{random.choice(["StudyDate", "StudyTime"]): ""})
    for number in range(0, len(held), 7):
        held[number] = replace(held[number], StudyTime=held[number].StudyTime[:4] or "")
    manner = {
        "cap": random.choice([0, 10, 20, 50]),
        "said": random.choice([None, CANCELLED, LIMIT]),
        "order": random.choice(["date", "latest", "shuffled"]),
        "ignores": frozenset(random.choice([[], [], ["StudyDate"], ["StudyTime"]])),
    }
    query = random.choice([StudyQuery(), ALL_DAYS, StudyQuery(date_from="20150102", date_to="20150104")])
    fit = [
        study
        for study in held
        if query == StudyQuery() or (study.StudyDate and query.date_from <= study.StudyDate <= query.date_to)
    ]
    with capped_archive(held, **manner) as (peer, archive):
        try:
            found = find_studies(archive, query)
        except BadInput as error:
            assert error.code == "PACS_WINDOW_FULL"
            assert manner["cap"] or manner["ignores"]
        else:
            assert sorted(study.study_instance_uid for study in found) == sorted(uids(fit))
    assert len(peer.asked) < 300


@pytest.mark.parametrize("keyword", ["PatientID", "StudyDate", "AccessionNumber"])
def test_a_key_that_is_matched_and_not_returned_loses_nothing_and_widens_nothing(keyword: str) -> None:
    query = StudyQuery(patient_id="7", date_from="20150101", date_to="20151231", accession_number="A")
    wanted = [Study(f"1.2.{number}", "7", "20150102", f"12000{number}", "A", "CT") for number in range(3)]
    other = {"PatientID": "8", "StudyDate": "20160101", "AccessionNumber": "B"}
    held = [*wanted, replace(wanted[0], StudyInstanceUID="1.3", **{keyword: other[keyword]})]
    with capped_archive(held, omits=frozenset({keyword})) as (_, archive):
        assert uids(find_studies(archive, query)) == uids(wanted)
    with (
        capped_archive(held, omits=frozenset({keyword}), ignores=frozenset({keyword})) as (_, archive),
        refusing("PACS_ANSWER_INCOMPLETE"),
    ):
        find_studies(archive, query)


def test_modalities_that_are_neither_matched_nor_returned_are_read_from_the_series() -> None:
    held = [Study("1.2.1", ModalitiesInStudy="CT\\SR"), Study("1.2.2", ModalitiesInStudy="MR")]
    quirk = frozenset({"ModalitiesInStudy"})
    query = StudyQuery(date_from="20240101", modalities=("CT", "SR"))
    for ignores in (frozenset(), quirk):
        with capped_archive(held, omits=quirk, ignores=ignores) as (_, archive):
            assert uids(find_studies(archive, query)) == {"1.2.1"}


def test_an_answer_without_a_uid_is_an_error() -> None:
    with (
        capped_archive([Study("1.2.1"), Study("1.2.2")], omits=frozenset({"StudyInstanceUID"})) as (_, archive),
        refusing("PACS_ANSWER_INCOMPLETE"),
    ):
        find_studies(archive, StudyQuery(date_from="20240101"))


@pytest.mark.parametrize("lists", [True, False])
def test_a_list_of_uids_gives_those_that_the_archive_names(lists: bool) -> None:
    with capped_archive(studies(5, 5), lists=lists) as (_, archive), open_finder(archive) as finder:
        asked = [f"1.2.826.0.1.3680043.10.1337.99.{number}" for number in (1, 3, 9)]
        found = finder.studies_of(asked)
    assert set(found) == set(asked[:2] if lists else asked[:1])
    assert all(uid == study.study_instance_uid for uid, study in found.items())


def test_all_queries_of_a_finder_take_one_association() -> None:
    with capped_archive(studies(300, 400), cap=20) as (peer, archive), open_finder(archive) as finder:
        list(finder.studies(ALL_DAYS))
        list(finder.studies(StudyQuery(patient_id="1")))
        assert peer.associations == 1


def test_an_archive_that_goes_away_in_the_middle_is_no_short_list(archive_that_dies: Archive) -> None:
    with pytest.raises(RetryLater):
        find_studies(archive_that_dies, ALL_DAYS)


@pytest.fixture
def archive_that_dies() -> Iterable[Archive]:
    with capped_archive(studies(300, 400), cap=20, dies_after=7) as (_, archive):
        yield archive
