"""Are the two keys of a project there, are they for nobody else to read, and do they fit what was made with them?"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..deid.pseudonyms import PseudonymKey
from ..errors import BadInput, DicomAssetsError, Refused
from ..storage.audit import Event, record
from ..storage.key_sources import KeyFile
from ..storage.keyring import Keyring
from ..storage.keys import read_key
from ..storage.mapping import key_ids_in_use, mapped_batches
from ..storage.permissions import refuse_open_folders
from ..storage.vault import check_table
from ..storage.zones import Zones
from .job import coded_file_errors
from .rotation import sealed_tables


@dataclass(frozen=True)
class Finding:
    """One key, or what it seals. key_id: empty where it cannot be had. text: what is well. problems: what is not."""

    what: str
    key_id: str
    text: str
    problems: tuple[DicomAssetsError, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 where something is only unfinished."""
        codes = {problem.code for problem in self.problems}
        return 1 if codes - {"KEY_ROTATION_UNFINISHED"} else 3 if codes else 0


def check_keys(keyring: Keyring, pseudonym_key_file: Path) -> list[Finding]:
    """Every byte of every sealed table is looked at, and none is shown."""
    keyring.forget()
    return [
        _pseudonym_key(keyring.zones, pseudonym_key_file),
        _mapping_key(keyring),
        _tables(keyring),
        _folders(keyring.zones),
    ]


def _pseudonym_key(zones: Zones, path: Path) -> Finding:
    parts = len(mapped_batches(zones))
    try:
        with coded_file_errors():
            if not path.exists():
                if not parts:
                    return Finding("pseudonym key", "", f"{path}: not made yet; nothing needs it")
                raise Refused("KEY_FILE_MISSING")
            key = PseudonymKey(read_key(path))
            if key_ids_in_use(zones) - {key.key_id}:
                raise Refused("KEY_FILE_NOT_THE_SAME")
    except DicomAssetsError as error:
        return _bad(zones, "pseudonym key", str(path), error)
    return Finding("pseudonym key", key.key_id, f"{path}: made {parts} parts of the mapping")


def _mapping_key(keyring: Keyring) -> Finding:
    source, key_id = keyring.source, keyring.key_id()
    where = str(source.path) if isinstance(source, KeyFile) else "the key command"
    try:
        with coded_file_errors():
            if isinstance(source, KeyFile) and not key_id and not source.path.exists():
                return Finding("mapping key", "", f"{where}: not made yet; nothing needs it")
            found = source.find(key_id) if key_id else source.current(make=False)
            if found is None:
                raise Refused("MAPPING_KEY_NOT_THE_SAME")
    except DicomAssetsError as error:
        return _bad(keyring.zones, "mapping key", where, error)
    is_unfinished = isinstance(source, KeyFile) and source.previous.exists()
    problems = (Refused("KEY_ROTATION_UNFINISHED"),) if is_unfinished else ()
    return Finding("mapping key", found.key_id, where, problems)


def _tables(keyring: Keyring) -> Finding:
    opened, codes = 0, Counter()
    for path in sealed_tables(keyring.zones):
        try:
            with coded_file_errors():
                check_table(path)
            opened += 1
        except DicomAssetsError as error:
            codes[error.code] += 1
    problems = tuple((BadInput if code == "SEALED_TABLE_DAMAGED" else Refused)(code) for code in sorted(codes))
    closed = "".join(f"; {count}: {code}" for code, count in sorted(codes.items()))
    return Finding("sealed tables", keyring.key_id(), f"{opened} open and are as they were written{closed}", problems)


def _folders(zones: Zones) -> Finding:
    try:
        refuse_open_folders(zones)
    except Refused as error:
        return _bad(zones, "folders", "restricted", error)
    return Finding("folders", "", "for nobody else to look into")


def _bad(zones: Zones, what: str, where: str, error: DicomAssetsError) -> Finding:
    if zones.restricted.is_dir():
        record(zones, Event.REFUSED, f"key check, {what}: {error.code}")
    return Finding(what, "", where, (error,))
