"""The embedded archive: a real Query/Retrieve SCP on the loopback interface, over a folder of Part 10 files."""

import functools
import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from ..storage.atomic import make_folder, write_file
from .answers import responses, selected
from .associations import MENDED
from .contexts import accepted_transfer_syntaxes, query_level, query_models, storage_sop_classes
from .index import Entry, read_entry

LOOPBACK = "127.0.0.1"

_SUCCESS, _PENDING, _CANCELLED = 0x0000, 0xFF00, 0xFE00
_IDENTIFIER_DOES_NOT_MATCH, _CANNOT_STORE = 0xA900, 0xC210

_MAXIMUM_PDU_SIZE = 131072
_MAXIMUM_CONTEXTS = 128

#: What a C-GET or C-MOVE handler yields, as pynetdicom wants it: the destination, the number, then status and data set.
Step = tuple | int


class StoredInstance(Dataset):
    """Stands for a file in the sub-operations, which send the file's bytes as they are."""

    path: Path


class EmbeddedArchive:
    """Answers C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE while the `with` block lasts.

    folder: searched for instances once; what C-STORE brings goes to its subfolder `received`.
    port: 0 for any free one; read the attribute `port` inside the block.
    known_peers: AE title -> (host, port) of the C-MOVE destinations.
    Subclasses may override instances() and the handle_ methods.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str = "DEMO_ARCHIVE",
        port: int = 0,
        known_peers: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self.folder, self.ae_title, self.port = folder, ae_title, port
        self.known_peers = dict(known_peers or {})
        self.stopping = threading.Event()
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        # Paths are sent as the bytes of their file. pynetdicom has this switch for the process as a whole.
        _config.STORE_SEND_CHUNKED_DATASET = True
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            self._add(path)
        self._entity = self._application_entity()
        handlers = [
            MENDED,
            (evt.EVT_C_ECHO, self.handle_echo),
            (evt.EVT_C_FIND, self.handle_find),
            (evt.EVT_C_GET, self.handle_get),
            (evt.EVT_C_MOVE, self.handle_move),
            (evt.EVT_C_STORE, self.handle_store),
        ]
        server = self._entity.start_server((LOOPBACK, self.port), block=False, evt_handlers=handlers)
        self.port = server.server_address[1]
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopping.set()
        self._entity.shutdown()

    def instances(self) -> list[Entry]:
        """What the archive holds, or says it holds, in the order of storage."""
        with self._lock:
            return list(self._entries.values())

    def handle_echo(self, event: evt.Event) -> int:
        return _SUCCESS

    def handle_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        level = query_level(event)
        if level is None:
            yield _IDENTIFIER_DOES_NOT_MATCH, None
            return
        for response in responses(self.instances(), event.identifier, level, self.ae_title):
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, response

    def handle_get(self, event: evt.Event) -> Iterator[Step]:
        _send_files_as_they_are(event.assoc)
        yield from self.suboperations(event)

    def handle_move(self, event: evt.Event) -> Iterator[Step]:
        destination = self.known_peers.get(event.move_destination)
        if destination is None:
            yield None, None  # answered with 0xA801
            return
        entries = self.chosen(event) or []
        mover = {"originator_aet": event.assoc.requestor.ae_title}
        hook = functools.partial(_send_files_as_they_are, **mover)
        handlers = [MENDED, (evt.EVT_ACCEPTED, lambda accepted: hook(accepted.assoc))]
        contexts = _contexts_for(entries) or [build_context("1.2.840.10008.1.1")]
        yield *destination, {"contexts": contexts, "evt_handlers": handlers, "max_pdu": _MAXIMUM_PDU_SIZE}
        yield from self.suboperations(event)

    def handle_store(self, event: evt.Event) -> int:
        content = event.encoded_dataset()
        uid = str(event.request.AffectedSOPInstanceUID)
        path = self.folder / "received" / f"{hashlib.sha256(uid.encode()).hexdigest()[:32]}.dcm"
        make_folder(path.parent)
        write_file(path, content)
        return _SUCCESS if self._add(path) else _CANNOT_STORE

    def chosen(self, event: evt.Event) -> list[Entry] | None:
        """The instances that a C-GET or C-MOVE asks for; None where its identifier names none."""
        level = query_level(event)
        return None if level is None else selected(self.instances(), event.identifier, level)

    def suboperations(self, event: evt.Event) -> Iterator[Step]:
        """Number of sub-operations, then one pair each."""
        entries = self.chosen(event)
        if entries is None:
            yield 1
            yield _IDENTIFIER_DOES_NOT_MATCH, None
            return
        yield len(entries)
        for entry in entries:
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, stored(entry)

    def _add(self, path: Path) -> bool:
        with self._lock:
            entry = read_entry(path)
            if entry is None:
                return False
            self._entries[entry.uid_of("IMAGE")] = entry
            return True

    def _application_entity(self) -> AE:
        entity = AE(ae_title=self.ae_title)
        entity.require_called_aet = True
        entity.maximum_pdu_size = _MAXIMUM_PDU_SIZE
        entity.add_supported_context("1.2.840.10008.1.1")
        for model in query_models():
            entity.add_supported_context(model)
        for sop_class in storage_sop_classes():
            entity.add_supported_context(sop_class, accepted_transfer_syntaxes(), scu_role=True, scp_role=True)
        return entity


def stored(entry: Entry) -> StoredInstance:
    """What a retrieve handler yields for this entry."""
    instance = StoredInstance()
    instance.SOPInstanceUID = entry.uid_of("IMAGE")
    instance.path = entry.path
    return instance


def _send_files_as_they_are(association: Association, **fixed: object) -> None:
    """Sub-operations of this association send the stored bytes, in their own transfer syntax or not at all."""

    def send(instance: Dataset, **arguments: object) -> Dataset:
        return Association.send_c_store(association, instance.path, **{**arguments, **fixed})

    association.send_c_store = send


def _contexts_for(entries: list[Entry]) -> list[PresentationContext]:
    """One context for each pair of SOP class and transfer syntax, so that none can be lost to another."""
    pairs = sorted({(str(entry.header.SOPClassUID), entry.transfer_syntax_uid) for entry in entries})
    return [build_context(*pair) for pair in pairs[:_MAXIMUM_CONTEXTS]]
