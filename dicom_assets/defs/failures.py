"""Errors on their way into Dagster's event log: a code and its sentence, never a value, never a foreign traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ..errors import DicomAssetsError, RetryLater
from ..quiet import describe_bug


@contextmanager
def coded_failures() -> Iterator[None]:
    """Every error becomes a dg.Failure; only RetryLater may be retried."""
    try:
        yield
    except DicomAssetsError as error:
        failure = dg.Failure(description=str(error), allow_retries=isinstance(error, RetryLater))
    except Exception as error:
        failure = dg.Failure(description=f"INTERNAL_ERROR: {describe_bug(error)}", allow_retries=False)
    else:
        return
    raise failure  # outside of the handlers, so that no foreign exception is attached
