"""`echo`: does each configured archive answer, in each way in which it is asked?"""

import argparse
from collections.abc import Callable

from ..errors import DicomAssetsError
from ..pacs.archive import Archive
from ..pacs.echo import echo as c_echo
from ..pacs.qido import echo_dicomweb
from ..settings import Settings
from ..workflow.job import archives_of
from .output import say


def echo(_options: argparse.Namespace) -> int:
    archives = archives_of(Settings.from_env())
    answered = [_tried(archive, len(archives) > 1, *way) for archive in archives for way in _ways(archive)]
    return 0 if all(answered) else 1


def _ways(archive: Archive) -> list[tuple[Callable[[Archive], None], str]]:
    """How the settings mean to talk to it; C-ECHO where they name nothing, to say so."""
    by_web = [(echo_dicomweb, "DICOMweb answers: network, URL and QIDO-RS are right.")]
    by_dimse = [(c_echo, "The archive answers C-ECHO: network and AE titles are right.")]
    return [
        *(by_dimse if archive.host or not archive.dicomweb_url else []),
        *(by_web if archive.dicomweb_url else []),
    ]


def _tried(archive: Archive, is_one_of_several: bool, test: Callable[[Archive], None], sentence: str) -> bool:
    named = f"archive {archive.name}: " if is_one_of_several else ""
    try:
        test(archive)
    except DicomAssetsError as error:
        say(f"{named}{error}")
        return False
    print(f"{named}{sentence}")
    return True
