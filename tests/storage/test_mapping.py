"""The mapping's parts are read back as they were written, and exported as a table that any program reads."""

import csv
import json
from pathlib import Path

import pytest

from dicom_assets.storage.audit import last_lines
from dicom_assets.storage.columns import COLUMNS
from dicom_assets.storage.manifests import StagedInstance
from dicom_assets.storage.mapping import (
    MappedStudy,
    export_csv,
    key_ids_in_use,
    pseudonyms_in_use,
    read_part,
    write_part,
)
from dicom_assets.storage.zones import Zones

HARD = ('0007, "old"', "with\nline feed", "Ünïcode", "", "=1+1")


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path / "restricted", tmp_path / "released")


def instance(number: int, patient_id: str = "0012345", reason: str = "") -> StagedInstance:
    return StagedInstance(
        raw_file=f"{number}.dcm", raw_sha256=f"a{number}", reason=reason, file=f"2.25.{number}.dcm",
        released_path=f"P-1/2.25.1/2.25.2/2.25.{number}.dcm", sha256=f"b{number}", modality="CT",
        sop_instance_uid=f"1.2.{number}", original_patient_id=patient_id, patient_pseudonym="P-1",
        tags=("PatientName", "PatientID"), uids=((f"1.2.{number}", f"2.25.{number}"),), uid_tags=("SOPInstanceUID",),
        profile_digest="d", key_id="k+given",
    )  # fmt: skip


def test_a_part_has_a_row_for_each_de_identified_instance(zones: Zones) -> None:
    assert write_part(zones, "b-1", [MappedStudy("S-1", (instance(2), instance(1), instance(3, reason="NOT_DICOM")))])
    part = read_part(zones, "b-1", why="a test")
    assert part["Anonymized Filename"] == [f"P-1/2.25.1/2.25.2/2.25.{number}.dcm" for number in (1, 2)]
    assert part["Original Filename"] == ["b-1/S-1/1.dcm", "b-1/S-1/2.dcm"]
    assert [json.loads(uids) for uids in part["uids"]] == [{"1.2.1": "2.25.1"}, {"1.2.2": "2.25.2"}]
    assert key_ids_in_use(zones) == {"k"}
    assert pseudonyms_in_use(zones, but_not="b-2") == {"0012345": "P-1"}
    assert pseudonyms_in_use(zones, but_not="b-1") == {}


def test_a_batch_without_a_part_has_the_columns_and_no_rows(zones: Zones) -> None:
    part = read_part(zones, "b-1", why="a test")
    assert set(part) > set(COLUMNS)
    assert not any(part.values())
    write_part(zones, "b-1", [])
    assert read_part(zones, "b-1", why="a test") == part
    assert key_ids_in_use(zones) == set()


def test_the_export_has_every_value_as_it_is(zones: Zones, tmp_path: Path) -> None:
    ids = dict(enumerate(HARD))
    write_part(zones, "b-1", [MappedStudy("S-1", tuple(instance(number, value) for number, value in ids.items()))])
    write_part(zones, "b-2", [MappedStudy("S-2", (instance(9),))])
    assert export_csv(zones, ["b-1", "b-2"], tmp_path / "out.csv") == len(HARD) + 1
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert [row[header.index("Original Patient ID")] for row in rows] == [*HARD, "0012345"]
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    (line,) = last_lines(zones, 1)
    assert (line.event, line.subject) == ("mapping export", "b-1,b-2")


def test_an_export_of_nothing_is_a_header(zones: Zones, tmp_path: Path) -> None:
    assert export_csv(zones, [], tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_text() == ",".join(COLUMNS) + "\n"
