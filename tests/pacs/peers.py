"""Archives that misbehave: real SCPs on loopback with purpose-made handlers."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socketserver import BaseServer

from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from pynetdicom.transport import ThreadedAssociationServer

from dicom_assets.demo.associations import MENDED
from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.find import InstanceMatch
from dicom_assets.pacs.intake import Store
from tests.pacs.conftest import HASTY
from tests.support.ports import free_port

STUDY = "1.2.826.0.1.3680043.10.1337.78"
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def instance(number: int, study: str = STUDY) -> Dataset:
    """A CT without pixels."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{study}.2.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.PatientID = "0012399"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = LITTLE_ENDIAN
    return dataset


@dataclass
class Kept:
    """An instance that came, in memory."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes = b""


def keeping(keep: Callable[[Kept], object] = lambda _: None) -> Store:
    """A store that calls keep with what is whole."""

    @dataclass
    class InMemory:
        instance: Kept

        def write(self, piece: bytes | memoryview) -> None:
            self.instance.data += bytes(piece)

        def keep(self) -> None:
            keep(self.instance)

        def discard(self) -> None:
            pass

    return lambda sop_class, uid, syntax: InMemory(Kept(sop_class, uid, syntax))


def wanted(count: int) -> list[InstanceMatch]:
    return [InstanceMatch(f"{STUDY}.2.{number}", str(CTImageStorage), f"{STUDY}.1") for number in range(count)]


@contextlib.contextmanager
def serving(
    handlers: dict, *, retrieve: str = "auto", timeouts: Timeouts = HASTY, models: str = "find get move"
) -> Iterator[Archive]:
    """An archive with these handlers: event -> function."""
    ae = AE("MISBEHAVING")
    ae.add_supported_context(Verification)
    for name, model in {
        "find": StudyRootQueryRetrieveInformationModelFind,
        "get": StudyRootQueryRetrieveInformationModelGet,
        "move": StudyRootQueryRetrieveInformationModelMove,
    }.items():
        if name in models.split():
            ae.add_supported_context(model)
    ae.add_supported_context(CTImageStorage, [LITTLE_ENDIAN], scu_role=True, scp_role=True)
    ae.add_requested_context(CTImageStorage, [LITTLE_ENDIAN])
    sockets = []

    def note(event: evt.Event) -> None:
        sockets.append(event.assoc.dul.socket.socket)

    with_note = [*handlers.items(), MENDED, (evt.EVT_CONN_OPEN, note)]
    server = ae.make_server(("127.0.0.1", 0), evt_handlers=with_note, server_class=ThreadedAssociationServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        port = server.socket.getsockname()[1]
        yield Archive("127.0.0.1", port, "MISBEHAVING", "DICOM_ASSETS", retrieve, free_port(), timeouts)
    finally:
        BaseServer.shutdown(server)
        server.server_close()
        thread.join()
        for association in server.active_associations:
            association.abort()
        for each in sockets:
            each.close()  # pynetdicom forgets those of peers that hung up in the middle


@contextlib.contextmanager
def hanging() -> Iterator[threading.Event]:
    """An event to wait for in a handler that is to hang until the end of the test."""
    end = threading.Event()
    try:
        yield end
    finally:
        end.set()


@contextlib.contextmanager
def relay(port: int, bytes_to_pass: float, bytes_per_second: float = float("inf")) -> Iterator[int]:
    """A TCP port in front of another one, with a slow answer that falls silent after so many bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_sockets: list[socket.socket] = []

        def pump(source: socket.socket, target: socket.socket, left: float, pace: float) -> None:
            with contextlib.suppress(OSError):
                while left > 0 and (data := source.recv(int(min(left, 16384)))):
                    target.sendall(data)
                    left -= len(data)
                    time.sleep(len(data) / pace)

        def accept() -> None:
            with contextlib.suppress(OSError):
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", port))
                open_sockets.extend((near, far))
                threading.Thread(target=pump, args=(near, far, float("inf"), float("inf")), daemon=True).start()
                pump(far, near, bytes_to_pass, bytes_per_second)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            for each in open_sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            thread.join(5)
