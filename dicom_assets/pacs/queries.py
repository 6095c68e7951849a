"""Queries to an archive: an identifier in, every answer to it out. A query that failed raises; it is never empty."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FindModel

from ..errors import RetryLater
from .archive import Archive
from .association import open_association
from .contexts import UNCOMPRESSED
from .status import read_status
from .watch import Watch

#: An identifier in, every answer to it out.
Ask = Callable[[Dataset], list[Dataset]]


@contextmanager
def open_queries(archive: Archive) -> Iterator[Ask]:
    """A function from identifier to all answers, over one association."""
    watch = Watch(archive.timeouts)
    contexts = [build_context(FindModel, UNCOMPRESSED)]
    with open_association(archive, contexts, watch=watch) as association:
        yield lambda keys: _ask(association, watch, keys)


def _ask(association: Association, watch: Watch, keys: Dataset) -> list[Dataset]:
    """Every answer to one query; raises unless the archive ended it with success."""
    try:
        responses = association.send_c_find(keys, FindModel)
    except RuntimeError:
        # pynetdicom's for an association that has ended meanwhile.
        raise RetryLater("PACS_ABORTED") from None
    answers = []
    # pydicom warns about values of the peer while pynetdicom decodes an answer, quoting them.
    with watch.answering(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for response, answer in responses:
            meaning = read_status("find", response, is_first=not answers)
            if meaning.is_success:
                return answers
            if watch.stalled:
                raise RetryLater("PACS_STALLED")
            if not meaning.is_pending:
                raise meaning.as_error()
            if answer is None:
                raise RetryLater("PACS_UNREADABLE_ANSWER")
            answers.append(answer)
    raise RetryLater("PACS_ABORTED")
