"""A mapping key for tests that are not about keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_assets.errors import Refused
from dicom_assets.storage.keys import MappingKey
from dicom_assets.storage.vault import open_vault
from dicom_assets.storage.zones import Zones


@dataclass(frozen=True)
class OneKey:
    """As storage.keyring.Keyring, of a key that is always there."""

    key: MappingKey

    @contextmanager
    def writing(self) -> Iterator[MappingKey]:
        yield self.key

    def find(self, key_id: str) -> MappingKey:
        if key_id != self.key.key_id:
            raise Refused("MAPPING_KEY_NOT_THE_SAME")
        return self.key

    def written_to(self, path: Path) -> Path:
        path.touch(0o600)
        path.write_bytes(self.key.secret)
        return path


ONE_KEY = OneKey(MappingKey(bytes(range(32))))


def zones_at(folder: Path) -> Zones:
    """Made by hand; their tables can be read under another folder, too, or through settings that name the key file."""
    zones = Zones(folder / "restricted", folder / "released")
    open_vault(zones.restricted, ONE_KEY)
    return zones
