"""Reads the standard's tables that lie in profiles/. A line that starts with # says where a table comes from."""

import csv
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("profiles")


@cache
def rows_of(name: str) -> tuple[dict[str, str], ...]:
    """By column. A DictReader takes twice the time."""
    rows = csv.reader(line for line in bytes_of(name).decode().splitlines() if not line.startswith("#"))
    columns = next(rows)
    return tuple(dict(zip(columns, row, strict=True)) for row in rows if row)


def bytes_of(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def lexicons() -> list[str]:
    """Names of the word lists that descriptors are cleaned with."""
    return sorted(path.name for path in _FOLDER.glob("lexicon*"))
