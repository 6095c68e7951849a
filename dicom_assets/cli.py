"""The command line `dicom-assets`: thin. It parses, calls, prints; every decision is made below."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .errors import BadInput, DicomAssetsError, from_os_error
from .quiet import hide_tracebacks, protect_process
from .storage.ledger import STAGES

EXIT_CODES = """exit codes: 0 all done; 1 failed; 2 usage; 3 done, but something was quarantined or is incomplete"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dicom-assets",
        description="Studies out of an archive and into research: retrieved, de-identified, mapped, proved, released.",
        epilog=EXIT_CODES + ". Settings come from the environment and .env; see .env.example.",
    )
    command = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = command.add_parser("demo", help="run everything against an embedded archive of synthetic studies")
    demo.add_argument("--root", type=Path, default=Path("data/demo"), help="folder for all of its data (%(default)s)")
    demo.set_defaults(run=commands.demo)

    echo = command.add_parser("echo", help="test the connection to the archive (C-ECHO)")
    echo.set_defaults(run=commands.echo)

    find = command.add_parser("find", help="list studies of the archive (C-FIND at STUDY level)")
    find.add_argument("--from", dest="date_from", metavar="DATE", default="", help="first study date, YYYY-MM-DD")
    find.add_argument("--to", dest="date_to", metavar="DATE", default="", help="last study date, YYYY-MM-DD")
    find.add_argument("--modality", action="append", default=[], help="modality in study; may be repeated")
    find.add_argument("--patient-id", default="", help="exactly as the archive has it")
    find.add_argument("--accession", default="", help="accession number")
    find.add_argument("--study", default="", help="StudyInstanceUID")
    form = find.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object on stdout")
    form.add_argument("--csv", action="store_true", help="CSV on stdout")
    find.set_defaults(run=commands.find)

    plan = command.add_parser("plan", help="cohort file or date window -> batch requests; prints the batch keys")
    plan.add_argument("cohort", nargs="?", type=Path, metavar="COHORT.csv", help="columns as in the README")
    plan.add_argument("--name", default="", help="a label kept inside the request (never in a key or path)")
    plan.add_argument("--from", dest="date_from", metavar="DATE", default="", help="first study date, YYYY-MM-DD")
    plan.add_argument("--to", dest="date_to", metavar="DATE", default="", help="last study date, YYYY-MM-DD")
    plan.set_defaults(run=commands.plan)

    run = command.add_parser("run", help="materialize the five assets for one batch")
    run.add_argument("batch", metavar="BATCH", help="a key that plan printed")
    run.add_argument("--from", dest="start", metavar="ASSET", choices=STAGES, default="", help="begin with this asset")
    run.set_defaults(run=commands.run)

    ledger = command.add_parser("ledger", help="one row a study: what was asked for and what became of it")
    ledger.add_argument("batch", metavar="BATCH")
    ledger.add_argument("--json", action="store_true", help="a JSON list on stdout")
    ledger.set_defaults(run=commands.ledger)

    mapping = command.add_parser("mapping", help="read the protected mapping; each read is audited")
    mapping_command = mapping.add_subparsers(dest="mapping_command", required=True, metavar="COMMAND")
    export = mapping_command.add_parser("export", help="the six columns of the mapping as CSV")
    export.add_argument("batch", nargs="?", metavar="BATCH")
    export.add_argument("--all", action="store_true", help="all batches")
    export.add_argument("--out", type=Path, required=True, metavar="F.csv")
    export.set_defaults(run=commands.mapping_export)

    verify = command.add_parser("verify", help="the independent checks of validation_report on a folder")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("--mapping", type=Path, metavar="DIR", help="folder with mapping.csv, uids.csv, patients.csv")
    verify.add_argument("--json", action="store_true", help="one JSON object on stdout")
    verify.set_defaults(run=commands.verify)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    protect_process()
    hide_tracebacks()
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except DicomAssetsError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, BadInput) and error.code in commands.USAGE else 1
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
