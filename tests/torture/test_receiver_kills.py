"""The receiver is killed while three senders push: what it acknowledged is there, once and whole, and nothing else.

RECEIVER_KILLS=100 python -m pytest -q -s tests/torture/test_receiver_kills.py
"""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ports import free_port
from tests.support.programs import needs
from tests.torture.support_judge import judge_incoming
from tests.torture.support_pushing import push
from tests.torture.support_sites import KEY, kill, new_site, receiving
from tests.torture.support_studies import Pushed, make_study

KILLS = int(os.environ.get("RECEIVER_KILLS", "3"))
_SENDERS = 3
#: Instances of a study that a sender pushes, and how many of them it has in common with the next sender
_PART, _OVERLAP = 200, 60
#: Seconds that a receiver lives, at most
_LIFE = 0.7
#: A guard against hanging
_SECONDS = 240


@needs("storescu")
def test_what_a_killed_receiver_acknowledged_is_there_once_and_whole(tmp_path: Path) -> None:
    site, port, moments = new_site(tmp_path / "site"), free_port(), random.Random(5)
    senders = [_Sender(tmp_path / str(number), number, port) for number in range(_SENDERS)]
    started = time.monotonic()
    with ThreadPoolExecutor(_SENDERS) as threads:
        pushing = [threads.submit(sender.run) for sender in senders]
        try:
            for _ in range(KILLS):
                with receiving(site, port) as receiver:
                    time.sleep(moments.uniform(0, _LIFE))
                    kill(receiver)
        finally:
            for sender in senders:
                sender.stop.set()
        with receiving(site, port):
            for done in pushing:
                done.result(_SECONDS)
    acknowledged = [one for sender in senders for one in sender.acknowledged]
    found = judge_incoming(site.zones, KEY, set(acknowledged), {one for sender in senders for one in sender.sent})
    twice = len(acknowledged) - len(set(acknowledged))
    print(
        f"{KILLS} kills of the receiver: {sum(sender.broken for sender in senders)} associations broken, "
        f"{len(set(acknowledged))} instances acknowledged ({twice} of them twice), {found} in incoming, "
        f"{time.monotonic() - started:.0f} s"
    )


@dataclass
class _Sender:
    """Pushes study after study, each part until all of it is acknowledged, and the next one's beginning with it."""

    folder: Path
    number: int
    port: int
    sent: list[Pushed] = field(default_factory=list)
    acknowledged: list[Pushed] = field(default_factory=list)
    broken: int = 0  #: associations that ended before all was acknowledged
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.folder.mkdir()
        study, deadline = 0, time.monotonic() + _SECONDS + KILLS
        while not self.stop.is_set():
            study += 1
            left = make_study(self.folder, study, _PART, first=self.number * (_PART - _OVERLAP))
            self.sent += left
            while left:
                acknowledged = push(self.port, left, f"SENDER{self.number}")
                self.acknowledged += acknowledged
                left = [one for one in left if one not in set(acknowledged)]
                self.broken += bool(acknowledged and left)
                assert time.monotonic() < deadline, "never acknowledged"
                self.stop.wait(0.05 if left else 0)
