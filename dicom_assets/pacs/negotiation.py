"""A-ASSOCIATE PDUs (PS3.8 9.3.2 to 9.3.4) in pynetdicom's terms, from the requestor's side and from the acceptor's."""

from collections.abc import Iterable, Sequence

from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_requestor

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .wire import MAXIMUM_PDU_LENGTH

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION_CLASS_UID = "2.25.214163093841279012917364710294583960417"
_HEADER = 6  #: bytes of a PDU before its body

# PS3.8 table 9-21: source 1 is the service user, 3 the presentation-related service provider.
_SERVICE_USER, _TRANSIENT = 1, 2
_CALLING_AE_TITLE, _CALLED_AE_TITLE = 3, 7

# PS3.8 table 9-18
_ACCEPTED, _ABSTRACT_SYNTAX_NOT_SUPPORTED, _TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 3, 4


def _contexts(proposals: Sequence[tuple[str, Sequence[str]]]) -> list[PresentationContext]:
    contexts = [build_context(abstract_syntax, list(syntaxes)) for abstract_syntax, syntaxes in proposals]
    for index, context in enumerate(contexts):
        context.context_id = 2 * index + 1  # odd numbers, PS3.8 9.3.2.2
    return contexts


def association_request(
    archive: Archive, proposals: Sequence[tuple[str, Sequence[str]]], roles: Iterable[str]
) -> bytes:
    """Body of an A-ASSOCIATE-RQ."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = _APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = archive.calling_ae_title, archive.called_ae_title
    primitive.presentation_context_definition_list = _contexts(proposals)
    selections = []
    for sop_class_uid in sorted(roles):
        selection = SCP_SCU_RoleSelectionNegotiation()
        selection.sop_class_uid, selection.scu_role, selection.scp_role = sop_class_uid, False, True
        selections.append(selection)
    primitive.user_information = [*_own_information(), *selections]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return pdu.encode()[_HEADER:]


def parse_answer(body: bytes) -> A_ASSOCIATE:
    """Of the body of an A-ASSOCIATE-AC. Raises whatever pynetdicom raises over what it cannot read."""
    return _parsed(A_ASSOCIATE_AC(), 2, body)


def answered_contexts(
    answer: A_ASSOCIATE, proposals: Sequence[tuple[str, Sequence[str]]], roles: frozenset[str]
) -> list[PresentationContext]:
    """The accepted contexts, with the roles that we play."""
    offered = dict.fromkeys(roles, (False, True))
    given = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in answer.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    own = _contexts(proposals)
    for context in own:
        if context.abstract_syntax in offered:
            context.scu_role, context.scp_role = offered[context.abstract_syntax]
    results = negotiate_as_requestor(own, answer.presentation_context_definition_results_list, given)
    proposed = {context.context_id: set(context.transfer_syntax) for context in own}
    return [
        context
        for context in results
        if context.result == _ACCEPTED and context.transfer_syntax[0] in proposed[context.context_id]
    ]


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


def parse_request(body: bytes) -> A_ASSOCIATE:
    """Of the body of an A-ASSOCIATE-RQ. Raises whatever pynetdicom raises over what it cannot read."""
    return _parsed(A_ASSOCIATE_RQ(), 1, body)


def accept(requested: A_ASSOCIATE, sop_classes: frozenset[str], syntaxes: Sequence[str]) -> tuple[bytes, list]:
    """Body of the A-ASSOCIATE-AC, and the accepted contexts, each with one transfer syntax.

    The first usable syntax of each context is taken: an archive puts first what it holds, and our own preference might
    make it transcode.
    """
    results = []
    for proposed in requested.presentation_context_definition_list:
        usable = [syntax for syntax in proposed.transfer_syntax if syntax in syntaxes]
        context = build_context(proposed.abstract_syntax, usable[:1] or proposed.transfer_syntax[:1])
        context.context_id = proposed.context_id
        if proposed.abstract_syntax not in sop_classes:
            context.result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
        else:
            context.result = _ACCEPTED if usable else _TRANSFER_SYNTAXES_NOT_SUPPORTED
        results.append(context)
    primitive = A_ASSOCIATE()
    primitive.application_context_name = _APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = requested.calling_ae_title, requested.called_ae_title
    primitive.result, primitive.result_source = 0, 1
    primitive.presentation_context_definition_results_list = results
    # Whatever roles the peer wants to play, it may.
    roles = [item for item in requested.user_information if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    primitive.user_information = [*_own_information(), *roles]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    return pdu.encode()[_HEADER:], [context for context in results if context.result == _ACCEPTED]


def _own_information() -> list:
    length = MaximumLengthNotification()
    length.maximum_length_received = MAXIMUM_PDU_LENGTH
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = _IMPLEMENTATION_CLASS_UID
    return [length, implementation]


def _parsed(pdu: A_ASSOCIATE_AC | A_ASSOCIATE_RQ, kind: int, body: bytes) -> A_ASSOCIATE:
    pdu.decode(bytes((kind, 0)) + len(body).to_bytes(4, "big") + body)
    return pdu.to_primitive()
