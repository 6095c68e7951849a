"""QIDO-RS, WADO-RS and STOW-RS against the plug-in of a real Orthanc."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.find import find_expected, find_studies
from dicom_assets.pacs.part10 import read_head
from dicom_assets.pacs.qido import echo_dicomweb
from dicom_assets.pacs.query import StudyMatch, StudyQuery
from dicom_assets.pacs.retrieve import retrieve_instances
from dicom_assets.pacs.send import STORED, Answer, Parcel
from dicom_assets.pacs.stow import converse_by_stow
from tests.pacs.conftest import PATIENT, Filled
from tests.pacs.peers import Kept, keeping
from tests.support.orthanc import running_orthanc
from tests.support.programs import needs

pytestmark = needs("Orthanc")


@pytest.fixture
def web(filled: Filled) -> Archive:
    """The same archive without its DICOM port."""
    return replace(filled.archive, host="", port=0, retrieve="dicomweb", dicomweb_url=filled.orthanc.dicomweb_url)


def test_echo_succeeds(web: Archive) -> None:
    echo_dicomweb(web)


@pytest.mark.parametrize(
    "query",
    [
        StudyQuery(),
        StudyQuery(patient_id="0012345"),
        StudyQuery(patient_id="nobody"),
        StudyQuery(accession_number="ACC0002"),
        StudyQuery(study_instance_uid="1.2.826.0.1.3680043.10.1337.77.1"),
        StudyQuery(date_from="20240131", date_to="20240131"),
        StudyQuery(date_from="20240101", date_to="20241231"),
        StudyQuery(date_from="20250101"),
        StudyQuery(modalities=("CT",)),
        StudyQuery(modalities=("CT", "MR")),
    ],
)
def test_qido_finds_what_c_find_finds(filled: Filled, web: Archive, query: StudyQuery) -> None:
    assert comparable(find_studies(web, query)) == comparable(find_studies(filled.archive, query))


def comparable(matches: list[StudyMatch]) -> list[StudyMatch]:
    """Without what the instances of our studies differ in: Orthanc takes it now from one of them, now from another."""
    return [replace(match, study_time="", study_description="") for match in matches]


def test_qido_lists_the_instances_that_c_find_lists(filled: Filled, web: Archive) -> None:
    for study in (filled.mixed, filled.many_classes):
        listed = find_expected(web, study.study_instance_uid)
        assert listed == find_expected(filled.archive, study.study_instance_uid)
        assert {match.sop_instance_uid for match in listed.instances} == study.uids


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_wado_brings_every_instance_as_it_is_stored(filled: Filled, web: Archive, level: str) -> None:
    shelf: dict[str, Kept] = {}
    store = keeping(lambda instance: shelf.__setitem__(instance.sop_instance_uid, instance))
    report = retrieve_instances(web, filled.mixed.study_instance_uid, filled.listed, store, level=level)
    assert (report.instances, report.completed, report.failed, report.reason) == (11, 11, 0, "")
    assert {uid: instance.transfer_syntax_uid for uid, instance in shelf.items()} == filled.mixed.syntaxes
    for uid, instance in shelf.items():
        held = filled.held[uid]
        assert instance.data == held[read_head(held).data_at :]


def test_stow_stores_every_instance_and_names_what_it_does_not(filled: Filled, tmp_path: Path) -> None:
    def parcel(uid: str, file: bytes) -> Parcel:
        return Parcel(uid, "", uid, "", lambda: io.BytesIO(file), 0, len(file))

    parcels = [parcel(uid, file) for uid, file in filled.held.items()]
    with running_orthanc(tmp_path) as destination:
        archive = Archive("", 0, "", "DICOM_ASSETS", timeouts=PATIENT, dicomweb_url=destination.dicomweb_url)
        answers = list(converse_by_stow(archive, [*parcels, parcel("1.2.3", b"no DICOM at all")]))
        held = destination.files()
    assert held == filled.held
    assert {one.name: answer for one, answer in answers if answer == Answer(STORED, "", 0)}.keys() == held.keys()
    assert [(one.name, answer.reason) for one, answer in answers if answer.outcome != STORED] == [
        ("1.2.3", "SEND_NOT_CONFIRMED")
    ]
