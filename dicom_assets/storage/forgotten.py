"""The mark of a restricted root whose keys and mapping were destroyed, or are being destroyed: nothing begins there
any more, and nobody is led back to a patient."""

from pathlib import Path

from ..errors import Refused
from .atomic import delete, write_file
from .zones import Zones


def mark_of(zones: Zones) -> Path:
    return zones.mapping_folder / "forgotten"


def is_forgotten(zones: Zones) -> bool:
    return mark_of(zones).exists()


def refuse_forgotten(zones: Zones) -> None:
    """Raises Refused("MAPPING_FORGOTTEN")."""
    if is_forgotten(zones):
        raise Refused("MAPPING_FORGOTTEN")


def mark(zones: Zones) -> None:
    write_file(mark_of(zones), b"")


def unmark(zones: Zones) -> None:
    """Only as long as nothing was destroyed."""
    delete([mark_of(zones)])
