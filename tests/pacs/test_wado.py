"""WADO-RS: what comes is kept, what is broken or missing is said, and nothing large is ever in memory."""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Timeouts
from dicom_assets.pacs.find import InstanceMatch
from dicom_assets.pacs.intake import Intake
from dicom_assets.pacs.suboperations import Outcome
from dicom_assets.pacs.wado import wado_instances
from tests.pacs.peers import Kept, keeping
from tests.support.web_peer import DELIMITER, LAST_DELIMITER, MULTIPART, Exchange, serving_web

LENIENT = Timeouts(connect=20, acse=20, first_response=20, stall=20)
HASTY = Timeouts(connect=2, acse=2, first_response=2, stall=2, no_progress=4)
STUDY, CT = "1.2.3", "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def uid(value: str) -> bytes:
    return value.encode() + b"\0" * (len(value) % 2)


def data_of(number: int) -> bytes:
    comment = bytes([65 + number]) * 3000
    return element(0x08, 0x18, b"UI", uid(f"{STUDY}.{number}")) + element(0x20, 0x0D, b"UI", uid(STUDY)) + comment


def file_of(number: int, syntax: str = EXPLICIT) -> bytes:
    meta = (
        element(2, 2, b"UI", uid(CT))
        + element(2, 3, b"UI", uid(f"{STUDY}.{number}"))
        + element(2, 16, b"UI", uid(syntax))
    )
    return b"\0" * 128 + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + data_of(number)


def wanted(count: int) -> list[InstanceMatch]:
    return [InstanceMatch(f"{STUDY}.{number}", CT, f"{STUDY}.9.{number % 2}") for number in range(count)]


def retrieve(
    respond: Callable[[Exchange], None],
    count: int | None = 3,
    level: str = "STUDY",
    timeouts: Timeouts = LENIENT,
    keep: Callable[[Kept], object] = lambda _: None,
) -> tuple[Outcome, dict[str, Kept], list[str]]:
    """The outcome, what was stored, and the resources that were asked for."""
    shelf: dict[str, Kept] = {}

    def put(instance: Kept) -> None:
        keep(instance)
        shelf[instance.sop_instance_uid] = instance

    matches = None if count is None else wanted(count)
    uids = None if matches is None else [match.sop_instance_uid for match in matches]
    intake = Intake(STUDY, uids, keeping(put), level=level)
    with serving_web(respond, timeouts=timeouts) as (archive, asked):
        outcome = wado_instances(archive, STUDY, matches, intake, level)
    assert shelf.keys() == intake.stored
    return outcome, shelf, [exchange.resource for exchange in asked]


def sending(*numbers: int, cut: int = 0, status: int = 200) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply_parts([file_of(number) for number in numbers], cut=cut, status=status)


def test_a_study_comes_in_one_request() -> None:
    outcome, shelf, asked = retrieve(sending(0, 1, 2))
    assert outcome == Outcome(3, 0, 0, 0, "")
    assert asked == ["studies/1.2.3"]
    assert shelf == {
        f"{STUDY}.{number}": Kept(CT, f"{STUDY}.{number}", EXPLICIT, data_of(number)) for number in range(3)
    }


def test_a_study_of_which_nobody_knows_the_instances_comes_too() -> None:
    outcome, shelf, _ = retrieve(sending(0, 1), None)
    assert (outcome, len(shelf)) == (Outcome(2, 0, 0, 0, ""), 2)


def test_series_and_instances_are_asked_for_by_their_paths() -> None:
    _, _, asked = retrieve(sending(0, 1, 2), level="SERIES")
    assert asked == ["studies/1.2.3/series/1.2.3.9.0", "studies/1.2.3/series/1.2.3.9.1"]
    outcome, shelf, asked = retrieve(
        lambda exchange: exchange.reply_parts([file_of(int(exchange.path[-1]))]), level="IMAGE"
    )
    assert asked[1] == "studies/1.2.3/series/1.2.3.9.1/instances/1.2.3.1"
    assert (outcome, len(shelf)) == (Outcome(3, 0, 0, 0, ""), 3)


def test_it_asks_for_the_syntax_in_which_each_instance_is_stored() -> None:
    def respond(exchange: Exchange) -> None:
        accepts.append(exchange.headers["Accept"])
        assert exchange.headers["Accept-Encoding"] == "identity"
        exchange.reply_parts([file_of(0)])

    accepts: list[str] = []
    retrieve(respond, 1)
    assert accepts == ['multipart/related; type="application/dicom"; transfer-syntax=*']


@pytest.mark.parametrize("status", [400, 406])
def test_a_server_that_does_not_know_that_is_asked_without(status: int) -> None:
    def respond(exchange: Exchange) -> None:
        if "*" in exchange.headers["Accept"]:
            exchange.reply(b"", "text/plain", status)
        else:
            exchange.reply_parts([file_of(0)])

    assert retrieve(respond, 1)[0] == Outcome(1, 0, 0, 0, "")


LENGTH = len(b"".join(DELIMITER + file_of(number) for number in range(3)) + LAST_DELIMITER)


@pytest.mark.parametrize(("cut", "whole"), [(1, 3), (10, 2), (1000, 2), (4000, 1), (LENGTH - 40, 0), (LENGTH, 0)])
def test_a_body_that_ends_in_the_middle_keeps_what_was_whole(cut: int, whole: int) -> None:
    outcome, shelf, _ = retrieve(sending(0, 1, 2, cut=cut))
    assert set(shelf) == {f"{STUDY}.{number}" for number in range(whole)}
    assert all(shelf[f"{STUDY}.{number}"].data == data_of(number) for number in range(whole))
    # The end of the last delimiter's line is nothing that could be missed.
    assert outcome == Outcome(whole, 0, 0, *((0, "") if cut == 1 else (None, "PACS_ABORTED")))


@pytest.mark.parametrize("in_chunks", [True, False])
@pytest.mark.parametrize(
    ("cut", "expected"), [(0, Outcome(3, 0, 0, 0, "")), (1000, Outcome(2, 0, 0, None, "PACS_ABORTED"))]
)
def test_a_body_of_no_stated_length_is_read_to_its_last_delimiter(in_chunks: bool, cut: int, expected: Outcome) -> None:
    body = b"".join(DELIMITER + file_of(number) for number in range(3)) + LAST_DELIMITER
    pieces = [body[start : min(start + 777, len(body) - cut)] for start in range(0, len(body) - cut, 777)]

    def respond(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Type", MULTIPART)
        exchange.send_header(*(("Transfer-Encoding", "chunked") if in_chunks else ("Connection", "close")))
        exchange.end_headers()
        for piece in pieces:
            exchange.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if in_chunks else piece)
        if in_chunks and not cut:
            exchange.wfile.write(b"0\r\n\r\n")
        exchange.close_connection = True

    outcome, shelf, _ = retrieve(respond)
    assert (outcome, len(shelf)) == (expected, expected.completed)


def test_a_server_that_falls_silent_is_given_up_and_what_came_is_kept() -> None:
    def respond(exchange: Exchange) -> None:
        sending(0, 1, 2, cut=1000)(exchange)
        end.wait(30)

    end = threading.Event()
    try:
        outcome, shelf, _ = retrieve(respond, timeouts=HASTY)
    finally:
        end.set()
    assert (outcome.reason, len(shelf)) == ("PACS_STALLED", 2)


def test_parts_that_are_no_dicom_or_not_what_their_header_says_count_as_failed() -> None:
    def respond(exchange: Exchange) -> None:
        shorter = b"\r\n--edge\r\nContent-Length: 99999\r\n\r\n" + file_of(2)
        parts = [b"not DICOM", b"", b"<html>" * 100, file_of(1, DEFLATED), file_of(1)[:200]]
        body = b"".join(DELIMITER + part for part in [*parts, file_of(0)]) + shorter + LAST_DELIMITER
        exchange.reply(body, MULTIPART)

    outcome, shelf, _ = retrieve(respond)
    assert (outcome, set(shelf)) == (Outcome(1, 6, 0, 0, "PACS_SUBOPERATIONS_FAILED"), {f"{STUDY}.0"})


def test_at_image_level_nothing_else_is_let_in() -> None:
    outcome, shelf, _ = retrieve(sending(0, 7), 1, "IMAGE")
    assert (outcome, set(shelf)) == (Outcome(1, 1, 0, 0, "PACS_SUBOPERATIONS_FAILED"), {f"{STUDY}.0"})


def test_a_part_of_the_instances_is_said_to_be_one() -> None:
    assert retrieve(sending(0, 1, status=206))[0] == Outcome(2, 0, 0, 0, "PACS_SUBOPERATIONS_FAILED")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "PACS_RETRIEVE_FAILED"),
        (410, "PACS_RETRIEVE_FAILED"),
        (500, "PACS_PROCESSING_FAILURE"),
        (204, "PACS_RETRIEVE_FAILED"),
    ],
)
def test_a_study_that_is_refused_is_a_round_that_ends_short(status: int, code: str) -> None:
    outcome, shelf, _ = retrieve(lambda exchange: exchange.reply(b"", "text/plain", status))
    assert (outcome.reason, outcome.completed, shelf) == (code, None, {})


@pytest.mark.parametrize(
    ("status", "content_type", "code"),
    [
        (401, "text/html", "PACS_NOT_AUTHORIZED"),
        (503, "text/html", "PACS_BUSY"),
        (302, "text/html", "PACS_DICOMWEB_URL"),
        (200, "text/html", "PACS_NOT_DICOMWEB"),
    ],
)
def test_where_nothing_could_be_asked_it_raises(status: int, content_type: str, code: str) -> None:
    with pytest.raises(DicomAssetsError) as raised:
        retrieve(lambda exchange: exchange.reply(b"hello", content_type, status))
    assert raised.value.code == code


def test_an_instance_that_the_server_cannot_send_does_not_keep_the_others() -> None:
    def respond(exchange: Exchange) -> None:
        number = int(exchange.path[-1])
        if number == 1:
            exchange.reply(b"cannot transcode", "text/plain", 500)
        else:
            exchange.reply_parts([file_of(number)])

    outcome, shelf, _ = retrieve(respond, level="IMAGE")
    assert (outcome, len(shelf)) == (Outcome(2, 1, 0, 0, "PACS_PROCESSING_FAILURE"), 2)


def test_a_server_that_fails_again_and_again_is_left_alone() -> None:
    _, _, asked = retrieve(lambda exchange: exchange.reply(b"", "text/plain", 500), 100, "IMAGE")
    assert len(asked) == 10


def test_a_server_that_goes_away_between_two_requests_ends_the_round() -> None:
    def respond(exchange: Exchange) -> None:
        if exchange.path.endswith(".1"):
            exchange.connection.shutdown(socket.SHUT_RDWR)
            exchange.close_connection = True
        else:
            exchange.reply_parts([file_of(int(exchange.path[-1]))])

    outcome, shelf, _ = retrieve(respond, level="IMAGE")
    assert (outcome.reason, set(shelf)) == ("PACS_ABORTED", {f"{STUDY}.0"})


def test_a_store_that_fails_ends_the_round_at_once() -> None:
    def full(_instance: Kept) -> None:
        raise RetryLater("DISK_FULL")

    outcome, shelf, _ = retrieve(sending(*range(3)), keep=full)
    assert (outcome.completed, outcome.failed, shelf) == (0, 1, {})


_ONE_LARGE_INSTANCE = """
import resource, sys
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.intake import Intake
from dicom_assets.pacs.wado import wado_instances

class Counted:
    size = 0
    def write(self, piece): Counted.size += len(piece)
    def keep(self): pass
    def discard(self): raise SystemExit("discarded")

archive = Archive("", 0, "", "", "dicomweb", dicomweb_url=sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcome = wado_instances(archive, "1.2.3", None, Intake("1.2.3", None, lambda *_: Counted(), level="STUDY"), "STUDY")
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(outcome.completed, Counted.size, grown)
"""


def test_a_large_instance_takes_no_memory() -> None:
    megabyte, count = os.urandom(1 << 20), 200

    def respond(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Type", MULTIPART)
        exchange.send_header("Connection", "close")
        exchange.end_headers()
        exchange.wfile.write(DELIMITER + file_of(0))
        for _ in range(count):
            exchange.wfile.write(megabyte)
        exchange.wfile.write(LAST_DELIMITER)

    with serving_web(respond, timeouts=LENIENT) as (archive, _):
        run = [sys.executable, "-c", _ONE_LARGE_INSTANCE, archive.dicomweb_url]
        output = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True).stdout
    completed, size, kilobytes = map(int, output.split())
    assert (completed, size) == (1, len(data_of(0)) + (count << 20))
    assert kilobytes < 20_000
