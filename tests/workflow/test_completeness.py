"""What is missing beside what an archive lists or counts, and what proves that nothing is."""

import pytest

from dicom_assets.pacs.find import Expected, InstanceMatch
from dicom_assets.storage.manifests import RawInstance
from dicom_assets.workflow.completeness import compare, has_more, joined


def listed(*uids: str) -> Expected:
    return Expected(tuple(InstanceMatch(uid, "", "s1") for uid in uids), {"s1": len(uids)}, len(uids), "IMAGE")


def counted(level: str, **series: int) -> Expected:
    return Expected(None, series, sum(series.values()), level)


def rows(*names: str) -> dict[str, RawInstance]:
    """Each name: UID, or series/UID."""
    series = [name.rpartition("/") for name in names]
    return {uid: RawInstance("", uid, "", "", 1, "", one or "s1") for one, _, uid in series}


UNKNOWN = Expected(None, {}, None, "")


@pytest.mark.parametrize(
    ("expected", "here", "elsewhere", "result"),
    [
        (listed("1", "2"), rows("1", "2"), rows(), (2, 0, "IMAGE")),
        (listed("1", "2"), rows("1"), rows(), (2, 1, "")),
        (listed("1", "2"), rows("1", "2", "3"), rows(), (2, 0, "IMAGE")),
        (listed("1", "2", "3"), rows("3"), rows("1", "2"), (1, 0, "IMAGE")),
        (listed("1", "2", "3"), rows(), rows("1", "2"), (1, 1, "")),
        (listed("1"), rows(), rows("1"), (0, 0, "IMAGE")),
        (listed(), rows(), rows(), (0, 0, "")),
        (counted("SERIES", s1=1, s2=2), rows("s1/1", "s2/2", "s2/3"), rows(), (3, 0, "SERIES")),
        (counted("SERIES", s1=1, s2=2), rows("s1/1", "s1/2", "s2/3"), rows(), (3, 0, "")),
        (counted("SERIES", s1=1, s2=2), rows("s1/1", "s2/2"), rows(), (3, 1, "")),
        (counted("SERIES", s1=1, s2=2), rows("s2/3"), rows("s1/1", "s2/2"), (1, 0, "SERIES")),
        (counted("STUDY", s1=2), rows("s1/1", "s2/2"), rows(), (2, 0, "STUDY")),
        (counted("STUDY", s1=2), rows("1"), rows(), (2, 1, "")),
        (counted("STUDY", s1=1), rows("1", "2"), rows(), (None, 0, "")),
        (counted("STUDY"), rows(), rows(), (0, 0, "")),
        (UNKNOWN, rows("1"), rows(), (None, 0, "")),
    ],
)
def test_expected_missing_and_proof(expected: Expected, here: dict, elsewhere: dict, result: tuple) -> None:
    compared = compare(expected, here, elsewhere)
    assert (compared.expected, compared.missing, compared.proved_by) == result
    if compared.expected is not None and here.keys() <= {one.sop_instance_uid for one in expected.instances or ()}:
        assert compared.expected == len(here) + compared.missing


@pytest.mark.parametrize(
    ("first", "last", "more", "fewer"),
    [
        (listed("1"), listed("1"), False, False),
        (listed("1"), listed("1", "2"), True, False),
        (listed("1", "2"), listed("1"), False, True),
        (listed("1", "2"), listed("1", "3"), True, True),
        (counted("STUDY", s1=1), counted("STUDY", s1=2), True, False),
        (UNKNOWN, UNKNOWN, False, False),
    ],
)
def test_two_listings_of_one_study(first: Expected, last: Expected, more: bool, fewer: bool) -> None:
    assert (has_more(last, first), has_more(first, last)) == (more, fewer)
    both = joined(first, last)
    assert not has_more(last, both)
    assert both.count == max(both.count or 0, last.count or 0) or both.count is None
