"""What every stage works with: zones, archives, profile, key, manners; made from the settings once a run."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from ..deid.profile import Profile
from ..deid.pseudonyms import PseudonymKey
from ..errors import DicomAssetsError, Refused, from_os_error
from ..pacs.archive import Archive
from ..settings import Settings
from ..storage.atomic import LONG_AGO, exclusive_lock, remove_unfinished
from ..storage.audit import refusals_recorded
from ..storage.forgotten import refuse_forgotten
from ..storage.key_sources import KeyCommand, KeyFile, KeySource
from ..storage.keyring import Keyring
from ..storage.keys import load_or_make_key
from ..storage.mapping import key_ids_in_use, mapped_batches
from ..storage.permissions import refuse_open_folders
from ..storage.syslog import send_to
from ..storage.vault import open_vault
from ..storage.zones import Zones
from .archives import archive_from
from .breaker import breaker_folder
from .politeness import NO_TURNS, Politeness, Turn, nothing, say_on_stderr
from .site_profile import site_profile

#: progress(what, total) gives a function to call once a study is done
Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@contextmanager
def no_progress(_what: str, _total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


@dataclass(frozen=True)
class Job:
    """archives: in the order in which they are asked; at least one. deface: the site's program that removes faces, with
    its arguments; empty where there is none."""

    zones: Zones
    archives: tuple[Archive, ...]
    profile: Profile
    key: PseudonymKey
    workers: int
    progress: Progress = no_progress
    politeness: Politeness = field(default_factory=Politeness)
    deface: tuple[str, ...] = ()

    @property
    def archive(self) -> Archive:
        return self.archives[0]

    def talking_to(self, archive: Archive, hang_up: Callable[[], object] = nothing) -> AbstractContextManager[None]:
        """Round each study's conversation: see Politeness.talking_to."""
        return self.politeness.talking_to(archive, hang_up)


def zones_of(settings: Settings) -> Zones:
    """The zones, and their vault open; which keys it has is found out when the first table is written or read."""
    return keyring_of(settings).zones


def keyring_of(settings: Settings) -> Keyring:
    """The mapping keys of the restricted root, in use from now on."""
    zones = Zones(settings.restricted_root, settings.released_root)
    send_to(zones, settings.syslog)
    return open_vault(zones.restricted, Keyring(zones, key_source(settings)))


def key_source(settings: Settings) -> KeySource:
    """Where the mapping key comes from."""
    if settings.mapping_key_command:
        return KeyCommand(settings.mapping_key_command)
    return KeyFile(settings.mapping_key_file)


def key_of(settings: Settings) -> PseudonymKey:
    """The pseudonym key, made on first use. Raises BadInput or Refused where one of the two keys cannot be used, or is
    not that of the mapping, or where others may look into our folders; the audit log has it."""
    keyring = keyring_of(settings)
    zones = keyring.zones
    with coded_file_errors():
        keyring.check()
    with coded_file_errors(), _audited(zones):
        refuse_open_folders(zones)
        refuse_forgotten(zones)
        if mapped_batches(zones) and not settings.pseudonym_key_file.exists():
            raise Refused("KEY_FILE_MISSING")
        key = PseudonymKey(load_or_make_key(settings.pseudonym_key_file))
        if key_ids_in_use(zones) - {key.key_id}:
            raise Refused("KEY_FILE_NOT_THE_SAME")
    return key


@contextmanager
def _audited(zones: Zones) -> Iterator[None]:
    """Where nothing was ever kept, nothing can be refused that matters."""
    with refusals_recorded(zones, "keys and permissions") if zones.restricted.is_dir() else nullcontext():
        yield


def archives_of(settings: Settings) -> tuple[Archive, ...]:
    """Raises BadInput or Refused where the file of a key or of a password cannot be used."""
    with coded_file_errors():
        return tuple(archive_from(one) for one in settings.archives)


def archive_of(settings: Settings) -> Archive:
    """The first one."""
    return archives_of(settings)[0]


def job_of(
    settings: Settings,
    progress: Progress = no_progress,
    *,
    turn: Turn = NO_TURNS,
    urgent: bool = False,
    say: Callable[[str], object] = say_on_stderr,
) -> Job:
    """turn: who may talk to archives at this moment. urgent: not bound to the archive's hours. say: takes a
    sentence on why it waits. Raises BadInput or Refused where profile or key cannot be used. Makes the key on first
    use."""
    zones, key = zones_of(settings), key_of(settings)
    return Job(
        zones=zones,
        archives=archives_of(settings),
        profile=site_profile(settings.profile),
        key=key,
        workers=os.cpu_count() or 1,
        progress=progress,
        politeness=Politeness(breaker_folder(zones), None if urgent else settings.hours, turn, say),
        deface=settings.deface_command,
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
    """One process at a time works on a batch; what a killed one left unfinished is cleared away. File errors are
    coded."""
    with coded_file_errors(), exclusive_lock(job.zones.lock(batch)):
        refuse_forgotten(job.zones)
        _clear_unfinished(job.zones, batch)
        yield


def _clear_unfinished(zones: Zones, batch: str) -> None:
    for area in ("raw", "staging", "quarantine"):
        for folder in (zones.restricted / area / batch).glob("*/"):
            remove_unfinished(folder)
    remove_unfinished(zones.ledger(batch, "").parent)
    for shared in (zones.requests, zones.mapping_folder, zones.restricted / "releases"):
        remove_unfinished(shared, LONG_AGO)
