"""Where tables that identify patients are written and read: sealed under the mapping key of their restricted root.

Which keys a root has is told once a process, by open_vault(). Worker processes are handed what their parent has opened.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from ..errors import Refused
from .atomic import create_exclusively, write_file
from .keys import MappingKey
from .sealing import checked, seal, unseal
from .zones import RESTRICTED_FILE, RESTRICTED_FOLDER


class Keys(Protocol):
    """What it needs of storage.keyring.Keyring."""

    def writing(self) -> AbstractContextManager[MappingKey]: ...

    def find(self, key_id: str) -> MappingKey: ...


AnyKeys = TypeVar("AnyKeys", bound=Keys)

_OPEN: dict[Path, Keys] = {}


def open_vault(restricted_root: Path, keys: AnyKeys) -> AnyKeys:
    """Tables below the root are sealed under these keys from now on. Where the same are in use already these stay, and
    what they have learned; those that are in use are returned."""
    if _OPEN.get(restricted_root) != keys:
        _OPEN[restricted_root] = keys
    return _OPEN[restricted_root]


def opened_vaults() -> Mapping[Path, Keys]:
    """Root -> keys, for open_vault() in a process that this one starts; secret."""
    return dict(_OPEN)


def write_table(path: Path, table: pa.Table, pseudonym_key_id: str = "") -> bool:
    """Atomic; True where the file was written, False where it held this table already. Raises as read_table()."""
    keys, name = _vault_of(path)
    with keys.writing() as key:
        if holds(path, table):
            return False
        write_file(path, seal(table, name, key, pseudonym_key_id), RESTRICTED_FILE, RESTRICTED_FOLDER)
    return True


def create_table(path: Path, table: pa.Table) -> bool:
    """As write_table(), but False, and nothing written, where path exists; safe against a second process."""
    keys, name = _vault_of(path)
    with keys.writing() as key:
        return create_exclusively(path, seal(table, name, key), RESTRICTED_FILE)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """columns: all where None. Raises BadInput("SEALED_TABLE_DAMAGED"); Refused: VAULT_NOT_OPEN,
    MAPPING_KEY_NOT_THE_SAME, MAPPING_KEY_MISSING; OSError."""
    keys, name = _vault_of(path)
    return unseal(path.read_bytes(), name, keys.find, columns)


def holds(path: Path, table: pa.Table) -> bool:
    """The file is there, and this is what it says."""
    return path.is_file() and read_table(path).equals(table)


def check_table(path: Path) -> None:
    """As read_table(), and nothing is read of it: is every byte as it was written?"""
    keys, name = _vault_of(path)
    checked(path.read_bytes(), name, keys.find)


def content_digest(path: Path) -> str:
    """Hex SHA-256 of the table, whatever key it is sealed under; of nothing where there is no file."""
    digest = hashlib.sha256()
    if path.is_file():
        sink = pa.BufferOutputStream()
        table = read_table(path).combine_chunks()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        digest.update(sink.getvalue())
    return digest.hexdigest()


def seal_again(path: Path, key: MappingKey) -> None:
    """The same table under this key. The caller sees to it that nobody else writes it."""
    keys, name = _vault_of(path)
    content = path.read_bytes()
    header, _ = checked(content, name, keys.find)
    table = unseal(content, name, keys.find)
    write_file(path, seal(table, name, key, header.pseudonym_key_id), RESTRICTED_FILE, RESTRICTED_FOLDER)


def _vault_of(path: Path) -> tuple[Keys, str]:
    """The keys of the innermost root that is open, and the table's name below it."""
    for folder in path.parents:
        if folder in _OPEN:
            return _OPEN[folder], path.relative_to(folder).as_posix()
    raise Refused("VAULT_NOT_OPEN")
