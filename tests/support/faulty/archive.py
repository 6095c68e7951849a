"""The faulty archive: the embedded one, with a mode that may interfere at each step, and a log of what it was asked."""

import tempfile
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from dicom_assets.demo.answers import responses
from dicom_assets.demo.archive import EmbeddedArchive, Step, StoredInstance
from dicom_assets.demo.contexts import query_level
from dicom_assets.demo.index import Entry

from .log import Request
from .mode import Healthy, Mode


class FaultyArchive(EmbeddedArchive):
    """mode: one of tests.support.faulty.MODES; a new one ends whatever the old one hangs in, and begins a new log.

    lost: SOPInstanceUIDs that are gone for good. desk: where doctored copies of instances lie.
    """

    def __init__(
        self, folder: Path, mode: type[Mode] = Healthy, known_peers: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        super().__init__(folder, known_peers=known_peers)
        self.lost: set[str] = set()
        self.log: list[Request] = []
        self._mode: Mode = mode(self)

    def __enter__(self) -> Self:
        self._desk = tempfile.TemporaryDirectory()
        self.desk = Path(self._desk.name)
        super().__enter__()
        for server in self._entity._servers:
            server.bind(evt.EVT_REQUESTED, self._negotiate)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        self._mode.over.set()
        super().__exit__(kind, error, trace)
        self._desk.cleanup()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: type[Mode]) -> None:
        self._mode.over.set()
        self.log = []
        self._mode = mode(self)

    @property
    def sent(self) -> list[str]:
        """SOPInstanceUIDs of all that the log says was sent."""
        return [uid for request in self.log for uid in request.sent]

    def everything(self) -> list[Entry]:
        """What is stored, whatever the mode makes of it."""
        return [entry for entry in super().instances() if entry.uid_of("IMAGE") not in self.lost]

    def instances(self) -> list[Entry]:
        return self._mode.holds(self.everything())

    def answers(self, identifier: Dataset, level: str) -> Iterator[Dataset]:
        """The right answers to a C-FIND."""
        return responses(self.instances(), identifier, level, self.ae_title)

    def handle_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self._note("C-FIND", event)
        yield from self._mode.finds(event, query_level(event) or "", super().handle_find(event))

    def handle_get(self, event: evt.Event) -> Iterator[Step]:
        steps, request = super().handle_get(event), self._note("C-GET", event)
        number = next(steps)
        self._attend(event.assoc, request)
        yield number
        yield from steps

    def handle_move(self, event: evt.Event) -> Iterator[Step]:
        steps, request = super().handle_move(event), self._note("C-MOVE", event)
        destination = next(steps)
        if destination[0] is not None:
            handler = (evt.EVT_ACCEPTED, lambda accepted: self._attend(accepted.assoc, request))
            destination[2]["evt_handlers"].append(handler)
        yield destination
        yield from steps

    def chosen(self, event: evt.Event) -> list[Entry] | None:
        entries = super().chosen(event)
        return None if entries is None else self._mode.chooses(query_level(event) or "", entries)

    def suboperations(self, event: evt.Event) -> Iterator[Step]:
        yield from self._mode.suboperations(event, super().suboperations(event))

    def _note(self, service: str, event: evt.Event) -> Request:
        named = event.identifier.get("SOPInstanceUID") or ()
        named = (named,) if isinstance(named, str) else tuple(map(str, named))
        self.log.append(Request(service, query_level(event) or "", named))
        return self.log[-1]

    def _negotiate(self, event: evt.Event) -> None:
        """Before an association is accepted: let the mode see its responses, and the association itself."""
        association, mode = event.assoc, self._mode
        say = association.dimse.send_msg

        def respond(message: object, context_id: int) -> None:
            if message.MessageIDBeingRespondedTo is None:
                say(message, context_id)
            else:
                mode.responds(association, lambda response: say(response, context_id), message)

        association.dimse.send_msg = respond
        mode.admits(association)

    def _attend(self, association: Association, request: Request) -> None:
        """Let the mode see each instance that goes over this association, and note those that went."""
        send_file, mode = association.send_c_store, self._mode

        def send(instance: StoredInstance, **arguments: object) -> Dataset:
            def go(path: Path | None = None) -> Dataset:
                if path is not None:
                    copy = StoredInstance()
                    copy.path = path
                    response = send_file(copy, **arguments)
                else:
                    response = send_file(instance, **arguments)
                if "Status" in response:
                    request.sent.append(str(instance.SOPInstanceUID))
                return response

            return mode.sends(association, go, instance)

        association.send_c_store = send

    def place_in_study(self, uid: str) -> int:
        """The how-many-th instance of its study it is, from 0, in the order of storage."""
        entry = self._entries[uid]
        study = [other.uid_of("IMAGE") for other in self._entries.values() if _study(other) == _study(entry)]
        return study.index(uid)

    def doctored(self, entry: Entry, name: str, content: bytes, **changes: object) -> Entry:
        """The entry with other content, a whole Part 10 file."""
        path = self.desk / f"{entry.path.stem}-{name}.dcm"
        path.write_bytes(content)
        return replace(entry, path=path, **changes)


def _study(entry: Entry) -> str:
    return entry.uid_of("STUDY")
