"""Archives that misbehave in one way, some to a degree that the test gives. All ways: tests.support.faulty."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_assets.demo.archive import EmbeddedArchive, Step, stored
from dicom_assets.demo.index import Entry

from .faulty import FaultyArchive, connecting, reporting, sending

_PENDING = 0xFF00


class DropsEveryNth(EmbeddedArchive):
    """C-GET leaves out every n-th instance and counts it as completed; the final status is success."""

    def __init__(self, folder: Path, n: int, **arguments: object) -> None:
        super().__init__(folder, **arguments)
        self.n, self.sent = n, 0

    def handle_get(self, event: evt.Event) -> Iterator[Step]:
        steps = super().handle_get(event)
        yield next(steps)
        really_send = event.assoc.send_c_store

        def send(instance: Dataset, **arguments: object) -> Dataset:
            self.sent += 1
            if self.sent % self.n:
                return really_send(instance, **arguments)
            status = Dataset()
            status.Status = 0x0000
            return status

        event.assoc.send_c_store = send
        yield from steps


class HoldsBack(EmbeddedArchive):
    """Does not send these instances until release() is called. listed: whether C-FIND tells of them meanwhile."""

    def __init__(self, folder: Path, held: set[str], *, listed: bool = True, **arguments: object) -> None:
        super().__init__(folder, **arguments)
        self.held, self.listed = frozenset(held), listed

    def release(self) -> None:
        self.held = frozenset()

    def instances(self) -> list[Entry]:
        return super().instances() if self.listed else self._sendable(super().instances())

    def chosen(self, event: evt.Event) -> list[Entry] | None:
        entries = super().chosen(event)
        return None if entries is None else self._sendable(entries)

    def _sendable(self, entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.uid_of("IMAGE") not in self.held]


class AbortsInTheMiddle(EmbeddedArchive):
    """Sends the first half, then aborts the association. times: how often, after which it behaves; None for ever."""

    def __init__(self, folder: Path, *, times: int | None = None, **arguments: object) -> None:
        super().__init__(folder, **arguments)
        self.times = times

    def suboperations(self, event: evt.Event) -> Iterator[Step]:
        if self.times == 0:
            yield from super().suboperations(event)
            return
        if self.times is not None:
            self.times -= 1
        entries = self.chosen(event) or []
        yield len(entries)
        for entry in entries[: len(entries) // 2]:
            yield _PENDING, stored(entry)
        event.assoc.abort()


Hangs = partial(FaultyArchive, mode=connecting.SilentToRetrievals)
SendsNothing = partial(FaultyArchive, mode=sending.SendsNothing)
RefusesAll = partial(FaultyArchive, mode=reporting.RefusesSuboperations)
