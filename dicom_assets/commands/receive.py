"""`receive`: the Storage SCP, until somebody ends it."""

import argparse
import os
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from ..pacs.archive import Archive
from ..pacs.commitment_scp import Commitment
from ..pacs.conversation import Conversation
from ..pacs.crew import Crew, Station
from ..pacs.doorkeeper import Rules
from ..pacs.listener import Place
from ..pacs.service import TIMEOUTS, Service
from ..settings import Settings
from ..settings.receiving import ReceiverSettings
from ..storage.held import Holdings
from ..storage.inbox import announced, return_unclaimed
from ..storage.incoming import Incoming
from ..workflow.archives import tls_from
from ..workflow.job import coded_file_errors, key_of, zones_of
from ..workflow.watch import check_watch_folder, watch
from .output import say

#: Seconds that an instance on its way still has when the end has come
_LAST_SECONDS = 5.0
#: Seconds between two lines on what came
_LINE_SECONDS = 60.0
#: Open files: some a connection
_DESCRIPTORS = 8192
_LARGEST_CREW = 8


def receive(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    settings = replace(settings, receiver=replace(settings.receiver, port=options.port or settings.receiver.port))
    check_watch_folder(settings)
    _allow_descriptors()
    with _told_to_stop() as stop, coded_file_errors(), _receiving(settings, stop) as service:
        say(f"listening on {settings.receiver.address}, port {settings.receiver.port}")
        said: Counter[str] = Counter()
        while not stop.wait(_LINE_SECONDS):
            said = _say_what_came(service, said)
    _say_what_came(service, said)
    return 0


@contextmanager
def _receiving(settings: Settings, stop: threading.Event) -> Iterator[Service]:
    """The SCP, and what belongs to it: a crew, commitment, the sign for C-MOVE that it is there, the watched folder."""
    ours, zones, key = settings.receiver, zones_of(settings), key_of(settings)
    holdings = Holdings(zones, key.file_name)

    def incoming_zone() -> Incoming:
        return Incoming(zones.incoming, key.study_key, key.file_name, ours.reserve)

    @contextmanager
    def station() -> Iterator[Station]:
        told: list[tuple] = []
        with incoming_zone().opened() as incoming:
            incoming.on_kept = lambda *kept: told.append(kept)
            yield Station(Conversation(incoming.begin), told)

    with closing(Crew(_crew_size(), station, holdings.remember)) as crew, incoming_zone().opened() as incoming:
        crew.start()
        incoming.on_kept = holdings.remember
        return_unclaimed(zones.incoming)
        service = Service(_place(ours), _rules(ours), incoming.begin, _commitment(ours, holdings, incoming), crew)
        watching = threading.Thread(target=watch, args=(settings, incoming, stop), name="watching", daemon=True)
        try:
            with announced(zones.incoming, ours.port):
                watching.start()
                yield service
        finally:
            stop.set()
            service.close(_LAST_SECONDS)
            watching.join(_LAST_SECONDS)


def _crew_size() -> int:
    """One process a processor; where there is only one, none."""
    processors = os.cpu_count() or 1
    return min(processors, _LARGEST_CREW) if processors > 1 else 0


def _commitment(ours: ReceiverSettings, holdings: Holdings, incoming: Incoming) -> Commitment:
    tls = None if ours.tls is None else tls_from(ours.tls)
    peers = {title: Archive(host, port, title, ours.ae_title, tls=tls) for title, host, port in ours.commitment_peers}
    return Commitment(holdings.find, lambda uids: holdings.declare_complete(uids, incoming.declare_complete), peers)


def _place(ours: ReceiverSettings) -> Place:
    tls = None if ours.tls is None else tls_from(ours.tls)
    return Place(ours.address, ours.port, tls, TIMEOUTS, ours.association_seconds)


def _rules(ours: ReceiverSettings) -> Rules:
    return Rules(
        associations=ours.associations,
        associations_a_peer=ours.associations_a_peer,
        called_ae_title=ours.ae_title if ours.check_called else "",
        calling_ae_titles=ours.calling_ae_titles,
        networks=ours.networks,
    )


def _say_what_came(service: Service, before: Counter[str]) -> Counter[str]:
    """A line of counts, where they have changed."""
    now = Counter(stored=service.tally.stored) + service.tally.refused + service.turned_away
    if now != before:
        since = now - before
        stored = since.pop("stored", 0)
        refused = [f"{code} {count}" for code, count in sorted(since.items())]
        say(
            f"stored {stored} instance{'' if stored == 1 else 's'}"
            + "; not taken: " * bool(refused)
            + ", ".join(refused)
        )
    return now


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by SIGTERM and SIGINT."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
