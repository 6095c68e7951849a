"""Does the destination vouch for what it stored? Whatever it says that is not a clear yes leaves it unsaid."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel

from dicom_assets.demo.associations import MENDED
from dicom_assets.errors import RetryLater
from dicom_assets.pacs import commitment
from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.commitment import Commitment, ask_for_commitment
from tests.support.destination import Destination
from tests.support.ports import free_port

HELD = {f"2.25.{number}": b"" for number in range(3)}
ASKED = [(CTImageStorage, uid) for uid in (*HELD, "2.25.9")]
SAID = Commitment(True, frozenset(HELD), frozenset({"2.25.9"}))
NOTHING_SAID = Commitment(offered=True)
#: Changes a report before it goes out, or replaces what is done with it.
Report = Callable[[Destination, evt.Event, Dataset, int], None]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what never comes. What is to come has the usual time."""
    monkeypatch.setattr(commitment, "_AFTERWARDS_SECONDS", 0.2)


def vouching(report: Report | None = None) -> Destination:
    class Peer(Destination):
        def report(self, event: evt.Event, dataset: Dataset, kind: int) -> None:
            usual = super().report
            if report is None:
                usual(event, dataset, kind)
            else:
                report(usual, event, dataset, kind)

    return Peer(vouches=True, held=dict(HELD))


def asked(there: Destination) -> Commitment:
    return ask_for_commitment(there.archive(), ASKED)


def test_what_is_held_is_committed_and_what_is_not_has_failed() -> None:
    with vouching().running() as there:
        assert asked(there) == SAID
        assert there.asked_to_vouch == [*HELD, "2.25.9"]


def test_many_instances_are_asked_for_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "_REFERENCES", 2)
    with vouching().running() as there:
        assert asked(there) == SAID
        assert there.associations == 2


def test_a_destination_without_the_service_is_told_apart_from_one_that_is_silent() -> None:
    with Destination().running() as there:
        assert asked(there) == Commitment(offered=False)


def _over_its_own_association(port: int) -> Report:
    def report(_usual, _event: evt.Event, dataset: Dataset, kind: int) -> None:
        ae = AE("ELSEWHERE")
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        association = ae.associate("127.0.0.1", port, ae_title="DICOM_ASSETS", ext_neg=[role], evt_handlers=[MENDED])
        assert association.is_established
        association.send_n_event_report(dataset, kind, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
        association.release()

    return report


def test_a_report_over_an_association_of_the_destinations_own_is_taken() -> None:
    port = free_port()
    with vouching(_over_its_own_association(port)).running() as there:
        assert ask_for_commitment(replace(there.archive(), receiver_port=port), ASKED) == SAID


def _of_another_transaction(usual, event: evt.Event, dataset: Dataset, kind: int) -> None:
    dataset.TransactionUID = "2.25.4711"
    usual(event, dataset, kind)


def _of_an_unknown_kind(usual, event: evt.Event, dataset: Dataset, _kind: int) -> None:
    usual(event, dataset, 3)


def _never(*_arguments: object) -> None:
    pass


def _hangs_up(_usual, event: evt.Event, *_arguments: object) -> None:
    event.assoc.abort()


@pytest.mark.parametrize("report", [_of_another_transaction, _of_an_unknown_kind, _never, _hangs_up])
def test_what_is_no_report_of_ours_commits_nothing(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "_REPORT_SECONDS", 1.0)
    with vouching(report).running() as there:
        assert asked(there) == NOTHING_SAID


def test_what_is_named_twice_or_was_not_asked_for_is_not_committed() -> None:
    def contradicts(usual, event: evt.Event, dataset: Dataset, kind: int) -> None:
        both, foreign = Dataset(), Dataset()
        both.ReferencedSOPClassUID = foreign.ReferencedSOPClassUID = CTImageStorage
        both.ReferencedSOPInstanceUID, foreign.ReferencedSOPInstanceUID = "2.25.0", "2.25.77"
        both.FailureReason = 0x0110
        dataset.ReferencedSOPSequence.append(foreign)
        dataset.FailedSOPSequence.append(both)
        usual(event, dataset, kind)

    with vouching(contradicts).running() as there:
        assert asked(there) == Commitment(True, frozenset({"2.25.1", "2.25.2"}), frozenset({"2.25.0", "2.25.9"}))


def test_a_request_that_is_refused_commits_nothing() -> None:
    class Refuses(Destination):
        def _vouch(self, _event: evt.Event) -> tuple[int, None]:
            return 0x0110, None

    with Refuses(vouches=True).running() as there:
        assert asked(there) == NOTHING_SAID


def test_nobody_there_is_said() -> None:
    with pytest.raises(RetryLater):
        ask_for_commitment(Archive("127.0.0.1", free_port(), "NOBODY", "DICOM_ASSETS"), ASKED)
