"""The mapping between originals and what was made of them: one sealed part a batch, for mapping keepers only.

Nothing is read of it that the audit log does not tell of first. Which keys it takes is told in the clear.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from .atomic import write_file
from .audit import Event, record
from .columns import COLUMNS
from .manifests import StagedInstance
from .sealing import read_header
from .vault import check_table, content_digest, holds, read_table, write_table
from .zones import RESTRICTED_FILE, Zones

_UIDS = tuple(f"{which} {of} Instance UID" for of in ("Study", "Series", "SOP") for which in ("Original", "Anonymized"))
_MORE = ("batch", "study_key", "uids", *_UIDS)
_LAST = ("profile_digest", "key_id", "sha256_original", "sha256_anonymized")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in (*COLUMNS, *_MORE)),
        ("date_offset_days", pa.int32()),
        *((name, pa.string()) for name in _LAST),
    ]
)
#: In the order of a part
ALL_COLUMNS = tuple(_SCHEMA.names)

_NAMED = 20  #: batches of which a line in the audit log has the keys; of more it has the number

Part = dict[str, list]  #: column -> values; text, but for date_offset_days: int, None where dates are not shifted


@dataclass(frozen=True)
class MappedStudy:
    study_key: str
    instances: tuple[StagedInstance, ...]


def write_part(zones: Zones, batch: str, studies: Iterable[MappedStudy]) -> bool:
    """One row a de-identified instance. `Original Filename` is relative to the raw zone, `Anonymized Filename` to the
    released root; `uids` is JSON, old UID -> new UID, of all that the instance mentions. True where the part was
    written, False where it was there."""
    rows = [_row(batch, study.study_key, one) for study in studies for one in study.instances if not one.reason]
    rows.sort(key=lambda row: row["Anonymized Filename"])
    part = pa.Table.from_pylist(rows, schema=_SCHEMA)
    if zones.mapping(batch).is_file():
        record(zones, Event.MAPPING_READ, batch, "mapping_table")
        if holds(zones.mapping(batch), part):
            return False
    record(zones, Event.MAPPING_WRITE, f"{batch}: {len(rows)} instances", "mapping_table")
    return write_table(zones.mapping(batch), part, _key_of(rows[0]["key_id"]) if rows else "")


def _row(batch: str, study_key: str, instance: StagedInstance) -> dict[str, str | int | None]:
    *_, study, series, file = PurePosixPath(instance.released_path).parts
    replaced = {new: old for old, new in instance.uids}
    new = (study, series, file.removesuffix(".dcm"))
    old = [*(replaced.get(uid, uid) for uid in new[:2]), instance.sop_instance_uid]
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
        **dict(zip(_UIDS, (uid for pair in zip(old, new, strict=True) for uid in pair), strict=True)),
        "date_offset_days": instance.date_offset_days,
        "profile_digest": instance.profile_digest,
        "key_id": instance.key_id,
        "sha256_original": instance.raw_sha256,
        "sha256_anonymized": instance.sha256,
    }


def read_part(zones: Zones, batch: str, columns: Sequence[str] = ALL_COLUMNS, *, why: str) -> Part:
    """As read_parts(), of one batch; no values where it has no part yet."""
    parts = dict(read_parts(zones, [batch], columns, subject=batch, why=why))
    return parts.get(batch) or {name: [] for name in columns}


def read_parts(
    zones: Zones,
    batches: Iterable[str],
    columns: Sequence[str] = ALL_COLUMNS,
    *,
    event: Event = Event.MAPPING_READ,
    subject: str = "",
    why: str,
) -> Iterator[tuple[str, Part]]:
    """Batch and part, one after the other; a batch without one is left out. The line in the audit log is durable when
    this returns. subject: what it says is read; without one, of how many batches. why: a person's reason, or a stage's
    name. Raises as audit.record(), and on the way as vault.read_table()."""
    batches = [batch for batch in batches if zones.mapping(batch).is_file()]
    if batches:
        record(zones, event, subject or f"{len(batches)} batches", why)
    return ((batch, read_table(zones.mapping(batch), list(columns)).to_pydict()) for batch in batches)


def part_digest(zones: Zones, batch: str, *, why: str) -> str:
    """Hex SHA-256 of what the part says, whatever key it is sealed under; of nothing where there is none."""
    if zones.mapping(batch).is_file():
        record(zones, Event.MAPPING_READ, batch, why)
    return content_digest(zones.mapping(batch))


def verify_part(zones: Zones, batch: str) -> None:
    """Every byte of the part is as it was written, or BadInput("SEALED_TABLE_DAMAGED"); nothing is read of it. Raises
    as vault.read_table()."""
    check_table(zones.mapping(batch))


def mapped_batches(zones: Zones) -> list[str]:
    """Sorted."""
    return sorted(path.stem for path in zones.mapping_folder.glob("*.parquet")) if zones.mapping_folder.is_dir() else []


def key_ids_in_use(zones: Zones) -> set[str]:
    """Ids of the pseudonym keys that made the mapping's parts (one a part: a batch is made with one key), by what they
    say in the clear. Raises BadInput("SEALED_TABLE_DAMAGED")."""
    return {read_header(zones.mapping(batch)).pseudonym_key_id for batch in mapped_batches(zones)} - {""}


def pseudonyms_in_use(zones: Zones, but_not: str) -> dict[str, str]:
    """Original patient ID -> pseudonym over all batches but one."""
    return dict(_of_others(zones, but_not, ("Original Patient ID", "Anonymized ID"), "one pseudonym a patient"))


def offsets_in_use(zones: Zones, but_not: str) -> dict[str, set[int]]:
    """Pseudonym -> by how many days its dates are shifted, over all batches but one; patients whose dates are not
    shifted are left out."""
    in_use: dict[str, set[int]] = {}
    columns = ("Anonymized ID", "date_offset_days")
    for pseudonym, days in _of_others(zones, but_not, columns, "one date offset a patient"):
        if days is not None:
            in_use.setdefault(pseudonym, set()).add(days)
    return in_use


def _of_others(zones: Zones, but_not: str, columns: Sequence[str], why: str) -> Iterator[tuple]:
    """The values of these columns, row by row, over all batches but one."""
    others = [batch for batch in mapped_batches(zones) if batch != but_not]
    for _, part in read_parts(zones, others, columns, why=why):
        yield from zip(*(part[name] for name in columns), strict=True)


def export_csv(zones: Zones, batches: Iterable[str], out: Path, columns: Sequence[str] = COLUMNS, why: str = "") -> int:
    """These columns of these batches; rows written. The line in the audit log comes before the file."""
    batches = list(batches)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    rows = 0
    subject = ",".join(batches) if len(batches) <= _NAMED else f"{len(batches)} batches"
    for _, part in read_parts(zones, batches, columns, event=Event.MAPPING_EXPORT, subject=subject, why=why):
        writer.writerows(zip(*part.values(), strict=True))
        rows += len(part[columns[0]])
    write_file(out, table.getvalue().encode("utf-8", "surrogateescape"), RESTRICTED_FILE)
    return rows


def _key_of(key_id: str) -> str:
    """Of a row's key_id, which names a pseudonym that the site gave, too."""
    return key_id.partition("+")[0]
