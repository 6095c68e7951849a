"""Archives that hang, abort, lie or stop half-way. What came before is kept, and nothing waits for ever."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt

from dicom_assets.demo.associations import MENDED
from dicom_assets.errors import BadInput, DicomAssetsError, RetryLater
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.echo import echo
from dicom_assets.pacs.find import find_expected, find_studies
from dicom_assets.pacs.intake import Arrival
from dicom_assets.pacs.query import StudyQuery
from dicom_assets.pacs.retrieve import RetrieveReport, retrieve_instances
from tests.pacs.conftest import BRISK, HASTY, PATIENT
from tests.pacs.peers import LITTLE_ENDIAN, STUDY, Kept, hanging, instance, keeping, relay, serving, wanted


def retrieve(archive: Archive, count: int, kept: list[Kept] | None = None, *, level: str = "STUDY") -> RetrieveReport:
    return retrieve_instances(
        archive, STUDY, wanted(count), keeping([].append if kept is None else kept.append), level=level
    )


def getting(*steps: object) -> dict:
    """A C-GET handler: the number of sub-operations, then what follows."""

    def handle(_event: evt.Event) -> Iterator:
        for step in steps:
            yield step() if callable(step) else step

    return {evt.EVT_C_GET: handle}


def sent(number: int) -> tuple[int, Dataset]:
    return (0xFF00, instance(number))


def test_an_archive_that_never_begins_to_answer_is_given_up() -> None:
    def handle(_event: evt.Event) -> Iterator:
        end.wait(30)
        yield 0

    with hanging() as end, serving({evt.EVT_C_GET: handle}) as archive:
        report = retrieve(archive, 3)
    assert (report.instances, report.reason) == (0, "PACS_STALLED")


def test_an_archive_that_stops_in_the_middle_is_given_up_and_what_came_is_kept() -> None:
    def handle(_event: evt.Event) -> Iterator:
        yield 3
        yield sent(0)
        yield sent(1)
        end.wait(30)

    kept = []
    with hanging() as end, serving({evt.EVT_C_GET: handle}) as archive:
        report = retrieve(archive, 3, kept)
    assert (report.instances, report.reason, len(kept)) == (2, "PACS_STALLED", 2)
    assert (report.completed, report.remaining) == (2, 1)


def test_an_archive_that_is_slow_but_moves_is_not_cut() -> None:
    def handle(_event: evt.Event) -> Iterator:
        yield 20
        for number in range(20):
            end.wait(0.25)
            yield sent(number)

    with hanging() as end, serving({evt.EVT_C_GET: handle}, timeouts=BRISK) as archive:
        report = retrieve(archive, 20)
    assert (report.instances, report.reason) == (20, "")


def test_one_large_instance_over_a_slow_line_is_not_cut() -> None:
    large = instance(0)
    large.add_new(0x00420011, "OB", bytes(800_000))
    with serving(getting(1, (0xFF00, large))) as archive, relay(archive.port, float("inf"), 400_000) as port:
        report = retrieve(replace(archive, port=port), 1)
    assert (report.instances, report.reason) == (1, "")


@pytest.mark.parametrize("passed", [100, 300, 700])
def test_a_connection_that_falls_silent_inside_a_pdu_is_given_up(passed: int) -> None:
    with serving(getting(3, sent(0), sent(1), sent(2))) as archive, relay(archive.port, passed) as port:
        try:
            reason = retrieve(replace(archive, port=port), 3).reason
        except DicomAssetsError as error:
            reason = error.code
    assert reason in ("PACS_STALLED", "PACS_TIMEOUT")


def test_an_abort_in_the_middle_is_said_and_what_came_is_kept() -> None:
    def handle(event: evt.Event) -> Iterator:
        yield 3
        yield sent(0)
        event.assoc.abort()

    with serving({evt.EVT_C_GET: handle}) as archive:
        report = retrieve(archive, 3)
    assert (report.instances, report.reason) == (1, "PACS_ABORTED")


def test_success_with_nothing_is_a_report_of_nothing() -> None:
    with serving(getting(0)) as archive:
        report = retrieve(archive, 3)
    assert (report.instances, report.completed, report.failed, report.reason) == (0, 0, 0, "")


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (0xA701, "PACS_OUT_OF_RESOURCES"),
        (0xA702, "PACS_SUBOPERATIONS_REFUSED"),
        (0xA900, "PACS_IDENTIFIER_REFUSED"),
        (0xC123, "PACS_RETRIEVE_FAILED"),
        (0xFE00, "PACS_RETRIEVE_CANCELLED"),
    ],
)
def test_a_failing_status_after_some_instances_is_said(last: int, reason: str) -> None:
    with serving(getting(3, sent(0), (last, Dataset()))) as archive:
        report = retrieve(archive, 3)
    assert (report.instances, report.reason) == (1, reason)


def test_failed_sub_operations_are_counted() -> None:
    other = instance(1)
    other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    with serving(getting(2, sent(0), (0xFF00, other))) as archive:
        report = retrieve(archive, 2)
    assert (report.instances, report.completed, report.failed) == (1, 1, 1)
    assert report.reason == "PACS_SUBOPERATIONS_FAILED"


def test_instances_of_another_study_are_not_let_in() -> None:
    kept = []
    stranger = instance(0, study=f"{STUDY}9")
    with serving(getting(2, (0xFF00, stranger), sent(0))) as archive:
        retrieve(archive, 1, kept)
        retrieve_instances(archive, STUDY, None, keeping(kept.append), level="STUDY")
    assert [each.sop_instance_uid for each in kept] == [f"{STUDY}.2.0"] * 2


def test_at_image_level_only_the_wanted_instances_are_let_in() -> None:
    kept = []
    with serving(getting(2, sent(0), sent(1))) as archive:
        retrieve(archive, 1, kept, level="IMAGE")
    assert [each.sop_instance_uid for each in kept] == [f"{STUDY}.2.0"]


def test_long_lists_of_instances_are_asked_for_in_parts() -> None:
    asked = []

    def handle(event: evt.Event) -> Iterator:
        asked.append((event.identifier.QueryRetrieveLevel, len(event.identifier.SOPInstanceUID)))
        yield 0

    with serving({evt.EVT_C_GET: handle}, timeouts=PATIENT) as archive:
        retrieve(archive, 250, level="IMAGE")
    assert asked == [("IMAGE", 100), ("IMAGE", 100), ("IMAGE", 50)]


def test_one_instance_that_cannot_be_sent_does_not_keep_back_the_others() -> None:
    damaged, requests = f"{STUDY}.2.17", []

    def handle(event: evt.Event) -> Iterator:
        asked = event.identifier.SOPInstanceUID
        asked = [asked] if isinstance(asked, str) else list(asked)
        requests.append(asked)
        yield len(asked)
        for uid in asked:
            if uid == damaged:
                yield (0xC000, Dataset())
                return
            yield sent(int(uid.rpartition(".")[2]))

    kept = []
    with serving({evt.EVT_C_GET: handle}, timeouts=PATIENT) as archive:
        report = retrieve(archive, 40, kept, level="IMAGE")
    assert {each.sop_instance_uid for each in kept} == {match.sop_instance_uid for match in wanted(40)} - {damaged}
    assert (report.instances, report.reason, len(kept)) == (39, "PACS_RETRIEVE_FAILED", 39)
    assert len(requests) < 15


def test_a_full_disk_is_answered_with_out_of_resources() -> None:
    answers = []

    def store(_sop_class: str, _uid: str, _syntax: str) -> Arrival:
        raise RetryLater("DISK_FULL")

    def note(event: evt.Event) -> None:
        if type(event.message).__name__ == "C_STORE_RSP":
            answers.append(event.message.command_set.Status)

    handlers = {**getting(2, sent(0), sent(1)), evt.EVT_DIMSE_RECV: note}
    with serving(handlers) as archive, pytest.raises(RetryLater, match="DISK_FULL"):
        retrieve_instances(archive, STUDY, wanted(2), store, level="STUDY")
    assert answers[0] == 0xA700


def test_where_c_get_is_not_offered_auto_takes_c_move_and_get_says_so() -> None:
    moved = threading.Event()

    def handle(_event: evt.Event) -> Iterator:
        moved.set()
        yield (None, None)

    with serving({evt.EVT_C_MOVE: handle}, models="find move") as archive:
        assert retrieve(archive, 1).reason == "PACS_UNKNOWN_DESTINATION"
        assert moved.is_set()
        with pytest.raises(BadInput, match="PACS_GET_NOT_SUPPORTED"):
            retrieve(replace(archive, retrieve="get"), 1)


def moving(port: list[int], *steps: object) -> dict:
    """A C-MOVE handler that sends to 127.0.0.1, port[0]."""

    def handle(_event: evt.Event) -> Iterator:
        yield ("127.0.0.1", port[0], {"contexts": [build_context("1.2.840.10008.5.1.4.1.1.2", [LITTLE_ENDIAN])]})
        for step in steps:
            yield step() if callable(step) else step

    return {evt.EVT_C_MOVE: handle}


def test_a_move_that_stops_in_the_middle_is_given_up_and_what_came_is_kept() -> None:
    port = [0]
    with hanging() as end, serving(moving(port, 2, sent(0), lambda: end.wait(30)), retrieve="move") as archive:
        port[0] = archive.receiver_port
        report = retrieve(archive, 2)
    assert (report.instances, report.reason) == (1, "PACS_STALLED")


def test_a_move_whose_responses_are_far_apart_goes_on_while_instances_flow() -> None:
    """The handler pushes by itself and answers nothing meanwhile."""

    def handle(event: evt.Event) -> Iterator:
        push(port[0], [instance(n) for n in range(20)], pause=lambda: end.wait(0.25))
        yield (None, None)

    port = [0]
    with hanging() as end, serving({evt.EVT_C_MOVE: handle}, retrieve="move", timeouts=BRISK) as archive:
        port[0] = archive.receiver_port
        report = retrieve(archive, 20)
    assert report.instances == 20


def test_the_rate_that_we_keep_is_not_taken_for_a_standstill() -> None:
    """An instance in 2 seconds, where 1.5 without progress are too many."""
    port, timeouts = [0], replace(PATIENT, first_response=1.5, stall=1.5, no_progress=1.5)
    with serving(moving(port, 2, sent(0), sent(1)), retrieve="move", timeouts=timeouts) as archive:
        port[0] = archive.receiver_port
        report = retrieve(replace(archive, instances_per_second=0.5), 2)
    assert (report.instances, report.completed, report.remaining) == (2, 2, 0)


def test_an_instance_that_arrives_after_the_final_response_is_not_lost() -> None:
    port, pushers = [0], []

    def handle(_event: evt.Event) -> Iterator:
        pushers.append(threading.Thread(target=push, args=(port[0], [instance(0), instance(1)], lambda: end.wait(0.3))))
        pushers[0].start()
        end.wait(0.2)
        yield (None, None)

    with hanging() as end, serving({evt.EVT_C_MOVE: handle}, retrieve="move", timeouts=PATIENT) as archive:
        port[0] = archive.receiver_port
        report = retrieve(archive, 2)
        pushers[0].join()
    assert report.instances == 2


def test_what_nobody_asked_for_is_refused_by_the_receiver() -> None:
    statuses, kept = [], []

    def handle(_event: evt.Event) -> Iterator:
        statuses.extend(push(port[0], [instance(0, study=f"{STUDY}9"), instance(0)]))
        yield (None, None)

    port = [0]
    with serving({evt.EVT_C_MOVE: handle}, retrieve="move") as archive:
        port[0] = archive.receiver_port
        retrieve(archive, 1, kept)
    assert statuses == [0xC000, 0x0000]
    assert [each.sop_instance_uid for each in kept] == [f"{STUDY}.2.0"]


def test_the_receiver_takes_private_and_retired_sop_classes() -> None:
    statuses, private, retired = [], "1.2.826.0.1.3680043.10.1337.66.1", "1.2.840.10008.5.1.4.1.1.6"

    def handle(_event: evt.Event) -> Iterator:
        statuses.extend(push(port[0], [instance(0)], sop_class=private))
        statuses.extend(push(port[0], [instance(1)], sop_class=retired))
        yield (None, None)

    port = [0]
    with serving({evt.EVT_C_MOVE: handle}, retrieve="move") as archive:
        port[0] = archive.receiver_port
        first, second = wanted(2)
        retrieve_instances(archive, STUDY, [replace(first, sop_class_uid=private), second], keeping(), level="STUDY")
    assert statuses == [0, 0]


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        (["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2"], "1.2.840.10008.1.2.4.90"),
        (["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"], "1.2.840.10008.1.2"),
        (["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1"], "1.2.840.10008.1.2.1"),
    ],
)
def test_the_receiver_takes_the_first_syntax_that_is_proposed(proposed: list[str], taken: str) -> None:
    accepted = []

    def handle(_event: evt.Event) -> Iterator:
        context = build_context("1.2.840.10008.5.1.4.1.1.2", proposed)
        association = AE().associate("127.0.0.1", port[0], contexts=[context])
        accepted.extend(str(each.transfer_syntax[0]) for each in association.accepted_contexts)
        association.release()
        yield (None, None)

    port = [0]
    with serving({evt.EVT_C_MOVE: handle}, retrieve="move") as archive:
        port[0] = archive.receiver_port
        retrieve(archive, 1)
    assert accepted == [taken]


def push(
    port: int,
    instances: list[Dataset],
    pause: Callable[[], object] = lambda: None,
    sop_class: str = "1.2.840.10008.5.1.4.1.1.2",
) -> list[int]:
    """C-STORE of these; the statuses of the answers."""
    association = AE().associate(
        "127.0.0.1", port, contexts=[build_context(sop_class, [LITTLE_ENDIAN])], evt_handlers=[MENDED]
    )
    statuses = []
    for each in instances:
        pause()
        each.SOPClassUID = sop_class
        statuses.append(association.send_c_store(each).Status)
    association.release()
    return statuses


def answering(*answers: object) -> dict:
    """A C-FIND handler that answers every query with these."""

    def handle(_event: evt.Event) -> Iterator:
        yield from answers

    return {evt.EVT_C_FIND: handle}


def study(**elements: object) -> tuple[int, Dataset]:
    dataset = Dataset()
    for keyword, value in {"StudyInstanceUID": STUDY, "PatientID": "007", "StudyDate": "20240102", **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return (0xFF00, dataset)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (0xA700, "PACS_OUT_OF_RESOURCES"),
        (0xA900, "PACS_IDENTIFIER_REFUSED"),
        (0xC001, "PACS_QUERY_FAILED"),
        (0xFE00, "PACS_WINDOW_FULL"),
        (0x0122, "PACS_SERVICE_NOT_SUPPORTED"),
        (0x0124, "PACS_NOT_AUTHORIZED"),
    ],
)
def test_a_query_that_fails_after_some_answers_is_no_short_list(status: int, code: str) -> None:
    with serving(answering(study(), (status, None))) as archive, pytest.raises(DicomAssetsError) as raised:
        find_studies(archive, StudyQuery())
    assert raised.value.code == code


def test_an_archive_that_ignores_a_key_does_not_widen_the_query() -> None:
    answers = [
        study(**{"StudyInstanceUID": f"{STUDY}.{number}", "ModalitiesInStudy": "CT", **elements})
        for number, elements in enumerate(
            [
                {},
                {"PatientID": "0007"},
                {"StudyDate": "20240103"},
                {"ModalitiesInStudy": ["MR", "SR"]},
                {"ModalitiesInStudy": ["CT", "SR"]},
                {"PatientID": "007 "},
            ]
        )
    ]
    query = StudyQuery(patient_id="007", date_from="20240101", date_to="20240102", modalities=("CT",))
    with serving(answering(*answers)) as archive:
        matches = find_studies(archive, query)
    assert [match.study_instance_uid for match in matches] == [f"{STUDY}.{number}" for number in (0, 4, 5)]


def test_a_query_that_is_never_answered_is_given_up() -> None:
    def handle(_event: evt.Event) -> Iterator:
        end.wait(30)
        yield (0x0000, None)

    with (
        hanging() as end,
        serving({evt.EVT_C_FIND: handle}) as archive,
        pytest.raises(RetryLater, match="PACS_STALLED"),
    ):
        find_studies(archive, StudyQuery())


def test_an_echo_that_is_never_answered_is_given_up() -> None:
    def handle(_event: evt.Event) -> int:
        end.wait(30)
        return 0

    with (
        hanging() as end,
        serving({evt.EVT_C_ECHO: handle}) as archive,
        pytest.raises(RetryLater, match="PACS_STALLED"),
    ):
        echo(archive)


def listing(images: Callable[[], list], series: dict | None = None) -> dict:
    """A C-FIND handler with one series; images: the answers at IMAGE level."""

    def handle(event: evt.Event) -> Iterator:
        if event.identifier.QueryRetrieveLevel == "STUDY":
            yield study()
        elif event.identifier.QueryRetrieveLevel == "SERIES":
            yield study(SeriesInstanceUID=f"{STUDY}.1", **(series or {}))
        else:
            yield from images()

    return {evt.EVT_C_FIND: handle}


@pytest.mark.parametrize(
    ("images", "series", "listed"),
    [
        ([study(SOPInstanceUID="1.2.3")], {}, ["1.2.3"]),
        ([study(SOPInstanceUID="1.2.3")], {"NumberOfSeriesRelatedInstances": 1}, ["1.2.3"]),
        ([study(SOPInstanceUID="1.2.3")], {"NumberOfSeriesRelatedInstances": 2}, None),
        ([study(SOPInstanceUID=None)], {}, None),
        ([], {}, None),
        ([(0xA900, None)], {}, None),
        ([study(SOPInstanceUID="1.2.3"), study(StudyInstanceUID="9.9", SOPInstanceUID="1.2.4")], {}, ["1.2.3"]),
    ],
)
def test_instances_are_listed_or_unknown(images: list, series: dict, listed: list[str] | None) -> None:
    with serving(listing(lambda: images, series)) as archive:
        matches = find_expected(archive, STUDY).instances
    assert (None if matches is None else [match.sop_instance_uid for match in matches]) == listed


def test_a_failed_query_for_instances_raises() -> None:
    with (
        serving(listing(lambda: [study(SOPInstanceUID="1.2.3"), (0xA700, None)])) as archive,
        pytest.raises(RetryLater, match="PACS_OUT_OF_RESOURCES"),
    ):
        find_expected(archive, STUDY)


def test_an_archive_that_takes_no_more_associations_is_busy() -> None:
    def reject(event: evt.Event) -> None:
        event.assoc.acse.send_reject(0x02, 0x03, 0x02)
        event.assoc.kill()

    with serving({evt.EVT_REQUESTED: reject}) as archive, pytest.raises(RetryLater, match="PACS_BUSY"):
        echo(replace(archive, timeouts=HASTY))
