"""Data sets of messages: queries, answers, reports; in the transfer syntax of their presentation context."""

import warnings
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from ..errors import BadInput, RetryLater


def encoded(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Raises BadInput("QUERY_WILDCARD") where a value cannot be written in any character set."""
    syntax = UID(transfer_syntax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian)
    if data is None:
        raise BadInput("QUERY_WILDCARD")
    return data


def decoded(data: bytes, transfer_syntax: str) -> Dataset:
    """With raw elements. Raises RetryLater("PACS_UNREADABLE_ANSWER")."""
    if not data:
        raise RetryLater("PACS_UNREADABLE_ANSWER")
    syntax = UID(transfer_syntax)
    # pydicom warns about values of the peer, quoting them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, bytelength=len(data))
        except Exception:
            # Whatever damaged bytes make pydicom raise, there is no answer.
            raise RetryLater("PACS_UNREADABLE_ANSWER") from None
