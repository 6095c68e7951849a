"""The embedded archive, asked by pynetdicom over loopback."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.associations import MENDED
from dicom_assets.demo.child import serve_in_child
from dicom_assets.demo.corpus import Corpus, DemoInstance, DemoStudy

FIND, GET = StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove


@contextmanager
def associated(port: int, *models: str, called: str = "DEMO_ARCHIVE", **more: object) -> Iterator[Association]:
    entity = AE("TESTER")
    contexts = [build_context(model) for model in models] + more.pop("contexts", [])
    handlers = [MENDED, *more.pop("evt_handlers", [])]
    association = entity.associate("127.0.0.1", port, contexts, ae_title=called, evt_handlers=handlers, **more)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def keys(level: str, **values: object) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in values.items():
        setattr(identifier, keyword, value)
    return identifier


def found(archive: EmbeddedArchive, identifier: Dataset, model: str = FIND) -> list[Dataset]:
    with associated(archive.port, model) as association:
        responses = list(association.send_c_find(identifier, model))
    assert [status.Status for status, _ in responses] == [0xFF00] * (len(responses) - 1) + [0x0000]
    return [data_set for _, data_set in responses[:-1]]


def study_of(corpus: Corpus, modality: str) -> DemoStudy:
    return next(study for study in corpus.studies if modality in study.modalities)


def test_it_answers_an_echo_under_its_own_ae_title_only(archive: EmbeddedArchive) -> None:
    with associated(archive.port, Verification) as association:
        assert association.send_c_echo().Status == 0x0000
    with associated(archive.port, Verification, called="SOMEBODY") as association:
        assert association.is_rejected


def test_an_empty_query_finds_every_study_with_its_counts(archive: EmbeddedArchive, corpus: Corpus) -> None:
    asked = keys("STUDY", StudyInstanceUID="", PatientName="", PatientID="", ModalitiesInStudy="", StudyDate="")
    asked.NumberOfStudyRelatedSeries = asked.NumberOfStudyRelatedInstances = None
    answers = {answer.StudyInstanceUID: answer for answer in found(archive, asked)}
    assert set(answers) == {study.study_instance_uid for study in corpus.studies}
    for study in corpus.studies:
        answer = answers[study.study_instance_uid]
        assert answer.NumberOfStudyRelatedInstances == len(study.instances)
        assert answer.NumberOfStudyRelatedSeries == len({i.series_instance_uid for i in study.instances})
        modalities = answer.ModalitiesInStudy
        assert sorted([modalities] if isinstance(modalities, str) else modalities) == list(study.modalities)
        assert (answer.PatientID, answer.StudyDate) == (study.patient_id, study.study_date)
        assert str(answer.PatientName) == study.patient_name


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"PatientID": "0012345"}, {"0012345"}),
        ({"PatientID": "12345"}, set()),
        ({"PatientID": "00123*"}, {"0012345"}),
        ({"PatientID": "001234?"}, {"0012345"}),
        ({"PatientID": "jp-0078120"}, set()),
        ({"PatientID": "*"}, None),
        ({"PatientName": "SCHMIDT^maria"}, {"0012345"}),
        ({"PatientName": "schmi*"}, {"0012345"}),
        ({"PatientName": "Schmi"}, set()),
        ({"PatientName": "山寺*"}, {"JP-0078120"}),
        ({"PatientName": "müller*"}, {"00471100"}),
        ({"PatientName": "*светозара"}, {"RU-661204"}),
        ({"PatientBirthDate": "19570423"}, {"0012345"}),
        ({"PatientID": "0012345", "ModalitiesInStudy": "CR"}, {"0012345"}),
        ({"PatientID": "0012345", "ModalitiesInStudy": "MR"}, set()),
        ({"ModalitiesInStudy": ["PT", "RTSTRUCT"]}, {"KR0055613", "0012345"}),
        ({"StudyDate": "20210311"}, {"0012345"}),
        ({"StudyDate": "20210311-20210503"}, {"0012345"}),
        ({"StudyDate": "-20210310"}, set()),
        ({"StudyDate": "-20210311"}, {"0012345"}),
        ({"StudyDate": "20220601-"}, {"HX-98123-B"}),
        ({"StudyDate": "20210311", "StudyTime": "0800-0801"}, {"0012345"}),
        ({"StudyDate": "20210311", "StudyTime": "0801-0900"}, set()),
        ({"StudyDate": "20210311", "StudyTime": "-080017"}, {"0012345"}),
    ],
)
def test_keys_match_as_the_standard_says(
    archive: EmbeddedArchive, corpus: Corpus, asked: dict, ids: set[str] | None
) -> None:
    answers = found(archive, keys("STUDY", **{"PatientID": "", **asked}))
    assert {answer.PatientID for answer in answers} == (
        ids or ({s.patient_id for s in corpus.studies} if ids is None else ids)
    )


def test_a_list_of_uids_finds_those_studies(archive: EmbeddedArchive, corpus: Corpus) -> None:
    wanted = [study.study_instance_uid for study in corpus.studies[1:4]]
    answers = found(archive, keys("STUDY", StudyInstanceUID=[*wanted, "1.2.3"]))
    assert sorted(answer.StudyInstanceUID for answer in answers) == sorted(wanted)


def test_series_and_images_are_listed(archive: EmbeddedArchive, corpus: Corpus) -> None:
    study = study_of(corpus, "RTSTRUCT")
    asked = keys("SERIES", StudyInstanceUID=study.study_instance_uid, SeriesInstanceUID="", Modality="")
    asked.NumberOfSeriesRelatedInstances = None
    series = {answer.SeriesInstanceUID: answer for answer in found(archive, asked)}
    for uid, answer in series.items():
        assert answer.NumberOfSeriesRelatedInstances == sum(i.series_instance_uid == uid for i in study.instances)
    asked = keys("IMAGE", StudyInstanceUID=study.study_instance_uid, SOPInstanceUID="", SOPClassUID="")
    images = {answer.SOPInstanceUID: answer.SOPClassUID for answer in found(archive, asked)}
    assert images == {i.sop_instance_uid: i.sop_class_uid for i in study.instances}
    asked.SeriesInstanceUID = study.instances[0].series_instance_uid
    assert len(found(archive, asked)) == sum(i.modality == "CT" for i in study.instances)


def test_patient_root_lists_patients(archive: EmbeddedArchive, corpus: Corpus) -> None:
    asked = keys("PATIENT", PatientID="", PatientName="")
    answers = found(archive, asked, PatientRootQueryRetrieveInformationModelFind)
    assert sorted(answer.PatientID for answer in answers) == sorted({study.patient_id for study in corpus.studies})


def test_a_level_that_the_model_does_not_know_is_refused(archive: EmbeddedArchive) -> None:
    with associated(archive.port, FIND) as association:
        ((status, _),) = association.send_c_find(keys("PATIENT", PatientID=""), FIND)
    assert status.Status == 0xA900


def retrieved(archive: EmbeddedArchive, identifier: Dataset, pairs: set[tuple[str, str]]) -> tuple[dict, list[Dataset]]:
    """SOPInstanceUID -> the encoded data set as it came; and all statuses. pairs: SOP class and transfer syntax."""
    received: dict[str, bytes] = {}

    def keep(event: evt.Event) -> int:
        received[event.request.AffectedSOPInstanceUID] = event.encoded_dataset(include_meta=False)
        return 0x0000

    more = {
        "contexts": [build_context(*pair) for pair in sorted(pairs)],
        "ext_neg": [build_role(sop_class, scp_role=True) for sop_class in sorted({pair[0] for pair in pairs})],
        "evt_handlers": [(evt.EVT_C_STORE, keep)],
    }
    with associated(archive.port, GET, **more) as association:
        statuses = [status for status, _ in association.send_c_get(identifier, GET)]
    return received, statuses


def stored_content(corpus: Corpus, instance: DemoInstance) -> bytes:
    """What follows the file meta."""
    path = corpus.folder / instance.path
    with path.open("rb") as file:
        length = dcmread(path, specific_tags=[]).file_meta.FileMetaInformationGroupLength
        file.seek(128 + 4 + 12 + length)
        return file.read()


def pairs_of(study: DemoStudy) -> set[tuple[str, str]]:
    return {(instance.sop_class_uid, instance.transfer_syntax_uid) for instance in study.instances}


def test_c_get_brings_every_instance_of_each_study_as_it_is_stored(archive: EmbeddedArchive, corpus: Corpus) -> None:
    for study in corpus.studies:
        identifier = keys("STUDY", StudyInstanceUID=study.study_instance_uid)
        received, statuses = retrieved(archive, identifier, pairs_of(study))
        assert received == {i.sop_instance_uid: stored_content(corpus, i) for i in study.instances}
        assert statuses[-1].Status == 0x0000
        assert statuses[-1].NumberOfCompletedSuboperations == len(study.instances)


def test_c_get_of_a_series_and_of_listed_images(archive: EmbeddedArchive, corpus: Corpus) -> None:
    study = study_of(corpus, "RTSTRUCT")
    series = study.instances[0].series_instance_uid
    upper = {"StudyInstanceUID": study.study_instance_uid}
    received, _ = retrieved(archive, keys("SERIES", **upper, SeriesInstanceUID=series), pairs_of(study))
    assert set(received) == {i.sop_instance_uid for i in study.instances if i.series_instance_uid == series}
    wanted = [study.instances[1].sop_instance_uid, study.instances[3].sop_instance_uid]
    identifier = keys("IMAGE", **upper, SeriesInstanceUID=series, SOPInstanceUID=wanted)
    received, _ = retrieved(archive, identifier, pairs_of(study))
    assert set(received) == set(wanted)


def test_a_transfer_syntax_that_was_not_accepted_fails_that_suboperation(
    archive: EmbeddedArchive, corpus: Corpus
) -> None:
    study = next(study for study in corpus.studies if len({i.transfer_syntax_uid for i in study.instances}) > 3)
    accepted = {pair for pair in pairs_of(study) if pair[1] == "1.2.840.10008.1.2.1"}
    identifier = keys("STUDY", StudyInstanceUID=study.study_instance_uid)
    received, statuses = retrieved(archive, identifier, accepted)
    plain = [i for i in study.instances if i.transfer_syntax_uid == "1.2.840.10008.1.2.1"]
    assert set(received) == {i.sop_instance_uid for i in plain}
    assert statuses[-1].Status == 0xB000
    assert statuses[-1].NumberOfCompletedSuboperations == len(plain)
    assert statuses[-1].NumberOfFailedSuboperations == len(study.instances) - len(plain)


def test_implicit_vr_is_not_transcoded(archive: EmbeddedArchive, corpus: Corpus) -> None:
    study = next(s for s in corpus.studies if any(i.transfer_syntax_uid == "1.2.840.10008.1.2" for i in s.instances))
    identifier = keys("STUDY", StudyInstanceUID=study.study_instance_uid)
    wrong = {(sop_class, "1.2.840.10008.1.2.1") for sop_class, _ in pairs_of(study)}
    received, statuses = retrieved(archive, identifier, wrong)
    assert (received, statuses[-1].Status) == ({}, 0xA702)


def test_a_retrieval_that_names_nothing_is_refused_and_one_that_finds_nothing_succeeds(
    archive: EmbeddedArchive, corpus: Corpus
) -> None:
    pairs = pairs_of(corpus.studies[0])
    _, statuses = retrieved(archive, keys("STUDY", StudyInstanceUID=""), pairs)
    assert statuses[-1].Status == 0xA900
    received, statuses = retrieved(archive, keys("STUDY", StudyInstanceUID="1.2.3"), pairs)
    assert (received, statuses[-1].Status) == ({}, 0x0000)


def test_an_unknown_move_destination_answers_a801(archive: EmbeddedArchive, corpus: Corpus) -> None:
    identifier = keys("STUDY", StudyInstanceUID=corpus.studies[0].study_instance_uid)
    with associated(archive.port, MOVE) as association:
        statuses = [status.Status for status, _ in association.send_c_move(identifier, "NOBODY", MOVE)]
    assert statuses == [0xA801]


def test_what_is_stored_is_found_at_once_and_after_a_restart(corpus: Corpus, tmp_path: Path) -> None:
    instance = next(i for i in corpus.instances if i.modality == "CT")
    asked = keys("IMAGE", StudyInstanceUID="", SOPInstanceUID=instance.sop_instance_uid)
    with EmbeddedArchive(tmp_path) as archive:
        assert found(archive, asked) == []
        context = build_context(CTImageStorage, instance.transfer_syntax_uid)
        with associated(archive.port, contexts=[context]) as association:
            assert association.send_c_store(corpus.folder / instance.path).Status == 0x0000
        assert len(found(archive, asked)) == 1
    with EmbeddedArchive(tmp_path) as archive:
        assert len(found(archive, asked)) == 1
        (entry,) = archive.instances()
        assert dcmread(entry.path).PixelData == dcmread(corpus.folder / instance.path).PixelData


def test_it_runs_in_a_process_of_its_own(corpus: Corpus) -> None:
    with serve_in_child(corpus.folder, "OTHER_TITLE") as port, associated(port, FIND, called="OTHER_TITLE") as one:
        assert len(list(one.send_c_find(keys("STUDY", StudyInstanceUID=""), FIND))) == len(corpus.studies) + 1
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_process_ends_when_its_parent_is_killed(corpus: Corpus, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom dicom_assets.demo.child import serve_in_child\n"
        "if __name__ == '__main__':\n"
        "    with serve_in_child(Path(sys.argv[1])) as port:\n"
        "        print(port, flush=True)\n        time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, script, corpus.folder], stdout=subprocess.PIPE, text=True) as parent:
        port = int(parent.stdout.readline())
        parent.kill()
        parent.stdout.read()  # ends when the child, which has the same stdout, is gone too
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
