"""How many instances a study has, as far as an archive can say it: a list that may lack some is none."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.pacs.find import Expected, InstanceMatch, find_expected
from tests.pacs.peers import STUDY, serving

CT = "1.2.840.10008.5.1.4.1.1.2"
REFUSED, CAPPED, BUSY = 0xA900, 0xFE00, 0xA700
SERIES = f"{STUDY}.1"


def answer(**elements: object) -> tuple[int, Dataset]:
    dataset = Dataset()
    for keyword, value in {"StudyInstanceUID": STUDY, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return (0xFF00, dataset)


def counted(instances: int | None = None, series: int | None = None, **elements: object) -> tuple[int, Dataset]:
    """At STUDY level."""
    return answer(NumberOfStudyRelatedInstances=instances, NumberOfStudyRelatedSeries=series, **elements)


def series(number: int = 1, instances: int | None = None, **elements: object) -> tuple[int, Dataset]:
    uid = {"SeriesInstanceUID": f"{STUDY}.{number}"}
    return answer(**uid | {"NumberOfSeriesRelatedInstances": instances, **elements})


def images(count: int, of_series: int = 1, **elements: object) -> list[tuple[int, Dataset]]:
    return [
        answer(**{"SOPInstanceUID": f"{STUDY}.{of_series}.{number}", "SOPClassUID": CT, **elements})
        for number in range(count)
    ]


def expected(at_study: list, at_series: list, at_image: list, limit: int = 0) -> Expected:
    """at_image: the answers for each series in turn."""
    by_series = iter(at_image)

    def handle(event: evt.Event) -> Iterator:
        level = event.identifier.QueryRetrieveLevel
        yield from {"STUDY": at_study, "SERIES": at_series}.get(level) or next(by_series, [])

    with serving({evt.EVT_C_FIND: handle}) as archive:
        return find_expected(replace(archive, query_limit=limit), STUDY)


def test_a_list_says_class_and_series_of_each_instance() -> None:
    told = expected([counted(3, 2)], [series(1, 2), series(2, 1)], [images(2), images(1, 2)])
    assert told.instances[0] == InstanceMatch(f"{STUDY}.1.0", CT, SERIES)
    assert (told.level, told.count, told.series) == ("IMAGE", 3, {f"{STUDY}.1": 2, f"{STUDY}.2": 1})


@pytest.mark.parametrize(
    ("at_study", "at_series", "at_image", "level", "count"),
    [
        # nothing but the list
        ([counted()], [series()], [images(2)], "IMAGE", 2),
        # the same instance twice, one of another study, one of another series
        ([counted()], [series(1, 2)], [[*images(2), *images(2)]], "IMAGE", 2),
        ([counted()], [series()], [[*images(2), *images(1, 8, StudyInstanceUID="9.9")]], "IMAGE", 2),
        ([counted()], [series()], [[*images(2), *images(1, 8, SeriesInstanceUID="9.9")]], "IMAGE", 2),
        # counts that are too low do not shorten the list
        ([counted(1, 1)], [series(1, 1)], [images(2)], "IMAGE", 2),
        # two patients share the study: one record each
        ([counted(1, PatientID="1"), counted(2, PatientID="2")], [series()], [images(3)], "IMAGE", 3),
        ([counted(2, PatientID="1"), counted(2, PatientID="2")], [series(1, 4)], [images(3)], "SERIES", 4),
        # a list shorter than counted, an instance without UID, no list, a refused and a capped one
        ([counted()], [series(1, 3)], [images(2)], "SERIES", 3),
        ([counted(3)], [series()], [images(2)], "STUDY", 3),
        ([counted()], [series(1, 1)], [images(1, SOPInstanceUID=None)], "SERIES", 1),
        ([counted()], [series(1, 1)], [[]], "SERIES", 1),
        ([counted()], [series(1, 1)], [[(REFUSED, None)]], "SERIES", 1),
        ([counted()], [series(1, 4)], [[*images(2), (CAPPED, None)]], "SERIES", 4),
        # a series that is not listed
        ([counted(3, 2)], [series(1, 2)], [images(2)], "STUDY", 3),
        ([counted(None, 2)], [series(1, 2)], [images(2)], "", None),
        # a series that cannot be counted
        ([counted(5)], [series(1, 2), series(2)], [images(2), []], "STUDY", 5),
        ([counted()], [series(1, 2), series(2)], [images(2), []], "", None),
        ([counted()], [series(), series(2, SeriesInstanceUID=None)], [], "", None),
        # no SERIES level
        ([counted(4)], [(REFUSED, None)], [], "STUDY", 4),
        ([counted()], [(REFUSED, None)], [], "", None),
        # a length at which lists are cut, and nothing to compare it with
        ([counted()], [series()], [images(100)], "", None),
        ([counted(100)], [series()], [images(100)], "IMAGE", 100),
        ([counted()], [series(1, 100)], [images(100)], "IMAGE", 100),
        # not held, or empty
        ([(0, None)], [(0, None)], [], "IMAGE", 0),
        ([counted(0)], [(0, None)], [], "IMAGE", 0),
        ([counted()], [(0, None)], [], "", None),
    ],
)
def test_what_an_archive_can_say_is_taken_and_no_more(
    at_study: list, at_series: list, at_image: list, level: str, count: int | None
) -> None:
    told = expected(at_study, at_series, at_image)
    assert (told.level, told.count) == (level, count)
    assert (told.instances is None) is (level != "IMAGE")
    assert told.instances is None or len(told.instances) == count


def test_a_list_as_long_as_the_archives_known_limit_needs_a_count() -> None:
    assert expected([counted()], [series()], [images(7)], limit=7).level == ""
    assert expected([counted(7)], [series()], [images(7)], limit=7).level == "IMAGE"


@pytest.mark.parametrize(
    ("at_study", "at_image", "error"),
    [([(REFUSED, None)], [], BadInput), ([counted()], [[*images(1), (0xC001, None)]], None)],
)
def test_a_failed_query_is_no_empty_study(at_study: list, at_image: list, error: type | None) -> None:
    if error:
        with pytest.raises(error):
            expected(at_study, [series()], at_image)
    else:
        assert expected(at_study, [series()], at_image).level == ""


def test_an_archive_that_is_busy_is_not_one_that_cannot_say() -> None:
    with pytest.raises(RetryLater):
        expected([counted()], [series()], [[(BUSY, None)]])


def test_instances_besides_those_that_are_held() -> None:
    told = expected([counted(3)], [series()], [images(3)])
    assert told.besides({f"{STUDY}.1.0", "9.9"}) == 2
    assert expected([counted(3)], [(REFUSED, None)], []).besides({"1", "2"}) == 1
    assert expected([counted()], [(REFUSED, None)], []).besides(set()) is None
