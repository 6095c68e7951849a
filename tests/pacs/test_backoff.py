import pytest

from dicom_assets.errors import BadInput, RetryLater
from dicom_assets.pacs.backoff import PAUSES, with_back_off


def test_an_archive_that_has_no_room_is_asked_again_a_few_times() -> None:
    tried: list[int] = []

    def attempt() -> str:
        tried.append(1)
        if len(tried) < 3:
            raise RetryLater("PACS_BUSY")
        return "established"

    assert with_back_off(attempt, (0.01, 0.01)) == "established"
    tried.clear()
    with pytest.raises(RetryLater, match="PACS_BUSY"):
        with_back_off(attempt, (0.01,))
    assert len(tried) == 2
    assert 1.5 * sum(PAUSES) < 10  # seconds, for each conversation


@pytest.mark.parametrize("error", [RetryLater("PACS_PORT_CLOSED"), BadInput("PACS_REJECTED")])
def test_nothing_else_is_tried_again_at_once(error: Exception) -> None:
    tried: list[int] = []

    def attempt() -> None:
        tried.append(1)
        raise error

    with pytest.raises(type(error)):
        with_back_off(attempt, (60,))
    assert tried == [1]
