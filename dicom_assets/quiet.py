"""Keeps libraries from printing what they read: their messages quote names, identifiers and UIDs."""

import logging
import os
import sys
import threading
import warnings

_QUOTING_LIBRARIES = ("pydicom", "pynetdicom", "pylibjpeg")
#: Where dagster logs the exceptions that it redacts elsewhere, in full; ours reach the user by their code.
_REDACTED_ERRORS = "dagster.redacted_errors"


def silence_libraries() -> None:
    """Called first in every process: command line, Dagster code location, pool worker, archive of the demo."""
    for name in _QUOTING_LIBRARIES:
        _silence(name)
        warnings.filterwarnings("ignore", module=name)


def silence_pynetdicom() -> None:
    """Its own switches, beside its loggers. Called by the rooms that import it, `pacs` and `demo`, before they do: it
    takes longer to import than most commands need."""
    from pynetdicom import _config

    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False


def _silence(name: str) -> None:
    logger = logging.getLogger(name)
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)


def protect_process() -> None:
    """Also for a process that runs user code of Dagster: exception texts are replaced in its event log."""
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    _silence(_REDACTED_ERRORS)
    silence_libraries()


def describe_bug(error: BaseException) -> str:
    """Type and place of an unexpected error, without its message: `KeyError at deidentify.py:88`."""
    trace = error.__traceback__
    own = None
    while trace is not None:
        frame = trace.tb_frame.f_code.co_filename
        if "dicom_assets" in frame or own is None:
            own = f"{frame.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {own or 'unknown place'}"


def hide_tracebacks() -> None:
    """An uncaught error of the command line ends with its type and place only; its message may quote a value."""

    def report(kind: type[BaseException], error: BaseException, _trace: object) -> None:
        print(f"INTERNAL_ERROR: {describe_bug(error)}", file=sys.stderr)

    sys.excepthook = report
    threading.excepthook = lambda arguments: report(arguments.exc_type, arguments.exc_value, None)
    sys.unraisablehook = lambda _arguments: None


def printable(text: str) -> str:
    """What a peer or a file says, so that no terminal obeys it: what cannot be printed is escaped."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
