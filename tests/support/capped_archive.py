"""An archive that lists only so many studies at a time: a real C-FIND SCP on loopback, fast enough for 100,000 studies.

It speaks just enough of PS3.8 and PS3.7 for C-FIND at STUDY level, in Implicit VR Little Endian. Of a study's series it
tells the modality.
"""

import contextlib
import socket
import struct
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from io import BytesIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicom_assets.pacs.archive import Archive
from tests.pacs.conftest import PATIENT

#: Keys that are matched
_MATCHED = ("PatientID", "AccessionNumber", "StudyDate", "StudyTime", "ModalitiesInStudy")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = b"1.2.840.10008.1.2"
_PDU = struct.Struct(">BxI")
_ITEM = struct.Struct(">BxH")
#: Implicit VR Little Endian
_ELEMENT = struct.Struct("<HHI")


@dataclass(frozen=True)
class Study:
    """None: the archive does not return the key."""

    StudyInstanceUID: str
    PatientID: str | None = "0001"
    StudyDate: str | None = "20240102"
    StudyTime: str | None = "120000"
    AccessionNumber: str | None = ""
    ModalitiesInStudy: str | None = "CT"
    NumberOfStudyRelatedInstances: str | None = "1"


@dataclass(frozen=True)
class Manner:
    """How it answers. cap: answers at most; 0: any number. said: status after which it stops at the cap, None: success.
    order: in which it finds studies, `date` (those without one last), `latest` or `shuffled`. ignores: keys that it
    does not match by. omits: those that it does not return. wildcards: it knows the asterisk. lists: it takes more than
    the first of a list of UIDs. dies_after: queries after which it is gone; 0: never.
    """

    cap: int = 0
    said: int | None = None
    order: str = "date"
    ignores: frozenset[str] = frozenset()
    omits: frozenset[str] = frozenset()
    wildcards: bool = True
    lists: bool = True
    dies_after: int = 0


class CappedArchive:
    """asked: the identifiers of all queries so far, keyword -> value. associations: accepted so far."""

    def __init__(self, studies: Iterable[Study], manner: Manner) -> None:
        self.manner = manner
        self.asked: list[dict[str, str]] = []
        self.associations = 0
        self._studies = sorted(studies, key=lambda study: (study.StudyDate or "~", study.StudyTime or "~"))
        self._dates = [study.StudyDate or "~" for study in self._studies]
        self._by_uid = {study.StudyInstanceUID: study for study in self._studies}
        self._by_patient: dict[str, list[Study]] = {}
        for study in self._studies:
            self._by_patient.setdefault(study.PatientID or "", []).append(study)

    def answers(self, keys: Dataset) -> tuple[list[Study], int]:
        """Studies, and the status of the last response."""
        asked = {element.keyword: str(element.value or "") for element in keys}
        uids = keys.get("StudyInstanceUID")
        uids = list(uids) if uids is not None and not isinstance(uids, str) else [uids] if uids else []
        self.asked.append(asked)
        if self.manner.dies_after and len(self.asked) > self.manner.dies_after:
            raise ConnectionError
        asked = dict.fromkeys(_MATCHED, "") | asked | dict.fromkeys(self.manner.ignores, "")
        found = [study for study in self._candidates(asked, uids) if self._fits(study, asked)]
        if self.manner.order == "latest":
            found.reverse()
        elif self.manner.order == "shuffled":
            found.sort(key=lambda study: sha256(study.StudyInstanceUID.encode()).digest())
        if not self.manner.cap or len(found) <= self.manner.cap:
            return found, 0
        return found[: self.manner.cap], self.manner.said or 0

    def _candidates(self, asked: dict[str, str], uids: list[str]) -> list[Study]:
        if uids and "StudyInstanceUID" not in self.manner.ignores:
            uids = uids if self.manner.lists else uids[:1]
            return [self._by_uid[uid] for uid in map(str, uids) if uid in self._by_uid]
        if asked["PatientID"] and "*" not in asked["PatientID"]:
            return self._by_patient.get(asked["PatientID"], [])
        first, dash, last = asked["StudyDate"].partition("-")
        if not first and not last:
            return list(self._studies)
        last = last or ("99999999" if dash else first)
        return self._studies[bisect_left(self._dates, first) : bisect_right(self._dates, last)]

    def _fits(self, study: Study, asked: dict[str, str]) -> bool:
        patient, modality = asked["PatientID"], asked["ModalitiesInStudy"]
        if "*" in patient and not (self.manner.wildcards and fnmatchcase(study.PatientID or "", patient)):
            return False
        if "*" not in patient and patient not in ("", study.PatientID):
            return False
        if modality and modality not in (study.ModalitiesInStudy or "").split("\\"):
            return False
        return (
            asked["AccessionNumber"] in ("", study.AccessionNumber)
            and _in_range(study.StudyDate or "", asked["StudyDate"], "99999999")
            and _in_range(_time(study.StudyTime or ""), "-".join(map(_time, asked["StudyTime"].split("-"))), "24")
        )


def _in_range(value: str, asked: str, end: str) -> bool:
    """No range finds an empty value."""
    first, dash, last = asked.partition("-")
    return not asked or (value != "" and first <= value <= (last or (end if dash else first)))


def _time(text: str) -> str:
    if not text:
        return ""
    return f"{text.partition('.')[0]:0<6}.{text.partition('.')[2]:0<6}"


@contextlib.contextmanager
def capped_archive(studies: Iterable[Study], **manner: object) -> Iterator[tuple[CappedArchive, Archive]]:
    """The archive, and how the package sees it."""
    capped = CappedArchive(studies, Manner(**manner))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, capped), daemon=True)
        thread.start()
        try:
            yield capped, Archive("127.0.0.1", server.getsockname()[1], "CAPPED", "DICOM_ASSETS", timeouts=PATIENT)
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join()


def _serve(server: socket.socket, capped: CappedArchive) -> None:
    """One association after the other."""
    with contextlib.suppress(OSError):
        while True:
            peer, _ = server.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with peer, contextlib.suppress(EOFError, ConnectionError):
                _associate(peer, capped)


def _associate(peer: socket.socket, capped: CappedArchive) -> None:
    stream = peer.makefile("rb")
    command = b""
    data = b""
    context = 1
    while True:
        kind, length = _PDU.unpack(_read(stream, _PDU.size))
        body = _read(stream, length)
        if kind == 1:
            capped.associations += 1
            peer.sendall(_pdu(2, _acceptance(body)))
        elif kind == 5:
            peer.sendall(_pdu(6, bytes(4)))
            return
        elif kind == 7:
            return
        elif kind == 4:
            while body:
                size = struct.unpack(">I", body[:4])[0]
                context, control, fragment = body[4], body[5], body[6 : 4 + size]
                body = body[4 + size :]
                if control & 1:
                    command += fragment
                else:
                    data += fragment
                if control == 2:
                    _answer(peer, capped, context, _decode(command), _decode(data))
                    command = data = b""


def _answer(peer: socket.socket, capped: CappedArchive, context: int, command: Dataset, keys: Dataset) -> None:
    studies, status = capped.answers(keys)
    pending = _response(command, 0xFF00)
    wanted = [element.keyword for element in keys if element.keyword in Study.__dataclass_fields__]
    wanted = [keyword for keyword in wanted if keyword not in capped.manner.omits]
    messages = bytearray()
    answers = [_encoded(study, wanted) for study in studies]
    if keys.QueryRetrieveLevel == "SERIES":
        answers = [_element(0x00080060, each.encode()) for one in studies for each in one.ModalitiesInStudy.split("\\")]
    for answer in answers:
        messages += _data(context, 3, pending) + _data(context, 2, answer)
        if len(messages) > 1 << 16:
            peer.sendall(messages)
            messages.clear()
    peer.sendall(bytes(messages) + _data(context, 3, _response(command, status)))


def _encoded(study: Study, wanted: list[str]) -> bytes:
    """In the order of the identifier, which is that of the tags."""
    values = [(keyword, getattr(study, keyword)) for keyword in wanted]
    return b"".join(
        _element(tag_for_keyword(keyword), value.encode() + b"\0" * (len(value) % 2))
        for keyword, value in values
        if value is not None
    )


def _response(command: Dataset, status: int) -> bytes:
    elements = (
        _element(0x00000002, FIND.encode() + b"\0" * (len(FIND) % 2))
        + _element(0x00000100, struct.pack("<H", 0x8020))
        + _element(0x00000120, struct.pack("<H", command.MessageID))
        + _element(0x00000800, struct.pack("<H", 1 if status == 0xFF00 else 0x0101))
        + _element(0x00000900, struct.pack("<H", status))
    )
    return _element(0x00000000, struct.pack("<I", len(elements))) + elements


def _acceptance(request: bytes) -> bytes:
    """A-ASSOCIATE-AC (PS3.8 9.3.3): every presentation context, in Implicit VR Little Endian."""
    items = [_item(0x10, b"1.2.840.10008.3.1.1.1")]
    at = 68
    while at < len(request):
        kind, length = _ITEM.unpack_from(request, at)
        if kind == 0x20:
            items.append(_item(0x21, bytes((request[at + 4], 0, 0, 0)) + _item(0x40, IMPLICIT)))
        at += 4 + length
    user = _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"1.2.826.0.1.3680043.10.1337.9")
    return request[:68] + b"".join(items) + _item(0x50, user)


def _decode(encoded: bytes) -> Dataset:
    return read_dataset(BytesIO(encoded), True, True)


def _element(tag: int, value: bytes) -> bytes:
    return _ELEMENT.pack(tag >> 16, tag & 0xFFFF, len(value)) + value


def _item(kind: int, body: bytes) -> bytes:
    return _ITEM.pack(kind, len(body)) + body


def _pdu(kind: int, body: bytes) -> bytes:
    return _PDU.pack(kind, len(body)) + body


def _data(context: int, control: int, fragment: bytes) -> bytes:
    return _pdu(4, struct.pack(">IBB", len(fragment) + 2, context, control) + fragment)


def _read(stream, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
