"""QIDO-RS: the answers that C-FIND gives, from servers that page, cap, and do neither as they should."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from dicom_assets.errors import DicomAssetsError
from dicom_assets.pacs.answers import number, text, texts
from dicom_assets.pacs.archive import Timeouts
from dicom_assets.pacs.qido import qido_queries
from dicom_assets.pacs.query import StudyQuery, identifier, study_identifier
from tests.support.web_peer import Exchange, serving_web

TIMEOUTS = Timeouts(connect=20, acse=20, first_response=20, stall=20)
EVERY_STUDY = study_identifier(StudyQuery(), "")


def row(number: int) -> dict:
    return {"0020000D": {"vr": "UI", "Value": [f"1.2.3.{number}"]}}


def asked(respond: Callable[[Exchange], None], keys: Dataset = EVERY_STUDY) -> tuple[list[Dataset], list[Exchange]]:
    with serving_web(respond, timeouts=TIMEOUTS) as (archive, exchanges), qido_queries(archive) as ask:
        return ask(keys), exchanges


def code_of(respond: Callable[[Exchange], None]) -> str:
    with pytest.raises(DicomAssetsError) as raised:
        asked(respond)
    return raised.value.code


def uids(answers: list[Dataset]) -> list[str]:
    return [text(answer, "StudyInstanceUID") for answer in answers]


def paging(count: int, most: int = 1000, *, warn: bool = False) -> Callable[[Exchange], None]:
    """A server with so many studies, of which it gives at most so many at a time."""

    def respond(exchange: Exchange) -> None:
        offset, limit = int(exchange.query.get("offset", 0)), int(exchange.query["limit"])
        page = [row(number) for number in range(count)][offset : offset + min(limit, most)]
        more = {"Warning": '299 server: "There are additional results that can be requested"'}
        exchange.reply_rows(page, headers=more if warn and offset + len(page) < count else None)

    return respond


@pytest.mark.parametrize("warn", [False, True])
@pytest.mark.parametrize(
    ("count", "most"), [(0, 9), (1, 9), (1, 1), (3, 1), (2, 2), (4, 2), (5, 2), (199, 999), (200, 999), (450, 999)]
)
def test_every_answer_comes_once_whatever_the_page(count: int, most: int, warn: bool) -> None:
    answers, _ = asked(paging(count, most, warn=warn))
    assert uids(answers) == [f"1.2.3.{number}" for number in range(count)]


def ignoring_offset(count: int, most: int, warning: str = "") -> Callable[[Exchange], None]:
    def respond(exchange: Exchange) -> None:
        page = [row(number) for number in range(count)][: min(int(exchange.query["limit"]), most)]
        exchange.reply_rows(page, headers={"Warning": warning} if warning else None)

    return respond


def test_a_server_without_paging_that_gives_everything_is_believed() -> None:
    assert len(asked(ignoring_offset(150, 999))[0]) == 150
    assert len(asked(lambda exchange: exchange.reply_rows([row(number) for number in range(700)]))[0]) == 700


def test_a_server_without_paging_that_stops_at_our_limit_is_capped() -> None:
    assert code_of(ignoring_offset(900, 999)) == "PACS_QUERY_CAPPED"


def test_a_server_without_paging_that_says_that_there_are_more_is_capped() -> None:
    assert code_of(ignoring_offset(900, 50, '299 server: "additional results"')) == "PACS_QUERY_CAPPED"
    assert len(asked(ignoring_offset(50, 50, '299 server: "fuzzymatching is not supported"'))[0]) == 50


def test_partial_content_says_that_there_are_more() -> None:
    def respond(exchange: Exchange) -> None:
        page = [row(number) for number in range(60)][int(exchange.query["offset"]) :][:50]
        exchange.reply_rows(page, 206 if len(page) == 50 else 200)

    assert len(asked(respond)[0]) == 60
    assert code_of(lambda exchange: exchange.reply_rows([row(1), row(2)], 206)) == "PACS_QUERY_CAPPED"


def test_more_answers_than_anybody_can_want_are_refused() -> None:
    assert code_of(lambda exchange: exchange.reply_rows([row(number) for number in range(20_001)])) == (
        "PACS_QUERY_CAPPED"
    )


def test_a_study_that_is_deleted_between_two_pages_hides_no_other() -> None:
    """Everything behind it moves up, the first of the next page onto the page that has been read."""
    held = [row(number) for number in range(10)]

    def respond(exchange: Exchange) -> None:
        offset = int(exchange.query["offset"])
        exchange.reply_rows(held[offset : offset + 4])
        if held[1] == row(1):
            del held[1]

    assert set(uids(asked(respond)[0])) >= {f"1.2.3.{number}" for number in range(10) if number != 1}


def test_answers_in_an_order_of_the_moment_are_refused() -> None:
    seed = 0

    def respond(exchange: Exchange) -> None:
        nonlocal seed
        seed += 1
        offset = int(exchange.query["offset"])
        exchange.reply_rows([row((number * 7 + seed * 3) % 10) for number in range(10)][offset : offset + 4])

    assert code_of(respond) == "PACS_PAGES_MOVED"


def test_the_same_answer_given_twice_counts_once() -> None:
    assert len(asked(lambda exchange: exchange.reply_rows([row(1), row(1), row(2)]))[0]) == 2


def test_answers_without_a_uid_are_handed_on() -> None:
    rows = [{"00100020": {"vr": "LO", "Value": [value]}} for value in ("A", "B")]
    assert [text(one, "PatientID") for one in asked(lambda exchange: exchange.reply_rows(rows))[0]] == ["A", "B"]


def test_values_come_as_a_data_set_would_bring_them() -> None:
    given = {
        **row(1),
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
        "00080061": {"vr": "CS", "Value": ["CT", None, "SR"]},
        "00080020": {"vr": "DA"},
        "00201208": {"vr": "IS", "Value": [12.0]},
        "00201206": {"vr": "IS", "Value": ["3"]},
        "00081030": {"vr": "LO", "Value": ["Schädel"]},
        "00104000": {"vr": "LT", "Value": ["nobody asked for this"]},
    }
    (answer,) = asked(lambda exchange: exchange.reply_rows([given]))[0]
    assert text(answer, "PatientName") == "Yamada^Tarou=山田^太郎"
    assert texts(answer, "ModalitiesInStudy") == ("CT", "SR")
    assert text(answer, "StudyDate") == ""
    assert text(answer, "AccessionNumber") is None
    assert (number(answer, "NumberOfStudyRelatedInstances"), number(answer, "NumberOfStudyRelatedSeries")) == (12, 3)
    assert text(answer, "StudyDescription") == "Schädel"
    assert text(answer, "PatientComments") is None


@pytest.mark.parametrize(
    ("keys", "resource", "query"),
    [
        (
            identifier("STUDY", StudyInstanceUID="", PatientID="A,1&x=y", StudyDate="20240101-20240131"),
            "studies",
            {"PatientID": "A,1&x=y", "StudyDate": "20240101-20240131", "includefield": "StudyInstanceUID"},
        ),
        (
            identifier("STUDY", StudyInstanceUID=["1.2", "1.3"], PatientName="Müller"),
            "studies",
            {"StudyInstanceUID": "1.2,1.3", "PatientName": "Müller"},
        ),
        (
            identifier("SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="", Modality=""),
            "studies/1.2/series",
            {"includefield": "Modality,SeriesInstanceUID"},
        ),
        (
            identifier("IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.3", SOPInstanceUID="1.4"),
            "studies/1.2/series/1.3/instances",
            {"SOPInstanceUID": "1.4"},
        ),
        (identifier("IMAGE", StudyInstanceUID="1.2", SOPInstanceUID=""), "studies/1.2/instances", {}),
        (
            identifier("SERIES", StudyInstanceUID=["1.2", "1.3"], SeriesInstanceUID=""),
            "series",
            {"StudyInstanceUID": "1.2,1.3"},
        ),
    ],
)
def test_an_identifier_becomes_a_resource_and_a_query(keys: Dataset, resource: str, query: dict) -> None:
    _, exchanges = asked(lambda exchange: exchange.reply(b"", "text/plain", 204), keys)
    first = exchanges[0]
    assert (first.resource, {name: first.query.get(name) for name in query}) == (resource, query)
    assert not {"QueryRetrieveLevel", "SpecificCharacterSet"} & first.query.keys()


def test_a_long_list_of_uids_is_asked_for_in_parts() -> None:
    wanted = [f"1.2.3.{number}" for number in range(95)]

    def respond(exchange: Exchange) -> None:
        assert len(exchange.path) < 2048
        named = exchange.query["StudyInstanceUID"].split(",")
        exchange.reply_rows([{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in named])

    answers, exchanges = asked(respond, identifier("STUDY", StudyInstanceUID=wanted, PatientID=""))
    assert uids(answers) == wanted
    assert len(exchanges) == 5  # nothing is asked for again where every UID has its answer


def test_a_study_that_is_not_there_has_no_series() -> None:
    keys = identifier("SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="")
    assert asked(lambda exchange: exchange.reply(b"no such study", "text/plain", 404), keys)[0] == []
