"""What we vouch for: an instance is found wherever it has got to, and nowhere else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_assets.storage import held as module
from dicom_assets.storage.held import Holdings
from dicom_assets.storage.inbox import Inbox
from dicom_assets.storage.incoming import Incoming, claim, waiting_studies
from dicom_assets.storage.manifests import RawInstance, manifest_of
from dicom_assets.storage.mapping import MappedStudy, write_part
from dicom_assets.storage.quarantine import not_staged
from dicom_assets.storage.set_aside import CONFLICT, SetAsideFolder
from dicom_assets.storage.tables import write_sealed
from dicom_assets.storage.zones import Zones
from tests.storage.arriving import CT, STUDY, file_name, incoming_at, push, study_key

BATCH, KEY = "arrival-20260131-001", study_key(STUDY)


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path / "restricted", tmp_path / "released")


@pytest.fixture
def incoming(zones: Zones) -> Iterator[Incoming]:
    with incoming_at(zones.incoming).opened() as opened:
        yield opened


@pytest.fixture(params=["remembered", "after a restart"])
def holdings(request: pytest.FixtureRequest, zones: Zones, incoming: Incoming) -> Holdings:
    found = Holdings(zones, file_name)
    if request.param == "remembered":
        incoming.on_kept = found.remember
    return found


def claimed(zones: Zones) -> Path:
    """The study's folder in the batch that has claimed it."""
    target = zones.raw(BATCH, KEY)
    target.parent.mkdir(parents=True)
    (study,) = waiting_studies(zones.incoming)
    assert claim(study, target)
    return target


def test_nothing_is_held_where_nothing_came(zones: Zones) -> None:
    assert Holdings(zones, file_name).find(["1.2.1"]) == {}


def test_what_waits_is_held_and_of_its_class(holdings: Holdings, incoming: Incoming) -> None:
    push(incoming, "1.2.1")
    push(incoming, "1.2.2", study=f"{STUDY}.7")
    assert holdings.find(["1.2.1", "1.2.2", "1.2.3"]) == {"1.2.1": CT, "1.2.2": CT}


def test_what_a_run_waits_for_is_held(holdings: Holdings, incoming: Incoming) -> None:
    with Inbox(incoming.folder, KEY) as inbox:
        inbox.open()
        push(incoming, "1.2.1")
        assert holdings.find(["1.2.1"]) == {"1.2.1": CT}


def test_what_a_batch_has_claimed_is_held(holdings: Holdings, incoming: Incoming, zones: Zones) -> None:
    push(incoming, "1.2.1")
    claimed(zones)
    assert holdings.find(["1.2.1", "1.2.2"]) == {"1.2.1": CT}


def test_what_is_in_quarantine_is_held(holdings: Holdings, incoming: Incoming, zones: Zones) -> None:
    push(incoming, "1.2.1")
    aside = SetAsideFolder(zones.quarantine(BATCH, KEY), file_name)
    aside.take(claimed(zones) / file_name("1.2.1"), "1.2.1", CONFLICT, "0" * 64)
    aside.write()
    assert holdings.find(["1.2.1"]) == {"1.2.1": CT}


def _mapped(zones: Zones, *, is_released: bool) -> None:
    """The original is gone, the mapping has its row."""
    folder = zones.raw(BATCH, KEY)
    raw = RawInstance(file_name("1.2.1"), "1.2.1", CT, "1.2.840.10008.1.2.1", 1, "0" * 64)
    write_sealed(manifest_of(folder), [raw], RawInstance)
    (folder / raw.file).unlink()
    staged = replace(not_staged(raw.file, "1.2.1"), released_path="p/s/e/i.dcm")
    write_part(zones, BATCH, [MappedStudy(KEY, (staged,))])
    if is_released:
        (zones.released / "p/s/e").mkdir(parents=True)
        (zones.released / "p/s/e/i.dcm").touch()


@pytest.mark.parametrize("is_released", [True, False])
def test_what_lost_its_original_is_held_as_long_as_it_is_released(
    holdings: Holdings, incoming: Incoming, zones: Zones, is_released: bool
) -> None:
    push(incoming, "1.2.1")
    claimed(zones)
    _mapped(zones, is_released=is_released)
    assert holdings.find(["1.2.1"]) == ({"1.2.1": CT} if is_released else {})


def test_only_so_many_are_remembered(zones: Zones, incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECENT", 2)
    holdings = Holdings(zones, file_name)
    incoming.on_kept = holdings.remember
    for number in (1, 2, 3, 2):
        push(incoming, f"1.2.{number}")
    assert list(holdings._recent) == ["1.2.3", "1.2.2"]
    assert set(holdings.find(["1.2.1", "1.2.2", "1.2.3"])) == {"1.2.1", "1.2.2", "1.2.3"}


@pytest.mark.parametrize(
    ("named", "is_complete"),
    [
        (["1.2.1", "1.2.2"], True),
        (["1.2.1", "1.2.2", "1.2.3"], True),
        (["1.2.1"], False),
        (["1.2.3"], False),
    ],
)
def test_who_names_all_that_is_there_has_said_how_many_there_are(
    zones: Zones, incoming: Incoming, named: list[str], is_complete: bool
) -> None:
    holdings = Holdings(zones, file_name)
    incoming.on_kept = holdings.remember
    push(incoming, "1.2.1")
    push(incoming, "1.2.2")
    push(incoming, "1.2.3", study=f"{STUDY}.7")
    holdings.declare_complete(named, incoming.declare_complete)
    complete = {study.study_key: study.is_complete for study in waiting_studies(incoming.folder)}
    assert complete == {KEY: is_complete, study_key(f"{STUDY}.7"): False}, "one instance alone says nothing"


def test_of_a_study_that_was_claimed_meanwhile_nothing_is_said(zones: Zones, incoming: Incoming) -> None:
    holdings = Holdings(zones, file_name)
    incoming.on_kept = holdings.remember
    push(incoming, "1.2.1")
    push(incoming, "1.2.2")
    claimed(zones)
    holdings.declare_complete(["1.2.1", "1.2.2"], incoming.declare_complete)
    assert waiting_studies(incoming.folder) == []
