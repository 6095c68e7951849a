"""Errors on their way into Dagster's event log: a code and its sentence, never a value, never a foreign traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from ..errors import REASONS, DicomAssetsError, RetryLater
from ..quiet import describe_bug

#: Errors of the archive's side, which may be over in a minute; a full disk is not.
_OF_THE_ARCHIVE = ("PACS_", "RECEIVER_")

#: The archive is down: once more, after 0 to 30 seconds, so that not all come back at once. Associations have retries
#: of their own (seconds), batches that nobody started by hand get another run (minutes to hours), crashed runs have
#: those of the instance.
ARCHIVE_DOWN = dg.RetryPolicy(max_retries=1, delay=15, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def coded_failures(context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Every error becomes a dg.Failure. context: of an asset with the retry policy ARCHIVE_DOWN, or none.

    Dagster drops the description of a failure that it has retried to the end, so that the last one is not for retry."""
    try:
        yield
    except DicomAssetsError as error:
        retried = isinstance(error, RetryLater) and error.code.startswith(_OF_THE_ARCHIVE)
        retried = retried and context is not None and context.retry_number < ARCHIVE_DOWN.max_retries
        failure = dg.Failure(description=str(error), allow_retries=retried)
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        failure = dg.Failure(description=f"INTERRUPTED: {REASONS['INTERRUPTED']}", allow_retries=False)
    except Exception as error:
        failure = dg.Failure(description=f"INTERNAL_ERROR: {describe_bug(error)}", allow_retries=False)
    else:
        return
    if context is not None:
        context.log.error(failure.description)
    raise failure  # outside of the handlers, so that no foreign exception is attached
