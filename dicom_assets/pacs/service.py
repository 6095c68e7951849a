"""The Storage SCP of `dicom-assets receive`: a listener, what is said in its associations, and who serves them."""

from collections import Counter

from .archive import Timeouts
from .association import Association
from .commitment_scp import COMMITMENT_MODEL, Commitment
from .contexts import VERIFICATION, PushedClasses
from .conversation import Conversation, Tally
from .crew import Crew
from .doorkeeper import Rules
from .intake import Store
from .listener import Listener, Place

#: Of associations that others open: first_response is how long they may be quiet between two messages.
TIMEOUTS = Timeouts(acse=15, first_response=300, stall=60, no_progress=300)


class Service:
    """Open from its making until close(). store: is called by many threads at a time. crew: processes that serve what
    can be handed over; the rest is served here.

    Raises RetryLater("RECEIVER_PORT_BUSY"), BadInput("PACS_TLS_FILES").
    """

    def __init__(
        self, place: Place, rules: Rules, store: Store, commitment: Commitment | None = None, crew: Crew | None = None
    ) -> None:
        self._conversation, self._crew = Conversation(store, commitment), crew
        classes = PushedClasses(VERIFICATION, *([COMMITMENT_MODEL] if commitment else []))
        self._listener = Listener(place, rules, classes, self._serve)

    @property
    def tally(self) -> Tally:
        """Of all processes."""
        counted = Tally()
        for one in (self._conversation.tally, *([self._crew.tally] if self._crew else [])):
            counted.add(one.stored, one.refused)
        return counted

    @property
    def turned_away(self) -> Counter[str]:
        """Code -> associations that were rejected."""
        return self._listener.turned_away

    def close(self, seconds: float) -> None:
        """As Listener.close()."""
        self._conversation.is_closing = True
        self._listener.close(seconds)

    def _serve(self, association: Association) -> None:
        # Commitment is answered where it is known what has come to all processes.
        asks_for_commitment = any(one.abstract_syntax == COMMITMENT_MODEL for one in association.contexts.values())
        if self._crew is None or asks_for_commitment or not self._crew.serve(association):
            self._conversation.hold(association)
