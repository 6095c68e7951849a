"""Queries to an archive: an identifier in, every answer to it out. A query that failed raises; it is never empty."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from pydicom.dataset import Dataset

from ..errors import BadInput, DicomAssetsError, RetryLater
from .archive import Archive
from .association import Association, Context
from .commands import C_FIND_RQ, request
from .contexts import FIND_MODEL, UNCOMPRESSED
from .datasets import decoded, encoded
from .patience import Patience
from .requestor import open_association
from .status import Meaning, read_status

#: Raises the code of a query that failed, and BadInput("PACS_QUERY_CAPPED") where the archive stopped at a limit, or
#: more came than anybody should have to hold in memory.
Ask = Callable[[Dataset], list[Dataset]]

_MOST_ANSWERS, _MOST_STUDIES = 20_000, 5_000
#: Seconds for the end of a query that was cancelled; many archives ignore it, and then the association ends.
_CANCEL_SECONDS = 2.0


@contextmanager
def open_queries(archive: Archive) -> Iterator[Ask]:
    """One association for all queries of the block, opened anew where it has ended between two of them; QIDO-RS where
    the archive is asked by DICOMweb. Raises as open_association."""
    if archive.retrieve == "dicomweb" or (archive.dicomweb_url and not archive.host):
        from .qido import qido_queries

        with qido_queries(archive) as ask:
            yield ask
        return
    queries = _Queries(archive)
    try:
        queries.open()
        yield queries.ask
    except DicomAssetsError:
        queries.close()
        raise
    except BaseException:
        queries.drop()  # perhaps in the middle of an answer, which nobody wants to wait for
        raise
    queries.close()


class _Queries:
    """A C-FIND association, opened when it is needed."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._patience = Patience(archive.timeouts)
        self._resources = ExitStack()
        self._association: Association | None = None
        self._message_id = 0  #: of the last request of this association

    def open(self) -> None:
        opened = open_association(self._archive, [(FIND_MODEL, UNCOMPRESSED)], patience=self._patience)
        self._association = self._resources.enter_context(opened)
        self._message_id = 0

    def close(self) -> None:
        self._association = None
        self._resources.close()

    def ask(self, keys: Dataset) -> list[Dataset]:
        """An association that the archive ended while nothing was asked is opened again."""
        if self._association is None:
            self.open()
        try:
            return self._ask(keys)
        except RetryLater as error:
            was_in_use = self._message_id > 1
            self.drop()
            if not was_in_use or error.code != "PACS_REQUEST_ABORTED":
                raise
        self.open()
        return self._ask(keys)

    def drop(self) -> None:
        if self._association is not None:
            self._association.abort()
        self.close()

    def _ask(self, keys: Dataset) -> list[Dataset]:
        association = self._association
        self._message_id = self._message_id % 0xFFFF + 1
        context = association.context_for(FIND_MODEL)
        command = request(C_FIND_RQ, self._message_id, FIND_MODEL, has_data=True)
        answers: list[Dataset] = []
        most = _MOST_STUDIES if keys.QueryRetrieveLevel == "STUDY" else _MOST_ANSWERS
        with self._patience.answering():
            try:
                association.send(context, command, encoded(keys, context.transfer_syntax))
                for meaning, data in self._responses(association):
                    if meaning.is_success:
                        return answers
                    if not meaning.is_pending:
                        raise meaning.as_error()
                    answers.append(decoded(data, context.transfer_syntax))
                    self._patience.progressed()
                    if len(answers) > most:
                        self._cancel(association, context)
                        raise BadInput("PACS_QUERY_CAPPED")
            except RetryLater as error:
                if error.code == "PACS_ABORTED" and not answers:
                    raise RetryLater("PACS_REQUEST_ABORTED") from None
                raise
        raise RetryLater("PACS_ABORTED")

    def _responses(self, association: Association) -> Iterator[tuple[Meaning, bytes]]:
        """Responses to the last request. Late ones to an earlier request are read and dropped; those to none end the
        query: dropped, they would make a short list."""
        while True:
            _, response = association.next_command()
            data = association.data() if response.has_data else b""
            message_id = response.number("MessageIDBeingRespondedTo")
            if message_id in (None, self._message_id):
                yield read_status("find", response), data
            elif not 0 < message_id < self._message_id:
                raise RetryLater("PACS_UNREADABLE_ANSWER")

    def _cancel(self, association: Association, context: Context) -> None:
        """The association stays where the archive ends the query, and is dropped where it ignores that, or gives up."""
        deadline = time.monotonic() + _CANCEL_SECONDS
        with suppress(RetryLater):
            association.cancel(context, self._message_id)
            for meaning, _ in self._responses(association):
                if not meaning.is_pending:
                    return
                if time.monotonic() > deadline:
                    break
        self.drop()
