"""The embedded archive, asked by dcmtk's programs."""

import re
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_assets.demo.archive import EmbeddedArchive
from dicom_assets.demo.corpus import Corpus, DemoStudy
from tests.support.ports import free_port
from tests.support.programs import needs, run


def _plain_study(corpus: Corpus) -> DemoStudy:
    return next(study for study in corpus.studies if "RTSTRUCT" in study.modalities)


def _received(folder: Path) -> set[str]:
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.iterdir()}


@needs("echoscu")
def test_echoscu_is_answered_and_a_wrong_title_rejected(archive: EmbeddedArchive) -> None:
    assert run("echoscu", "-aec", archive.ae_title, "127.0.0.1", archive.port).returncode == 0
    refused = run("echoscu", "-aec", "SOMEBODY", "127.0.0.1", archive.port)
    assert refused.returncode != 0
    assert "Called AE Title Not Recognized" in refused.stdout


@needs("findscu")
@pytest.mark.parametrize("root", ["-S", "-P"])
def test_findscu_lists_the_images_of_a_study(archive: EmbeddedArchive, corpus: Corpus, root: str) -> None:
    study = _plain_study(corpus)
    wanted = ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={study.study_instance_uid}", "SOPInstanceUID"]
    wanted += ["SeriesInstanceUID", f"PatientID={study.patient_id}"]
    arguments = [part for key in wanted for part in ("-k", key)]
    answer = run("findscu", root, "-v", "-aec", archive.ae_title, "127.0.0.1", archive.port, *arguments)
    assert answer.returncode == 0
    uids = set(re.findall(r"\(0008,0018\) UI \[([0-9.]+)", answer.stdout))
    assert uids == {instance.sop_instance_uid for instance in study.instances}


@needs("findscu")
@pytest.mark.parametrize(("name", "number"), [("schmidt*", 2), ("*^ROSE", 1), ("?oung*", 1), ("nobody*", 0)])
def test_findscu_matches_wildcards(archive: EmbeddedArchive, name: str, number: int) -> None:
    wanted = ["QueryRetrieveLevel=STUDY", f"PatientName={name}", "StudyInstanceUID", "NumberOfStudyRelatedInstances"]
    arguments = [part for key in wanted for part in ("-k", key)]
    answer = run("findscu", "-S", "-v", "-aec", archive.ae_title, "127.0.0.1", archive.port, *arguments)
    assert answer.returncode == 0
    assert answer.stdout.count("Pending)") == number


@needs("getscu")
def test_getscu_retrieves_a_study(archive: EmbeddedArchive, corpus: Corpus, incoming: Path) -> None:
    study = _plain_study(corpus)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study.study_instance_uid}")
    answer = run("getscu", "-S", "-aec", archive.ae_title, "-od", incoming, "127.0.0.1", archive.port, *keys)
    assert answer.returncode == 0, answer.stdout
    assert _received(incoming) == {instance.sop_instance_uid for instance in study.instances}


@needs("movescu")
def test_movescu_retrieves_studies_in_any_transfer_syntax_to_its_own_receiver(corpus: Corpus, incoming: Path) -> None:
    port = free_port()
    studies = [study for study in corpus.studies if {"OT", "PT"} & set(study.modalities)]
    with EmbeddedArchive(corpus.folder, known_peers={"MOVER": ("127.0.0.1", port)}) as archive:
        for study in studies:
            keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study.study_instance_uid}")
            titles = ("-aet", "MOVER", "-aec", archive.ae_title, "-aem", "MOVER")
            target = ("+P", port, "-od", incoming, "127.0.0.1", archive.port)
            answer = run("movescu", "-S", "+xa", *titles, *target, *keys)
            assert answer.returncode == 0, answer.stdout
    assert _received(incoming) == {instance.sop_instance_uid for study in studies for instance in study.instances}


@needs("movescu")
def test_movescu_hears_of_an_unknown_destination(archive: EmbeddedArchive, corpus: Corpus) -> None:
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={corpus.studies[0].study_instance_uid}")
    answer = run("movescu", "-v", "-S", "-aec", archive.ae_title, "-aem", "NOBODY", "127.0.0.1", archive.port, *keys)
    assert "MoveDestinationUnknown" in answer.stdout
