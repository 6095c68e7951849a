"""The tables in the mapping's folder, as files: UTF-8, comma-separated, `\\n` at the end of lines."""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ..errors import BadInput
from ..storage.atomic import fsync_folder
from ..storage.columns import COLUMNS
from ..storage.zones import RESTRICTED_FILE
from .folder_worker import is_place

_PAIRS = ("id_old", "id_new")
#: Name -> columns, in the order in which they get their names: a run that is killed in between leaves a file that goes
#: from one table to another in both rather than in none. disputed.csv is this program's own, and there only if needed:
#: what is known of files that are kept back because of one another. IN: the folder or file that was given.
TABLES = {
    "disputed.csv": ("IN", "Original Filename", "Reason", "SOPInstanceUID", "StudyInstanceUID", "PatientID"),
    "quarantine.csv": ("Original Filename", "Reason"),
    "mapping.csv": COLUMNS,
    "patients.csv": _PAIRS,
    "uids.csv": _PAIRS,
}
_NEEDS_QUOTES = re.compile('[",\r\n]')


def publish_tables(unfinished: Path, mapping: Path) -> None:
    """Give the tables in unfinished their names in the mapping's folder; one that is not there goes from here, too."""
    for name in TABLES:
        if (unfinished / name).exists():
            (unfinished / name).replace(mapping / name)
        else:
            (mapping / name).unlink(missing_ok=True)
    fsync_folder(mapping)


def write_table(folder: Path, name: str, rows: Iterable[Sequence[str]]) -> None:
    """Durably. Values as they are, also those that a spreadsheet takes for formulas; quotes only where needed."""
    handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(TABLES[name]) + "\n")
        file.writelines(",".join(map(_field, row)) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


@lru_cache(2000)
def _field(value: str) -> str:
    """One field of a CSV line, RFC 4180. Instances of a series share most of theirs: five times faster than csv."""
    return '"' + value.replace('"', '""') + '"' if _NEEDS_QUOTES.search(value) else value


def read_table(folder: Path, name: str) -> Iterator[list[str]]:
    """Rows of a table that an earlier run wrote; none where there is none. Raises BadInput("MAPPING_UNREADABLE")."""
    path, columns = folder / name, TABLES[name]
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(1 << 30)
            reader = csv.reader(file)
            if next(reader, None) != list(columns):
                raise ValueError
            for row in reader:
                if len(row) != len(columns) or (columns is COLUMNS and not is_place(row[1])):
                    raise ValueError
                yield row
    except (OSError, ValueError, csv.Error):
        error = BadInput("MAPPING_UNREADABLE")
        error.add_note(f"look at: {name}")
        raise error from None
