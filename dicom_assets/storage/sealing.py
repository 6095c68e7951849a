"""A table as bytes that only the holder of its mapping key can read, and nobody can change unseen.

A sealed table is a Parquet file under Parquet modular encryption: footer and all columns by AES-256-GCM under one key,
which comes of the mapping key and a salt of the file's own. Right before the footer, where no reader of Parquet looks,
stands a line in the clear:

    dicom-assets/1 <id of the mapping key> <id of the pseudonym key, or dashes> <salt> <MAC>

Modular encryption leaves magic, lengths and the description of the encryption unprotected. So the MAC, HMAC-SHA256, is
over every other byte and the table's name, and is compared before anything of the file is interpreted. The line, less
the MAC, and the name are the AAD prefix as well.
"""

import hmac
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.parquet.encryption import create_decryption_properties, create_encryption_properties

from ..errors import BadInput
from .keys import MappingKey

_LINE = re.compile(rb"dicom-assets/1 ([0-9a-f]{12}) ([0-9a-z-]{12}) ([0-9a-f]{32}) ([0-9a-f]{64})\n")
_LINE_BYTES = len("dicom-assets/1") + sum(1 + digits for digits in (12, 12, 32, 64)) + len("\n")
_MAC_BYTES = 64 + len("\n")
#: A file with an encrypted footer ends with the footer's length, 4 bytes, little endian, and these
_MAGIC = b"PARE"
_END_BYTES = 8


class Header(NamedTuple):
    """What stands in the clear. pseudonym_key_id: empty where the table does not say."""

    key_id: str
    pseudonym_key_id: str
    salt: str
    mac: str

    @property
    def clear(self) -> bytes:
        """The line as far as the MAC."""
        return f"dicom-assets/1 {self.key_id} {self.pseudonym_key_id:-<12} {self.salt} ".encode()


def seal(table: pa.Table, name: str, key: MappingKey, pseudonym_key_id: str = "") -> bytes:
    """name: of the table, below the restricted root; under another one it cannot be read."""
    header = Header(key.key_id, pseudonym_key_id, secrets.token_hex(16), "")
    sink = pa.BufferOutputStream()
    properties = create_encryption_properties(
        key.derived("table", header.salt), aad_prefix=header.clear + name.encode()
    )
    pq.write_table(table, sink, encryption_properties=properties)
    parquet = sink.getvalue().to_pybytes()
    footer = len(parquet) - _END_BYTES - _footer_length(parquet[-_END_BYTES:])
    before, after = parquet[:footer] + header.clear, b"\n" + parquet[footer:]
    return before + _mac(key, header, name, before, after) + after


def unseal(
    content: bytes, name: str, find: Callable[[str], MappingKey], columns: Sequence[str] | None = None
) -> pa.Table:
    """find: the key with this id. Raises BadInput("SEALED_TABLE_DAMAGED") where a single bit is not as it was written,
    and what find raises."""
    header, key = checked(content, name, find)
    properties = create_decryption_properties(
        key.derived("table", header.salt), aad_prefix=header.clear + name.encode()
    )
    # One thread: pyarrow 26's reading threads now and then abort the interpreter when it ends.
    file = pq.ParquetFile(pa.BufferReader(content), decryption_properties=properties)
    return file.read(columns, use_threads=False)


def checked(content: bytes, name: str, find: Callable[[str], MappingKey]) -> tuple[Header, MappingKey]:
    """As unseal(), without reading the table."""
    line_end = len(content) - _END_BYTES - _footer_length(content[-_END_BYTES:])
    header = _parsed(content[max(line_end - _LINE_BYTES, 0) : max(line_end, 0)])
    key = find(header.key_id)
    mac = _mac(key, header, name, content[: line_end - _MAC_BYTES], content[line_end - 1 :])
    if not hmac.compare_digest(mac, header.mac.encode()):
        raise BadInput("SEALED_TABLE_DAMAGED")
    return header, key


def read_header(path: Path) -> Header:
    """What the file says of itself, unchecked: enough to name its keys. Raises BadInput("SEALED_TABLE_DAMAGED"),
    OSError."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        end = os.pread(file.fileno(), _END_BYTES, max(size - _END_BYTES, 0))
        start = size - _END_BYTES - _footer_length(end) - _LINE_BYTES
        return _parsed(os.pread(file.fileno(), _LINE_BYTES, max(start, 0)))


def is_sealed(path: Path) -> bool:
    """As far as can be seen from its end. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - len(_MAGIC), 0))
        return file.read() == _MAGIC


def _footer_length(end: bytes) -> int:
    if end[4:] != _MAGIC:
        raise BadInput("SEALED_TABLE_DAMAGED")
    return int.from_bytes(end[:4], "little")


def _parsed(line: bytes) -> Header:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadInput("SEALED_TABLE_DAMAGED")
    key_id, pseudonym_key_id, salt, mac = (field.decode() for field in match.groups())
    return Header(key_id, pseudonym_key_id.strip("-"), salt, mac)


def _mac(key: MappingKey, header: Header, name: str, before: bytes, after: bytes) -> bytes:
    """Of the table's name and every byte but its own 64."""
    mac = hmac.new(key.derived("mac", header.salt), name.encode() + b"\0", "sha256")
    mac.update(len(before).to_bytes(8, "big"))
    mac.update(before)
    mac.update(after)
    return mac.hexdigest().encode()
