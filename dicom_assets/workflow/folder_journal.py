"""What a run over a folder knows of its files: a scratch database on disk, the rules that take several files to judge,
and the tables for the mapping's keeper. Memory does not grow with the number of files.

The database has no name once it is open, so that no crash leaves identifiers behind; a run that was killed starts anew.
"""

import csv
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from ..errors import BadInput, Refused
from ..storage.atomic import fsync_folder
from ..storage.columns import COLUMNS
from ..storage.zones import RESTRICTED_FILE
from .folder_worker import Row, is_place

PAIR_COLUMNS = ("id_old", "id_new")
QUARANTINE_COLUMNS = ("Original Filename", "Reason")

#: rows: one a file, of this run (current) and of earlier ones. shown: its name as the tables have it. tags, uid_tags:
#: numbers of texts, which most instances of a series have in common.
_SCHEMA = """
CREATE TABLE found (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE rows (name BLOB, reason TEXT, temp TEXT, place TEXT, bytes INTEGER, patient_id TEXT, patient TEXT,
    study TEXT, sop TEXT, tags INTEGER, uid_tags INTEGER, detail TEXT, shown TEXT, current INTEGER);
CREATE INDEX by_shown ON rows (shown);
CREATE INDEX by_sop ON rows (sop) WHERE sop != '';
CREATE INDEX by_study ON rows (study, patient_id) WHERE study != '';
CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE uids (old TEXT PRIMARY KEY, new TEXT) WITHOUT ROWID;
CREATE TABLE earlier_places (place TEXT, sop TEXT);
"""
_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * 14)})"
_NEEDS_QUOTES = re.compile('[",\r\n]')
_ESCAPED = re.compile(r"\\x[0-9a-f]{2}")


def shown(name: bytes) -> str:
    r"""A file name as text that reads back: `\xNN` stands for the byte NN and is used only where the name is not UTF-8,
    or holds such a sequence itself."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isascii() and "\\" not in text:
        return text
    if not _ESCAPED.search(text) and not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    text = text.replace("\\", "\\x5c")
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in text)


class Journal:
    """`with Journal(folder) as journal`. folder: where the database lies while it is open; private."""

    def __init__(self, folder: Path) -> None:
        path = folder / "journal"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE))
        # No locks of SQLite's own, which network file systems lack: the folder is this process's alone.
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?vfs=unix-none", uri=True, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
            "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; BEGIN;" + _SCHEMA
        )
        path.unlink()
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_error: object) -> None:
        self._db.close()

    # What there is to do, and what was done

    def add_found(self, names: Iterable[bytes]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO found VALUES (?)", ((name,) for name in names))

    @property
    def found(self) -> int:
        return self._one("SELECT COUNT(*) FROM found")

    def chunks(self, size: int) -> Iterator[list[bytes]]:
        """The names that were found, in the order of their bytes, so that a folder's files stay together."""
        with closing(self._db.execute("SELECT name FROM found ORDER BY name")) as names:
            while chunk := [name for (name,) in names.fetchmany(size)]:
                yield chunk

    def add(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        self._db.executemany(_INSERT, [self._values(row, shown(row.name), 1) for row in rows])
        self._add_uids(pair for row in rows for pair in row.uids)

    def _values(self, row: Row, name: str, current: int) -> tuple:
        return (*row[:9], self._number(row.tags), self._number(row.uid_tags), row.detail, name, current)

    def _number(self, text: str) -> int:
        """Of the text; given anew after many others."""
        number = self._numbers.get(text)
        if number is None:
            if len(self._numbers) > 10_000:
                self._numbers.clear()
            number = self._db.execute("INSERT INTO texts (text) VALUES (?)", (text,)).lastrowid
            self._numbers[text] = number
        return number

    def _add_uids(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO uids VALUES (?, ?)", pairs)

    # Earlier runs

    def add_earlier(self, mapping: Path) -> None:
        """What earlier runs left in the mapping's folder, but for files that this run has looked at.

        Raises BadInput("MAPPING_UNREADABLE"), and Refused("KEY_FILE_NOT_THE_SAME") where rows stay that another key
        made."""
        earlier = 0
        for row in _read(mapping / "mapping.csv", COLUMNS):
            place, study, sop = row[1], *row[1].removesuffix(".dcm").split("/")[1::2][:2]
            known = Row(b"", "", "", place, 0, row[2], row[3], study, sop, row[4], row[5])
            self._db.execute(_INSERT, self._values(known, row[0], 0))
            earlier += 1
        for name, reason in _read(mapping / "quarantine.csv", QUARANTINE_COLUMNS):
            self._db.execute(_INSERT, self._values(Row(b"", reason), name, 0))
            earlier += 1
        if not earlier:
            return
        self._db.execute("INSERT INTO earlier_places SELECT place, sop FROM rows WHERE NOT current AND place != ''")
        self._db.execute("DELETE FROM rows WHERE NOT current AND shown IN (SELECT shown FROM rows WHERE current)")
        if self._one("SELECT COUNT(*) FROM rows WHERE NOT current AND reason = ''"):
            self._add_earlier_uids(mapping / "uids.csv")

    def _add_earlier_uids(self, path: Path) -> None:
        for old, new in _read(path, PAIR_COLUMNS):
            known = self._db.execute("SELECT new FROM uids WHERE old = ?", (old,)).fetchone()
            if known and known[0] != new:
                raise Refused("KEY_FILE_NOT_THE_SAME")
            self._add_uids([(old, new)])

    # Rules over several files

    def judge(self, same_input: Callable[[bytes, bytes], bool], same_output: Callable[[str, str], bool]) -> None:
        """Quarantine what is not sure beside the others: inputs that share a SOPInstanceUID and differ, and studies
        with two patients. same_input: by names. same_output: of a temp path and a place of an earlier run."""
        shared = "SELECT sop FROM rows WHERE sop != '' GROUP BY sop HAVING COUNT(*) > 1 AND MAX(current)"
        for (sop,) in self._db.execute(shared).fetchall():
            if not self._all_the_same(sop, same_input, same_output):
                self._quarantine("DUPLICATE_SOP_INSTANCE", "sop = ?", sop)
        mixed = "SELECT study FROM rows WHERE study != '' AND patient_id != '' GROUP BY study"
        for (study,) in self._db.execute(f"{mixed} HAVING COUNT(DISTINCT patient_id) > 1").fetchall():
            self._quarantine("TWO_PATIENTS_IN_STUDY", "study = ?", study)

    def _all_the_same(
        self, sop: str, same_input: Callable[[bytes, bytes], bool], same_output: Callable[[str, str], bool]
    ) -> bool:
        rows = self._db.execute("SELECT name, temp, place, current FROM rows WHERE sop = ? ORDER BY shown", (sop,))
        rows = rows.fetchall()
        now = [row for row in rows if row[3]]
        earlier = {row[2] for row in rows if not row[3]}
        return all(same_input(now[0][0], other[0]) for other in now[1:]) and all(
            now[0][2] == place and same_output(now[0][1], place) for place in earlier
        )

    def _quarantine(self, reason: str, where: str, value: str) -> None:
        self._db.execute(f"UPDATE rows SET reason = ? WHERE {where} AND reason = ''", (reason, value))

    # What comes of it

    def outputs(self) -> Iterator[tuple[str, str]]:
        """(temp, place) of this run's files that go out; files with one place hold the same."""
        yield from self._db.execute("SELECT temp, place FROM rows WHERE current AND reason = '' ORDER BY shown")

    def withdrawn(self) -> Iterator[str]:
        """Places that an earlier run may have filled and that no row names any more."""
        query = """
            SELECT place FROM (
                SELECT place, sop FROM earlier_places
                UNION ALL SELECT place, sop FROM rows WHERE reason != '' AND place != ''
            ) AS filled
            WHERE NOT EXISTS (
                SELECT 1 FROM rows
                WHERE rows.sop != '' AND rows.sop = filled.sop AND rows.place = filled.place AND reason = ''
            )"""
        yield from (place for (place,) in self._db.execute(query))

    def counts(self) -> dict[str, int]:
        """Reason -> files of this run; the empty one for those that go out."""
        return dict(self._db.execute("SELECT reason, COUNT(*) FROM rows WHERE current GROUP BY reason ORDER BY reason"))

    def details(self) -> list[str]:
        return [
            detail for (detail,) in self._db.execute("SELECT DISTINCT detail FROM rows WHERE detail != '' ORDER BY 1")
        ]

    @property
    def bytes_read(self) -> int:
        return self._one("SELECT COALESCE(SUM(bytes), 0) FROM rows WHERE current")

    def write_tables(self, unfinished: Path) -> None:
        """The four tables of the mapping's folder, durable, for publish_tables. unfinished: a private folder in it."""
        mapped = "SELECT shown, place, patient_id, patient, tags, uid_tags FROM rows WHERE reason = '' ORDER BY shown"
        patients = "SELECT DISTINCT patient_id, patient FROM rows WHERE reason = '' AND patient_id != '' ORDER BY 1, 2"
        kept_back = "SELECT shown, reason FROM rows WHERE reason != '' ORDER BY shown"
        tables = {
            "uids.csv": (PAIR_COLUMNS, self._db.execute("SELECT old, new FROM uids ORDER BY old")),
            "patients.csv": (PAIR_COLUMNS, self._db.execute(patients)),
            "quarantine.csv": (QUARANTINE_COLUMNS, self._db.execute(kept_back)),
            "mapping.csv": (COLUMNS, self._with_texts(self._db.execute(mapped))),
        }
        for name, (columns, rows) in tables.items():
            _write(unfinished / name, columns, rows)

    def _with_texts(self, rows: Iterable[tuple]) -> Iterator[tuple[str, ...]]:
        """The texts for the numbers in the last two columns."""

        @lru_cache(1000)
        def text(number: int) -> str:
            return self._db.execute("SELECT text FROM texts WHERE number = ?", (number,)).fetchone()[0]

        for *others, tags, uid_tags in rows:
            yield (*others, text(tags), text(uid_tags))

    def _one(self, query: str) -> int:
        return self._db.execute(query).fetchone()[0]


def publish_tables(unfinished: Path, mapping: Path) -> None:
    """Give the tables that Journal.write_tables wrote their names in the mapping's folder."""
    for table in unfinished.glob("*.csv"):
        table.replace(mapping / table.name)
    fsync_folder(mapping)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Values exactly as they are, also those that a spreadsheet takes for formulas; quotes only where needed."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, RESTRICTED_FILE)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        file.writelines(",".join(map(_field, row)) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())


@lru_cache(2000)
def _field(value: str) -> str:
    """One field of a CSV line, RFC 4180. Instances of a series share most of theirs: five times faster than csv."""
    return '"' + value.replace('"', '""') + '"' if _NEEDS_QUOTES.search(value) else value


def _read(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Rows of a table that an earlier run wrote; none where there is none."""
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(1 << 30)
            reader = csv.reader(file)
            if next(reader, None) != list(columns):
                raise BadInput("MAPPING_UNREADABLE")
            for row in reader:
                if len(row) != len(columns) or ("Anonymized Filename" in columns and not is_place(row[1])):
                    raise BadInput("MAPPING_UNREADABLE")
                yield row
    except (OSError, ValueError, csv.Error):
        raise BadInput("MAPPING_UNREADABLE") from None
