"""Every mode of the faulty archive: the right row in the ledger, never "done" with an instance missing; and once the
archive is healthy, the same batch run again ends done and asks only for what was missing."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicom_assets.batches.request import RequestRow, create_request
from dicom_assets.deid.profile import load_profile
from dicom_assets.deid.pseudonyms import PseudonymKey
from dicom_assets.demo.corpus import Corpus, DemoStudy
from dicom_assets.errors import REASONS, RetryLater
from dicom_assets.pacs import move, queries
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.storage.ledger import StudyRow, sums_that_fail
from dicom_assets.storage.zones import Zones
from dicom_assets.workflow.job import Job
from dicom_assets.workflow.resolve import resolve_studies
from dicom_assets.workflow.retrieve import retrieve_studies
from tests.support.data_sets import data_set_of, retrieved
from tests.support.faulty import MODES, FaultyArchive, Healthy, Mode, connecting, finding, reporting, sending
from tests.support.ports import free_port

#: Never reached by an archive that answers, however busy the machine is.
_PATIENT = Timeouts(connect=20, acse=20, first_response=20, stall=20, no_progress=30)
#: For archives that do not answer.
_HASTY = Timeouts(connect=1, acse=1, first_response=1, stall=1, no_progress=1.5)
#: Hasty only where nothing moves any more: what is asked again has its time on a busy machine
_BRISK = Timeouts(connect=20, acse=20, first_response=20, stall=2, no_progress=3)

_MISSING = "INSTANCES_MISSING"


@dataclass(frozen=True)
class Ends:
    """How the batch ends with the faulty archive. reasons: any of them, separated by spaces. received: instances.

    ways: of retrieving. by: the request row's key.
    """

    state: str
    reasons: str = ""
    received: tuple[int, ...] = (6,)
    ways: tuple[str, ...] = ("get", "move")
    by: str = "StudyInstanceUID"
    timeouts: Timeouts = _PATIENT


def _done(**more: object) -> Ends:
    return Ends("done", **more)


def _short(reasons: str, *received: int, **more: object) -> Ends:
    return Ends("incomplete", reasons, received, **more)


#: Where the way of retrieving makes no difference, one of them is enough.
_GET, _MOVE, _AUTO = {"ways": ("get",)}, {"ways": ("move",)}, {"ways": ("auto",)}

CASES: dict[type[Mode], Ends] = {
    Healthy: _done(),
    # what it finds
    finding.CountsSeriesOnly: _done(**_GET),
    finding.CountsStudiesOnly: _done(**_GET),
    finding.CountsNothing: _short("EXPECTED_COUNT_UNKNOWN", 6, **_GET),
    finding.CountsOneTooMany: _short(f"EXPECTED_COUNT_UNKNOWN {_MISSING}", 6, **_GET),
    finding.CountsOneTooFew: _done(**_GET),
    finding.CountsOneTooManyAndListsNone: _short(_MISSING, 6, **_GET),
    finding.CapsImageListsSilently: _done(**_GET),
    finding.CapsImageLists: _done(**_GET),
    finding.PadsUids: _done(**_GET),
    finding.PadsAndLowersPatientIds: _done(by="PatientID", **_GET),
    finding.IgnoresUidKeys: _done(**_GET),
    finding.ReturnsUniqueKeysOnly: _done(**_GET),
    finding.DeclaresNoCharacterSet: _done(by="PatientID", **_GET),
    finding.AnswersTwice: _done(**_GET),
    finding.AnswersTheLastRequestAgain: _done(**_GET),
    finding.NeverStopsAnswering: _done(**_GET),
    finding.FailsInTheMiddleOfAList: Ends("failed", "PACS_OUT_OF_RESOURCES", (0,), **_GET),
    finding.AbortsQueriesForImages: Ends("failed", "PACS_ABORTED PACS_REQUEST_ABORTED", (0,), **_GET),
    finding.SilentToQueries: Ends("failed", "PACS_STALLED", (0,), timeouts=_HASTY, **_GET),
    # what it sends, and says of it
    sending.SendsNothing: _short(_MISSING, 0),
    sending.SendsNothingAtFirst: _done(**_GET),
    sending.DropsEveryThird: _done(),
    sending.NeverSendsOne: _short(_MISSING, 5),
    reporting.GivesNoCounts: _short(_MISSING, 5),
    reporting.CountsWrongly: _done(),
    reporting.SendsNoPendingResponses: _done(**_MOVE),
    reporting.WarnsThoughAllCame: _done(**_GET),
    reporting.FailsToSendOne: _short("PACS_SUBOPERATIONS_FAILED PACS_SUBOPERATIONS_REFUSED", 5),
    reporting.CannotCountMatches: _short("PACS_OUT_OF_RESOURCES", 0, **_GET),
    reporting.RefusesSuboperations: _short("PACS_SUBOPERATIONS_REFUSED", 0),
    reporting.DoesNotKnowTheDestination: _short("PACS_UNKNOWN_DESTINATION", 0, **_MOVE),
    reporting.GivesUpAtOne: _short("PACS_RETRIEVE_FAILED PACS_MOVE_FAILED", 5),
    reporting.EndsWithAnUnknownStatus: _done(**_MOVE),
    sending.SendsAnotherStudyToo: _done(),
    sending.SendsTwice: _done(),
    sending.SendsOtherContentToo: _short("INSTANCE_CONFLICT", 5),
    sending.TruncatesOne: _short("INSTANCE_CUT_SHORT", 5, **_MOVE),
    sending.ChangesOneUid: _short(_MISSING, 5, **_MOVE),
    sending.Transcodes: _done(),
    sending.SendsLate: _done(**_MOVE),
    sending.SendsWholeStudiesOnly: _done(**_GET),
    sending.SendsTheFirstOnly: _done(**_GET),
    sending.SendsTwoARequest: _done(**_MOVE),
    sending.GetsOneMore: _done(**_GET),
    sending.LosesOne: _short(f"STUDY_SHRANK {_MISSING}", 5, **_GET),
    # how it is connected
    connecting.RejectsEverySecondAssociation: _done(**_MOVE),
    connecting.AcceptsThreeContexts: _done(**_AUTO),
    connecting.OffersNoGet: _done(**_AUTO),
    connecting.SendsNotOverAssociationsOfOthers: _done(**_AUTO),
    connecting.EndsAfterEachQuery: _done(**_GET),
    connecting.AbortsInTheMiddle: _done(),
    connecting.AbortsInsteadOfAStatus: _done(),
    connecting.ResetsInTheMiddleOfAnInstance: _done(),
    connecting.SilentToRetrievals: _short("PACS_STALLED", 0, timeouts=_HASTY),
    connecting.SilentInTheMiddle: _done(timeouts=_BRISK),
    connecting.SilentInTheMiddleOfAnInstance: _short("PACS_STALLED", 2, timeouts=_HASTY),
    connecting.Drips: _short("PACS_STALLED", 0, timeouts=_HASTY),
    connecting.PendingForEver: _short("PACS_STALLED", 0, timeouts=_HASTY),
}

#: Modes that show only where a query has several answers.
CAPS = (finding.CapsStudies, finding.CapsStudiesSilently)


@pytest.fixture(scope="module")
def study(corpus: Corpus) -> DemoStudy:
    """Six instances: CT and DX, three series, three transfer syntaxes."""
    return next(study for study in corpus.studies if study.modalities == ("CT", "DX"))


@pytest.fixture(scope="module")
def faulty(corpus: Corpus, study: DemoStudy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyArchive]:
    """It holds that study, and three others."""
    folder = tmp_path_factory.mktemp("faulty")
    others = [study for study in corpus.studies if study.modalities in (("CT",), ("MR",))]
    assert len(others) == 3
    for instance in [instance for one in (study, *others) for instance in one.instances]:
        shutil.copyfile(corpus.folder / instance.path, folder / Path(instance.path).name)
    with FaultyArchive(folder, known_peers={"DICOM_ASSETS": ("127.0.0.1", free_port())}) as archive:
        yield archive


@pytest.fixture
def job(faulty: FaultyArchive, tmp_path: Path) -> Job:
    _, port = faulty.known_peers["DICOM_ASSETS"]
    faulty.lost.clear()
    return Job(
        zones=Zones(tmp_path / "restricted", tmp_path / "released"),
        archives=(Archive("127.0.0.1", faulty.port, faulty.ae_title, "DICOM_ASSETS", "get", port, _PATIENT),),
        profile=load_profile("basic"),
        key=PseudonymKey(bytes(range(32))),
        workers=2,
    )


def test_every_mode_has_a_sentence_and_a_case() -> None:
    assert set(CASES).isdisjoint(CAPS)
    assert set(CASES) | set(CAPS) == set(MODES)
    assert len(CASES) > 25
    assert all(mode.sentence().endswith(".") for mode in MODES)
    assert {reason for ends in CASES.values() for reason in ends.reasons.split()} <= set(REASONS)


@pytest.mark.parametrize(
    ("mode", "way"),
    [pytest.param(mode, way, id=f"{mode.__name__}-{way}") for mode, ends in CASES.items() for way in ends.ways],
)
def test_what_came_is_said_and_the_rest_is_asked_for_again(
    job: Job, faulty: FaultyArchive, study: DemoStudy, mode: type[Mode], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What costs seconds of waiting or work in life
    monkeypatch.setattr(queries, "_MOST_ANSWERS", 100)
    if mode is not sending.SendsLate:
        monkeypatch.setattr(move, "_STRAGGLER_SECONDS", 0.5)
    ends = CASES[mode]
    keys = {"StudyInstanceUID": {"study_instance_uid": study.study_instance_uid}}
    keys["PatientID"] = {"patient_id": study.patient_id}
    batch = create_request(job.zones, "cohort", "20260131", "", [RequestRow(**keys[ends.by])]).batch
    faulty.mode = mode
    row = run(_by(job, way, ends.timeouts), batch)
    here = retrieved(job.zones, batch)
    assert row.state == ends.state, row.reason
    assert row.reason in ends.reasons.split() or row.reason == ends.reasons
    assert row.received in ends.received
    assert_is_true(row, here, originals(faulty, study))

    faulty.mode = Healthy
    row = run(_by(job, way, _PATIENT), batch)
    assert (row.state, row.reason) == ("done", "")
    everything = originals(faulty, study)
    assert_is_true(row, retrieved(job.zones, batch), everything)
    if mode is not sending.Transcodes:
        assert retrieved(job.zones, batch) == everything
    assert sorted(faulty.sent) == sorted(everything.keys() - here.keys())


@pytest.mark.parametrize("mode", CAPS)
def test_no_study_is_lost_to_a_cap(job: Job, faulty: FaultyArchive, mode: type[Mode]) -> None:
    window = RequestRow(study_date_from="20210101", study_date_to="20221231")
    batch = create_request(job.zones, "cohort", "20260131", "", [window]).batch
    faulty.mode = mode
    capped = replace(job.archive, query_limit=mode.limit)
    rows = resolve_studies(replace(job, archives=(capped,)), batch)
    studies = {entry.uid_of("STUDY") for entry in faulty.everything()}
    assert len(studies) == 2 * mode.limit
    assert {row.study_key for row in rows} == {job.key.study_key(uid) for uid in studies}
    assert [row.found for row in rows] == [1] * len(studies)


def run(job: Job, batch: str) -> StudyRow:
    """The study's row after both stages. An archive that nothing could be asked of leaves none, and is tried again."""
    try:
        resolve_studies(job, batch)
        (row,) = retrieve_studies(job, batch)
    except RetryLater as error:
        return StudyRow("", "failed", error.code, 0, 0)
    return row


def _by(job: Job, way: str, timeouts: Timeouts) -> Job:
    return replace(job, archives=(replace(job.archive, retrieve=way, timeouts=timeouts),))


def assert_is_true(row: StudyRow, here: dict[str, bytes], held: dict[str, bytes]) -> None:
    """The row says what is on the disk; what is done is all that the archive holds."""
    assert sums_that_fail(row, "raw_dicom") == []
    assert row.received == len(here)
    if row.state == "done":
        assert here.keys() == held.keys()


def originals(faulty: FaultyArchive, study: DemoStudy) -> dict[str, bytes]:
    """SOPInstanceUID -> data set, of what the archive holds of the study."""
    entries = [entry for entry in faulty.everything() if entry.uid_of("STUDY") == study.study_instance_uid]
    return {entry.uid_of("IMAGE"): data_set_of(entry.path) for entry in entries}
