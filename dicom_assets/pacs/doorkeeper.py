"""Who may come in, and who has to go so that others can.

A connection stands at the door until its association is accepted. There is room for some at the door, and whoever comes
gets a place there: that of the one who has stood there longest. So connections that never say what they want shut
nobody out. Associations are limited, too, all together and those of one address; where there is no room for one more,
one has to go that has been quiet for longer than a sender in good health: first of those that have not brought one
whole message yet. Only where all are busy is the newcomer rejected, for the time being.
"""

import ipaddress
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass

from ..errors import Refused
from ..settings.receiving import Network
from .association import Association
from .negotiation import Negotiation
from .wire import cut

#: Why an association is rejected -> result, source and reason of the A-ASSOCIATE-RJ (PS3.8 table 9-21)
REJECTIONS = {
    "PEER_ADDRESS_REFUSED": (1, 1, 1),  # no reason given: there is none for this
    "PEER_APPLICATION_CONTEXT_REFUSED": (1, 1, 2),
    "PEER_CALLING_AE_TITLE_REFUSED": (1, 1, 3),
    "PEER_CALLED_AE_TITLE_REFUSED": (1, 1, 7),
    "PEER_PROTOCOL_VERSION_REFUSED": (1, 2, 2),
    "PEER_ASSOCIATIONS_REFUSED": (2, 3, 2),  # transient: local limit exceeded
}


@dataclass(frozen=True)
class Rules:
    """associations: at a time; of one address: associations_a_peer. called_ae_title: by which we want to be called;
    empty: by any. calling_ae_titles, networks: of those who may; empty: anybody. at_the_door: connections that have no
    association yet. quiet_seconds: without progress, after which an association may have to make room; fresh_seconds:
    of one that has not brought a whole message."""

    associations: int
    associations_a_peer: int
    called_ae_title: str = ""
    calling_ae_titles: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    at_the_door: int = 32
    quiet_seconds: float = 2.0
    fresh_seconds: float = 0.1


@dataclass(eq=False)
class Visitor:
    """A connection. peer: its address. association: None as long as it stands at the door. is_out: it had to go; its
    thread, if it has not noticed yet, is about to."""

    sock: socket.socket
    peer: str
    association: Association | None = None
    is_out: bool = False

    def put_out(self) -> None:
        self.is_out = True
        cut(self.sock)


class Doorkeeper:
    """Used by many threads."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._visitors: dict[Visitor, None] = {}  #: in the order in which they came

    def enter(self, sock: socket.socket, address: str) -> Visitor:
        """A new connection is at the door."""
        visitor = Visitor(sock, _plain(address))
        with self._lock:
            at_the_door = [each for each in self._visitors if each.association is None and not each.is_out]
            if len(at_the_door) >= self._rules.at_the_door:
                crowd, _ = Counter(each.peer for each in at_the_door).most_common(1)[0]
                next(each for each in at_the_door if each.peer == crowd).put_out()
            self._visitors[visitor] = None
        return visitor

    def leave(self, visitor: Visitor) -> None:
        with self._lock:
            self._visitors.pop(visitor, None)

    def everybody(self) -> list[Visitor]:
        with self._lock:
            return list(self._visitors)

    def examine(self, visitor: Visitor, requested: Negotiation) -> None:
        """May this association be? Raises Refused with a code of REJECTIONS."""
        rules = self._rules
        if rules.networks and not any(ipaddress.ip_address(visitor.peer) in network for network in rules.networks):
            raise Refused("PEER_ADDRESS_REFUSED")
        if not requested.is_our_version:
            raise Refused("PEER_PROTOCOL_VERSION_REFUSED")
        if not requested.is_our_application:
            raise Refused("PEER_APPLICATION_CONTEXT_REFUSED")
        if rules.called_ae_title and requested.called_ae_title != rules.called_ae_title:
            raise Refused("PEER_CALLED_AE_TITLE_REFUSED")
        if rules.calling_ae_titles and requested.calling_ae_title not in rules.calling_ae_titles:
            raise Refused("PEER_CALLING_AE_TITLE_REFUSED")

    def let_in(self, visitor: Visitor, association: Association) -> None:
        """There is room for this association, or is made. Raises Refused("PEER_ASSOCIATIONS_REFUSED")."""
        with self._lock:
            inside = [each for each in self._visitors if each.association is not None and not each.is_out]
            neighbours = [each for each in inside if each.peer == visitor.peer]
            if len(neighbours) >= self._rules.associations_a_peer:
                self._make_room(neighbours)
            elif len(inside) >= self._rules.associations:
                self._make_room(inside)
            visitor.association = association

    def _make_room(self, among: list[Visitor]) -> None:
        now = time.monotonic()
        quiet = {each: now - each.association.quiet_since() for each in among}
        known = [each for each in among if each.association.has_spoken]
        fresh = [each for each in among if not each.association.has_spoken]
        for group, seconds in ((fresh, self._rules.fresh_seconds), (known, self._rules.quiet_seconds)):
            longest = max(group, key=quiet.__getitem__, default=None)
            if longest is not None and quiet[longest] > seconds:
                longest.put_out()
                return
        raise Refused("PEER_ASSOCIATIONS_REFUSED")


def _plain(address: str) -> str:
    """An IPv4 address that comes to an IPv6 socket as what it is."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
