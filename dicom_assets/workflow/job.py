"""What every stage works with: zones, archive, profile, key; made from the settings once a run."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from ..deid.profile import Profile, load_profile
from ..deid.pseudonyms import PseudonymKey
from ..errors import DicomAssetsError, Refused, from_os_error
from ..pacs.archive import Archive
from ..settings import Settings
from ..storage.atomic import exclusive_lock
from ..storage.keys import load_or_make_key
from ..storage.mapping import key_ids_in_use, mapped_batches
from ..storage.zones import Zones

#: progress(what, total) gives a function to call once a study is done
Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@contextmanager
def no_progress(_what: str, _total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


@dataclass(frozen=True)
class Job:
    zones: Zones
    archive: Archive
    profile: Profile
    key: PseudonymKey
    workers: int
    progress: Progress = no_progress


def zones_of(settings: Settings) -> Zones:
    return Zones(settings.restricted_root, settings.released_root)


def archive_of(settings: Settings) -> Archive:
    return Archive(
        host=settings.pacs_host,
        port=settings.pacs_port,
        called_ae_title=settings.pacs_ae_title,
        calling_ae_title=settings.calling_ae_title,
        retrieve=settings.pacs_retrieve,
        receiver_port=settings.receiver_port,
    )


def job_of(settings: Settings, progress: Progress = no_progress) -> Job:
    """Raises BadInput or Refused where profile or key cannot be used. Makes the key on first use."""
    zones = zones_of(settings)
    with coded_file_errors():
        if mapped_batches(zones) and not settings.pseudonym_key_file.exists():
            raise Refused("KEY_FILE_MISSING")
        key = PseudonymKey(load_or_make_key(settings.pseudonym_key_file))
        if key_ids_in_use(zones) - {key.key_id}:
            raise Refused("KEY_FILE_NOT_THE_SAME")
    return Job(
        zones=zones,
        archive=archive_of(settings),
        profile=load_profile(settings.profile),
        key=key,
        workers=os.cpu_count() or 1,
        progress=progress,
    )


@contextmanager
def coded_file_errors() -> Iterator[None]:
    """Full disk, missing permission and the like become coded errors without the file's name."""
    try:
        yield
    except DicomAssetsError:
        raise
    except OSError as error:
        raise from_os_error(error) from None


@contextmanager
def working_on(job: Job, batch: str) -> Iterator[None]:
    """One process at a time works on a batch; file errors are coded."""
    with coded_file_errors(), exclusive_lock(job.zones.lock(batch)):
        yield
