from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_assets.batches.key import check_key
from dicom_assets.batches.planning import Plan, write_batches
from dicom_assets.batches.request import RequestRow, create_request, list_batches, load_request
from dicom_assets.errors import BadInput
from dicom_assets.storage.zones import Zones


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path / "restricted", tmp_path / "released")


def test_a_request_is_read_as_it_was_written(zones: Zones) -> None:
    row = RequestRow(patient_id="0012345", modalities=("CT", "MR"), pseudonym="S-01")
    request = create_request(zones, "cohort", "20260131", "Müller's cohort", [row])
    assert request.batch == "cohort-20260131-001"
    assert load_request(zones, request.batch) == request


def test_keys_are_never_given_twice_even_by_many_at_once(zones: Zones) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_request(zones, "nightly", "20260131", "", []).batch, range(40)))
    assert len(set(made)) == 40
    assert list_batches(zones) == sorted(made)


@pytest.mark.parametrize("key", ["", "../../etc", "cohort-20260131", "Cohort-20260131-001", "cohort-2026-001-001", "x"])
def test_what_is_no_key_never_becomes_a_path(key: str) -> None:
    with pytest.raises(BadInput, match="BATCH_KEY_MALFORMED"):
        check_key(key)


def test_a_damaged_request_is_refused(zones: Zones) -> None:
    batch = create_request(zones, "cohort", "20260131", "", []).batch
    zones.request(batch).write_text('{"batch": 1}')
    with pytest.raises(BadInput, match="SEALED_TABLE_DAMAGED"):
        load_request(zones, batch)


def test_a_batch_holds_at_most_250_studies_and_50000_instances(zones: Zones) -> None:
    rows = tuple(RequestRow(study_instance_uid=f"1.2.{number}") for number in range(600))
    by_studies = write_batches(zones, "cohort", "20260131", "", Plan(rows, (1,) * 600))
    assert [len(request.rows) for request in by_studies] == [250, 250, 100]
    by_instances = write_batches(zones, "cohort", "20260131", "", Plan(rows[:5], (30_000,) * 5))
    assert [len(request.rows) for request in by_instances] == [1, 1, 1, 1, 1]
    assert sum((request.rows for request in by_studies), ()) == rows
