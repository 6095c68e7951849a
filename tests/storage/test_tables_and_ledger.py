from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dicom_assets.storage.ledger import STAGES, StudyRow, latest_rows, read_stage, sums_that_fail, write_stage
from dicom_assets.storage.manifests import StagedInstance
from dicom_assets.storage.tables import read_rows, to_parquet, write_rows
from dicom_assets.storage.zones import Zones

ROW = StudyRow("s1", "done", "", 1, 10, received=10, deidentified=9, quarantined=1, released=9)
STAGED = StagedInstance(
    "a.dcm", "00", "", "b.dcm", "P/1/2/b.dcm", "11", "CT", "1.2", "0012345", "P", ("PatientName",),
    (("1.2", "2.25.1"),), ("SOPInstanceUID",), "digest", "key",
)  # fmt: skip


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.parquet", [STAGED, replace(STAGED, uids=(), tags=())], StagedInstance)
    assert read_rows(tmp_path / "t.parquet", StagedInstance) == [STAGED, replace(STAGED, uids=(), tags=())]
    assert read_rows(tmp_path / "none.parquet", StagedInstance) == []


def test_a_column_that_an_older_file_lacks_has_its_default(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.parquet", [ROW], StudyRow)
    table = pq.read_table(tmp_path / "t.parquet").drop_columns(["proved_by"])
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_rows(tmp_path / "t.parquet", StudyRow) == [ROW]


def test_the_same_rows_are_the_same_bytes() -> None:
    assert to_parquet([ROW], StudyRow) == to_parquet([ROW], StudyRow)


def test_an_unknown_count_stays_unknown(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.parquet", [replace(ROW, expected=None)], StudyRow)
    assert read_rows(tmp_path / "t.parquet", StudyRow)[0].expected is None


@pytest.mark.parametrize(
    ("changes", "sums"),
    [
        ({}, []),
        ({"expected": None}, []),
        ({"expected": 11}, ["expected_is_received_plus_missing"]),
        ({"expected": 11, "missing": 1}, []),
        ({"quarantined": 0}, ["received_is_deidentified_plus_quarantined"]),
        ({"released": 8}, ["deidentified_is_released_plus_withheld"]),
        ({"released": 8, "withheld": 1}, []),
        ({"found": 2}, ["found_is_0_or_1"]),
    ],
)
def test_the_sums_of_a_row(changes: dict, sums: list[str]) -> None:
    assert sums_that_fail(replace(ROW, **changes), "validation_report") == sums


def test_a_stage_that_changes_takes_the_later_stages_rows_with_it(tmp_path: Path) -> None:
    zones = Zones(tmp_path / "restricted", tmp_path / "released")
    for stage in STAGES:
        write_stage(zones, "cohort-20260131-001", stage, [ROW])
    write_stage(zones, "cohort-20260131-001", "raw_dicom", [ROW])
    assert latest_rows(zones, "cohort-20260131-001") == ("validation_report", [ROW])
    write_stage(zones, "cohort-20260131-001", "raw_dicom", [replace(ROW, received=9, missing=1)])
    assert latest_rows(zones, "cohort-20260131-001")[0] == "raw_dicom"
    assert read_stage(zones, "cohort-20260131-001", "pacs_studies") == [ROW]
