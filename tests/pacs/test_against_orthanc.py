"""Every call of the archive's client side against a real Orthanc."""

import socket
from dataclasses import replace

import pytest

from dicom_assets.errors import DicomAssetsError, RetryLater
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.find import find_expected, find_studies
from dicom_assets.pacs.intake import Arrival
from dicom_assets.pacs.query import StudyQuery
from dicom_assets.pacs.retrieve import retrieve_instances
from tests.pacs.conftest import HASTY, Filled, Planted
from tests.pacs.peers import Kept, keeping
from tests.support.ports import free_port
from tests.support.programs import needs

pytestmark = needs("Orthanc")

#: (FFFC,FFFC): dcmtk leaves it out of what it sends.
_TRAILING_PADDING = {"little": b"\xfc\xff\xfc\xff", "big": b"\xff\xfc\xff\xfc"}
_BIG_ENDIAN = "1.2.840.10008.1.2.2"


class Shelf(dict[str, Kept]):
    """A store that keeps what it is given, by SOPInstanceUID."""

    def __call__(self, sop_class: str, uid: str, syntax: str) -> Arrival:
        return keeping(lambda instance: self.__setitem__(instance.sop_instance_uid, instance))(sop_class, uid, syntax)


def test_echo_succeeds(filled: Filled) -> None:
    echo(filled.archive)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"called_ae_title": "SOMEONE_ELSE"}, "PACS_REJECTED_CALLED_AE_TITLE"),
        ({"host": ""}, "PACS_NOT_CONFIGURED"),
        ({"called_ae_title": ""}, "PACS_NOT_CONFIGURED"),
        ({"host": "no-such-host.invalid"}, "PACS_HOST_UNKNOWN"),
        ({"port": "closed"}, "PACS_PORT_CLOSED"),
        ({"port": "http"}, "PACS_NOT_DICOM"),
    ],
)
def test_echo_says_what_is_wrong(filled: Filled, change: dict, code: str) -> None:
    ports = {"closed": free_port(), "http": filled.orthanc.http_port}
    change = {name: ports.get(value, value) if name == "port" else value for name, value in change.items()}
    with pytest.raises(DicomAssetsError) as raised:
        echo(replace(filled.archive, **change))
    assert raised.value.code == code


def test_echo_to_a_port_that_never_answers_times_out(filled: Filled) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(RetryLater, match="PACS_TIMEOUT"):
        echo(replace(filled.archive, port=mute.getsockname()[1], timeouts=HASTY))


def test_an_unknown_calling_ae_title_may_not_query(filled: Filled) -> None:
    with pytest.raises(RetryLater, match="PACS_REQUEST_ABORTED"):
        find_studies(replace(filled.archive, calling_ae_title="STRANGER"), StudyQuery())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (StudyQuery(), "mixed many"),
        (StudyQuery(patient_id="0012345"), "mixed"),
        (StudyQuery(patient_id=" 0012345 "), "mixed"),
        (StudyQuery(patient_id="12345"), ""),
        (StudyQuery(accession_number="ACC0002"), "many"),
        (StudyQuery(accession_number="acc0002"), ""),
        (StudyQuery(study_instance_uid="1.2.826.0.1.3680043.10.1337.77.1"), "mixed"),
        (StudyQuery(date_from="20240131", date_to="20240131"), "mixed"),
        (StudyQuery(date_from="20240201"), "many"),
        (StudyQuery(date_to="20240131"), "mixed"),
        (StudyQuery(date_from="20240101", date_to="20241231"), "mixed many"),
        (StudyQuery(date_from="20250101"), ""),
        (StudyQuery(modalities=("CT",)), "mixed"),
        (StudyQuery(modalities=("CT", "MR")), "mixed many"),
        (StudyQuery(modalities=("XA",)), ""),
        (StudyQuery(patient_id="0012345", accession_number="ACC0002"), ""),
    ],
)
def test_each_key_finds_its_studies(filled: Filled, query: StudyQuery, found: str) -> None:
    studies = {"mixed": filled.mixed, "many": filled.many_classes}
    matches = find_studies(filled.archive, query)
    assert [match.study_instance_uid for match in matches] == [studies[n].study_instance_uid for n in found.split()]


def test_a_study_comes_with_its_description(filled: Filled) -> None:
    (match,) = find_studies(filled.archive, StudyQuery(patient_id=filled.mixed.patient_id))
    assert (match.patient_name, match.study_date) == ("Müller^Jörg", filled.mixed.study_date)
    assert (match.number_of_series, match.number_of_instances) == (3, len(filled.mixed.uids))
    assert set(match.modalities) >= {"CT", "MR"}


def test_instances_are_listed_with_class_and_series(filled: Filled) -> None:
    listed = filled.listed
    assert {match.sop_instance_uid for match in listed} == filled.mixed.uids
    assert all(match.sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.") for match in listed)
    assert len({match.series_instance_uid for match in listed}) == 3


def test_a_study_that_is_not_there_has_no_instances(filled: Filled) -> None:
    assert find_expected(filled.archive, "1.2.3.4.5").instances == ()


@pytest.mark.parametrize(
    ("name", "mode", "level"),
    [
        ("mixed", "get", "STUDY"),
        ("mixed", "get", "IMAGE"),
        ("mixed", "move", "STUDY"),
        ("mixed", "move", "IMAGE"),
        ("mixed", "auto", "STUDY"),
        ("mixed", "get", "SERIES"),
        ("mixed", "move", "SERIES"),
        ("many_classes", "get", "STUDY"),
        ("many_classes", "move", "STUDY"),
    ],
)
def test_every_instance_comes_in_its_own_syntax_byte_for_byte(filled: Filled, name: str, mode: str, level: str) -> None:
    planted, shelf = getattr(filled, name), Shelf()
    wanted = find_expected(filled.archive, planted.study_instance_uid).instances
    report = retrieve_instances(filled.mode(mode), planted.study_instance_uid, wanted, shelf, level=level)
    assert (report.instances, report.completed, report.failed, report.reason) == (len(planted.uids),) * 2 + (0, "")
    assert_as_held(filled, planted, shelf)


def assert_as_held(filled: Filled, planted: Planted, shelf: Shelf) -> None:
    assert set(shelf) == planted.uids
    for uid, instance in shelf.items():
        assert instance.transfer_syntax_uid == planted.syntaxes[uid]
        order = "big" if instance.transfer_syntax_uid == _BIG_ENDIAN else "little"
        body = filled.held[uid][_end_of_file_meta(filled.held[uid]) :]
        assert body.startswith(instance.data)
        rest = body[len(instance.data) :]
        assert rest == b"" or rest.startswith(_TRAILING_PADDING[order])


def _end_of_file_meta(file: bytes) -> int:
    assert file[128:140] == b"DICM\x02\x00\x00\x00UL\x04\x00"
    return 144 + int.from_bytes(file[140:144], "little")


@pytest.mark.parametrize("mode", ["get", "move"])
def test_only_what_is_missing_is_asked_for(filled: Filled, mode: str) -> None:
    shelf = Shelf()
    wanted = filled.listed[2:7]
    report = retrieve_instances(filled.mode(mode), filled.mixed.study_instance_uid, wanted, shelf, level="IMAGE")
    assert set(shelf) == {match.sop_instance_uid for match in wanted}
    assert (report.completed, report.reason) == (5, "")


def test_nothing_is_asked_for_where_nothing_is_wanted(filled: Filled) -> None:
    report = retrieve_instances(filled.archive, "1.2.3", [], Shelf(), level="IMAGE")
    assert (report.instances, report.reason) == (0, "")


def test_a_study_that_cannot_be_listed_is_moved_as_a_whole(filled: Filled) -> None:
    shelf = Shelf()
    report = retrieve_instances(filled.mode("move"), filled.mixed.study_instance_uid, None, shelf, level="STUDY")
    assert (set(shelf), report.reason) == (filled.mixed.uids, "")


def test_what_orthanc_says_of_instances_that_it_cannot_send_is_understood(filled: Filled) -> None:
    """Its last response then carries the list of them, unannounced: nothing that would end the association."""
    shelf, one = Shelf(), filled.listed[0]
    others = [match for match in filled.listed if match.sop_class_uid != one.sop_class_uid]
    asked = [replace(match, sop_class_uid=one.sop_class_uid) for match in others]  # contexts that do not fit
    report = retrieve_instances(filled.mode("get"), filled.mixed.study_instance_uid, asked, shelf, level="IMAGE")
    assert (len(shelf), report.reason) == (0, "PACS_RETRIEVE_FAILED")


@pytest.mark.parametrize("mode", ["get", "move"])
def test_a_study_that_has_grown_since_it_was_listed_comes_whole(filled: Filled, mode: str) -> None:
    shelf = Shelf()
    wanted = filled.listed
    classes = [match.sop_class_uid for match in wanted]
    newest = next(match for match in wanted if classes.count(match.sop_class_uid) > 1)
    listed = [match for match in wanted if match != newest]
    report = retrieve_instances(filled.mode(mode), filled.mixed.study_instance_uid, listed, shelf, level="STUDY")
    assert (set(shelf), report.reason) == (filled.mixed.uids, "")


@pytest.mark.parametrize("mode", ["get", "move"])
@pytest.mark.parametrize("code", ["DISK_FULL", "FILE_OPERATION_FAILED"])
def test_an_error_of_the_store_ends_the_round_and_comes_out(filled: Filled, mode: str, code: str) -> None:
    kept = []

    def store(sop_class: str, uid: str, syntax: str) -> Arrival:
        if len(kept) == 3:
            raise RetryLater(code)
        return keeping(kept.append)(sop_class, uid, syntax)

    wanted = filled.listed
    with pytest.raises(RetryLater, match=code):
        retrieve_instances(filled.mode(mode), filled.mixed.study_instance_uid, wanted, store, level="STUDY")
    assert len(kept) == 3


def test_a_bug_in_the_store_comes_out_as_it_is(filled: Filled) -> None:
    def store(_sop_class: str, _uid: str, _syntax: str) -> Arrival:
        raise ZeroDivisionError

    wanted = filled.listed
    with pytest.raises(ZeroDivisionError):
        retrieve_instances(filled.archive, filled.mixed.study_instance_uid, wanted, store, level="STUDY")


@pytest.mark.parametrize(
    ("title", "reason"), [("STRANGER", "PACS_REQUEST_ABORTED"), ("NO_RECEIVER", "PACS_MOVE_FAILED")]
)
def test_a_destination_that_cannot_be_reached_is_said(filled: Filled, title: str, reason: str) -> None:
    archive = replace(filled.mode("move"), calling_ae_title=title, receiver_port=free_port())
    wanted = filled.listed
    report = retrieve_instances(archive, filled.mixed.study_instance_uid, wanted, Shelf(), level="STUDY")
    assert (report.instances, report.reason) == (0, reason)


def test_a_busy_receiver_port_is_said(filled: Filled) -> None:
    archive = filled.mode("move")
    wanted = filled.listed
    with (
        socket.create_server(("0.0.0.0", archive.receiver_port)),
        pytest.raises(RetryLater, match="RECEIVER_PORT_BUSY"),
    ):
        retrieve_instances(archive, filled.mixed.study_instance_uid, wanted, Shelf(), level="STUDY")
