"""One association with the archive as a `with` block, and what went wrong where none came about."""

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pynetdicom import AE
from pynetdicom.association import Association

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .watch import Watch

#: Bytes of a P-DATA PDU that we accept: fewer, larger PDUs are faster. PS3.8 D.1.
MAXIMUM_PDU_LENGTH = 131072

# PS3.8 Table 9-21: source 1 is the service user, 3 the presentation-related service provider.
_SERVICE_USER, _TRANSIENT = 1, 2
_CALLING_AE_TITLE, _CALLED_AE_TITLE = 3, 7


@contextmanager
def open_association(
    archive: Archive, contexts: Iterable, roles: Iterable = (), handlers: Iterable = (), watch: Watch | None = None
) -> Iterator[Association]:
    """An established association; released at the end, aborted where the block raises.

    watch: made for this one association; without it one is made. Raises
    RetryLater: PACS_UNREACHABLE, PACS_TIMEOUT, PACS_BUSY, PACS_ABORTED.
    BadInput: PACS_NOT_CONFIGURED, PACS_REJECTED_CALLED_AE_TITLE, PACS_REJECTED_CALLING_AE_TITLE, PACS_REJECTED,
    PACS_NO_COMMON_CONTEXT (no proposed context was accepted).
    """
    if not archive.host or not archive.called_ae_title or not archive.calling_ae_title:
        raise BadInput("PACS_NOT_CONFIGURED")
    watch = watch or Watch(archive.timeouts)
    try:
        association = _associate(archive, list(contexts), list(roles), list(handlers), watch)
        try:
            yield association
        except BaseException:
            if association.is_established:
                association.abort()
            raise
        with watch.negotiating():
            association.release()
    finally:
        watch.close()


def _associate(archive: Archive, contexts: list, roles: list, handlers: list, watch: Watch) -> Association:
    ae = AE(ae_title=archive.calling_ae_title)
    ae.connection_timeout = archive.timeouts.connect
    ae.acse_timeout = archive.timeouts.acse
    # The watch measures both by the byte; pynetdicom's count whole messages and would cut a large instance.
    ae.dimse_timeout = None
    ae.network_timeout = None
    started = time.monotonic()
    try:
        with watch.negotiating(), warnings.catch_warnings():
            # pynetdicom drops the socket of a failed connection without closing it.
            warnings.simplefilter("ignore", ResourceWarning)
            association = ae.associate(
                archive.host,
                archive.port,
                contexts=contexts,
                ae_title=archive.called_ae_title,
                max_pdu=MAXIMUM_PDU_LENGTH,
                ext_neg=roles,
                evt_handlers=[*watch.handlers, *handlers],
            )
    except (OSError, UnicodeError):
        raise RetryLater("PACS_UNREACHABLE") from None
    if not association.is_established:
        raise _why_not(association, archive, watch, time.monotonic() - started)
    return association


def _why_not(association: Association, archive: Archive, watch: Watch, seconds: float) -> DicomAssetsError:
    """seconds: since the connection was tried."""
    if not watch.connected:
        return RetryLater("PACS_TIMEOUT" if seconds >= archive.timeouts.connect else "PACS_UNREACHABLE")
    answer = association.acceptor.primitive
    if answer is not None and answer.result:  # also where the peer hung up before pynetdicom took note of it
        return _why_rejected(answer.result, answer.result_source, answer.diagnostic)
    if answer is not None and answer.result == 0:
        return BadInput("PACS_NO_COMMON_CONTEXT")
    return RetryLater("PACS_TIMEOUT" if seconds >= archive.timeouts.acse else "PACS_ABORTED")


def _why_rejected(result: int, source: int, diagnostic: int) -> DicomAssetsError:
    if source == _SERVICE_USER and diagnostic == _CALLED_AE_TITLE:
        return BadInput("PACS_REJECTED_CALLED_AE_TITLE")
    if source == _SERVICE_USER and diagnostic == _CALLING_AE_TITLE:
        return BadInput("PACS_REJECTED_CALLING_AE_TITLE")
    if result == _TRANSIENT or source != _SERVICE_USER:
        return RetryLater("PACS_BUSY")
    return BadInput("PACS_REJECTED")
