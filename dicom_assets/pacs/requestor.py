"""Requesting an association, as a `with` block; and what went wrong where none came about."""

import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .association import LARGEST_NEGOTIATION, Association
from .backoff import with_back_off
from .connect import connect
from .negotiation import answered_contexts, association_request, parse, why_rejected
from .patience import Patience
from .tls import client_context, speaks_tls, why_refused
from .wire import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, Connection

#: A presentation context that is proposed: abstract syntax, transfer syntaxes in order of preference.
Proposal = tuple[str, Sequence[str]]

_TLS_RECORD = 0x15  #: an alert: what a TLS server says to plain DICOM
#: Kinds of PDU that may answer a request for an association
_ANSWERS = (ASSOCIATE_AC, ASSOCIATE_RJ, ABORT)


@contextmanager
def open_association(
    archive: Archive, proposals: Iterable[Proposal], roles: Iterable[str] = (), patience: Patience | None = None
) -> Iterator[Association]:
    """An established association; released at the end, aborted where the block raises.

    proposals: at most 128. roles: SOP classes in which we offer to be SCP (PS3.7 D.3.3.4). patience: where its limits
    are shared with other connections. Raises
    RetryLater: PACS_HOST_UNKNOWN, PACS_UNREACHABLE, PACS_PORT_CLOSED, PACS_TIMEOUT, PACS_BUSY, PACS_ABORTED.
    BadInput: PACS_NOT_CONFIGURED, PACS_NOT_DICOM, PACS_REJECTED_CALLED_AE_TITLE, PACS_REJECTED_CALLING_AE_TITLE,
    PACS_REJECTED, PACS_NO_COMMON_CONTEXT (no proposed context was accepted), PACS_TLS_FILES, PACS_TLS_UNTRUSTED,
    PACS_TLS_NOT_OFFERED, PACS_TLS_CLIENT_REFUSED, PACS_TLS_REQUIRED.
    """
    if not archive.host or not archive.called_ae_title or not archive.calling_ae_title:
        raise BadInput("PACS_NOT_CONFIGURED")
    patience, proposals, roles = patience or Patience(archive.timeouts), list(proposals), frozenset(roles)
    association = with_back_off(lambda: _request(archive, proposals, roles, patience))
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def _request(archive: Archive, proposals: list[Proposal], roles: frozenset[str], patience: Patience) -> Association:
    context = None if archive.tls is None else client_context(archive.tls)
    connection = Connection(connect(archive.host, archive.port, archive.timeouts.connect, context), patience)
    try:
        return _associate(archive, connection, proposals, roles)
    except BaseException:
        connection.abort()
        raise


def _associate(
    archive: Archive, connection: Connection, proposals: list[Proposal], roles: frozenset[str]
) -> Association:
    try:
        with connection.patience.negotiating():
            connection.send_pdu(ASSOCIATE_RQ, association_request(archive, proposals, roles))
            kind, length = connection.read_header()
            if kind not in _ANSWERS or length > LARGEST_NEGOTIATION:
                raise BadInput("PACS_TLS_REQUIRED" if kind == _TLS_RECORD and archive.tls is None else "PACS_NOT_DICOM")
            body = connection.read(length)
    except RetryLater as error:
        raise _why_no_answer(archive, connection, error) from None
    if kind == ABORT:
        raise RetryLater("PACS_ABORTED")
    if kind == ASSOCIATE_RJ:
        raise why_rejected(body)
    answer = parse(body)
    contexts = answered_contexts(answer, proposals, roles)
    if not contexts:
        raise BadInput("PACS_NO_COMMON_CONTEXT")
    return Association(connection, contexts, answer.maximum)


def _why_no_answer(archive: Archive, connection: Connection, error: RetryLater) -> DicomAssetsError:
    seconds = min(archive.timeouts.connect, archive.timeouts.acse)
    if not connection.received:
        connection.close()
        if archive.tls is None and speaks_tls(archive.host, archive.port, seconds):
            return BadInput("PACS_TLS_REQUIRED")
        if archive.tls is not None and error.code == "PACS_ABORTED":
            return _why_hung_up(archive, seconds) or error
    return RetryLater("PACS_TIMEOUT") if error.code == "PACS_STALLED" else error


def _why_hung_up(archive: Archive, seconds: float) -> DicomAssetsError | None:
    """TLS 1.3 refuses our certificate after the handshake, and what we have sent meanwhile may cost us the alert: so
    once more, without a word of ours."""
    try:
        with connect(archive.host, archive.port, seconds, client_context(archive.tls)) as silent:
            silent.settimeout(seconds)
            silent.recv(1)
    except ssl.SSLError as error:
        why = why_refused(error)
        return why if why.code != "PACS_ABORTED" else None
    except (OSError, DicomAssetsError):
        pass
    return None
