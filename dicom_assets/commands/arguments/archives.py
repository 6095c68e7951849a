"""Arguments of the commands on the archives and what is asked of them."""

from pathlib import Path

from . import Commands


def echo(commands: Commands) -> None:
    echo = commands.add_parser(
        "echo", help="test the connection to the archives (C-ECHO; QIDO-RS where there is DICOMweb)"
    )
    echo.set_defaults(run="echo.echo")


def find(commands: Commands) -> None:
    find = commands.add_parser("find", help="list studies of the archive (C-FIND at STUDY level)")
    find.add_argument("--from", dest="date_from", metavar="DATE", default="", help="first study date, YYYY-MM-DD")
    find.add_argument("--to", dest="date_to", metavar="DATE", default="", help="last study date, YYYY-MM-DD")
    find.add_argument("--modality", action="append", default=[], help="modality in study; may be repeated")
    find.add_argument("--patient-id", default="", help="exactly as the archive has it")
    find.add_argument("--accession", default="", help="accession number")
    find.add_argument("--study", default="", help="StudyInstanceUID")
    form = find.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object on stdout")
    form.add_argument("--csv", action="store_true", help="CSV on stdout")
    find.set_defaults(run="archive.find")


def plan(commands: Commands) -> None:
    plan = commands.add_parser("plan", help="cohort file or date window -> batch requests; prints the batch keys")
    plan.add_argument("cohort", nargs="?", type=Path, metavar="COHORT.csv", help="columns as in the README")
    plan.add_argument("--arrivals", action="store_true", help="what was pushed to us and has settled")
    plan.add_argument("--name", default="", help="a label kept inside the request (never in a key or path)")
    plan.add_argument("--from", dest="date_from", metavar="DATE", default="", help="first study date, YYYY-MM-DD")
    plan.add_argument("--to", dest="date_to", metavar="DATE", default="", help="last study date, YYYY-MM-DD")
    plan.set_defaults(run="archive.plan")


def send(commands: Commands) -> None:
    send = commands.add_parser("send", help="send what a batch has released; only what is not there yet")
    send.add_argument("batch", metavar="BATCH")
    send.add_argument(
        "--to", required=True, metavar="DESTINATION", help="host:port:AE_TITLE, or the root of STOW-RS (http, https)"
    )
    send.add_argument("--json", action="store_true", help="one JSON object on stdout")
    send.set_defaults(run="send.send")
