"""The archives that misbehave do so as their names say."""

from pathlib import Path

import pytest

from dicom_assets.demo.corpus import Corpus, DemoStudy
from tests.demo.test_archive import found, keys, pairs_of, retrieved
from tests.support.faulty_archive import AbortsInTheMiddle, DropsEveryNth, Hangs, HoldsBack, RefusesAll, SendsNothing


@pytest.fixture
def study(corpus: Corpus) -> DemoStudy:
    return next(study for study in corpus.studies if "RTSTRUCT" in study.modalities)


def _get(archive, study: DemoStudy) -> tuple[dict, list]:
    return retrieved(archive, keys("STUDY", StudyInstanceUID=study.study_instance_uid), pairs_of(study))


def test_it_drops_every_third_and_reports_success(corpus: Corpus, study: DemoStudy) -> None:
    with DropsEveryNth(corpus.folder, 3) as archive:
        received, statuses = _get(archive, study)
    assert len(received) == len(study.instances) - len(study.instances) // 3
    assert (statuses[-1].Status, statuses[-1].NumberOfCompletedSuboperations) == (0x0000, len(study.instances))


@pytest.mark.parametrize("listed", [True, False])
def test_it_holds_instances_back_until_told_otherwise(corpus: Corpus, study: DemoStudy, listed: bool) -> None:
    held = {instance.sop_instance_uid for instance in study.instances[:2]}
    asked = keys("IMAGE", StudyInstanceUID=study.study_instance_uid, SOPInstanceUID="")
    with HoldsBack(corpus.folder, held, listed=listed) as archive:
        received, statuses = _get(archive, study)
        assert set(received) == {i.sop_instance_uid for i in study.instances} - held
        assert statuses[-1].Status == 0x0000
        assert len(found(archive, asked)) == len(study.instances) - (0 if listed else 2)
        archive.release()
        received, _ = _get(archive, study)
    assert len(received) == len(study.instances)


def test_it_aborts_in_the_middle_and_then_recovers(corpus: Corpus, study: DemoStudy) -> None:
    with AbortsInTheMiddle(corpus.folder, times=1) as archive:
        received, _ = _get(archive, study)
        assert len(received) == len(study.instances) // 2
        received, _ = _get(archive, study)
        assert len(received) == len(study.instances)


@pytest.mark.parametrize(("kind", "status"), [(SendsNothing, 0x0000), (RefusesAll, 0xA702)])
def test_it_sends_nothing(corpus: Corpus, study: DemoStudy, kind: type, status: int) -> None:
    with kind(corpus.folder) as archive:
        received, statuses = _get(archive, study)
    assert received == {}
    assert statuses[-1].Status == status


def test_it_hangs_and_still_ends_with_its_block(corpus: Corpus, study: DemoStudy, tmp_path: Path) -> None:
    from tests.demo.test_archive import GET, associated

    with Hangs(corpus.folder) as archive, associated(archive.port, GET) as association:
        association.dimse_timeout = 1
        identifier = keys("STUDY", StudyInstanceUID=study.study_instance_uid)
        statuses = [status for status, _ in association.send_c_get(identifier, GET)]
    assert [len(status) for status in statuses] == [0]
