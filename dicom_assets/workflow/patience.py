"""How long a batch goes on asking an archive that does not answer: a dead one must not cost a time-out a study."""

from ..errors import RetryLater
from ..pacs.archive import Archive
from .breaker import DOWN

#: Rounds in a row that ended in a time-out or dead connection, over all studies of a batch, after which an archive is
#: left alone: twice its stall limit is what this stage may wait in vain.
_DEAD_ROUNDS = 2
#: Codes of such rounds
DEAD = DOWN | {"PACS_STALLED", "PACS_BREAKER_OPEN", "RECEIVER_PORT_BUSY"}
#: Codes after which no study of this run can be asked for; the stage as a whole may be tried again
NOT_EVEN_ASKED = DOWN | {"PACS_NOT_CONFIGURED", "PACS_BREAKER_OPEN", "RECEIVER_PORT_BUSY"}


class Patience:
    """What is left of it, over the studies of one batch; of each archive by itself."""

    def __init__(self) -> None:
        self._dead: dict[str, list[str]] = {}

    def after(self, archive: Archive, reason: str, brought: int = 0) -> None:
        """A round or query ended for this reason, empty for none, and brought so many instances."""
        if brought or reason not in DEAD:
            self._dead.pop(archive.name, None)
        else:
            self._dead.setdefault(archive.name, []).append(reason)

    def check(self, archive: Archive) -> None:
        """Raises RetryLater where the archive is left alone for the rest of the batch."""
        dead = self._dead.get(archive.name, [])
        if len(dead) >= _DEAD_ROUNDS:
            raise RetryLater(dead[-1])
