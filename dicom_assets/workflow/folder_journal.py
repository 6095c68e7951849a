"""What a run over a folder knows of its files: a scratch database on disk, the rules that take several files to judge,
and the tables for the mapping's keeper. Memory does not grow with the number of files.

The database has no name once it is open, so that no crash leaves identifiers behind; a run that was killed starts anew.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from ..errors import Refused
from ..storage.zones import RESTRICTED_FILE
from .folder_tables import read_table, write_table
from .folder_worker import Row, instance_of

#: rows: one a file, of this run (current) and of earlier ones. shown: its name as the tables have it. tags, uid_tags:
#: numbers of texts, and shared: of a set of UID pairs, which most instances of a series have in common; uids: of a set
#: of its own. source: IN of an earlier run, where it is known. uids: gathered when they are asked for. disputed: SOP
#: Instance and Study Instance UIDs because of which files are kept back.
_SCHEMA = """
CREATE TABLE found (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE rows (name BLOB, reason TEXT, temp TEXT, place TEXT, bytes INTEGER, patient_id TEXT, patient TEXT,
    study TEXT, sop TEXT, tags INTEGER, uid_tags INTEGER, detail TEXT, uids INTEGER, shared INTEGER, shown TEXT,
    current INTEGER, source TEXT);
CREATE INDEX by_shown ON rows (shown);
CREATE INDEX by_sop ON rows (sop) WHERE sop != '';
CREATE INDEX by_study ON rows (study, patient_id) WHERE study != '';
CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE uid_sets (number INTEGER, old TEXT, new TEXT);
CREATE TABLE used_sets (number INTEGER PRIMARY KEY);
CREATE TABLE uids (old TEXT PRIMARY KEY, new TEXT) WITHOUT ROWID;
CREATE TABLE earlier_uids (new TEXT PRIMARY KEY, old TEXT) WITHOUT ROWID;
CREATE TABLE earlier_places (place TEXT PRIMARY KEY, sop TEXT) WITHOUT ROWID;
CREATE TABLE disputed (uid TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * 17)})"
_ADD_UID = "INSERT OR IGNORE INTO uids VALUES (?, ?)"
_DUPLICATE, _TWO_PATIENTS = "DUPLICATE_SOP_INSTANCE", "TWO_PATIENTS_IN_STUDY"
#: Pairs of UIDs that are kept in memory, to know sets of them again
_MOST_PAIRS = 20_000
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
        self._sets: dict[tuple, int] = {(): 0}
        self._new_pairs: list[tuple[int, str, str]] = []
        self._last_set = self._pairs_kept = 0

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
        self._db.executemany("INSERT INTO uid_sets VALUES (?, ?, ?)", self._new_pairs)
        self._new_pairs.clear()

    def _values(self, row: Row, name: str, current: int, source: str = "") -> tuple:
        tags, uid_tags = self._number(row.tags), self._number(row.uid_tags)
        uids, shared = self._added(row.uids) if row.uids else 0, self._set_number(row.shared)
        return (*row[:9], tags, uid_tags, row.detail, uids, shared, name, current, source)

    def _number(self, text: str) -> int:
        """Of the text; given anew after many others."""
        number = self._numbers.get(text)
        if number is None:
            if len(self._numbers) > 10_000:
                self._numbers.clear()
            number = self._db.execute("INSERT INTO texts (text) VALUES (?)", (text,)).lastrowid
            self._numbers[text] = number
        return number

    def _set_number(self, pairs: tuple[tuple[str, str], ...]) -> int:
        """As _number, of a set of UID pairs."""
        number = self._sets.get(pairs)
        if number is None:
            self._pairs_kept += len(pairs)
            if self._pairs_kept > _MOST_PAIRS:
                self._sets = {(): 0}
                self._pairs_kept = len(pairs)
            number = self._sets[pairs] = self._added(pairs)
        return number

    def _added(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Number of a new set of UID pairs."""
        self._last_set += 1
        self._new_pairs += [(self._last_set, old, new) for old, new in pairs]
        return self._last_set

    # Earlier runs

    def add_earlier(self, mapping: Path, source: str) -> None:
        """What earlier runs left in the mapping's folder. source: this run's IN.

        A file is known again by its name and its SOPInstanceUID; then, or where its UID was not known, this run's row
        stands for it. Another file of that name, from another IN or there before, keeps its row and its output.
        Raises BadInput("MAPPING_UNREADABLE"), and Refused("KEY_FILE_NOT_THE_SAME") where rows stay that another key
        made."""
        pairs = ((new, old) for old, new in read_table(mapping, "uids.csv"))
        self._db.executemany("INSERT OR IGNORE INTO earlier_uids VALUES (?, ?)", pairs)
        for name, place, patient_id, patient, tags, uid_tags in read_table(mapping, "mapping.csv"):
            study, sop = self._original(place.split("/")[1]), self._original(instance_of(place))
            row = Row(b"", "", "", place, 0, patient_id, patient, study, sop, tags, uid_tags)
            self._db.execute(_INSERT, self._values(row, name, 0))
            self._db.execute("INSERT OR IGNORE INTO earlier_places VALUES (?, ?)", (place, sop))
        for name, reason in read_table(mapping, "quarantine.csv"):
            self._db.execute(_INSERT, self._values(Row(b"", reason), name, 0))
        self._add_disputed(mapping, source)
        self._db.execute("""
            DELETE FROM rows WHERE NOT current AND EXISTS (
                SELECT 1 FROM rows AS now
                WHERE now.current AND now.shown = rows.shown
                AND (rows.sop IN ('', now.sop) OR (rows.place != '' AND rows.place = now.place))
            )""")
        changed = "SELECT 1 FROM earlier_uids JOIN uids ON uids.old = earlier_uids.old AND uids.new != earlier_uids.new"
        if self._earlier_stay():
            self._gather_uids()
            if self._one(f"SELECT EXISTS ({changed})"):
                raise Refused("KEY_FILE_NOT_THE_SAME")

    def _original(self, new: str) -> str:
        """The UID that new replaced; new itself where none is known."""
        known = self._db.execute("SELECT old FROM earlier_uids WHERE new = ?", (new,)).fetchone()
        return known[0] if known else new

    def _add_disputed(self, mapping: Path, source: str) -> None:
        """What is known of quarantined files, where they still have their row. Not those of this IN: it was looked
        through, and what they have become, or that they are gone, is known better."""
        for there, name, reason, sop, study, patient_id in read_table(mapping, "disputed.csv"):
            if there and there == source:
                continue
            row = "SELECT rowid FROM rows WHERE NOT current AND shown = ? AND reason = ? AND sop || study = '' LIMIT 1"
            told = self._db.execute(
                f"UPDATE rows SET source = ?, sop = ?, study = ?, patient_id = ? WHERE rowid = ({row})",
                (there, sop, study, patient_id, name, reason),
            )
            if told.rowcount:
                self._dispute(reason, sop, study)

    def _dispute(self, reason: str, sop: str, study: str) -> None:
        if reason in (_DUPLICATE, _TWO_PATIENTS):
            uid = sop if reason == _DUPLICATE else study
            self._db.execute("INSERT OR IGNORE INTO disputed VALUES (?)", (uid,))

    def _earlier_stay(self) -> bool:
        return bool(self._one("SELECT EXISTS (SELECT 1 FROM rows WHERE NOT current AND reason = '')"))

    # Rules over several files

    def judge(self, same_input: Callable[[bytes, bytes], bool], same_output: Callable[[str, str], bool]) -> None:
        """Quarantine what is not sure beside the others: inputs that share a SOPInstanceUID and differ, and studies
        with two patients. same_input: by names. same_output: of a temp path and a place of an earlier run.

        Raises Refused("KEY_FILE_NOT_THE_SAME") where an instance that is out would go out under another UID, too."""
        shared = "SELECT sop FROM rows WHERE sop != '' GROUP BY sop HAVING COUNT(*) > 1 AND MAX(current)"
        for (sop,) in self._db.execute(shared).fetchall():
            if not self._all_the_same(sop, same_input, same_output):
                self._quarantine(_DUPLICATE, "sop", sop)
        mixed = "SELECT study FROM rows WHERE study != '' AND patient_id != '' GROUP BY study"
        for (study,) in self._db.execute(f"{mixed} HAVING COUNT(DISTINCT patient_id) > 1").fetchall():
            self._quarantine(_TWO_PATIENTS, "study", study)

    def _all_the_same(
        self, sop: str, same_input: Callable[[bytes, bytes], bool], same_output: Callable[[str, str], bool]
    ) -> bool:
        rows = self._db.execute("SELECT name, temp, place, current FROM rows WHERE sop = ? ORDER BY shown", (sop,))
        rows = rows.fetchall()
        now = [row for row in rows if row[3]]
        earlier = {row[2] for row in rows if not row[3]}
        if any(place and row[1] and instance_of(place) != instance_of(row[2]) for place in earlier for row in now):
            raise Refused("KEY_FILE_NOT_THE_SAME")
        return all(same_input(now[0][0], other[0]) for other in now[1:]) and all(
            now[0][2] == place and same_output(now[0][1], place) for place in earlier
        )

    def judge_places(self, is_another: Callable[[str, str, bool], bool]) -> None:
        """Quarantine what would take the place of another instance's output. is_another: of a temp path, its place,
        and whether a row of an earlier run names the place."""
        query = """
            SELECT sop, temp, place, EXISTS (SELECT 1 FROM earlier_places WHERE place = rows.place)
            FROM rows WHERE current AND reason = '' ORDER BY shown"""
        others = [sop for sop, *output in self._db.execute(query) if is_another(*output)]
        for sop in others:
            self._quarantine(_DUPLICATE, "sop", sop)

    def _quarantine(self, reason: str, column: str, uid: str) -> None:
        self._db.execute(f"UPDATE rows SET reason = ? WHERE {column} = ? AND reason = ''", (reason, uid))
        self._db.execute("INSERT OR IGNORE INTO disputed VALUES (?)", (uid,))

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

    def write_tables(self, unfinished: Path, source: str) -> None:
        """The tables of the mapping's folder, durable, for publish_tables. unfinished: a private folder in it. source:
        this run's IN."""
        self._gather_uids()
        if self._earlier_stay():
            self._db.execute("INSERT OR IGNORE INTO uids SELECT old, new FROM earlier_uids")
        mapped = """
            SELECT shown, place, patient_id, patient, tags, uid_tags FROM rows
            WHERE reason = '' ORDER BY shown, place"""
        patients = "SELECT DISTINCT patient_id, patient FROM rows WHERE reason = '' AND patient_id != '' ORDER BY 1, 2"
        kept_back = "SELECT shown, reason, sop FROM rows WHERE reason != '' ORDER BY shown, reason, sop"
        disputed = """
            SELECT CASE WHEN current THEN ? ELSE source END, shown, reason, sop, study, patient_id FROM rows
            WHERE reason != '' AND (sop IN (SELECT uid FROM disputed) OR study IN (SELECT uid FROM disputed))
            ORDER BY shown, reason, sop, 1, study, patient_id"""
        write_table(unfinished, "uids.csv", self._db.execute("SELECT old, new FROM uids ORDER BY old"))
        write_table(unfinished, "patients.csv", self._db.execute(patients))
        write_table(unfinished, "quarantine.csv", (row[:2] for row in _once(self._db.execute(kept_back))))
        write_table(unfinished, "mapping.csv", self._with_texts(self._db.execute(mapped)))
        if self._one("SELECT EXISTS (SELECT 1 FROM disputed)"):
            write_table(unfinished, "disputed.csv", _once(self._db.execute(disputed, (source,))))

    def _gather_uids(self) -> None:
        """uids: those of what goes out of this run, as far as it is judged."""
        out = "FROM rows WHERE current AND reason = ''"
        self._db.execute("DELETE FROM uids")
        self._db.execute("DELETE FROM used_sets")
        self._db.execute(f"INSERT OR IGNORE INTO used_sets SELECT uids {out}")
        self._db.execute(f"INSERT OR IGNORE INTO used_sets SELECT shared {out}")
        self._db.execute("INSERT OR IGNORE INTO uids SELECT old, new FROM uid_sets CROSS JOIN used_sets USING (number)")
        self._db.executemany(_ADD_UID, _own_pairs(self._db.execute(f"SELECT sop, place {out}")))

    def _with_texts(self, rows: Iterable[tuple]) -> Iterator[tuple[str, ...]]:
        """The texts for the numbers in the last two columns."""

        @lru_cache(1000)
        def text(number: int) -> str:
            return self._db.execute("SELECT text FROM texts WHERE number = ?", (number,)).fetchone()[0]

        for *others, tags, uid_tags in rows:
            yield (*others, text(tags), text(uid_tags))

    def _one(self, query: str) -> int:
        return self._db.execute(query).fetchone()[0]


def _once(rows: Iterable[tuple]) -> Iterator[tuple]:
    """Sorted rows; one that a killed run left in two tables is there twice."""
    return (row for row, _same in groupby(rows))


def _own_pairs(instances: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The old and the new SOP Instance UID, where they differ, for each old one and place."""
    return ((sop, new) for sop, place in instances if (new := instance_of(place)) != sop)
