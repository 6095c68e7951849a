"""STOW-RS: an instance is stored where the answer says so, and nowhere else."""

import io
import re
from collections.abc import Callable, Iterable

import pytest

from dicom_assets.errors import BadInput, DicomAssetsError
from dicom_assets.pacs import stow
from dicom_assets.pacs.archive import Timeouts
from dicom_assets.pacs.send import REFUSED, STORED, Answer, Parcel
from dicom_assets.pacs.stow import converse_by_stow
from tests.support.web_peer import Exchange, serving_web

TIMEOUTS = Timeouts(connect=20, acse=20, first_response=20, stall=20)
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
NOT_CONFIRMED = Answer(REFUSED, "SEND_NOT_CONFIRMED")


def content(number: int) -> bytes:
    return b"\0" * 128 + b"DICM" + b"1.2.3.%d;" % number + bytes([number]) * 1000


def parcel(number: int, size: int | None = None) -> Parcel:
    file = content(number)
    stop = len(file) if size is None else size
    return Parcel(f"{number}.dcm", CT, f"1.2.3.{number}", EXPLICIT, lambda: io.BytesIO(file), 132, stop)


def attributes(stored: Iterable[int] = (), failed: dict[int, int] | None = None, warned: int = 0) -> dict:
    """The data set of an answer."""

    def item(number: int, **more: int) -> dict:
        values = {"00081150": CT, "00081155": f"1.2.3.{number}"} | {f"0008{tag[1:]}": n for tag, n in more.items()}
        return {tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}

    warning = {"_1196": warned} if warned else {}
    return {
        "00081199": {"vr": "SQ", "Value": [item(number, **warning) for number in stored]},
        "00081198": {"vr": "SQ", "Value": [item(number, _1197=reason) for number, reason in (failed or {}).items()]},
    }


def sent(respond: Callable[[Exchange], None], parcels: list[Parcel]) -> tuple[dict[str, Answer], list[Exchange]]:
    with serving_web(respond, timeouts=TIMEOUTS) as (archive, asked):
        answers = list(converse_by_stow(archive, parcels))
    assert len(answers) == len({parcel.name for parcel, _ in answers})
    return {parcel.name: answer for parcel, answer in answers}, asked


def numbers_in(body: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"1\.2\.3\.(\d+);", body)]


def taking(exchange: Exchange) -> None:
    """Stores everything."""
    exchange.reply_rows(attributes(numbers_in(exchange.body())))


def test_files_go_out_byte_for_byte_in_one_body() -> None:
    def respond(exchange: Exchange) -> None:
        bodies.append((exchange.headers["Content-Type"], exchange.body()))
        exchange.reply_rows(attributes([1, 2]))

    bodies: list[tuple[str, bytes]] = []
    answers, asked = sent(respond, [parcel(1), parcel(2)])
    assert answers == {"1.dcm": Answer(STORED, "", 0), "2.dcm": Answer(STORED, "", 0)}
    ((kind, body),) = bodies
    assert kind.startswith('multipart/related; type="application/dicom"; boundary=')
    head = b"\r\n--" + kind.rpartition("=")[2].encode()
    opening = head + b"\r\nContent-Type: application/dicom\r\n\r\n"
    assert body == opening + content(1) + opening + content(2) + head + b"--\r\n"
    assert (asked[0].command, asked[0].resource) == ("POST", "studies")


@pytest.mark.parametrize("status", [200, 202, 400, 409])
def test_only_what_is_named_as_stored_is_stored_whatever_the_status(status: int) -> None:
    def respond(exchange: Exchange) -> None:
        exchange.body()
        exchange.reply_rows(attributes([1, 3], {2: 0xA900, 3: 0xC000}), status)

    answers, _ = sent(respond, [parcel(number) for number in range(1, 5)])
    assert answers["1.dcm"] == Answer(STORED, "", 0)
    assert answers["2.dcm"] == Answer(REFUSED, "SEND_DATA_SET_MISMATCH", 0xA900)
    assert answers["3.dcm"] == Answer(REFUSED, "SEND_NOT_UNDERSTOOD", 0xC000)  # named twice
    assert answers["4.dcm"] == NOT_CONFIRMED


def test_a_warning_is_handed_on() -> None:
    def respond(exchange: Exchange) -> None:
        exchange.body()
        exchange.reply_rows([attributes([1], warned=0xB000)])  # in a list, as some do

    assert sent(respond, [parcel(1)])[0] == {"1.dcm": Answer(STORED, "SEND_STORED_WITH_WARNING", 0xB000)}


XML = """<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
<DicomAttribute tag="00081199" vr="SQ"><Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.3.1
</Value></DicomAttribute></Item></DicomAttribute><DicomAttribute tag="00081198" vr="SQ"><Item number="1"><DicomAttribute
 tag="00081155" vr="UI"><Value number="1">1.2.3.2</Value></DicomAttribute><DicomAttribute tag="00081197" vr="US"><Value
 number="1">42752</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>"""


def test_an_answer_in_xml_is_read_too() -> None:
    def respond(exchange: Exchange) -> None:
        exchange.body()
        exchange.reply(text.encode(), "application/dicom+xml")

    text = XML
    answers, _ = sent(respond, [parcel(1), parcel(2)])
    assert (answers["1.dcm"].outcome, answers["2.dcm"]) == (STORED, Answer("again", "PACS_OUT_OF_RESOURCES", 42752))
    text = XML.replace("<Nat", '<!DOCTYPE a [<!ENTITY b "c">]><Nat')
    assert set(sent(respond, [parcel(1)])[0].values()) == {NOT_CONFIRMED}


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"<html>", b"[]", b"{}", b'{"00081199": 5}', b'{"00081199": {"Value": [1]}}']
)
def test_an_answer_without_names_confirms_nothing(body: bytes) -> None:
    def respond(exchange: Exchange) -> None:
        exchange.body()
        exchange.reply(body, "application/dicom+json")

    assert sent(respond, [parcel(1)])[0] == {"1.dcm": NOT_CONFIRMED}


@pytest.mark.parametrize("status", [400, 413, 415])
def test_a_request_that_is_refused_for_one_of_its_instances_is_sent_in_halves(status: int) -> None:
    def respond(exchange: Exchange) -> None:
        numbers = numbers_in(exchange.body())
        if 3 in numbers:
            exchange.reply(b"no", "text/plain", status)
        else:
            exchange.reply_rows(attributes(numbers))

    answers, _ = sent(respond, [parcel(number) for number in range(1, 6)])
    assert answers.pop("3.dcm") == Answer(REFUSED, "PACS_REQUEST_REFUSED")
    assert {answer.outcome for answer in answers.values()} == {STORED}
    assert len(answers) == 4


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "PACS_NOT_AUTHORIZED"),
        (404, "PACS_NOT_DICOMWEB"),
        (405, "PACS_SERVICE_NOT_SUPPORTED"),
        (500, "PACS_PROCESSING_FAILURE"),
        (503, "PACS_BUSY"),
    ],
)
def test_a_refusal_that_is_not_for_the_instances_raises(status: int, code: str) -> None:
    def respond(exchange: Exchange) -> None:
        exchange.body()
        exchange.reply(b"no", "text/plain", status)

    with pytest.raises(DicomAssetsError) as raised:
        sent(respond, [parcel(1), parcel(2)])
    assert raised.value.code == code


def test_a_server_that_refuses_before_it_has_read_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    big = bytes(8 << 20)
    large = Parcel("1.dcm", CT, "1.2.3.1", EXPLICIT, lambda: io.BytesIO(big), 0, len(big))

    def respond(exchange: Exchange) -> None:
        exchange.reply(b"too large", "text/plain", 413)
        exchange.close_connection = True
        exchange.rfile.read(1 << 20)

    try:
        assert sent(respond, [large])[0] == {"1.dcm": Answer(REFUSED, "PACS_REQUEST_REFUSED")}
    except DicomAssetsError as error:
        assert error.code == "PACS_ABORTED"  # the reset of the connection may overtake the answer


def test_requests_are_bounded_in_files_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow, "_MOST_FILES", 3)
    _, asked = sent(taking, [parcel(number) for number in range(8)])
    assert len(asked) == 3
    monkeypatch.setattr(stow, "_MOST_BYTES", 2500)
    answers, asked = sent(taking, [parcel(number) for number in range(8)])
    assert (len(asked), len(answers)) == (4, 8)


def test_a_file_that_must_not_go_out_is_left_out() -> None:
    def refuse() -> io.BytesIO:
        raise BadInput("FILE_NOT_AS_RECORDED")

    changed = Parcel("9.dcm", CT, "1.2.3.9", EXPLICIT, refuse, 0, 10)
    answers, _ = sent(taking, [parcel(1), changed])
    assert answers == {"1.dcm": Answer(STORED, "", 0), "9.dcm": Answer(REFUSED, "FILE_NOT_AS_RECORDED")}
    answers, asked = sent(taking, [changed])
    assert (answers["9.dcm"].reason, asked) == ("FILE_NOT_AS_RECORDED", [])


def test_a_file_that_has_become_shorter_is_not_sent_as_whole() -> None:
    with pytest.raises(DicomAssetsError) as raised:
        sent(taking, [parcel(1, size=5000)])
    assert raised.value.code == "FILE_OPERATION_FAILED"
