"""A-ASSOCIATE PDUs (PS3.8 9.3.2 to 9.3.4, PS3.7 D.3.3), from the requestor's side and from the acceptor's.

Peers leave out what the standard demands and add items that nobody knows; only what is needed here is read.
"""

import struct
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .association import Context
from .wire import MAXIMUM_PDU_LENGTH

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
_VERSION = struct.pack(">HH", 1, 0)
_TITLES = slice(4, 36)  #: called and calling AE title
_CALLED, _CALLING = slice(0, 16), slice(16, 32)  #: of the two
_FIXED = 68  #: bytes before the items

# PS3.8 9.3.2 and 9.3.3, PS3.7 D.3.3: types of items
_APPLICATION, _PROPOSED, _ANSWERED, _ABSTRACT, _TRANSFER, _USER_INFORMATION = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM_LENGTH, _IMPLEMENTATION, _ROLES = 0x51, 0x52, 0x54
_ITEM = struct.Struct(">BxH")

# PS3.8 table 9-21: source 1 is the service user, 3 the presentation-related service provider.
_SERVICE_USER, _TRANSIENT = 1, 2
_CALLING_AE_TITLE, _CALLED_AE_TITLE = 3, 7

# PS3.8 table 9-18
_ACCEPTED, _ABSTRACT_SYNTAX_NOT_SUPPORTED, _TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 3, 4

#: (as SCU, as SCP): the roles that the requestor plays
Roles = tuple[bool, bool]


@dataclass(frozen=True)
class _Item:
    """A presentation context. result: of an answer. abstract_syntax: of a proposal."""

    context_id: int
    result: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Negotiation:
    """What an A-ASSOCIATE-RQ or -AC says. maximum: bytes of a PDU that the peer takes; 0: no limit.
    is_our_version, is_our_application: protocol version and application context, where it names one, are DICOM's."""

    titles: bytes
    contexts: tuple[_Item, ...]
    maximum: int
    roles: Mapping[str, Roles]
    is_our_version: bool = True
    is_our_application: bool = True

    @property
    def called_ae_title(self) -> str:
        return _text(self.titles[_CALLED])

    @property
    def calling_ae_title(self) -> str:
        return _text(self.titles[_CALLING])


def parse(body: bytes) -> Negotiation:
    """Of an A-ASSOCIATE-RQ or -AC. Raises BadInput("PACS_NOT_DICOM")."""
    if len(body) < _FIXED:
        raise BadInput("PACS_NOT_DICOM")
    contexts, maximum, roles, application = [], 0, {}, _APPLICATION_CONTEXT
    for kind, value in _items(body[_FIXED:]):
        if kind == _APPLICATION:
            application = _text(value)
        elif kind in (_PROPOSED, _ANSWERED) and len(value) >= 4:
            inner = list(_items(value[4:]))
            abstract = [_text(uid) for kind_, uid in inner if kind_ == _ABSTRACT]
            transfer = tuple(_text(uid) for kind_, uid in inner if kind_ == _TRANSFER)
            contexts.append(_Item(value[0], value[2], abstract[0] if abstract else "", transfer))
        elif kind == _USER_INFORMATION:
            for kind_, said in _items(value):
                if kind_ == _MAXIMUM_LENGTH:
                    maximum = int.from_bytes(said[:4], "big")
                elif kind_ == _ROLES:
                    end = 2 + int.from_bytes(said[:2], "big")
                    roles[_text(said[2:end])] = said[end : end + 1] == b"\1", said[end + 1 : end + 2] == b"\1"
    is_our_version = body[1] & 1 == 1  # PS3.8 9.3.2: a bit a version, of which there is one
    return Negotiation(
        body[_TITLES], tuple(contexts), maximum, roles, is_our_version, application == _APPLICATION_CONTEXT
    )


def association_request(
    archive: Archive, proposals: Sequence[tuple[str, Sequence[str]]], roles: Iterable[str]
) -> bytes:
    """Body of an A-ASSOCIATE-RQ. proposals: abstract syntax, transfer syntaxes. roles: where we want to be SCP."""
    titles = [
        title.encode("ascii", "replace")[:16].ljust(16) for title in (archive.called_ae_title, archive.calling_ae_title)
    ]
    contexts = [
        _item(
            _PROPOSED,
            bytes((context_id, 0, 0, 0)),
            _item(_ABSTRACT, abstract_syntax.encode()),
            *(_item(_TRANSFER, syntax.encode()) for syntax in syntaxes),
        )
        for context_id, (abstract_syntax, syntaxes) in _numbered(proposals).items()
    ]
    return _body(b"".join(titles), contexts, dict.fromkeys(sorted(roles), (False, True)))


def answered_contexts(
    answer: Negotiation, proposals: Sequence[tuple[str, Sequence[str]]], roles: frozenset[str]
) -> dict[int, Context]:
    """The accepted contexts, with the roles that we play; none with a syntax that was not proposed."""
    proposed, contexts = _numbered(proposals), {}
    for item in answer.contexts:
        uid, syntaxes = proposed.get(item.context_id, ("", ()))
        contexts.pop(item.context_id, None)
        if item.result == _ACCEPTED and item.transfer_syntaxes and item.transfer_syntaxes[0] in syntaxes:
            # Where the answer says nothing of a role that was proposed, it is refused (PS3.7 D.3.3.4).
            is_role = uid in roles and uid in answer.roles
            as_scu, as_scp = not is_role, is_role and answer.roles[uid][1]
            contexts[item.context_id] = Context(item.context_id, uid, item.transfer_syntaxes[0], as_scu, as_scp)
    return contexts


def why_rejected(body: bytes) -> DicomAssetsError:
    """body: of an A-ASSOCIATE-RJ."""
    if len(body) < 4:
        return BadInput("PACS_NOT_DICOM")
    result, source, diagnostic = body[1:4]
    if source == _SERVICE_USER and diagnostic == _CALLED_AE_TITLE:
        return BadInput("PACS_REJECTED_CALLED_AE_TITLE")
    if source == _SERVICE_USER and diagnostic == _CALLING_AE_TITLE:
        return BadInput("PACS_REJECTED_CALLING_AE_TITLE")
    if result == _TRANSIENT or source != _SERVICE_USER:
        return RetryLater("PACS_BUSY")
    return BadInput("PACS_REJECTED")


def accept(
    requested: Negotiation, sop_classes: Container[str], syntaxes: Sequence[str]
) -> tuple[bytes, dict[int, Context]]:
    """Body of the A-ASSOCIATE-AC, and the accepted contexts. Raises BadInput("PACS_NOT_DICOM") where none is proposed.

    The first usable syntax of each context is taken: an archive puts first what it holds, and our own preference might
    make it transcode. Whatever roles the peer wants to play in an accepted context, it may.
    """
    if not requested.contexts:
        raise BadInput("PACS_NOT_DICOM")
    items, contexts = [], {}
    for proposed in requested.contexts:
        usable = [syntax for syntax in proposed.transfer_syntaxes if syntax in syntaxes]
        if proposed.abstract_syntax not in sop_classes:
            result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
        else:
            result = _ACCEPTED if usable else _TRANSFER_SYNTAXES_NOT_SUPPORTED
        syntax = (*usable, *proposed.transfer_syntaxes, "")[0]
        if result == _ACCEPTED:
            contexts[proposed.context_id] = Context(proposed.context_id, proposed.abstract_syntax, syntax)
        transfer = _item(_TRANSFER, syntax.encode("ascii", "replace"))
        items.append(_item(_ANSWERED, bytes((proposed.context_id, 0, result, 0)), transfer))
    accepted = {context.abstract_syntax for context in contexts.values()}
    roles = {uid: role for uid, role in requested.roles.items() if uid in accepted}
    return _body(requested.titles, items, roles), contexts


def _numbered(proposals: Sequence[tuple[str, Sequence[str]]]) -> dict[int, tuple[str, Sequence[str]]]:
    """By context ID: odd numbers, PS3.8 9.3.2.2."""
    return {2 * index + 1: proposal for index, proposal in enumerate(proposals)}


def _body(titles: bytes, contexts: Iterable[bytes], roles: Mapping[str, Roles]) -> bytes:
    user_information = [
        _item(_MAXIMUM_LENGTH, MAXIMUM_PDU_LENGTH.to_bytes(4, "big")),
        _item(_IMPLEMENTATION, _IMPLEMENTATION_CLASS_UID.encode()),
        *(
            _item(_ROLES, len(uid).to_bytes(2, "big"), uid.encode("ascii", "replace"), bytes(role))
            for uid, role in roles.items()
        ),
    ]
    application = _item(_APPLICATION, _APPLICATION_CONTEXT.encode())
    fixed = (_VERSION + titles).ljust(_FIXED, b"\0")
    return fixed + application + b"".join(contexts) + _item(_USER_INFORMATION, *user_information)


def _item(kind: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return _ITEM.pack(kind, len(value)) + value


def _items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each item; a few bytes after the last are skipped."""
    at = 0
    while at + _ITEM.size <= len(encoded):
        kind, length = _ITEM.unpack_from(encoded, at)
        at += _ITEM.size
        if at + length > len(encoded):
            raise BadInput("PACS_NOT_DICOM")
        yield kind, encoded[at : at + length]
        at += length


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")
