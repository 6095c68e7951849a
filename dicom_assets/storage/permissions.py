"""Nobody but the service may look into the folders that we make below the restricted root. Their parents are the site's
affair."""

import os
from pathlib import Path

from ..errors import Refused
from .zones import Zones

_ZONES = (
    "requests", "incoming", "raw", "staging", "quarantine", "decisions", "mapping", "ledger", "releases",
)  # fmt: skip
_OTHERS = 0o077


def refuse_open_folders(zones: Zones) -> None:
    """One look at each folder, and at each file beside the mapping. Raises Refused("FOLDER_OPEN_TO_OTHERS"), with the
    commands that mend it as notes."""
    open_ones = [name for name in _ZONES if _is_open(zones.restricted / name)]
    if "mapping" not in open_ones and _has_open_file(zones.mapping_folder):
        open_ones.append("mapping")
    if open_ones:
        error = Refused("FOLDER_OPEN_TO_OTHERS")
        for name in open_ones:
            error.add_note(f'chmod -R go-rwx "${{DICOM_RESTRICTED_ROOT:-data/restricted}}"/{name}')
        raise error


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)


def _has_open_file(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(entry.stat(follow_symlinks=False).st_mode & _OTHERS for entry in entries)
