"""A peer that opens associations with our SCP and says, PDU by PDU, what a test has it say."""

import contextlib
import socket
import struct
from collections.abc import Sequence

from dicom_assets.pacs.archive import Archive
from dicom_assets.pacs.commands import C_ECHO_RQ, C_STORE_RQ, Command, decode, encode, request
from dicom_assets.pacs.contexts import VERIFICATION
from dicom_assets.pacs.negotiation import association_request
from dicom_assets.pacs.wire import ASSOCIATE_AC, ASSOCIATE_RQ, P_DATA

CT = "1.2.840.10008.5.1.4.1.1.2"
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.3680043.10.1337.79"
#: Context IDs, which are those of these proposals
CT_CONTEXT, ECHO_CONTEXT = 1, 3
PROPOSALS = ((CT, [LITTLE_ENDIAN]), (VERIFICATION, [LITTLE_ENDIAN]))
_UID = struct.Struct("<HH2sH")


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """length: that it claims, where it lies."""
    return struct.pack(">BxI", kind, len(body) if length is None else length) + body


def fragment(context_id: int, control: int, content: bytes, length: int | None = None) -> bytes:
    """A PDV. control: 1 a command's, 2 the last one (PS3.8 annex E.2). length: that it claims, where it lies."""
    return struct.pack(">IBB", len(content) + 2 if length is None else length, context_id, control) + content


def asking(
    proposals: Sequence[tuple[str, Sequence[str]]] = PROPOSALS, calling: str = "SENDER", called: str = "DICOM_ASSETS"
) -> bytes:
    """Body of an A-ASSOCIATE-RQ."""
    return association_request(Archive("", 0, called, calling), proposals, ())


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """Explicit VR Little Endian, with a short length."""
    value += b"\0" * (len(value) % 2)
    return _UID.pack(group, number, vr, len(value)) + value


def data_set(uid: str, more: bytes = b"", *, sop_class: str = CT, study: str = STUDY) -> bytes:
    """An instance; more: further elements, encoded."""
    values = {(8, 0x16): sop_class, (8, 0x18): uid, (0x20, 0x0D): study, (0x20, 0x0E): f"{STUDY}.1"}
    return b"".join(element(*tag, b"UI", value.encode()) for tag, value in values.items()) + more


def storing(uid: str, *, sop_class: str = CT, has_data: bool = True) -> Command:
    return request(C_STORE_RQ, 1, sop_class, has_data=has_data, AffectedSOPInstanceUID=uid)


class RawPeer:
    """One connection; closed at the end of a `with` block."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))

    def __enter__(self) -> "RawPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def associate(self, body: bytes | None = None) -> tuple[int, bytes]:
        """Kind and body of the answer."""
        self.socket.sendall(pdu(ASSOCIATE_RQ, asking() if body is None else body))
        return self.hear()

    def associated(self) -> "RawPeer":
        kind, _ = self.associate()
        assert kind == ASSOCIATE_AC
        return self

    def say(self, command: Command, data: bytes = b"", context_id: int = CT_CONTEXT) -> None:
        """A whole message in one PDU."""
        part = fragment(context_id, 2, data) if command.has_data else b""
        self.socket.sendall(pdu(P_DATA, fragment(context_id, 3, encode(command)) + part))

    def answer(self) -> Command:
        """The next message's command, which came in one PDU."""
        kind, body = self.hear()
        assert kind == P_DATA, kind
        return decode(body[6:])

    def status(self, command: Command, data: bytes = b"", context_id: int = CT_CONTEXT) -> int | None:
        self.say(command, data, context_id)
        return self.answer().status

    def echo(self) -> int | None:
        return self.status(request(C_ECHO_RQ, 1, VERIFICATION, has_data=False), context_id=ECHO_CONTEXT)

    def hear(self) -> tuple[int, bytes]:
        """Kind and body of the next PDU; (0, b"") where the other side has hung up."""
        with contextlib.suppress(ConnectionError):
            header = self._read(6)
            if len(header) == 6:
                kind, length = struct.unpack(">BxI", header)
                return kind, self._read(length)
        return 0, b""

    def until_the_end(self) -> list[int]:
        """The kinds of all PDUs that come until the other side hangs up."""
        kinds = []
        while (heard := self.hear())[0]:
            kinds.append(heard[0])
        return kinds

    def _read(self, count: int) -> bytes:
        content = b""
        while len(content) < count and (piece := self.socket.recv(count - len(content))):
            content += piece
        return content
