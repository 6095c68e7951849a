"""The mapping between originals and what was made of them: one Parquet part a batch, for mapping keepers only."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .atomic import write_file, write_if_changed
from .audit import Event, record
from .columns import COLUMNS
from .manifests import StagedInstance
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER, Zones

_MORE = ("batch", "study_key", "uids", "profile_digest", "key_id", "sha256_original", "sha256_anonymized")
_SCHEMA = pa.schema([(name, pa.string()) for name in (*COLUMNS, *_MORE)])


@dataclass(frozen=True)
class MappedStudy:
    study_key: str
    instances: tuple[StagedInstance, ...]


def write_part(zones: Zones, batch: str, studies: Iterable[MappedStudy]) -> bool:
    """One row a de-identified instance. `Original Filename` is relative to the raw zone, `Anonymized Filename` to the
    released root; `uids` is JSON, old UID -> new UID. True where the part was written, False where it was there."""
    rows = [_record(batch, study.study_key, one) for study in studies for one in study.instances if not one.reason]
    rows.sort(key=lambda row: row["Anonymized Filename"])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer)
    return write_if_changed(zones.mapping(batch), buffer.getvalue(), RESTRICTED_FILE, RESTRICTED_FOLDER)


def _record(batch: str, study_key: str, instance: StagedInstance) -> dict[str, str]:
    return {
        "Original Filename": f"{batch}/{study_key}/{instance.raw_file}",
        "Anonymized Filename": instance.released_path,
        "Original Patient ID": instance.original_patient_id,
        "Anonymized ID": instance.patient_pseudonym,
        "Tags Anonymized": "; ".join(instance.tags),
        "UIDs Regenerated": "; ".join(instance.uid_tags),
        "batch": batch,
        "study_key": study_key,
        "uids": json.dumps(dict(instance.uids), sort_keys=True),
        "profile_digest": instance.profile_digest,
        "key_id": instance.key_id,
        "sha256_original": instance.raw_sha256,
        "sha256_anonymized": instance.sha256,
    }


def read_part(zones: Zones, batch: str, columns: Sequence[str] = tuple(_SCHEMA.names)) -> dict[str, list[str]]:
    """The values of these columns, all as text; no values where the batch has no part yet."""
    path = zones.mapping(batch)
    if not path.is_file():
        return {name: [] for name in columns}
    table = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(list(columns), use_threads=False)
    return table.select(list(columns)).to_pydict()


def mapped_batches(zones: Zones) -> list[str]:
    return sorted(path.stem for path in zones.mapping_folder.glob("*.parquet")) if zones.mapping_folder.is_dir() else []


def key_ids_in_use(zones: Zones) -> set[str]:
    """Ids of the pseudonym keys that made the mapping's parts (one a part: a batch is made with one key)."""
    parts = (read_part(zones, batch, ("key_id",))["key_id"] for batch in mapped_batches(zones))
    return {part[0].partition("+")[0] for part in parts if part}


def pseudonyms_in_use(zones: Zones, but_not: str) -> dict[str, str]:
    """Original patient ID -> pseudonym over all batches but one."""
    in_use: dict[str, str] = {}
    for batch in mapped_batches(zones):
        if batch != but_not:
            part = read_part(zones, batch, ("Original Patient ID", "Anonymized ID"))
            in_use.update(zip(part["Original Patient ID"], part["Anonymized ID"], strict=True))
    return in_use


def export_csv(zones: Zones, batches: Iterable[str], out: Path) -> int:
    """The six columns of these batches; rows written. The line in the audit log comes before the file."""
    batches = list(batches)
    record(zones, Event.MAPPING_EXPORT, ",".join(batches))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = 0
    for batch in batches:
        part = read_part(zones, batch)
        writer.writerows(zip(*(part[name] for name in COLUMNS), strict=True))
        rows += len(part["batch"])
    write_file(out, table.getvalue().encode("utf-8", "surrogateescape"), RESTRICTED_FILE)
    return rows
