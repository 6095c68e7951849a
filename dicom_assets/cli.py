"""The command line `dicom-assets`: thin. It parses and calls; a command's module is imported when it is asked for."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .commands.arguments import EXIT_CODES
from .errors import BadInput, DicomAssetsError, from_os_error
from .quiet import hide_tracebacks, protect_process

#: Codes that mean that the command was called wrongly: exit code 2
USAGE = {
    "WINDOW_MALFORMED",
    "PLAN_WHAT",
    "EXPORT_WHAT",
    "RUN_FROM_WHAT",
    "INPUT_MISSING",
    "FOLDERS_OVERLAP",
    "DELIVERY_TO_MALFORMED",
    "PROFILE_UNKNOWN",
    "UPLOAD_WHAT",
    "AUDIT_REASON_MISSING",
    "AUDIT_REASON_UNUSABLE",
    "FORGET_WHAT",
    "PACK_WHAT",
    "PACK_INTO_DATA_ROOT",
    "COHORT_UNKNOWN",
    "NO_PACK",
    "PACK_STILL_ZIPPED",
    "REVIEW_REASON_MISSING",
    "REVIEW_RECTANGLE_UNREADABLE",
}


def build_parser(*names: str) -> argparse.ArgumentParser:
    """names: of the commands that it has to understand; without any, all. Making one takes its time."""
    parser = argparse.ArgumentParser(
        prog="dicom-assets",
        description="Studies out of an archive and into research: retrieved, de-identified, mapped, proved, released.",
        epilog=EXIT_CODES + ". Settings come from the environment and .env; see .env.example.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names or _COMMANDS:
        getattr(import_module(f"{__package__}.commands.arguments.{_COMMANDS[name]}"), name)(commands)
    return parser


#: Command -> module of commands/arguments that has a function of its name
_COMMANDS = {
    "demo": "batches",
    "echo": "archives",
    "find": "archives",
    "plan": "archives",
    "run": "batches",
    "ledger": "batches",
    "report": "batches",
    "status": "arrivals",
    "receive": "arrivals",
    "upload": "arrivals",
    "send": "archives",
    "mapping": "mapping",
    "key": "mapping",
    "audit": "mapping",
    "deidentify": "folders",
    "pack": "batches",
    "verify": "folders",
    "profile": "folders",
    "review": "batches",
}


def main(arguments: Sequence[str] | None = None) -> int:
    if sys.stderr is None:  # closed by the caller; print() would take stdout instead
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process
    protect_process()
    hide_tracebacks()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    asked = arguments[0] if arguments else ""
    options = build_parser(*[asked] if asked in _COMMANDS else []).parse_args(arguments)
    try:
        module, _, function = options.run.partition(".")
        return getattr(import_module(f"{__package__}.commands.{module}"), function)(options)
    except DicomAssetsError as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        return 2 if isinstance(error, BadInput) and error.code in USAGE else 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(from_os_error(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
