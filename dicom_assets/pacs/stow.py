"""STOW-RS (PS3.18 10.5): files go out as they are, streamed from the disk; only what the answer names is stored."""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO
from xml.etree import ElementTree

from ..errors import DicomAssetsError, RetryLater, from_os_error
from .archive import Archive
from .dicomweb import Body, DicomWeb, open_dicomweb
from .send import AGAIN, REFUSED, STORED, Answer, Parcel
from .status import Meaning, meaning_of

#: Of one request: servers hold it in memory, and answer when they have it all.
_MOST_BYTES, _MOST_FILES = 64 << 20, 100
_PIECE = 1 << 18
_ACCEPT = "application/dicom+json"
_PART = b"Content-Type: application/dicom\r\n\r\n"
_FAILED, _REFERENCED, _INSTANCE, _REASON, _WARNING = "00081198", "00081199", "00081155", "00081197", "00081196"
_PROCESSING_FAILURE = 0x0110
_NOT_CONFIRMED = Answer(REFUSED, "SEND_NOT_CONFIRMED")

#: Of the answer's data set: tag -> values, items as the same.
_Attributes = dict[str, list]


def converse_by_stow(destination: Archive, parcels: Sequence[Parcel]) -> Iterator[tuple[Parcel, Answer]]:
    """One request after the other on one connection, each with as many parcels as fit. Raises what DicomWeb.request
    raises, and the code of a request that was refused as a whole, for a reason that is not in the instances."""
    with open_dicomweb(destination) as web:
        for batch in _batches(parcels):
            yield from _store(web, batch)


def _batches(parcels: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """A file that is larger than a request should be goes alone."""
    batch: list[Parcel] = []
    for parcel in parcels:
        if batch and (len(batch) == _MOST_FILES or sum(one.stop for one in batch) + parcel.stop > _MOST_BYTES):
            yield batch
            batch = []
        batch.append(parcel)
    if batch:
        yield batch


def _store(web: DicomWeb, batch: list[Parcel]) -> Iterator[tuple[Parcel, Answer]]:
    meaning, named, going = None, {}, []
    with ExitStack() as opened:
        files: list[BinaryIO] = []
        for parcel in batch:
            try:
                files.append(opened.enter_context(parcel.open()))
                going.append(parcel)
            except DicomAssetsError as error:
                yield parcel, Answer(REFUSED, error.code)
        if going:
            with web.request("stow", "studies", _ACCEPT, _body(going, files)) as answer:
                meaning, named = answer.meaning, _named(answer.read())
    if going and not named and not meaning.is_success:
        yield from _refused(web, going, meaning)
        return
    yield from ((parcel, _answer(named.get(parcel.sop_instance_uid))) for parcel in going)


def _refused(web: DicomWeb, batch: list[Parcel], meaning: Meaning) -> Iterator[tuple[Parcel, Answer]]:
    """A request was refused without a word on its instances; one that is too large, or holds one that the server cannot
    bear, is sent again in halves."""
    if meaning.meaning != "refused":
        raise meaning.as_error()
    if len(batch) == 1:
        yield batch[0], Answer(REFUSED, meaning.reason)
        return
    middle = len(batch) // 2
    yield from _store(web, batch[:middle])
    yield from _store(web, batch[middle:])


def _answer(status: int | None) -> Answer:
    """status: as of a C-STORE (PS3.18 I.2.2 uses the same numbers); None where the answer does not name it."""
    if status is None:
        return _NOT_CONFIRMED
    meaning = meaning_of("store", status)
    if meaning.is_success or meaning.meaning == "partial":
        return Answer(STORED, meaning.reason, status)
    return Answer(AGAIN if meaning.meaning == "again_later" else REFUSED, meaning.reason, status)


def _body(parcels: list[Parcel], files: list[BinaryIO]) -> Body:
    boundary = uuid.uuid4().hex
    opening, closing = f"\r\n--{boundary}\r\n".encode() + _PART, f"\r\n--{boundary}--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        for parcel, file in zip(parcels, files, strict=True):
            yield opening
            file.seek(0)
            yield from _read(file, parcel.stop)
        yield closing

    length = sum(len(opening) + parcel.stop for parcel in parcels) + len(closing)
    return Body(f'multipart/related; type="application/dicom"; boundary={boundary}', length, pieces)


def _read(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count > 0:
        try:
            piece = file.read(min(count, _PIECE))
        except OSError as error:
            raise from_os_error(error) from None
        if not piece:
            raise RetryLater("FILE_OPERATION_FAILED")  # it has become shorter
        count -= len(piece)
        yield piece


def _named(body: bytes) -> dict[str, int]:
    """SOPInstanceUID -> status, of the instances that the answer names; failed where it names one twice. The answer's
    status in HTTP says less: some servers answer 400 where one of many instances failed."""
    try:
        if b"<!DOCTYPE" in body:
            return {}  # its entities could grow without a limit
        attributes = _from_xml(ElementTree.fromstring(body)) if body[:1] == b"<" else _from_json(json.loads(body))
        named = {_uid(item): _number(item, _WARNING) for item in attributes.get(_REFERENCED, ())}
        failed = {_uid(item): _number(item, _REASON) or _PROCESSING_FAILURE for item in attributes.get(_FAILED, ())}
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, ElementTree.ParseError):
        return {}
    return {uid: status for uid, status in (named | failed).items() if 0 <= status <= 0xFFFF}


def _uid(item: _Attributes) -> str:
    return str(item[_INSTANCE][0]).strip(" \0\t\r\n")


def _number(item: _Attributes, tag: str) -> int:
    return int((item.get(tag) or [0])[0])


def _from_json(data: object) -> _Attributes:
    """PS3.18 annex F. Some servers answer with a list of one data set."""
    attributes = data[0] if isinstance(data, list) else data
    return {
        tag.upper(): [_from_json(value) if isinstance(value, dict) else value for value in each.get("Value") or []]
        for tag, each in attributes.items()
    }


def _from_xml(dataset: ElementTree.Element) -> _Attributes:
    """PS3.19 A.1."""
    return {
        each.get("tag", "").upper(): [
            *(value.text for value in each.findall("{*}Value") if value.text),
            *(_from_xml(item) for item in each.findall("{*}Item")),
        ]
        for each in dataset.findall("{*}DicomAttribute")
    }
