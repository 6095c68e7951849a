"""Arguments of the commands on the mapping, its keys and its audit log."""

import argparse
from pathlib import Path

from . import Commands


def mapping(commands: Commands) -> None:
    mapping = commands.add_parser("mapping", help="the protected mapping: read, add to, destroy; each act is audited")
    mapping_command = mapping.add_subparsers(dest="mapping_command", required=True, metavar="COMMAND")
    export = mapping_command.add_parser("export", help="the mapping as CSV, six columns or all of them")
    export.add_argument("batch", nargs="?", metavar="BATCH")
    export.add_argument("--all", action="store_true", help="all batches")
    export.add_argument("--out", type=Path, required=True, metavar="F.csv")
    export.add_argument("--columns", choices=("six", "all"), default="six", help="(default: %(default)s)")
    export.set_defaults(run="mapping.export")
    reidentify = mapping_command.add_parser(
        "reidentify", help="a patient's pseudonym, a study key or a new UID -> original IDs, UIDs and file names"
    )
    reidentify.set_defaults(run="mapping.reidentify")
    lookup = mapping_command.add_parser(
        "lookup",
        help="an original PatientID or UID -> pseudonym, new UIDs and released files",
        description="A value on the command line stays in the shell's history and is seen in the list of processes: "
        "give - and type it, or pipe it in.",
    )
    lookup.set_defaults(run="mapping.lookup")
    for one, name in ((reidentify, "PSEUDONYM|UID"), (lookup, "VALUE")):
        one.add_argument("value", metavar=name, help="- reads it from stdin, one line")
        one.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given = mapping_command.add_parser(
        "import",
        help="the site's own pseudonyms, for every batch from then on",
        description="All lines or none. A conflict, within the file or with what is in use, is refused and named by "
        "its line.",
    )
    given.add_argument("file", type=Path, metavar="FILE.csv", help="columns PatientID and Pseudonym; all is text")
    given.set_defaults(run="mapping.import_given")
    forget = mapping_command.add_parser(
        "forget",
        help="cut all ties: destroy the keys, the mapping and all originals; what is released stays",
        description="Without --project it says what would go. With it nobody can ever lead from a pseudonym to its "
        "patient again, nor begin another batch in this root. Disks, snapshots and backups may keep copies.",
    )
    forget.add_argument("--project", action="store_true", help="do it")
    forget.set_defaults(run="mapping.forget_project")
    for one in (export, reidentify, lookup, forget):
        needed = "required: " if one in (reidentify, lookup) else ""
        one.add_argument(
            "--reason", default="", metavar="TEXT", help=f"{needed}why, for the audit log; name no patient"
        )


def key(commands: Commands) -> None:
    key = commands.add_parser(
        "key",
        help="the two keys of a project: make them, check them, rotate the mapping key",
        description="The pseudonym key makes pseudonyms, UIDs and shifts of dates, and cannot be changed within a "
        "project. The mapping key seals what leads from a pseudonym to its patient, and may be rotated at any time.",
    )
    key_command = key.add_subparsers(dest="key_command", required=True, metavar="COMMAND")
    new = key_command.add_parser("new", help="make both keys of a new project; says what losing one means")
    new.set_defaults(run="key.new")
    rotate = key_command.add_parser(
        "rotate",
        help="make a new mapping key and seal every table again under it; pseudonyms stay. Interrupted and run "
        "again it goes on",
    )
    rotate.set_defaults(run="key.rotate")
    check = key_command.add_parser(
        "check",
        help="are the keys there, for nobody else to read, and do they open what they sealed",
        epilog="exit codes: 0 all is well; 1 a key is missing or does not fit; 2 usage; 3 a rotation is unfinished",
    )
    check.set_defaults(run="key.check")


def audit(commands: Commands) -> None:
    audit = commands.add_parser("audit", help="the audit log: is it whole, and what does it say")
    audit_command = audit.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = audit_command.add_parser(
        "verify",
        help="finds every line that was changed, moved or taken away; prints the number of lines and the last hash",
        description="Note number and hash somewhere else: with --noted a log that somebody wrote anew is found too.",
        epilog="exit codes: 0 whole; 1 not",
    )
    verify.add_argument("--noted", default="", metavar="HASH", help="a last hash of earlier: it must still be there")
    verify.set_defaults(run="audit.verify_log")
    show = audit_command.add_parser("show", help="its lines; that they are looked at is a line too")
    show.add_argument("--last", type=_count, default=0, metavar="N", help="only the last N (default: all)")
    show.add_argument("--reason", default="", metavar="TEXT", help="why you look; name no patient")
    show.set_defaults(run="audit.show")
    for one in (verify, show):
        one.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)
