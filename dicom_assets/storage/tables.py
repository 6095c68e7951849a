"""Frozen dataclasses to Parquet and back; the dataclass is the schema.

Column types by annotation: str, int, bool, float, `int | None`, tuple[str, ...], tuple[tuple[str, str], ...].
"""

import io
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from .atomic import write_if_changed
from .vault import create_table, read_table, write_table

Row = TypeVar("Row")

_PAIR = pa.struct([("old", pa.string()), ("new", pa.string())])
_ARROW = {
    str: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    float: pa.float64(),
    int | None: pa.int64(),
    tuple[str, ...]: pa.list_(pa.string()),
    tuple[tuple[str, str], ...]: pa.list_(_PAIR),
}
_PAIRS = tuple[tuple[str, str], ...]


def schema_of(row_type: type) -> pa.Schema:
    hints = get_type_hints(row_type)
    return pa.schema([(field.name, _ARROW[hints[field.name]]) for field in fields(row_type)])


def to_table(rows: Iterable[Row], row_type: type[Row]) -> pa.Table:
    hints = get_type_hints(row_type)
    records = []
    for row in rows:
        record = {field.name: getattr(row, field.name) for field in fields(row_type)}
        for name, value in record.items():
            if hints[name] == _PAIRS:
                record[name] = [{"old": old, "new": new} for old, new in value]
        records.append(record)
    return pa.Table.from_pylist(records, schema=schema_of(row_type))


def from_table(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """A column that the table lacks has the field's default."""
    hints = get_type_hints(row_type)
    rows = []
    there = [column for column in schema_of(row_type) if column.name in table.column_names]
    for record in table.select([column.name for column in there]).cast(pa.schema(there)).to_pylist():
        for name, value in record.items():
            if hints[name] == _PAIRS:
                record[name] = tuple((pair["old"], pair["new"]) for pair in value)
            elif isinstance(value, list):
                record[name] = tuple(value)
        rows.append(row_type(**record))
    return rows


def to_parquet(rows: Iterable[Row], row_type: type[Row]) -> bytes:
    """In the clear. The same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(to_table(rows, row_type), buffer)
    return buffer.getvalue()


def write_rows(
    path: Path, rows: Iterable[Row], row_type: type[Row], mode: int = 0o600, folder_mode: int = 0o700
) -> bool:
    """A table of counts, codes and pseudonyms. Atomic; True where the file was written, False where it held these rows
    already."""
    return write_if_changed(path, to_parquet(rows, row_type), mode, folder_mode)


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """An absent file has no rows. A column that an older file lacks has the field's default."""
    if not path.is_file():
        return []
    # One thread: pyarrow 26's reading threads now and then abort the interpreter when it ends.
    return from_table(pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(use_threads=False), row_type)


def write_sealed(path: Path, rows: Iterable[Row], row_type: type[Row]) -> bool:
    """As write_rows(), of a table that identifies patients. Raises as read_sealed()."""
    return write_table(path, to_table(rows, row_type))


def create_sealed(path: Path, rows: Iterable[Row], row_type: type[Row]) -> bool:
    """As write_sealed(), but False, and nothing written, where path exists; safe against a second process."""
    return create_table(path, to_table(rows, row_type))


def read_sealed(path: Path, row_type: type[Row]) -> list[Row]:
    """As read_rows(), of what write_sealed() wrote. Raises as vault.read_table()."""
    return from_table(read_table(path), row_type) if path.is_file() else []
