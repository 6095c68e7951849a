"""The command line `dicom-assets`: thin. It parses and calls; a command's module is imported when it is asked for."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

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
}
Commands = argparse._SubParsersAction  #: what add_subparsers() gives
EXIT_CODES = """exit codes: 0 all done; 1 failed; 2 usage; 3 done, but something was quarantined or is incomplete"""


def build_parser(*names: str) -> argparse.ArgumentParser:
    """names: of the commands that it has to understand; without any, all. Making one takes its time."""
    parser = argparse.ArgumentParser(
        prog="dicom-assets",
        description="Studies out of an archive and into research: retrieved, de-identified, mapped, proved, released.",
        epilog=EXIT_CODES + ". Settings come from the environment and .env; see .env.example.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names or _COMMANDS:
        _COMMANDS[name](commands)
    return parser


def _demo(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="run everything against an embedded archive of synthetic studies")
    demo.add_argument("--root", type=Path, default=Path("data/demo"), help="folder for all of its data (%(default)s)")
    demo.set_defaults(run="batch.demo")


def _echo(commands: Commands) -> None:
    echo = commands.add_parser(
        "echo", help="test the connection to the archives (C-ECHO; QIDO-RS where there is DICOMweb)"
    )
    echo.set_defaults(run="echo.echo")


def _find(commands: Commands) -> None:
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


def _plan(commands: Commands) -> None:
    plan = commands.add_parser("plan", help="cohort file or date window -> batch requests; prints the batch keys")
    plan.add_argument("cohort", nargs="?", type=Path, metavar="COHORT.csv", help="columns as in the README")
    plan.add_argument("--arrivals", action="store_true", help="what was pushed to us and has settled")
    plan.add_argument("--name", default="", help="a label kept inside the request (never in a key or path)")
    plan.add_argument("--from", dest="date_from", metavar="DATE", default="", help="first study date, YYYY-MM-DD")
    plan.add_argument("--to", dest="date_to", metavar="DATE", default="", help="last study date, YYYY-MM-DD")
    plan.set_defaults(run="archive.plan")


def _run(commands: Commands) -> None:
    run = commands.add_parser("run", help="materialize the five assets for one batch")
    run.add_argument("batch", metavar="BATCH", help="a key that plan printed")
    run.add_argument("--from", dest="start", metavar="ASSET", default="", help="begin with this asset")
    run.add_argument(
        "--urgent", action="store_true", help="whatever the archive's hours, and before other batches at the archive"
    )
    run.set_defaults(run="batch.run")


def _receive(commands: Commands) -> None:
    receive = commands.add_parser(
        "receive",
        help="Storage SCP: takes what is pushed to it, until it is told to stop",
        description="Listens for DICOM associations and keeps what is sent under the restricted root. An instance is "
        "answered with success when it is durable. SIGTERM or SIGINT (Ctrl-C) ends it in order.",
    )
    receive.add_argument("--port", type=_port, metavar="N", help="TCP port (default: DICOM_RECEIVER_PORT)")
    receive.set_defaults(run="receive.receive")


def _upload(commands: Commands) -> None:
    upload = commands.add_parser(
        "upload",
        help="files, folders, ZIPs and media (DICOMDIR) into incoming, as if they had been pushed to us",
        description="Copies every DICOM instance of PATH... into incoming; the files are never changed. Folders are "
        "read to any depth, links are not followed, ZIPs are unpacked, and a ZIP within a ZIP. Interrupted and run "
        "again it completes.",
        epilog=EXIT_CODES,
    )
    upload.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, folder, ZIP, or a medium's folder")
    upload.add_argument("--json", action="store_true", help="one JSON object on stdout")
    upload.set_defaults(run="upload.upload_files")


def _status(commands: Commands) -> None:
    status = commands.add_parser(
        "status",
        help="what arrives, waits, is in work, lies in quarantine; the room that is left",
        description="How it stands with what was pushed to us.",
        epilog="exit codes: 0 all is well; 1 failed; 2 usage; 3 something needs a person (said on stderr)",
    )
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.set_defaults(run="status.status")


def _send(commands: Commands) -> None:
    send = commands.add_parser("send", help="send what a batch has released; only what is not there yet")
    send.add_argument("batch", metavar="BATCH")
    send.add_argument(
        "--to", required=True, metavar="DESTINATION", help="host:port:AE_TITLE, or the root of STOW-RS (http, https)"
    )
    send.add_argument("--json", action="store_true", help="one JSON object on stdout")
    send.set_defaults(run="send.send")


def _ledger(commands: Commands) -> None:
    ledger = commands.add_parser("ledger", help="one row a study: what was asked for and what became of it")
    ledger.add_argument("batch", metavar="BATCH")
    ledger.add_argument("--json", action="store_true", help="a JSON list on stdout")
    ledger.set_defaults(run="batch.ledger")


def _report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="the verdict on a batch, and where its report lies",
        description="One line with the verdict, then the paths of the page, the JSON, the Parquet and the list for "
        "sha256sum. `dicom-assets report schema` prints the JSON Schema of the JSON.",
        epilog="exit codes: 0 complete and clean; 1 failed; 2 usage; 3 any other verdict",
    )
    report.add_argument("batch", metavar="BATCH|schema")
    report.set_defaults(run="report.report")


def _mapping(commands: Commands) -> None:
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


def _audit(commands: Commands) -> None:
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


def _key(commands: Commands) -> None:
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
        help="make a new mapping key and seal every table again under it; pseudonyms stay. Interrupted and run again it "
        "goes on",
    )
    rotate.set_defaults(run="key.rotate")
    check = key_command.add_parser(
        "check",
        help="are the keys there, for nobody else to read, and do they open what they sealed",
        epilog="exit codes: 0 all is well; 1 a key is missing or does not fit; 2 usage; 3 a rotation is unfinished",
    )
    check.set_defaults(run="key.check")


def _deidentify(commands: Commands) -> None:
    deidentify = commands.add_parser(
        "deidentify",
        help="files or folders -> folder of de-identified files; no Dagster, no archive",
        description="De-identifies every DICOM file of IN into OUT/<patient>/<study>/<series>/<instance>.dcm. IN is "
        "read recursively and never written to; links are not followed. What cannot be made sure is quarantined: it "
        "has a reason code and no output. Interrupted and run again it completes.",
        epilog=EXIT_CODES,
    )
    deidentify.add_argument("source", type=Path, metavar="IN", help="a folder or a file")
    deidentify.add_argument("target", type=Path, metavar="OUT", help="a folder; made if it is not there")
    deidentify.add_argument(
        "--profile", default="", metavar="P", help="a name or a .toml file (default: DICOM_PROFILE)"
    )
    deidentify.add_argument(
        "--mapping",
        type=Path,
        metavar="DIR",
        help="write mapping.csv, uids.csv, patients.csv and quarantine.csv here, merged with those of earlier runs; "
        r"they identify patients. In file names \xNN stands for a byte that is not UTF-8",
    )
    deidentify.add_argument(
        "--key-file",
        type=Path,
        metavar="F",
        help="32 bytes; made if it is not there (default: DICOM_PSEUDONYM_KEY_FILE)",
    )
    deidentify.add_argument(
        "--workers", type=_count, default=0, metavar="N", help="processes (default: one a processor)"
    )
    deidentify.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; its bytes are those of the files that were read"
    )
    deidentify.set_defaults(run="deidentify.deidentify")


def _pack(commands: Commands) -> None:
    pack = commands.add_parser(
        "pack",
        help="what batches have released as a folder to hand over, with all that proves it",
        description="Makes a release pack: images, manifest, what is missing and why, de-identification statement, "
        "data dictionary, reports, README, SHA256SUMS. It appears when it is whole; interrupted, run the same command "
        "again.",
        epilog=EXIT_CODES,
    )
    pack.add_argument("batches", nargs="*", metavar="BATCH", help="keys of released batches")
    pack.add_argument("--cohort", default="", metavar="NAME", help="all batches that were planned under this name")
    pack.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    pack.add_argument("--zip", action="store_true", help="one file DIR.zip instead")
    pack.add_argument("--link", action="store_true", help="images as second names of the released files, no copies")
    pack.add_argument("--reason", default="", metavar="TEXT", help="for the audit log; name no patient")
    pack.add_argument("--json", action="store_true", help="one JSON object on stdout")
    pack.set_defaults(run="pack.pack")


def _verify(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify",
        help="the independent checks of validation_report on a folder, or of a release pack",
        description="Checks a folder of de-identified files, or a release pack, anywhere: needs no settings, and no "
        "mapping. Reads, and writes nothing.",
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="a folder of files, or what pack made")
    verify.add_argument("--mapping", type=Path, metavar="DIR", help="folder with mapping.csv, uids.csv, patients.csv")
    verify.add_argument("--digest", default="", metavar="HEX", help="of a pack, as its sender noted it: compare it")
    verify.add_argument("--json", action="store_true", help="one JSON object on stdout")
    verify.set_defaults(run="verify.verify")


def _review(commands: Commands) -> None:
    review = commands.add_parser(
        "review",
        help="what lies in quarantine, and what a person decides of it",
        description="Every look and every decision is a line of the audit log before it happens.",
    )
    review_command = review.add_subparsers(dest="review_command", required=True, metavar="COMMAND")
    listing = review_command.add_parser("list", help="one line an original: its item, and what can be decided")
    listing.add_argument("batch", nargs="?", default="", metavar="BATCH", help="or `watched` (default: all)")
    listing.add_argument("--reason", default="", metavar="CODE", help="kept back for this reason alone")
    listing.add_argument("--json", action="store_true", help="a JSON list on stdout")
    listing.set_defaults(run="review.list_items")
    show = review_command.add_parser(
        "show", help="an original's header, and what the profile does with each element; it identifies"
    )
    show.add_argument("item", metavar="ITEM", help="as list names it")
    show.add_argument("--reason", default="", metavar="TEXT", help="why you look, for the audit log")
    show.set_defaults(run="review.show_item")
    release = review_command.add_parser(
        "release",
        help="a person vouches: exactly this content may go on, in spite of exactly this reason",
        description="For images of which triage cannot tell whether they show text, and you have looked: it goes on, "
        "through de-identification and every check. Of a conflict: this content is the true one, and the others are "
        "DISCARDED with it. What was damaged, or still names its patient, cannot be released.",
    )
    discard = review_command.add_parser(
        "discard",
        help="the original is deleted from quarantine and used for nothing, if it comes again, too",
        description="The ledger keeps counting it as quarantined, with its reason. A batch that keeps its originals "
        "keeps this one until its retention is over, and does not offer it again.",
    )
    for one, verb in ((release, "release"), (discard, "discard")):
        one.add_argument("items", nargs="+", metavar="ITEM", help="as list names them")
        one.add_argument("--reason", required=True, metavar="TEXT", help="for the audit log; name no patient")
        one.set_defaults(run=f"review.{verb}")


def _profile(commands: Commands) -> None:
    profile = commands.add_parser("profile", help="what a profile does to which element, and why")
    profile_command = profile.add_subparsers(dest="profile_command", required=True, metavar="COMMAND")
    a_profile = "a shipped profile's name, or the path of a .toml file"
    show = profile_command.add_parser("show", help="every rule of a profile: tag, name, action, why")
    show.add_argument("profile", metavar="P", help=a_profile)
    show.set_defaults(run="profile.show")
    diff = profile_command.add_parser("diff", help="every element that two profiles treat differently")
    diff.add_argument("first", metavar="A", help=a_profile)
    diff.add_argument("second", metavar="B", help=a_profile)
    diff.set_defaults(run="profile.diff")
    shipped = profile_command.add_parser("list", help="the shipped profiles")
    shipped.set_defaults(run="profile.list_shipped")
    for one in (show, diff, shipped):
        one.add_argument("--json", action="store_true", help="one JSON object on stdout")


_COMMANDS: dict[str, Callable[[Commands], None]] = {
    "demo": _demo,
    "echo": _echo,
    "find": _find,
    "plan": _plan,
    "run": _run,
    "ledger": _ledger,
    "report": _report,
    "status": _status,
    "receive": _receive,
    "upload": _upload,
    "send": _send,
    "mapping": _mapping,
    "key": _key,
    "audit": _audit,
    "deidentify": _deidentify,
    "pack": _pack,
    "verify": _verify,
    "profile": _profile,
    "review": _review,
}


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(text)


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
