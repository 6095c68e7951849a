"""An archive that says, PDU by PDU, what a test has it say, within the protocol or not."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from dicom_assets.pacs.archive import Archive, Timeouts
from dicom_assets.pacs.association import Context
from dicom_assets.pacs.commands import (
    C_FIND_RSP,
    C_GET_RSP,
    C_STORE_RQ,
    Command,
    decode,
    encode,
    request,
)
from dicom_assets.pacs.contexts import ALL_SYNTAXES, FIND_MODEL, GET_MODEL
from dicom_assets.pacs.negotiation import accept, parse
from dicom_assets.pacs.wire import ASSOCIATE_AC, P_DATA
from tests.pacs.peers import LITTLE_ENDIAN, STUDY
from tests.support.ports import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
_MAXIMUM_LENGTH = b"\x51\x00\x00\x04"
_UID = struct.Struct("<HH2sH")


def data_set(number: int, more: bytes = b"") -> bytes:
    """An instance of STUDY, Explicit VR Little Endian; more: further elements, encoded."""
    values = {(8, 0x16): CT, (8, 0x18): f"{STUDY}.2.{number}", (0x20, 0x0D): STUDY, (0x20, 0x0E): f"{STUDY}.1"}
    pieces = []
    for (group, element), uid in values.items():
        value = uid.encode() + b"\0" * (len(uid) % 2)
        pieces.append(_UID.pack(group, element, b"UI", len(value)) + value)
    return b"".join(pieces) + more


def fragment(context_id: int, control: int, content: bytes) -> bytes:
    """A PDV. control: 1 a command's, 2 the last one (PS3.8 annex E.2)."""
    return struct.pack(">IBB", len(content) + 2, context_id, control) + content


def answer(field: int, status: int, message_id: int = 1, **more: int) -> Command:
    """To a C-FIND or C-GET; a pending C-FIND response announces a data set."""
    has_data = field == C_FIND_RSP and status == 0xFF00
    return Command(
        {
            "AffectedSOPClassUID": FIND_MODEL if field == C_FIND_RSP else GET_MODEL,
            "CommandField": field,
            "MessageIDBeingRespondedTo": message_id,
            "CommandDataSetType": 1 if has_data else 0x0101,
            "Status": status,
            **more,
        }
    )


class Peer:
    """The archive's end of one connection. sizes: of the P-DATA PDUs that came. said, heard: every byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.sizes: list[int] = []
        self.said, self.heard = bytearray(), bytearray()
        self._contexts: tuple[Context, ...] = ()

    def negotiate(self, maximum: int | None = None) -> None:
        """maximum: of a PDU, in bytes, to be announced."""
        _, body = self.pdu()
        said, contexts = accept(parse(body), frozenset((CT, FIND_MODEL, GET_MODEL)), ALL_SYNTAXES)
        if maximum is not None:
            at = said.index(_MAXIMUM_LENGTH) + len(_MAXIMUM_LENGTH)
            said = said[:at] + maximum.to_bytes(4, "big") + said[at + 4 :]
        self._contexts = tuple(contexts.values())
        self.send(ASSOCIATE_AC, said)

    def context(self, abstract_syntax: str) -> int:
        """Its ID; of a storage class the one for LITTLE_ENDIAN."""
        syntaxes = (LITTLE_ENDIAN,) if abstract_syntax == CT else ALL_SYNTAXES
        named = [each for each in self._contexts if each.abstract_syntax == abstract_syntax]
        return next(each.context_id for each in named if each.transfer_syntax in syntaxes)

    def pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def send(self, kind: int, body: bytes) -> None:
        encoded = struct.pack(">BxI", kind, len(body)) + body
        self.said += encoded
        self.socket.sendall(encoded)

    def say(self, command: Command, data: bytes = b"") -> None:
        """A whole message in one PDU, in the context of its SOP class."""
        context_id = self.context(command.text("AffectedSOPClassUID"))
        data_part = fragment(context_id, 2, data) if command.has_data else b""
        self.send(P_DATA, fragment(context_id, 3, encode(command)) + data_part)

    def store(self, number: int) -> int:
        """C-STORE of one instance; the status of the answer."""
        self.say(storing(number), data_set(number))
        return self.hear().status

    def hear(self) -> Command:
        """The next message's command, once the whole message has come. Raises EOFError."""
        command = b""
        announced: Command | None = None
        while True:
            kind, body = self.pdu()
            if kind != P_DATA:
                raise EOFError
            self.sizes.append(len(body))
            while body:
                length, _, control = struct.unpack_from(">IBB", body)
                content, body = body[6 : length + 4], body[length + 4 :]
                command += content if control & 1 else b""
                if control == 3:
                    announced = decode(command)
                if announced is not None and (control == 2 or not announced.has_data):
                    return announced

    def _read(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            if not (piece := self.socket.recv(count - len(content))):
                raise EOFError
            content += piece
        self.heard += content
        return content


def storing(number: int) -> Command:
    return request(C_STORE_RQ, 1, CT, has_data=True, AffectedSOPInstanceUID=f"{STUDY}.2.{number}")


def got(status: int, **more: int) -> Command:
    return answer(C_GET_RSP, status, **more)


def found(status: int, message_id: int = 1) -> Command:
    return answer(C_FIND_RSP, status, message_id)


@contextlib.contextmanager
def scripted(script: Callable[[Peer], object], timeouts: Timeouts) -> Iterator[Archive]:
    """Each connection is served by script, and closed after it; that the other side hangs up ends it, too."""
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            sock.settimeout(60)
            script(Peer(sock))

    def accept_all() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                threads.append(threading.Thread(target=serve, args=(sock,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept_all)
        accepting.start()
        try:
            port = server.getsockname()[1]
            yield Archive("127.0.0.1", port, "SCRIPTED", "DICOM_ASSETS", "get", free_port(), timeouts)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join()
